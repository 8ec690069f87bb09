# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario, facts, verdict: (status, tcp, udp)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import apply_actions

from . import build as b

LOST = ("affected", "broken", "broken")
TCP_ONLY = ("affected", "broken", "ok")
FINE = ("unaffected", "ok", "ok")
KEPT_SAFE = ("mitigated", "ok", "ok")
AT_RISK = ("exposed", "at_risk", "at_risk")
NOT_KNOWN = ("unknown", "unknown", "unknown")

FLANNEL = b.vxlan(b.device("flannel.1"))
FLANNEL_CNI = {"source": "", "names": ["flannel"], "calico_version": "", "flannel_version": "", "flannel_network": "10.244.0.0/16"}
OLD = "4.18.0-193.el8.x86_64"
ROUTED = {
    "source": "ip -4 route get",
    "default_device": "eth0",
    "lookups": [{"destination": "10.96.0.10", "device": "vxlan.calico", "source": "10.244.0.0"}],
}
IPVS = {
    "source": "",
    "default_device": "eth0",
    "lookups": [{"destination": "10.96.0.10", "device": "lo", "source": "10.96.0.10"}],
}


def proxy(**changes: Any) -> dict[str, Any]:
    return {**b.facts()["kube_proxy"], **changes}


def nft_proxy(masquerading: list[str], **parts: Any) -> dict[str, Any]:
    chains = {
        "kube-proxy/nat-postrouting": ["jump masquerading"],
        "kube-proxy/masquerading": masquerading,
        "kube-proxy/mark-for-masquerade": ["meta mark set meta mark | 0x00004000"],
        "kube-proxy/nat-output": ["jump services"],
    }
    nftables = {"state": "read", "reason": "", "printer": "nftables v1.0.6", "chains": chains}
    cidr = parts.pop("cidr", "10.244.0.0/16")
    tables = b.saved(parts.pop("beside")) if "beside" in parts else {}
    return b.facts(netfilter=b.netfilter(tables, nftables=nftables), kube_proxy=proxy(mode="nftables", cluster_cidr=cidr), **parts)


NFT_CLEARS = ["meta mark & 0x00004000 == 0x00000000 return", "meta mark set meta mark ^ 0x00004000", "masquerade fully-random"]
NFT_KEEPS = ["mark and 0x4000 == 0x0 return", "masquerade fully-random"]


def both_backends(nft: str, legacy: str) -> dict[str, Any]:
    one, other = b.netfilter(b.saved(nft)), b.netfilter(b.saved(legacy), backend="legacy")
    tables = [entry for entry in one["tables"] if entry["backend"] == "nft"]
    tables += [entry for entry in other["tables"] if entry["backend"] == "legacy"]
    return {**one, "tables": tables, "printers": {**one["printers"], **other["printers"]}}


def unreadable(table: str, rules: str) -> dict[str, Any]:
    found = b.netfilter(b.saved(rules))
    for entry in found["tables"]:
        if (entry["backend"], entry["table"]) == ("nft", table):
            entry.update(state="unknown", reason="needs root", chains={})
    return found


def changed(rules: str, table: str, chain: str, texts: list[str], unread: tuple[str, ...] = ()) -> dict[str, Any]:
    tables = b.saved(rules)
    tables.setdefault(table, {})[chain] = texts + tables.get(table, {}).get(chain, [])
    found = b.netfilter(tables)
    for entry in found["tables"]:
        if (entry["backend"], entry["table"]) == ("nft", table):
            entry["unread"] = list(unread)
    return found


RULE_SETS = [
    ("kube_1_17_before_fix", LOST),
    ("kube_1_16_without_random", FINE),
    ("kube_1_18_6_fixed", FINE),
    ("kube_1_30_fixed", FINE),
    ("kube_1_30_before_fix_shape", LOST),
    ("masquerade_all", LOST),
    ("no_cluster_cidr", ("exposed", "ok", "ok")),
    ("node_cidr", LOST),
    ("custom_bit_before_fix", LOST),
    ("custom_bit_fixed", FINE),
    ("calico_first_fixed", LOST),
    ("calico_first_without_random", LOST),
    ("calico_first_before_fix", LOST),
    ("calico_last_fixed", FINE),
    ("calico_3_29", FINE),
    ("calico_3_29_before_fix", KEPT_SAFE),
    ("ipvs_before_fix", LOST),
    ("ipvs_fixed", FINE),
    ("kubelet_ahead", LOST),
    ("kubelet_behind_without_random", KEPT_SAFE),
    ("kubelet_only", AT_RISK),
    ("jump_deleted", KEPT_SAFE),
    ("accept_underlay", KEPT_SAFE),
    ("accept_tunnel", KEPT_SAFE),
    ("plain_masquerade_first", KEPT_SAFE),
    ("notrack_before_fix", KEPT_SAFE),
    ("clear_mark_calico_first", KEPT_SAFE),
    ("clear_mark_other_port", LOST),
    ("kube_ovn_filter_clears_mark", KEPT_SAFE),
    ("docker_and_portmap", FINE),
    ("snat_of_the_underlay", LOST),
    ("snat_to_the_same_address", FINE),
    ("masquerade_everything_random", LOST),
    ("ip_masq_agent", FINE),
    ("maybe_statistic", AT_RISK),
    ("cali_only", AT_RISK),
]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize(("rules", "expected"), RULE_SETS)
def test_a_rule_set_in_either_backend(rules: str, expected: tuple[str, str, str], backend: str) -> None:
    assert verdict(b.facts(netfilter=b.netfilter(b.saved(rules), backend=backend))) == expected


FLANNEL_SETS = [
    ("flannel_0_20_1_fixed", LOST),
    ("flannel_0_20_2_fixed", FINE),
    ("flannel_guard_custom_bit", LOST),
    ("flannel_0_12_fixed", FINE),
    ("kube_1_17_before_fix", LOST),
]


@pytest.mark.parametrize(("rules", "expected"), FLANNEL_SETS)
def test_flannel(rules: str, expected: tuple[str, str, str]) -> None:
    assert verdict(b.facts(rules, vxlan=FLANNEL, cni=FLANNEL_CNI)) == expected


SCENARIOS: list[tuple[str, dict[str, Any], tuple[str, str, str]]] = [
    ("no VXLAN device", b.facts("kube_1_17_before_fix", vxlan=b.vxlan()), FINE),
    ("offload off already", b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(offload=False))), KEPT_SAFE),
    ("noudpcsum on a fixed kernel", b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(checksum="noudpcsum"))), FINE),
    (
        "noudpcsum on a kernel without the fix",
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(checksum="noudpcsum")), kernel=b.kernel(OLD)),
        LOST,
    ),
    (
        "an external device on a fixed kernel whose flows ask for no checksum",
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(checksum="external", flow_checksum="noudpcsum"))),
        FINE,
    ),
    (
        "a checksum mode that was not read, where the two defects disagree",
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(checksum="unknown"))),
        NOT_KNOWN,
    ),
    (
        "a checksum mode that was not read, on a kernel with both defects",
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(checksum="unknown")), kernel=b.kernel(OLD)),
        LOST,
    ),
    (
        "a NIC without TX checksumming looks like a cure for DNS",
        b.facts("kube_1_17_before_fix", links={"source": "", "devices": [b.nic(offload=False)]}),
        TCP_ONLY,
    ),
    (
        "masquerade-all hits pods, whose UDP is open whatever the NIC does",
        b.facts("masquerade_all", links={"source": "", "devices": [b.nic(offload=False)]}),
        LOST,
    ),
    ("a route gives the node a pod address", b.facts("kube_1_17_before_fix", routes=ROUTED), KEPT_SAFE),
    ("a route does not help against masquerade-all", b.facts("masquerade_all", routes=ROUTED), LOST),
    ("IPVS mode: the Service is local, UDP is hit", b.facts("ipvs_no_cluster_cidr", routes=IPVS), LOST),
    ("no rules at all yet", b.facts(), AT_RISK),
    ("no rules yet, offload off", b.facts(vxlan=b.vxlan(b.device(offload=False))), KEPT_SAFE),
    ("nftables kube-proxy clears the mark", nft_proxy(NFT_CLEARS), FINE),
    ("nftables kube-proxy that does not clear it", nft_proxy(NFT_KEEPS), LOST),
    ("nftables kube-proxy beside Calico's iptables chain: order unknown", nft_proxy(NFT_CLEARS, beside="cali_only"), AT_RISK),
    ("nftables kube-proxy whose cluster CIDR is not known", nft_proxy(NFT_KEEPS, cidr=None), AT_RISK),
    (
        "stale legacy rules that do nothing, nft rules before the fix",
        b.facts(netfilter=both_backends("kube_1_17_before_fix", "kubelet_only")),
        AT_RISK,
    ),
    (
        "kube-proxy legacy and Calico nft: order unknown",
        b.facts(netfilter=both_backends("cali_only", "kube_1_30_fixed")),
        AT_RISK,
    ),
    (
        "an iptables that cannot print --random-fully",
        b.facts(netfilter=b.netfilter(b.saved("kube_1_16_without_random"), backend="legacy", version="1.4.21")),
        AT_RISK,
    ),
    ("the nat table needs root", b.facts(netfilter=unreadable("nat", "kube_1_17_before_fix")), NOT_KNOWN),
    (
        "the mangle table needs root, and nat cannot rewrite",
        b.facts(netfilter=unreadable("mangle", "kube_1_30_fixed")),
        FINE,
    ),
    ("the mangle table needs root, and nat would rewrite", b.facts(netfilter=unreadable("mangle", "kube_1_17_before_fix")), NOT_KNOWN),
    ("no rules were gathered", b.facts(netfilter={"unknown": "needs root"}), NOT_KNOWN),
    (
        "no rules were gathered, and the offload is off",
        b.facts(netfilter={"unknown": "needs root"}, vxlan=b.vxlan(b.device(offload=False))),
        KEPT_SAFE,
    ),
    (
        "no rules were gathered, and the kernel is fixed for the device",
        b.facts(netfilter={"unknown": "needs root"}, vxlan=b.vxlan(b.device(checksum="noudpcsum"))),
        FINE,
    ),
    ("ethtool is missing", b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(features={}))), NOT_KNOWN),
    ("ethtool is missing, and the rules are clean", b.facts("kube_1_30_fixed", vxlan=b.vxlan(b.device(features={}))), FINE),
    ("the kernel is not known, and the rules are clean", b.facts("kube_1_30_fixed", kernel={"unknown": "x"}), FINE),
    ("the kernel is not known", b.facts("kube_1_17_before_fix", kernel={"unknown": "cut"}), NOT_KNOWN),
    ("the VXLAN devices are not known", b.facts("kube_1_17_before_fix", vxlan={"unknown": "no ip command"}), NOT_KNOWN),
    (
        "a tunnel over IPv6 is not measured",
        b.facts("kube_1_30_fixed", vxlan=b.vxlan(b.device("vxlan-v6.calico", outer="ipv6"))),
        NOT_KNOWN,
    ),
    (
        "a tunnel over IPv6 beside one over IPv4 that is lost",
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device("vxlan-v6.calico", outer="ipv6"), b.device())),
        ("affected", "broken", "broken"),
    ),
    (
        "a chain that was not read leads on from mangle OUTPUT",
        b.facts(netfilter=changed("kube_1_17_before_fix", "mangle", "OUTPUT", ["-j HUGE"], ("HUGE",))),
        AT_RISK,
    ),
    (
        "kube-proxy's filter chains are not read and cannot matter",
        b.facts(netfilter=changed("kube_1_17_before_fix", "filter", "OUTPUT", ["-j KUBE-SERVICES", "-j KUBE-FIREWALL"])),
        LOST,
    ),
    (
        "a rule that cannot be read is maybe",
        b.facts(netfilter=changed("kube_1_17_before_fix", "mangle", "OUTPUT", ['-m comment --comment "open'])),
        AT_RISK,
    ),
    (
        "a firewall that drops the tunnel is no cure",
        b.facts(netfilter=changed("kube_1_17_before_fix", "filter", "OUTPUT", ["-p udp -m statistic --mode random -j DROP"])),
        LOST,
    ),
    (
        "a rule of the other protocol accepts nothing",
        b.facts(netfilter=changed("kube_1_17_before_fix", "nat", "POSTROUTING", ["-p tcp -m tcp --dport 4789 -j ACCEPT"])),
        LOST,
    ),
    (
        "CentOS 6 prints the negation after the option",
        b.facts(netfilter=changed("kube_1_17_before_fix", "nat", "POSTROUTING", ["-o ! eth0 -j ACCEPT"])),
        LOST,
    ),
]


@pytest.mark.parametrize(("facts", "expected"), [pytest.param(*row[1:], id=row[0]) for row in SCENARIOS])
def test_scenario(facts: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert verdict(facts) == expected


def verdict(facts: dict[str, Any]) -> tuple[str, str, str]:
    found = diagnose(facts)
    return found["status"], found["tcp"], found["udp"]


def test_a_detached_chain_that_was_not_read_is_still_a_mitigation() -> None:
    """A reader follows jumps, and nothing leads to the chain any more."""
    tables = b.saved("jump_deleted")
    del tables["nat"]["KUBE-POSTROUTING"]
    found = diagnose(b.facts(netfilter=b.netfilter(tables)))
    assert (found["status"], [one["id"] for one in found["mitigations"]]) == ("mitigated", ["kube_postrouting_detached"])


MITIGATIONS = [
    ("calico_3_29_before_fix", "notrack", "calico"),
    ("notrack_before_fix", "notrack", "unknown"),
    ("clear_mark_calico_first", "clear_mark", "unknown"),
    ("kube_ovn_filter_clears_mark", "clear_mark", "unknown"),
    ("accept_underlay", "underlay_accept", "unknown"),
    ("accept_tunnel", "tunnel_accept", "unknown"),
    ("plain_masquerade_first", "masquerade_without_random", "unknown"),
    ("jump_deleted", "kube_postrouting_detached", "unknown"),
]


@pytest.mark.parametrize(("rules", "name", "owner"), MITIGATIONS)
def test_the_mitigation_is_named_with_its_owner(rules: str, name: str, owner: str) -> None:
    assert [(one["id"], one["owner"]) for one in diagnose(b.facts(rules))["mitigations"]] == [(name, owner)]


def test_normal_rules_are_no_mitigation() -> None:
    rules = ["kube_1_30_fixed", "calico_last_fixed", "calico_3_29", "flannel_0_20_2_fixed", "docker_and_portmap"]
    assert [diagnose(b.facts(name))["mitigations"] for name in rules] == [[]] * 5


def test_our_own_rule_is_recognised_by_the_record() -> None:
    planned = plan(b.facts("kube_1_17_before_fix"), "notrack")
    applied = {"source": "", "record": planned["record"], "units": []}
    after = {**apply_actions(b.facts("kube_1_17_before_fix"), planned["actions"]), "applied": applied}
    assert [(one["id"], one["owner"]) for one in diagnose(after)["mitigations"]] == [("notrack", "vxlan_offload")]


def test_felix_is_named_when_its_version_turns_the_offload_off() -> None:
    cni = {**b.facts()["cni"], "calico_version": "v3.28.1"}
    found = diagnose(b.facts("kube_1_17_before_fix", cni=cni, vxlan=b.vxlan(b.device(offload=False))))
    assert [(one["id"], one["owner"]) for one in found["mitigations"]] == [("tx_checksum_off", "felix")]


UNNEEDED = [
    ("offload off although the rules are clean", b.facts("kube_1_30_fixed", vxlan=b.vxlan(b.device(offload=False))), ["tx_checksum_off"]),
    ("offload off beside Calico's NOTRACK", b.facts("calico_3_29", vxlan=b.vxlan(b.device(offload=False))), ["tx_checksum_off"]),
    ("offload off and needed", b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(offload=False))), []),
    ("nothing applied", b.facts("kube_1_30_fixed"), []),
]


@pytest.mark.parametrize(("facts", "expected"), [pytest.param(*row[1:], id=row[0]) for row in UNNEEDED])
def test_unneeded(facts: dict[str, Any], expected: list[str]) -> None:
    assert diagnose(facts)["unneeded"] == expected


def test_our_rule_is_unneeded_after_the_upgrade() -> None:
    planned = plan(b.facts("kube_1_17_before_fix"), "clear_mark")
    applied = {"source": "", "record": planned["record"], "units": []}
    upgraded = {**apply_actions(b.facts("kube_1_30_fixed"), planned["actions"]), "applied": applied}
    assert diagnose(upgraded)["unneeded"] == ["clear_mark"]


def test_a_missing_table_says_how_to_get_it() -> None:
    missing = diagnose(b.facts(netfilter=unreadable("nat", "kube_1_17_before_fix")))["missing"]
    assert missing == [{"fact": "netfilter.nft.nat", "reason": "needs root", "how": "run with become: true"}]


def test_the_walk_shows_each_rule_by_its_place() -> None:
    walk = diagnose(b.facts("calico_first_fixed"))["devices"][0]["walk"]
    assert [" ".join(line.split()[:4]) for line in walk] == [
        "inner nat POSTROUTING 1",
        "inner nat cali-POSTROUTING 1",
        "inner nat cali-POSTROUTING 2",
        "inner nat cali-POSTROUTING 3",
        "outer nat POSTROUTING 1",
        "outer nat cali-POSTROUTING 1",
        "outer nat cali-POSTROUTING 2",
        "outer nat POSTROUTING 2",
        "outer nat KUBE-POSTROUTING 2",
        "outer nat KUBE-POSTROUTING 3",
    ]


def test_vmxnet3_is_a_lookalike() -> None:
    found = diagnose(b.facts("kube_1_30_fixed", links={"source": "", "devices": [b.nic(driver="vmxnet3")]}))
    assert "vmxnet3" in found["lookalikes"][0]


def test_the_summary_of_a_lost_node_is_one_line_with_the_rule() -> None:
    summary = diagnose(b.facts("kube_1_17_before_fix"))["summary"]
    assert "\n" not in summary and "KUBE-POSTROUTING rule 1" in summary


@pytest.mark.parametrize("bad", [None, [], "facts", 7])
def test_what_is_no_facts_is_a_clear_error(bad: Any) -> None:
    with pytest.raises(ValueError, match="diagnose needs the facts of one node"):
        diagnose(bad)


def test_empty_facts_are_unknown() -> None:
    assert diagnose({})["status"] == "unknown"


UPGRADES = [
    ("kube_1_17_before_fix", ["kube-proxy", "Calico"]),
    ("calico_first_fixed", ["Calico"]),
    ("kubelet_ahead", ["kube-proxy", "Calico"]),
    ("snat_of_the_underlay", ["the"]),
    ("kube_1_30_fixed", []),
]


@pytest.mark.parametrize(("rules", "names"), UPGRADES)
def test_only_what_causes_it_is_to_be_upgraded(rules: str, names: list[str]) -> None:
    assert [text.split()[0] for text in diagnose(b.facts(rules))["upgrade"]] == names


ACTIONS = [
    ("calico_first_fixed", "apply clear_mark; later upgrade Calico"),
    ("snat_of_the_underlay", "apply notrack"),
    ("cali_only", "run diagnose again when kube-proxy runs, or apply clear_mark before"),
    ("notrack_before_fix", "keep it in place"),
    ("kube_1_30_fixed", "nothing to do"),
]


@pytest.mark.parametrize(("rules", "action"), ACTIONS)
def test_the_action_is_one_short_line(rules: str, action: str) -> None:
    assert diagnose(b.facts(rules))["action"] == action


def test_an_old_iptables_is_named_as_the_reason() -> None:
    netfilter = b.netfilter(b.saved("kube_1_16_without_random"), backend="legacy", version="1.4.21")
    found = diagnose(b.facts(netfilter=netfilter))
    assert "iptables before 1.6.2" in found["summary"]
    assert [one["fact"] for one in found["missing"]] == ["netfilter.printers.legacy"]


@pytest.mark.parametrize(("backend", "status"), [("nft", "exposed"), ("legacy", "unaffected")])
def test_an_nft_rule_that_iptables_prints_only_in_part_is_not_believed(backend: str, status: str) -> None:
    """iptables-nft 1.8.9 prints `udp dport vmap {...}` as `-p udp`, with return code 0. A legacy rule without a target only counts."""
    tables = b.saved("kube_1_30_fixed")
    tables["nat"]["POSTROUTING"] = ["-p udp", *tables["nat"]["POSTROUTING"]]
    assert diagnose(b.facts(netfilter=b.netfilter(tables, backend)))["status"] == status
