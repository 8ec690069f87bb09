# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback progress says, without a terminal."""

from __future__ import annotations

import json
from typing import Any

import format_reports
import pytest
from reasoning import build as b

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.progress_text import Tally, fitting, summary_lines
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import checked

LOST = {"node": b.facts("calico_first_fixed")}


class Clock:
    """Each question takes this many seconds."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def tally(step: float = 0.0) -> Tally:
    found = Tally(Clock(step))
    found.play, found.task, found.total = "Diagnose", "Read", 4
    return found


def test_hosts_are_counted_by_what_was_found() -> None:
    found = tally()
    found.read("n1", LOST)
    found.read("n2", {"node": b.facts("kube_1_30_fixed")})
    found.read("n3", {"msg": "no shell"})
    found.unreachable("n4")
    found.failed("n3")
    assert found.line() == "Diagnose: read 3 of 4: 1 affected, 1 unknown, 1 unaffected; 1 unreachable; 1 failed; now: Read"


def test_a_host_is_counted_once_and_as_it_is_now() -> None:
    found = tally()
    found.unreachable("n1")
    found.read("n1", LOST)
    found.read("n1", {"node": b.facts("kube_1_30_fixed")})
    assert found.line() == "Diagnose: read 1 of 4: 1 unaffected; now: Read"


def test_judging_never_takes_more_than_its_share() -> None:
    found = tally(1.0)
    for number in range(3):
        found.read(f"n{number}", LOST)
    assert "read 3 of 4: of 1 judged 1 affected" in found.line()


@pytest.mark.parametrize("node", [{"schema": 99}, {}, {"vxlan": 3}])
def test_facts_that_cannot_be_judged_end_nothing(node: dict[str, Any]) -> None:
    found = tally()
    found.read("n1", {"node": node})
    assert "read 1 of 4: 1 unknown" in found.line()


@pytest.mark.parametrize("text", format_reports.HOSTILE)
def test_no_name_can_leave_the_line(text: str) -> None:
    found = tally()
    found.play, found.task = text, text
    assert not set(found.line()) & set(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2028]))


@pytest.mark.parametrize(
    ("text", "width", "fits"), [("abc", 2, "ab"), ("日本語", 5, "日本"), ("e\u0301x", 1, "e\u0301"), ("abc", 0, ""), ("", 5, "")]
)
def test_a_text_is_cut_by_columns(text: str, width: int, fits: str) -> None:
    assert fitting(text, width) == fits


def test_the_summary_is_by_cause_and_says_what_to_do() -> None:
    lines = summary_lines(checked(format_reports.report()), 1, False)
    assert lines[:5] == [
        "7 hosts: 2 affected, 1 exposed, 2 unknown, 1 mitigated, 1 unaffected",
        "checked 7 of 8 hosts",
        "AFFECTED  2 hosts, lco_checksum",
        "    lost and 1 more",
        "    -> apply clear_mark; later upgrade Calico",
    ]
    assert "NOT CHECKED  1 host, not checked" in lines
    assert not any("kept" in line or "good" in line for line in lines)


@pytest.mark.parametrize("text", format_reports.HOSTILE)
def test_the_summary_shows_no_control_character(text: str) -> None:
    for line in summary_lines(checked(format_reports.spiked(text)), 5, False):
        assert not set(line) & set(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2028]))
        assert len(line) < 500


def test_facts_that_come_as_text_are_judged_alike() -> None:
    """As the playbook diagnose has them."""
    found = tally()
    for name, result in (("dict", LOST), ("text", {"node_json": json.dumps(LOST["node"])}), ("broken", {"node_json": "{"})):
        found.read(name, result)
    assert "2 affected" in found.line() and "1 unknown" in found.line()
