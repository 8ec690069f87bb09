# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's own evidence wins, a plan counts where no cluster runs, and what cannot be read is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import preflight, stop_message
from ansible_collections.kubenet.vxlan_offload.tests.unit.reasoning import build as b

BAD = plan({"kube_network_plugin": "flannel"}, "2.13.2")
GOOD = plan({}, "2.31.0")
IPIP = plan({}, "2.13.2")
NO_PROXY = {"kube_proxy": {**b.facts()["kube_proxy"], "running": False, "mode": None}}
BARE = {"vxlan": b.vxlan(), **NO_PROXY}
NOT_ROOT = {"vxlan": b.vxlan(), "netfilter": {"unknown": "needs root"}, "kube_proxy": {"unknown": "needs root"}}
OTHERS = b.vxlan(b.device("vxlan100", owner="other", port=4790))


def judge(chosen: Any, rules: str = "", **parts: Any) -> dict[str, Any]:
    found: dict[str, Any] = preflight({"node": b.facts(rules or None, **parts)}, chosen)["diagnosis"]
    return found


# (what it is about, plan, rules, parts of the facts, status, judged by)
NODES = [
    ("no_cluster_yet_and_a_bad_plan", BAD, "", BARE, "affected", "plan"),
    ("no_cluster_yet_and_a_good_plan", GOOD, "", BARE, "unaffected", "plan"),
    ("no_cluster_yet_and_ipip", IPIP, "", BARE, "unaffected", "plan"),
    ("bad_node_and_a_good_plan", GOOD, "kube_1_17_before_fix", {}, "affected", "node"),
    ("good_node_and_a_bad_plan", BAD, "kube_1_18_6_fixed", {}, "unaffected", "node"),
    ("cluster_with_ipip_and_a_bad_plan", BAD, "kube_1_17_before_fix", {"vxlan": b.vxlan()}, "unaffected", "node"),
    ("rules_alone_are_evidence", BAD, "kube_1_17_before_fix", BARE, "unaffected", "node"),
    ("a_device_of_somebody_else_is_none", BAD, "", {"vxlan": OTHERS, **NO_PROXY}, "affected", "plan"),
    ("not_root_cannot_tell_an_ipip_cluster", BAD, "", NOT_ROOT, "unknown", "none"),
    ("not_root_and_a_good_plan", GOOD, "", NOT_ROOT, "unaffected", "plan"),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "rules", "parts", "status", "basis"), [row[1:] for row in NODES], ids=[row[0] for row in NODES])
def test_node(chosen: Any, rules: str, parts: dict[str, Any], status: str, basis: str) -> None:
    found = judge(chosen, rules, **parts)
    assert (found["status"], found["basis"]) == (status, basis), found["summary"]


def test_a_bad_node_hears_that_this_run_ends_it() -> None:
    text = judge(GOOD, "kube_1_17_before_fix")["summary"]
    assert text.endswith("; this run ends it (planned by kubespray 2.31.0: kube-proxy 1.35.4 clears the mark before the tunnel)")


def test_a_good_node_hears_that_this_run_makes_it_bad() -> None:
    assert "; after this run it would be affected (planned by kubespray 2.13.2: " in judge(BAD, "kube_1_18_6_fixed")["summary"]


def test_a_good_node_hears_nothing_of_a_good_plan() -> None:
    assert "planned" not in judge(GOOD, "kube_1_18_6_fixed")["summary"]


def test_after_the_upgrade_the_plan_is_not_mentioned() -> None:
    found = preflight({"node": b.facts("kube_1_17_before_fix")}, GOOD, remark=False)["diagnosis"]
    assert found["status"] == "affected" and "planned" not in found["summary"]


def test_the_kernel_of_the_node_decides_about_a_plan() -> None:
    felix = plan({}, "2.19.0")
    assert judge(felix, **{**BARE, "kernel": b.kernel("5.15.0-37-generic")})["status"] == "affected"
    assert judge(felix, **{**BARE, "kernel": b.kernel("5.4.0-42-generic")})["status"] == "mitigated"


@pytest.mark.parametrize(
    ("result", "summary"),
    [
        ({"unreachable": True, "msg": "no route to host"}, "unreachable: no route to host"),
        ({"failed": True, "msg": "sudo: a password is required"}, "not read: sudo: a password is required"),
        ({}, "the node was not read"),
    ],
)
def test_a_node_that_cannot_be_read_is_unknown_with_the_reason(result: dict[str, Any], summary: str) -> None:
    found = preflight(result, BAD)["diagnosis"]
    assert (found["status"], found["basis"], found["summary"]) == ("unknown", "none", summary)


def test_the_fleet_takes_the_verdicts() -> None:
    report = fleet({"node1": preflight({"node": b.facts(**BARE)}, BAD), "node2": preflight({}, BAD)}, expected=["node1", "node2", "node3"])
    assert report["summary"]["status"]["affected"] == 1
    assert report["summary"]["not_checked"] == ["node3"]


def verdict(status: str, summary: str = "why", action: str = "plan this") -> dict[str, Any]:
    return {"diagnosis": {"status": status, "summary": summary, "action": action}}


def test_stop_message_names_nodes_reason_cure_and_override() -> None:
    verdicts = {"node3": verdict("affected"), "node1": verdict("affected"), "node2": verdict("unaffected")}
    verdicts["node4"] = verdict("unknown", "dark")
    assert stop_message(verdicts, ["affected"], "go") == (
        "2 of 4 checked nodes stop this run. node1, node3 affected: why -> plan this. To go on all the same: -e go=true"
    )
    assert "node4 unknown: dark" in stop_message(verdicts, ["affected", "unknown"], "go")


def test_stop_message_is_empty_when_nothing_stops() -> None:
    assert stop_message({"node1": verdict("exposed")}, ["affected"], "go") == ""
    assert stop_message({"node1": verdict("affected")}, [], "go") == ""


def test_stop_message_of_many_nodes_stays_short() -> None:
    verdicts = {"node%03d" % number: verdict("affected") for number in range(200)}
    assert "node000, node001, node002, node003, node004 and 195 more affected: why" in stop_message(verdicts, ["affected"], "go")


def test_stop_message_refuses_a_status_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="broken is no status: choose from affected"):
        stop_message({}, ["broken"], "go")


def test_a_plan_is_needed() -> None:
    with pytest.raises(ValueError, match="pass what the filter kubespray_plan returned"):
        preflight({}, {})
