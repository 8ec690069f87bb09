# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule sets that the walk was wrong about once, made small: each is loaded again, and the kernel says again what it does.

`rewritten`: the kinds of packets (sight.KINDS) whose outer source the kernel changes. tests/unit/reasoning/test_judged.py has the same
as facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rule_sets import RuleSet, Tables

BIT = "0x4000/0x4000"
RANDOM = "-m mark --mark %s -j MASQUERADE --random-fully" % BIT
SETS, CLEARS = "-j MARK --set-xmark %s" % BIT, "-j MARK --set-xmark 0x0/0x4000"
EVERYTHING = ("host_udp", "host_tcp", "pod_udp", "pod_tcp", "direct_udp", "pod_direct_tcp")
HOST = ("host_udp", "host_tcp")


@dataclass(frozen=True)
class Case:
    """What a case loads beside kube-proxy's Service chains, and what happens."""

    postrouting: tuple[str, ...]
    rewritten: tuple[str, ...]
    output: tuple[str, ...] = ()
    more: Tables = field(default_factory=dict)
    marked: bool = True

    def rule_set(self, backend: str) -> RuleSet:
        nat: dict[str, list[str]] = {
            "PREROUTING": ["-j KUBE-SERVICES"], "OUTPUT": [*self.output, "-j KUBE-SERVICES"], "POSTROUTING": list(self.postrouting),
            "KUBE-MARK-MASQ": [SETS], "KUBE-SERVICES": [],
        }  # fmt: skip
        for protocol, chain in (("udp", "KUBE-SVC-TCOU7JCQXEZGVUNU"), ("tcp", "KUBE-SVC-ERIFXISQEP7F7OF4")):
            match = "-d 10.96.0.10/32 -p {0} -m {0} --dport 53".format(protocol)
            source = "10.244.0.0/16" if self.marked else "10.0.0.0/8"
            nat["KUBE-SERVICES"].append("%s -j %s" % (match, chain))
            nat[chain] = [
                "! -s %s %s -j KUBE-MARK-MASQ" % (source, match), "-p {0} -m {0} -j DNAT --to-destination 10.244.1.2:53".format(protocol),
            ]  # fmt: skip
        return RuleSet(backend, "vxlan.calico", True, {backend: {**self.more, "nat": nat}})


def _one(table: str, chain: str, rule: str) -> Tables:
    return {table: {chain: [rule]}}


CASES = {
    "kube_proxys_mark_travels_with_the_nodes_own_packets": Case((RANDOM,), HOST),
    "a_mark_from_mangle_postrouting_travels_with_packets_that_kube_proxy_does_not_mark": Case(
        (RANDOM,), EVERYTHING, more=_one("mangle", "POSTROUTING", "-o vxlan.calico " + SETS), marked=False
    ),
    "a_mark_from_nat_postrouting_travels_with_packets_to_a_pods_own_address": Case(("-o eth0 " + RANDOM, SETS), EVERYTHING, marked=False),
    "nat_output_marks_the_tunnel_packet": Case((RANDOM,), EVERYTHING, ("-o eth0 -p udp -m udp --dport 4789 " + SETS,), marked=False),
    "nat_output_clears_the_mark_of_the_tunnel_packet": Case((RANDOM,), (), ("-p udp -m udp --dport 4789 " + CLEARS,)),
    "filter_output_sees_the_first_way_out_of_a_packet_to_a_service": Case(
        (RANDOM,), (), more=_one("filter", "OUTPUT", "-o eth0 -m conntrack --ctstate DNAT " + CLEARS)
    ),
    "filter_output_does_not_see_the_tunnel": Case((RANDOM,), HOST, more=_one("filter", "OUTPUT", "-o vxlan.calico " + CLEARS)),
    "a_mark_of_another_tool_is_still_there_in_postrouting": Case(
        ("-m mark --mark 0x1/0x1 -j ACCEPT", RANDOM), (), more=_one("mangle", "OUTPUT", "-j MARK --set-xmark 0x1/0x1")
    ),
    "in_raw_nothing_is_new": Case(
        (RANDOM,), HOST, more=_one("raw", "OUTPUT", "-p udp -m udp --dport 4789 -m conntrack --ctstate NEW -j CT --notrack")
    ),
    "in_raw_everything_is_invalid": Case(
        (RANDOM,), (), more=_one("raw", "OUTPUT", "-p udp -m udp --dport 4789 -m conntrack --ctstate INVALID -j CT --notrack")
    ),
    "a_packet_that_is_not_tracked_keeps_its_mark": Case(
        (RANDOM,), ("direct_udp",), more={"raw": {"OUTPUT": ["-o vxlan.calico " + SETS, "-o vxlan.calico -j NOTRACK"]}}, marked=False
    ),
    "what_is_not_tracked_can_still_be_marked": Case(
        (RANDOM,), (*HOST, "direct_udp"), marked=False,
        more={"raw": {"OUTPUT": ["! -d 10.96.0.10/32 -m mark ! --mark %s -j CT --notrack" % BIT, SETS]}},
    ),
    "behind_notrack_a_packet_is_untracked": Case(
        (RANDOM,), ("direct_udp",), marked=False,
        more={"raw": {"OUTPUT": ["-o vxlan.calico -j NOTRACK", "-m conntrack --ctstate UNTRACKED " + SETS]}},
    ),
    "nat_is_not_asked_for_what_is_not_tracked": Case(
        ("-o vxlan.calico " + CLEARS, RANDOM), ("direct_udp",), marked=False,
        more={"raw": {"OUTPUT": ["-o vxlan.calico -j NOTRACK", "-o vxlan.calico " + SETS]}},
    ),
    "only_packets_to_services_have_the_state_dnat": Case(
        ("-o vxlan.calico -m conntrack ! --ctstate DNAT " + SETS, "-o eth0 " + RANDOM), ("direct_udp", "pod_direct_tcp"), marked=False
    ),
    "ip_pools_hold_pods_and_the_tunnels_own_address": Case(
        ("-o vxlan.calico -m set --match-set cali40all-ipam-pools src " + SETS, RANDOM),
        ("pod_udp", "pod_tcp", "direct_udp", "pod_direct_tcp"), marked=False,
    ),
    "ip_pools_do_not_hold_services": Case(
        (RANDOM,), HOST, marked=False,
        more=_one("mangle", "OUTPUT", "-d 10.96.0.0/12 -m set ! --match-set cali40all-ipam-pools dst " + SETS),
    ),
    "a_filled_checksum_is_right_after_the_rewrite": Case(
        (RANDOM,), HOST, more=_one("mangle", "POSTROUTING", "-o vxlan.calico -j CHECKSUM --checksum-fill")
    ),
}
