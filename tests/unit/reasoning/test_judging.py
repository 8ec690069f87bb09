# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts on several cores, and facts that travel as text."""

from __future__ import annotations

import json
import os
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import judging
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet

from . import build as b

FACTS = [b.facts("kube_1_30_fixed"), b.facts("calico_first_fixed"), b.facts()]
MANY: dict[str, Any] = {"node%03d" % number: {"node": FACTS[number % 3]} for number in range(3 * judging.CHUNK + 5)}
PROBES = {"node000": {"udp": {"verdict": "ok"}}}


def _with_cores(monkeypatch: pytest.MonkeyPatch, count: int) -> Any:
    monkeypatch.setattr(judging, "_cores", lambda: count)
    return fleet(MANY, PROBES, MANY)


def test_several_processes_say_what_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _with_cores(monkeypatch, 3) == _with_cores(monkeypatch, 1)


def test_hosts_are_judged_in_other_processes_and_in_order() -> None:
    found = judging.judged(MANY, {}, lambda _result, _probe: {"process": os.getpid()})
    assert list(found) == list(MANY)
    if judging._cores() > 1:
        assert os.getpid() not in {one["process"] for one in found.values()}


def test_few_hosts_stay_in_this_process() -> None:
    found = judging.judged({"one": {}}, {}, lambda _result, _probe: {"process": os.getpid()})
    assert found == {"one": {"process": os.getpid()}}


@pytest.mark.parametrize("error", [OSError("no semaphores"), BrokenProcessPool("killed")])
def test_where_no_process_can_be_started_one_judges_all(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_arguments: Any) -> Any:
        raise error

    expected = _with_cores(monkeypatch, 1)
    monkeypatch.setattr(judging, "_side_by_side", refuse)
    assert _with_cores(monkeypatch, 3) == expected


def test_facts_as_text_are_judged_alike() -> None:
    as_text = {name: {"node_json": json.dumps(result["node"])} for name, result in list(MANY.items())[:3]}
    assert fleet(as_text) == fleet(dict(list(MANY.items())[:3]))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_text_that_holds_no_facts_is_unknown(text: str) -> None:
    found = fleet({"node1": {"node_json": text}})["hosts"]["node1"]
    assert found["status"] == "unknown"
    assert "Traceback" not in found["summary"]
