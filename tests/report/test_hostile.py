# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from nodes is text: it cannot become markup or script, and it cannot hide."""

from __future__ import annotations

import copy
from typing import Any

import pytest

HOSTILE = (
    "<script>window.ran = 1</script>",
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload=window.ran=1>",
    "\"><script>window.ran = 1</script><a href=\"javascript:window.ran=1",
    "' onmouseover='window.ran = 1",
    "<!--<script>",
    "]]><style>*{display:none}</style>",
    "{{ lookup('pipe', 'id') }} [[script]] ${window.ran = 1}",
    "__proto__",
    "x" * 5000,
)


def poisoned(report: Any, text: str) -> Any:
    """One node of which every text that a node can choose is this text."""
    found = copy.deepcopy(report["hosts"]["rules-clear_mark_calico_first"])
    found.update(summary=text, action=text, upgrade=[text], lookalikes=[text], defects=[text], unneeded=[text])
    found["missing"] = [{"fact": text, "reason": text, "how": text}]
    found["probe"] = {"verdict": text, "reason": text}
    found["node"] = dict.fromkeys(found["node"], text)
    found["remedies"] = [{"id": text, "what": text, "cost": text, "risk": text, "reason": text, "status": text, "applicable": True}]
    device = found["devices"][0]
    device["name"] = text
    device["mitigations"] = [{"id": text, "owner": text, "evidence": text}]
    device["walk"] = [f"outer nat POSTROUTING 1 -m comment --comment \"{text}\" -j MASQUERADE"]
    device["way"].update(device=text, underlay=text, client=text, bit=text, vni=text, port=text, outer_checksum=text)
    device["way"]["steps"] = [{"backend": text, "hook": "POSTROUTING", "effect": text, "matched": "yes", "mark": text}]
    device["way"]["passed"] = [{"backend": text, "chain": text, "number": 1, "rule": text}]
    for condition in device["conditions"].values():
        condition.update(holds=text, evidence=text, source=text)
    hosts = {text: found, f"broken {text}": {**found, "status": "affected"}, f"odd {text}": {**found, "status": text}}
    return {"schema": 1, "hosts": hosts, "summary": {"hosts": 3, "not_checked": [text]}}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_shows_literally_and_does_nothing(opened: Any, report: Any, text: str) -> None:
    bad = poisoned(report, text)
    page = opened(bad, before=bad)
    for button in page.tab.locator("#rows .open").all():
        button.hover()
    page.tab.locator("#rows .open").last.click()
    shown = page.tab.locator(".node").inner_text()
    assert shown.count(text) > 15
    assert text in page.tab.locator(".groups").inner_text() and text in page.tab.locator(".actions").inner_text()
    assert page.tab.evaluate("window.ran") is None
    assert page.errors == []
    assert page.tab.evaluate("document.scripts.length") == 2
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 1280


def test_text_that_turns_its_direction_or_hides_is_shown_as_what_it_is(opened: Any, report: Any) -> None:
    page = opened(poisoned(report, "node\u202egnp.exe\u2066\u200b\u0007\u2028"))
    page.tab.locator("#rows .open").last.click()
    everything = page.tab.locator("main").inner_text()
    assert "node\\u202egnp.exe\\u2066\\u200b\\u0007\\u2028" in everything
    assert not set(everything) & set("\u202e\u2066\u200b\u0007\u2028")


def test_a_script_that_is_not_ours_is_refused_by_the_policy(opened: Any, report: Any) -> None:
    page = opened(report)
    page.tab.evaluate("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    page.tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    page.tab.wait_for_timeout(200)
    assert page.tab.evaluate("window.ran") is None
    assert any("Content Security Policy" in error for error in page.errors)


def test_a_hostile_earlier_report_is_text_as_well(opened: Any, report: Any, tmp_path: Any) -> None:
    path = tmp_path / "fleet.json"
    host = '"<img src=x onerror=window.ran=1>": {"status": "<b>", "summary": "<script>window.ran=1</script>"}'
    path.write_text('{"hosts": {%s, "__proto__": {}}}' % host)
    page = opened(report)
    page.tab.locator("#earlier").set_input_files(str(path))
    page.tab.wait_for_selector(".changes button")
    page.tab.locator('[data-change="gone"]').click()
    assert "<script>window.ran=1</script>" in page.tab.locator("#changes").inner_text()
    assert page.tab.evaluate("window.ran") is None and page.errors == []
