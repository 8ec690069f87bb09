# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels over IPv6, alone and beside IPv4: nodes recorded in the lab, where packets gave the verdicts that are expected here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.catalogue import METHODS
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import FAMILIES, in_family
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import pod_network
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Address, Packet, networks
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import apply_actions
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import BaseChain, walk_base

TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"
BOTH_CIDRS = "10.96.0.0/12,fd00:10:96::/112"
DUAL = "dual_stack_pre_fix_nft"
ALONE = "ipv6_fixed_kube_proxy_calico_first_legacy"
V4, V6 = "vxlan.calico", "vxlan-v6.calico"


def node(name: str) -> Any:
    return parse((TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8"))


def changed(name: str, change: Callable[[Any], None]) -> Any:
    facts = copy.deepcopy(node(name))
    change(facts)
    return facts


def device(facts: Any, name: str) -> Any:
    return next(one for one in facts["vxlan"]["devices"] if one["name"] == name)


def offload_off(name: str) -> Callable[[Any], None]:
    return lambda facts: device(facts, name)["features"]["tx-checksum-ip-generic"].update(active=False, requested=False)


def nic_offload_off(facts: Any) -> None:
    for one in facts["links"]["devices"]:
        one["features"]["tx-checksum-ip-generic"].update(active=False)


def notrack(family: str) -> Callable[[Any], None]:
    def change(facts: Any) -> None:
        table = next(one for one in facts["netfilter"]["tables"] if (one["family"], one["table"]) == (family, "raw"))
        table.update(state="read", chains={"OUTPUT": ["-p udp -m udp --dport 4789 -j CT --notrack"]})

    return change


def saved_by_an_earlier_version(facts: Any) -> None:
    """No rules of IPv6, and no word of families."""
    facts["netfilter"]["tables"] = [one for one in facts["netfilter"]["tables"] if one.pop("family") == "ipv4"]
    del facts["routes"]["default_device_ipv6"]
    for part in ("vxlan", "links"):
        for one in facts[part]["devices"]:
            del one["addresses_ipv6"]


def without_checksum(facts: Any) -> None:
    device(facts, V6)["udp6zerocsumtx"] = True


def old_kernel(facts: Any) -> None:
    facts["kernel"].update(release="5.4.0", version="#1 SMP Mon Jan 6 12:00:00 UTC 2020")


def nothing(_facts: Any) -> None:
    """As it was recorded."""


VERDICTS: list[tuple[str, list[Callable[[Any], None]], dict[str, tuple[str, str, str]]]] = [
    (DUAL, [nothing], {V4: ("affected", "broken", "broken"), V6: ("affected", "broken", "broken")}),
    (DUAL, [offload_off(V4)], {V4: ("mitigated", "ok", "ok"), V6: ("affected", "broken", "broken")}),
    (DUAL, [offload_off(V6)], {V4: ("affected", "broken", "broken"), V6: ("mitigated", "ok", "ok")}),
    (DUAL, [notrack("ipv4")], {V4: ("mitigated", "ok", "ok"), V6: ("affected", "broken", "broken")}),
    (DUAL, [notrack("ipv6")], {V4: ("affected", "broken", "broken"), V6: ("mitigated", "ok", "ok")}),
    (DUAL, [nic_offload_off], {V4: ("affected", "ok", "broken"), V6: ("affected", "ok", "broken")}),
    (DUAL, [saved_by_an_earlier_version], {V4: ("affected", "broken", "broken"), V6: ("unknown", "unknown", "unknown")}),
    (DUAL, [without_checksum], {V4: ("affected", "broken", "broken"), V6: ("unaffected", "ok", "ok")}),
    (DUAL, [without_checksum, old_kernel], {V4: ("affected", "broken", "broken"), V6: ("affected", "broken", "broken")}),
    (ALONE, [nothing], {V6: ("affected", "broken", "broken")}),
    (ALONE, [notrack("ipv4")], {V6: ("affected", "broken", "broken")}),
    ("ipv6_nft_kube_proxy_nft", [nothing], {V6: ("exposed", "at_risk", "at_risk")}),
]


@pytest.mark.parametrize(("name", "changes", "expected"), VERDICTS)
def test_each_tunnel_is_judged_by_its_own_family(name: str, changes: list[Callable[[Any], None]], expected: dict[str, Any]) -> None:
    facts = copy.deepcopy(node(name))
    for change in changes:
        change(facts)
    found = {one["name"]: (one["status"], one["udp"], one["tcp"]) for one in diagnose(facts)["devices"]}
    assert found == expected


def test_the_node_is_as_bad_as_the_worse_of_its_tunnels() -> None:
    found = diagnose(changed(DUAL, notrack("ipv4")))
    assert (found["status"], found["udp"], found["tcp"]) == ("affected", "broken", "broken")
    assert V6 in found["summary"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [DUAL, ALONE, "ipv6_nft_kube_proxy_nft", "fixed_kube_proxy_calico_first_nft"])
def test_a_view_of_ipv4_is_its_own_view_and_nothing_of_the_other_family_is_in_it(name: str, family: str) -> None:
    seen = in_family(node(name), family)
    other = "ipv6" if family == "ipv4" else "ipv4"
    assert all(one["family"] != other for one in seen["netfilter"]["tables"])
    assert all((":" in one["destination"]) == (family == "ipv6") for one in seen["routes"]["lookups"])
    assert not any(name.startswith("ip6 ") for name in seen["netfilter"]["nftables"]["chains"])
    if family == "ipv4":
        assert in_family(seen, family) == seen


def test_facts_of_a_dual_stack_node_name_both_services() -> None:
    facts = node(DUAL)
    assert facts["services"]["dns"] == "10.96.0.10" and facts["services"]["dns_ipv6"] == "fd00:10:96::a"
    assert node(ALONE)["services"]["dns"] == "fd00:10:96::a"
    assert device(facts, V6)["addresses"] == [] and device(facts, V6)["addresses_ipv6"][0].endswith("::/128")


def test_an_unread_table_of_ipv6_is_missed_by_name_and_leaves_ipv4_alone() -> None:
    def unread(facts: Any) -> None:
        table = next(one for one in facts["netfilter"]["tables"] if (one["family"], one["backend"], one["table"]) == ("ipv6", "nft", "nat"))
        table.update(state="unknown", reason="the lock is held", chains={})

    found = diagnose(changed(DUAL, unread))
    assert [one["fact"] for one in found["missing"]] == ["netfilter.nft.nat.ipv6"]
    assert [one["status"] for one in found["devices"] if one["name"] == V4] == ["affected"]


def families(actions: list[Any]) -> list[str]:
    return [str(one["args"].get("family", "ipv4")) for one in actions if one["module"] == "netfilter_rule"]


@pytest.mark.parametrize("method", ["clear_mark", "notrack", "masquerade_without_random", "kube_postrouting_detached", "underlay_accept"])
def test_rules_go_into_the_families_that_are_hit(method: str) -> None:
    assert set(families(plan(node(DUAL), method, accept_risk=True)["actions"])) == {"ipv4", "ipv6"}
    only_v6 = plan(changed(DUAL, offload_off(V4)), method, accept_risk=True)
    assert set(families(only_v6["actions"])) == {"ipv6"} and only_v6["devices"] == [V6]


def test_auto_cures_both_families() -> None:
    planned = plan(node(DUAL), "auto")
    assert (planned["method"], planned["simulated"]["status"]) == ("clear_mark", "mitigated")
    assert families(planned["actions"]) == ["ipv4", "ipv6"]


def test_the_unit_of_both_families_calls_both_programs() -> None:
    service, _timer = plan(node(DUAL), "notrack")["units"]
    programs = {line.split()[3] for line in service["content"].splitlines() if line.startswith("Exec")}
    assert programs == {"/usr/sbin/iptables-nft", "/usr/sbin/ip6tables-nft"}


@pytest.mark.parametrize(
    ("name", "cidr", "refused", "destinations"),
    [
        (DUAL, BOTH_CIDRS, "", ["10.96.0.0/12", "fd00:10:96::/112"]),
        (DUAL, "10.96.0.0/12", "needs the IPv6 service CIDR", []),
        (ALONE, BOTH_CIDRS, "", ["fd00:10:96::/112"]),
        (ALONE, "10.96.0.0/12", "needs the IPv6 service CIDR", []),
    ],
)
def test_routes_need_the_network_of_their_family(name: str, cidr: str, refused: str, destinations: list[str]) -> None:
    planned = plan(node(name), "service_route", accept_risk=True, service_cidr=cidr)
    assert refused in planned["refused"] and bool(refused) == bool(planned["refused"])
    assert [one["args"]["destination"] for one in planned["actions"]] == destinations


def normal(facts: Any) -> Any:
    """Facts without the difference between a table that is not there and one that is empty."""
    tables = []
    for entry in facts["netfilter"]["tables"]:
        chains = {name: texts for name, texts in entry["chains"].items() if texts}
        tables.append({**entry, "chains": chains, "state": "read" if chains else "absent", "reason": ""})
    return {**facts, "netfilter": {**facts["netfilter"], "tables": tables}, "applied": None}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [DUAL, ALONE])
def test_applying_undoing_and_planning_again(name: str, method: str) -> None:
    facts = node(name)
    planned = plan(facts, method, accept_risk=True, service_cidr=BOTH_CIDRS)
    assert planned["refused"] == ""
    part = {"source": "", "record": planned["record"], "units": planned["record"]["units"]}
    after = {**apply_actions(facts, planned["actions"]), "applied": part}
    assert normal(apply_actions(after, planned["undo"])) == normal(facts)
    assert plan(after, method, accept_risk=True, service_cidr=BOTH_CIDRS) == planned
    found = diagnose(after)
    assert planned["simulated"] == {key: found[key] for key in ("status", "tcp", "udp")}


NODE, POD = "fd00:10:1::1:a", "fd00:10:244::/56"
RULES: list[tuple[str, Optional[bool]]] = [
    ("-j MASQUERADE --random-fully", True),
    ("-j MASQUERADE", False),
    (f"-s {NODE}/128 -j MASQUERADE --random-fully", True),
    ("-s fd00:10:2::/64 -j MASQUERADE --random-fully", False),
    (f"-s {POD} -j MASQUERADE --random-fully", False),
    (f"-d {POD} -j MASQUERADE --random-fully", False),
    ("-d ff00::/8 -j MASQUERADE --random-fully", False),
    ("! -d ff00::/8 -j MASQUERADE --random-fully", True),
    ("-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j MASQUERADE --random-fully", False),
    ("-p 58 -j MASQUERADE --random-fully", False),
    ("-p udp -m hl --hl-eq 255 -j MASQUERADE --random-fully", None),
    ("-m set --match-set cali60masq-ipam-pools src -j MASQUERADE --random-fully", False),
    (f"-j SNAT --to-source {NODE}", False),
    ("-j SNAT --to-source fd00:10:1::99", True),
    (f"-j SNAT --to-source [{NODE}]:1-1023", True),
    (f"-j SNAT --to-source [{NODE}]:1024-2048", None),
    (f"-j SNAT --to-source [{NODE}]:1024-65535", False),
    ("-j SNAT --to-source fd00:10:1::1-fd00:10:1::5", None),
    ("-m addrtype --src-type LOCAL -j MASQUERADE --random-fully", True),
]


@pytest.mark.parametrize(("text", "rewrites"), RULES)
def test_a_rule_of_ip6tables_rewrites_the_outer_packet(text: str, rewrites: Optional[bool]) -> None:
    packet = Packet(
        kind="outer", client="any", out_interface="eth0", protocol="udp", source=Address(inside=networks([NODE])),
        destination=Address(outside=networks([POD])), destination_port=4789, source_is_local=True,
        source_on_out_interface=True, source_is_primary=True,
    )  # fmt: skip
    base = BaseChain("nft", "nat", "POSTROUTING", {"POSTROUTING": [(text, parse_rule(text))]})
    answers = {end.nat.rewrites if end.nat else False for end in walk_base(base, packet, 0x4000, {Mark(0): ()})}
    assert (next(iter(answers)) if len(answers) == 1 else None) is rewrites


@pytest.mark.parametrize(
    ("text", "learned"),
    [
        ("10.244.0.0/16", True),
        ("10.244.3.0/24", False),  # the block of one node
        ("fd00:10:244::/56", True),
        ("fd00:10:244::/48", True),
        ("fd00:10:244:3::/64", False),
    ],
)
def test_the_pod_network_is_learned_from_rules_of_either_family(text: str, learned: bool) -> None:
    rule = f"! -s {text} -p udp -m udp --dport 53 -j KUBE-MARK-MASQ"
    facts = {"netfilter": {"tables": [{"table": "nat", "state": "read", "chains": {"KUBE-SVC-TCOU7JCQXEZGVUNU": [rule]}}]}}
    assert str(pod_network(facts)) == (text if learned else "None")
