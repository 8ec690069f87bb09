# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many nodes to one report."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import counts, fleet, published

from . import build as b

RESULTS = {
    "good": {"node": b.facts("kube_1_30_fixed")},
    "lost": {"facts": b.facts("calico_first_fixed")},
    "kept": {"diagnosis": diagnose(b.facts("calico_3_29_before_fix"))},
    "soon": {"node": b.facts()},
    "gone": {"unreachable": True, "msg": "timed out"},
    "fail": {"failed": True, "msg": "no shell"},
}


def test_the_worst_is_first() -> None:
    assert list(fleet(RESULTS)["hosts"]) == ["lost", "soon", "fail", "gone", "kept", "good"]


def test_each_host_has_one_line() -> None:
    words = [line.split()[:2] for line in fleet(RESULTS)["lines"]]
    assert words == [
        ["lost", "AFFECTED"],
        ["soon", "EXPOSED"],
        ["fail", "UNKNOWN"],
        ["gone", "UNKNOWN"],
        ["kept", "MITIGATED"],
        ["good", "UNAFFECTED"],
    ]


def test_the_summary_counts() -> None:
    summary = fleet(RESULTS)["summary"]
    assert summary["status"] == {"affected": 1, "exposed": 1, "unknown": 2, "mitigated": 1, "unaffected": 1}
    assert summary["causes"] == {"lco_checksum": 2, "notrack": 1}


REASONS = [
    ({"unreachable": True, "msg": "timed out"}, "unreachable: timed out"),
    ({"failed": True, "msg": "no shell"}, "not read: no shell"),
    ({"failed": False, "msg": "MODULE FAILURE"}, "not read: MODULE FAILURE"),
    ({"error": "cut"}, "not read: cut"),
    ({}, "the node was not read"),
    (None, "the node was not read"),
    ({"changed": False}, "the result has no node facts"),
]


@pytest.mark.parametrize(("result", "reason"), REASONS)
def test_a_host_without_facts_is_unknown_with_the_reason(result: Any, reason: str) -> None:
    found = fleet({"a": result})["hosts"]["a"]
    assert (found["status"], found["summary"]) == ("unknown", reason)


def texts(value: Any) -> list[str]:
    """Every text in a report."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def test_what_a_node_says_cannot_drive_the_terminal() -> None:
    bad = b.device(name="vx\x1b[2J\r\nok  UNAFFECTED\u202e")
    report = fleet({"no\x07de": {"node": b.facts("kube_1_17_before_fix", vxlan=b.vxlan(bad))}})
    assert all(text.isprintable() for text in texts(report))


@pytest.mark.parametrize("bad", [None, [], "x"])
def test_what_is_no_fleet_is_a_clear_error(bad: Any) -> None:
    with pytest.raises(ValueError, match="fleet needs a dictionary of hosts"):
        fleet(bad)


def test_no_hosts_is_an_empty_report() -> None:
    assert fleet({})["summary"]["hosts"] == 0


def test_hosts_that_ought_to_be_there_are_counted_and_named() -> None:
    summary = fleet({"a": RESULTS["good"], "b": RESULTS["gone"]}, expected=["a", "b", "z", "c"])["summary"]
    assert (summary["expected"], summary["not_checked"]) == (4, ["c", "z"])
    assert counts(summary)[1] == "checked 2 of 4 hosts; not checked: c, z"


def test_a_host_that_nobody_expected_is_one_of_those_that_there_are() -> None:
    assert counts(fleet({"a": RESULTS["good"]}, expected=["b"])["summary"])[1] == "checked 1 of 2 hosts; not checked: b"


def test_nothing_is_said_about_others_where_it_is_not_known_which_there_are() -> None:
    summary = fleet({"a": RESULTS["good"]})["summary"]
    assert "expected" not in summary and counts(summary) == ["1 host: 1 unaffected"]


def test_a_long_list_of_hosts_is_cut() -> None:
    names = ["n%03d" % number for number in range(30)]
    assert counts(fleet({"a": RESULTS["good"]}, expected=names)["summary"])[1].endswith("n019 and 10 more")


def test_verdicts_are_published_by_host_and_short() -> None:
    report = fleet(RESULTS)
    value = published(report, "diagnose", "verdict")
    assert (value["schema"], value["kind"], value["summary"]) == (1, "diagnose", report["summary"])
    assert set(value["hosts"]) == set(RESULTS)
    assert all(set(one) == {"status", "tcp", "udp", "summary", "action"} for one in value["hosts"].values())
    assert {name: one["status"] for name, one in value["hosts"].items()} == {name: one["status"] for name, one in report["hosts"].items()}


def test_or_whole() -> None:
    report = fleet(RESULTS)
    assert published(report, "verify", "diagnosis")["hosts"] == report["hosts"]
