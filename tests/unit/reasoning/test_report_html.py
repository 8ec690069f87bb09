# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's data and its plain HTML: nothing is lost, nothing gets out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html import page
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html_data import island, packed
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html_groups import grouped

from . import build

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def unpacked(pool: list[Any], number: int) -> Any:
    stored = pool[number]
    if isinstance(stored, list):
        return [unpacked(pool, one) for one in stored]
    return {key: unpacked(pool, one) for key, one in stored.items()} if isinstance(stored, dict) else stored


def typed(value: Any) -> str:
    """A value as text that tells 1, 1.0 and true apart."""
    return json.dumps(value, sort_keys=True)


@given(st.dictionaries(st.text(max_size=8), st.dictionaries(st.text(max_size=8), JSON, max_size=4), max_size=4))
@example({"": {"": 0.0, "0": -0.0}})
def test_what_is_packed_can_be_unpacked(hosts: Any) -> None:
    data, _causes, _actions = packed({"hosts": hosts})
    read = json.loads(island(data))
    for name, number, *_rest in read["hosts"]:
        kept = {key: one for key, one in hosts[name].items() if not hosts[name].get("devices") or key not in ("conditions", "mitigations")}
        assert typed(unpacked(read["pool"], number)) == typed(kept)


@given(st.text())
def test_the_data_has_no_character_that_could_end_its_element(text: str) -> None:
    data = island({"text": text})
    assert not set(data) & set("<>&") and data.isascii()
    assert json.loads(data) == {"text": text}


def test_equal_hosts_cost_their_names_only() -> None:
    verdict = diagnose(build.facts("kube_1_17_before_fix"))
    one, many = (len(page({"hosts": {f"n{at:05d}": verdict for at in range(number)}})) for number in (1, 1001))
    assert (many - one) / 1000 < 60


def test_the_worst_cause_with_the_most_hosts_comes_first() -> None:
    keys = {"a": ("mitigated", "x", ""), "b": ("affected", "y", ""), "c": ("affected", "z", ""), "d": ("affected", "z", "")}
    assert [(group["status"], group["text"], group["hosts"]) for group in grouped(keys)] == [
        ("affected", "z", ["c", "d"]), ("affected", "y", ["b"]), ("mitigated", "x", ["a"]),
    ]  # fmt: skip


def test_the_policy_names_the_style_and_the_script_of_the_page() -> None:
    text = page({"hosts": {}})
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy and policy.group(1).startswith("default-src 'none';")
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy.group(1)
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg|https://www.gnu.org/licenses/gpl-3.0.txt", "", text)


@pytest.mark.parametrize("wrong", [{}, {"hosts": []}, {"hosts": {"a": "b"}}, {"hosts": None}])
def test_what_is_no_report_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="this is no report"):
        page(wrong)
    with pytest.raises(ValueError, match="this is no report"):
        page({"hosts": {}}, wrong)


def test_the_page_of_a_report_is_always_the_same() -> None:
    report = {"hosts": {"a": diagnose(build.facts("kube_1_17_before_fix"))}}
    assert page(report) == page(json.loads(json.dumps(report)))
