# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that a node made up: the shape of ours with anything in it. The verdict of the other hosts is as it would be without it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hostile import json_values, plain, spoiled, tried
from hypothesis import given
from hypothesis import strategies as st
from reasoning import build as b
from transcripts import NAMES, recorded

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kubespray
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import MOST_DEVICES, checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import preflight
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.progress_text import Tally
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.record import wrong_record
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.remedies import ranked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_formats import FILES, render
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.selftest import answer, wanted
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

FACTS: list[dict[str, Any]] = [dict(parse(recorded(name))) for name in NAMES]
APPLIED = copy.deepcopy(FACTS[0])
APPLIED["applied"] = {"source": "x", "units": [], "record": dict(plan(FACTS[0], "tx_checksum_off")["record"])}
PROBE = {
    "verdict": "works",
    "reason": "3 of 3",
    "udp": {"asked": 3, "answered": 3},
    "tcp": {"asked": 3, "answered": 3},
    "evidence": {"a": [1]},
}
PLAN = kubespray.plan({"kube_version": "1.30.0", "kube_network_plugin": "calico"}, "2.31.0", {})
OTHER = fleet({"other": {"node": FACTS[1]}})["hosts"]["other"]


def in_a_fleet(result: Any, probe: Any = None) -> dict[str, Any]:
    """The liar's diagnosis; every format can be made, and the other host has its own verdict."""
    report = fleet({"liar": result, "other": {"node": FACTS[1]}}, {"liar": probe})
    assert report["hosts"]["other"] == OTHER and set(report["hosts"]) == {"liar", "other"}
    json.dumps(report)
    found: dict[str, Any] = report["hosts"]["liar"]
    assert "in this collection" not in found["summary"], "found by the last resort, not by the check of facts"
    for key in ("summary", "action"):
        plain(found[key])
    return found


@tried(150)
@given(spoiled([*FACTS, APPLIED]))
def test_facts_that_are_ours_but_for_some_places(facts: Any) -> None:
    in_a_fleet({"node": facts})


@tried(100)
@given(spoiled([*FACTS, APPLIED]), st.sampled_from(["auto", "clear_mark", "tx_checksum_off", "service_route", "kube_postrouting_detached"]))
def test_filters_say_in_one_line_what_is_wrong(facts: Any, method: str) -> None:
    for call in (
        lambda: plan(facts, method, True, "10.96.0.0/12"),
        lambda: ranked(facts),
        lambda: diagnose(facts),
        lambda: preflight({"node": facts}, PLAN),
    ):
        try:
            call()
        except ValueError as error:
            plain(str(error))


@tried(100)
@given(
    st.one_of(
        json_values(),
        st.dictionaries(
            st.sampled_from(["node", "facts", "diagnosis", "msg", "unreachable", "failed", "error"]), json_values(), max_size=3
        ),
    )
)
def test_a_result_that_is_anything(result: Any) -> None:
    in_a_fleet(result)


@tried(60)
@given(spoiled([PROBE, {**PROBE, "verdict": "vxlan_checksum"}]))
def test_an_answer_of_service_probe_that_is_anything(probe: Any) -> None:
    in_a_fleet({"node": FACTS[0]}, probe)


@tried(60)
@given(spoiled([OTHER]), st.sampled_from(sorted(FILES)))
def test_a_diagnosis_that_is_ours_but_for_some_places(diagnosis: Any, name: str) -> None:
    report = fleet({"liar": {"diagnosis": diagnosis}, "other": {"node": FACTS[1]}})
    assert report["hosts"]["other"] == OTHER
    try:
        render(name, report, 0)
    except ValueError as error:
        plain(str(error))


@tried(60)
@given(spoiled([b.kernel(), b.kernel("4.19.0-9-amd64", "#1 SMP Debian 4.19.118-2 (2020-04-26)"), b.kernel("3.10.0-1160.el7.x86_64")]))
def test_a_kernel_with_any_release_and_changelog(kernel: Any) -> None:
    found = checked({"kernel": kernel})["kernel"]
    try:
        assert kernel_status(found)["zero_checksum"] in ("affected", "fixed", "unknown")
    except ValueError as error:
        plain(str(error))
    assert isinstance(wanted({"kernel": found, "vxlan": b.vxlan(b.device())}, "auto"), bool)


@tried(40)
@given(json_values())
def test_an_answer_of_kernel_selftest_that_is_anything(value: Any) -> None:
    for result in ({"zero_checksum": value}, {"zero_checksum": "present", "lco_checksum": "absent", "reason": value}, {"msg": value}):
        assert set(answer(result)) == {"zero_checksum", "lco_checksum", "reason", "source"} and len(answer(result)["reason"]) <= 600


@tried(60)
@given(spoiled(FACTS))
def test_the_progress_line_counts_any_node(facts: Any) -> None:
    tally = Tally(clock=lambda: 0.0)
    tally.total = 1
    tally.read("liar", {"node": facts})
    assert "\n" not in tally.line() and "1 of 1" in tally.line()


# Records: what a node asks to be undone

RECORDS = [
    plan(facts, method, True, "10.96.0.0/12")["record"]
    for facts in FACTS[:3]
    for method in ("clear_mark", "tx_checksum_off", "service_route", "notrack")
]
LIES: dict[str, Any] = {
    "another module": {"method": "clear_mark", "undo": [{"module": "command", "args": {"argv": ["reboot"]}}]},
    "the cluster's Felix, by a record of something else": {
        "method": "clear_mark",
        "undo": [{"module": "felix_override", "args": {"value": "A=true"}}],
    },
    "more than an override for Felix": {
        "method": "felix_override",
        "undo": [{"module": "felix_override", "args": {"value": 'A=true"},"x":{"y'}}],
    },
    "a template in a rule": {
        "method": "clear_mark",
        "undo": [
            {
                "module": "netfilter_rule",
                "args": {
                    "backend": "nft",
                    "table": "nat",
                    "chain": "OUTPUT",
                    "state": "present",
                    "rule": ["-m", "comment", "--comment", "{{ lookup('pipe', 'id') }}"],
                },
            }
        ],
    },
    "a template as a device": {"method": "tx_checksum_off", "undo": [{"module": "offload", "args": {"device": "{{ x }}", "features": {}}}]},
    "a path as a unit": {"method": "clear_mark", "undo": [], "units": ["../../../etc/passwd"]},
    "a unit of somebody else": {"method": "clear_mark", "undo": [], "units": ["sshd.service"]},
    "a path as a link": {"method": "clear_mark", "undo": [], "links": ["../x.wants/vxlan-offload-a.service"]},
    "another method": {"method": "../main", "undo": []},
    "no list": {"method": "clear_mark", "undo": {"module": "offload"}},
    "no arguments": {"method": "clear_mark", "undo": [{"module": "offload"}]},
}


@pytest.mark.parametrize("record", [one for one in RECORDS if one])
def test_records_that_the_role_writes_are_ours(record: Any) -> None:
    assert wrong_record(record) == "" and checked({"applied": {"record": record}})["applied"]["record"] == record


@pytest.mark.parametrize("record", LIES.values(), ids=LIES)
def test_a_record_that_is_not_ours_is_undone_by_nobody(record: Any) -> None:
    facts = {**FACTS[0], "applied": {"source": "x", "record": record, "units": []}}
    assert "record.json is not what the role workaround writes" in checked(facts)["applied"]["unknown"]
    assert "cannot tell what was applied" in plan(facts, "auto")["refused"]


@tried(100)
@given(st.one_of(json_values(), spoiled([one for one in RECORDS if one])))
def test_any_record_is_ours_or_not(record: Any) -> None:
    why = wrong_record(record)
    assert why == "" or plain(why)
    diagnose({**FACTS[0], "applied": {"source": "x", "record": record, "units": []}})


# Named: what the properties and a look at the code found


def test_a_port_that_is_text_makes_the_devices_unknown() -> None:
    facts = b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(port="4789; reboot")))
    assert plan(facts, "clear_mark")["refused"].startswith(
        "the VXLAN devices are not known: vxlan is not as node_info returns it (devices.port)"
    )


def test_more_devices_than_a_node_has_are_not_judged() -> None:
    facts = b.facts("kube_1_17_before_fix", vxlan=b.vxlan(*[b.device(f"vx{number}") for number in range(MOST_DEVICES + 1)]))
    assert f"vxlan has {MOST_DEVICES + 1} devices" in diagnose(facts)["summary"]


def test_tables_that_are_there_twice_are_not_tried_in_every_order() -> None:
    netfilter = b.netfilter(b.saved("kube_1_17_before_fix"))
    netfilter["tables"] += [one for one in netfilter["tables"] if one["table"] == "nat"] * 3
    assert "netfilter is not as node_info returns it (tables)" in diagnose(b.facts(netfilter=netfilter))["summary"]


def test_what_nobody_thought_of_costs_one_host_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_facts: Any) -> Any:
        raise KeyError("new")

    monkeypatch.setattr("ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet.diagnose", fails)
    found = fleet({"liar": {"node": FACTS[0]}, "gone": {"unreachable": True, "msg": "timed out"}})["hosts"]
    assert found["liar"]["summary"] == "the facts cannot be judged: KeyError in this collection"
    assert found["gone"]["summary"] == "unreachable: timed out"


def test_a_liar_with_a_huge_answer_of_service_probe_adds_little_to_the_report() -> None:
    found = in_a_fleet({"node": FACTS[0]}, {**PROBE, "evidence": {"x": ["y" * 1000] * 1000}})
    assert found["probe"]["reason"] == "its evidence is larger than that of any node"
