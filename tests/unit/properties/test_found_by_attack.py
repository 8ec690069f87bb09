# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody found who tried to hurt a controller with the answers of one node; each was a defect once."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hostile import plain
from reasoning import build as b

from ansible_collections.kubenet.vxlan_offload.plugins.filter import kernel_status, kubespray_plan, preflight, preflight_stop
from ansible_collections.kubenet.vxlan_offload.plugins.filter import predict as predict_filter
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import record
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.advice import brief
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet, published
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.nft_rules import parse_nft_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import stop_message
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import DEEPEST, printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule

AFFECTED = {"node": b.facts("kube_1_17_before_fix")}
TEMPLATE = "evil{{ lookup('pipe', 'id') }}"


def deep(levels: int) -> Any:
    value: Any = "x"
    for _level in range(levels):
        value = [value]
    return value


def changed(change: Any) -> dict[str, Any]:
    facts = copy.deepcopy(AFFECTED["node"])
    change(facts)
    return facts


def test_a_host_that_was_not_checked_is_published_without_its_template() -> None:
    report = fleet({"web1": AFFECTED, TEMPLATE: AFFECTED}, expected=[TEMPLATE + "2", "web1"])
    assert "{{" not in json.dumps(published(report, "diagnose", "diagnosis"))


def test_two_names_that_look_the_same_are_two_hosts() -> None:
    fine = {"node": changed(lambda facts: facts["vxlan"].update(devices=[]))}
    names = ["web\u200b1", "web\u200c1"]
    for results in (dict(zip(names, [AFFECTED, fine])), dict(zip(names, [fine, AFFECTED]))):
        report = fleet(results, expected=[*names, "web\u200d1"])
        assert sorted(report["hosts"]) == ["web 1", "web 1 (2)"]
        assert {one["status"] for one in report["hosts"].values()} == {"affected", "unaffected"}
        assert report["summary"]["expected"] == 3 and report["summary"]["not_checked"] == ["web 1 (3)"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), deep(5000), {"__ansible_vault": "x", "__ansible_unsafe": 1}])
def test_no_answer_of_a_probe_spoils_the_report(value: Any) -> None:
    evidence = {"outer_packets": 1, "odd": value}
    report = fleet({"liar": AFFECTED, "honest": AFFECTED}, {"liar": {"verdict": "works", "reason": "", "evidence": evidence}})
    text = as_text(report)
    assert sorted(json.loads(text, parse_constant=pytest.fail)["hosts"]) == ["honest", "liar"]
    assert "__ansible" not in text


def test_what_is_deep_is_cut_and_found() -> None:
    assert record.deeper(deep(40), DEEPEST) and not record.deeper(AFFECTED, DEEPEST) and not record.deeper(deep(20), DEEPEST)
    assert json.dumps(printable(deep(5000))).count("[") == 32


def test_a_record_that_is_deep_is_none() -> None:
    text = json.dumps({"schema": 1, "state": "applied", "method": "clear_mark", "undo": [], "units": [], "x": deep(250)})
    with pytest.raises(ValueError, match="nested too deep: look at it"):
        record.parse(text)


@pytest.mark.parametrize("parse", [parse_rule, parse_nft_rule])
def test_a_rule_that_is_too_long_is_not_read(parse: Any) -> None:
    assert parse("! -i x " * 1000).broken
    assert parse_rule("! -i x " * 65 + "-j ACCEPT").broken and not parse_rule("! -i x " * 64 + "-j ACCEPT").broken


def test_long_evidence_is_not_searched_to_its_end() -> None:
    assert len(brief("rule 1 (" + "-j " * 30_000)) <= 4000


HALF = {
    "no devices": (lambda facts: facts["vxlan"].pop("devices"), "vxlan"),
    "no part at all in it": (lambda facts: facts["vxlan"].clear(), "vxlan"),
    "a device without a name": (lambda facts: facts["vxlan"]["devices"][0].pop("name"), "vxlan"),
    "no tables": (lambda facts: facts["netfilter"].pop("tables"), "netfilter"),
    "a table that was read and has no chains": (lambda facts: [one.pop("chains") for one in facts["netfilter"]["tables"]], "netfilter"),
    "a table without a state": (lambda facts: [one.pop("state") for one in facts["netfilter"]["tables"]], "netfilter"),
    "a family that is none": (lambda facts: facts["netfilter"]["tables"][0].update(family="ipv5"), "netfilter"),
    "a table that is none": (lambda facts: [one.update(table="NAT") for one in facts["netfilter"]["tables"]], "netfilter"),
    "a table of kube-proxy without a state": (
        lambda facts: facts["netfilter"].update(nftables={"chains": {"nat-postrouting": ["masquerade"]}}), "netfilter",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HALF)
def test_half_a_fact_is_unknown_and_never_fine(name: str) -> None:
    change, part = HALF[name]
    verdict = diagnose(changed(change))
    assert verdict["status"] == "unknown" and f"{part} is not as node_info returns it" in json.dumps(verdict["missing"])


def test_no_table_of_kube_proxy_may_be_null() -> None:
    assert diagnose(changed(lambda facts: facts["netfilter"].update(nftables=None)))["status"] == "affected"


def test_nothing_is_planned_without_knowing_what_was_applied() -> None:
    assert "applied" in plan(changed(lambda facts: facts["applied"].pop("record")), "auto")["refused"]


ODD = [None, True, 1, "x", ["x"], [None], [[]], {None: 1, "a": 1}, {1: {}}, {"candidates": []}, {"candidates": [1]}, {"candidates": [{}]}]
CALLS: dict[str, Any] = {
    "predict": predict_filter.predict,
    "kubespray_plan": lambda value: kubespray_plan.kubespray_plan({}, "", value),
    "preflight": lambda value: preflight.preflight(AFFECTED, value),
    "preflight_stop": lambda value: preflight_stop.preflight_stop(value, ["affected"]),
    "preflight_stop fail_on": lambda value: preflight_stop.preflight_stop({"n": {}}, value),
    "kernel_status changelog": lambda value: kernel_status.kernel_status({"release": "4.19.0-9-amd64", "changelog": value}),
    "kernel_status selftest": lambda value: kernel_status.kernel_status({"release": "4.19.0", "selftest": value}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_filter_takes_a_value_of_another_type_or_says_what_it_needs(name: str) -> None:
    for value in ODD:
        try:
            CALLS[name](value)
        except AnsibleFilterError as error:
            plain(str(error))


@pytest.mark.parametrize("key", ["msg", "unreachable"])
def test_what_stops_kubespray_has_no_controls(key: str) -> None:
    said = stop_message({"n": {"failed": True, key: "a\n\x1b[31mb \x9b \u202e"}}, ["unknown"], "skip")
    assert said.isprintable() and "[31mb" in said
