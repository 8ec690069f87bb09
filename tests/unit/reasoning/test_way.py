# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way as data: it says the same as the walk and as the verdict, for every recorded rule set."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_versions import node_versions

from . import build

ALL = sorted(path.stem for path in build.RULES.glob("*.rules"))


def device(rules: str, **parts: Any) -> Any:
    return diagnose(build.facts(rules, **parts))["devices"][0]


@pytest.mark.parametrize("rules", ALL)
def test_steps_are_parallel_to_the_walk_and_end_as_the_verdict_does(rules: str) -> None:
    found = device(rules)
    way = found["way"]
    assert len(way["steps"]) == len(found["walk"])
    wanted = {"affected": ["broken"], "exposed": ["maybe"], "mitigated": ["good"], "unaffected": ["good"]}
    assert way["checksum"] in wanted[found["status"]]
    assert (way["source"] == "kept") == (found["conditions"]["rewrite"]["holds"] == "no")


@pytest.mark.parametrize("rules", ALL)
def test_the_mark_changes_only_where_a_rule_says_so(rules: str) -> None:
    way = device(rules)["way"]
    mark = way["mark"]
    for step in way["steps"]:
        if step["mark"] != mark and step["matched"] == "yes":
            assert step["effect"] in ("mark cleared", "mark"), step
        mark = step["mark"]


def test_where_the_mark_was_cleared() -> None:
    found = device("clear_mark_calico_first")
    cleared = [at for at, step in enumerate(found["way"]["steps"]) if step["effect"] == "mark cleared"]
    assert [found["walk"][at] for at in cleared] == ["outer mangle OUTPUT 1 -p udp -m udp --dport 4789 -j MARK --set-xmark 0x0/0x4000"]
    assert [step["mark"] for step in found["way"]["steps"]][cleared[0] - 1 : cleared[0] + 1] == ["set", "clear"]


def test_rules_that_did_not_match_are_those_behind_which_a_rewrite_waits() -> None:
    passed = device("clear_mark_calico_first")["way"]["passed"]
    assert [(one["chain"], one["number"]) for one in passed] == [("cali-POSTROUTING", 3)]


def test_not_tracked_packets_never_come_to_nat() -> None:
    way = device("notrack_before_fix")["way"]
    assert way["end"] == "notrack" and way["steps"][-1]["effect"] == "notrack" and way["passed"] == []


def test_offload_off_keeps_the_checksum_right_behind_a_rewrite() -> None:
    way = device("kube_1_17_before_fix", vxlan=build.vxlan(build.device(offload=False)))["way"]
    assert (way["source"], way["checksum"]) == ("rewritten", "good")


def test_rules_of_a_kube_proxy_to_come_are_marked_as_assumed() -> None:
    assert device("cali_only")["way"]["assumed"] is True
    assert device("kube_1_17_before_fix")["way"]["assumed"] is False


def test_tables_that_could_not_be_read_are_named_and_nothing_is_assumed() -> None:
    tables = [build.table("nft", name, state="unknown", reason="needs root") for name in build.TABLES]
    way = device("", netfilter={**build.netfilter({}), "tables": tables})["way"]
    assert way["unread"] == ["raw", "mangle", "filter", "nat"] and way["assumed"] is False


def test_where_no_rules_were_read_there_is_no_way() -> None:
    assert device("", netfilter={"unknown": "needs root"})["way"] is None


def test_a_table_that_could_not_be_read_makes_the_end_unknown() -> None:
    netfilter = build.netfilter(build.saved("kube_1_30_fixed"))
    netfilter["tables"].append(build.table("legacy", "nat", state="unknown", reason="needs root"))
    way = device("", netfilter=netfilter)["way"]
    assert (way["unread"], way["checksum"], way["source"]) == (["nat"], "unknown", "maybe")


@pytest.mark.parametrize(
    "cni, wanted",
    [
        ({"names": ["calico"], "calico_version": "v3.28.1"}, "calico v3.28.1"),
        ({"names": ["flannel"], "flannel_version": ""}, "flannel"),
        ({"names": [], "calico_version": "v3.28.1", "flannel_version": ""}, "calico v3.28.1"),
        ({"names": ["canal"], "flannel_version": "v0.25.1"}, "canal"),
        ({"unknown": "it was not gathered"}, ""),
    ],
)
def test_the_cni_in_a_few_words(cni: Any, wanted: str) -> None:
    assert node_versions(build.facts(cni=cni))["cni"] == wanted


def test_versions_that_were_not_seen_are_empty() -> None:
    assert set(node_versions({}).values()) == {""}
    found = node_versions(build.facts("kube_1_17_before_fix"))
    assert (found["kernel"], found["mode"], found["iptables"], found["kube_proxy"]) == ("6.18.44", "iptables", "nft 1.8.9", "")


@pytest.mark.parametrize("rules", ALL)
def test_a_rule_that_packets_with_and_without_the_mark_meet_is_named_once(rules: str) -> None:
    named = [one["evidence"] for one in device(rules)["mitigations"]]
    assert len(named) == len(set(named))
