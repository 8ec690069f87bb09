# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel taught the walk (tests/lab/judge found each of these), as node facts. tests/lab/judge/cases.py has them on a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import rewrite
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import Section
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_tables import saved

from . import build as b

BIT = "0x4000/0x4000"
RANDOM = f"-m mark --mark {BIT} -j MASQUERADE --random-fully"
DNS = "KUBE-SVC-TCOU7JCQXEZGVUNU"


def nat(
    postrouting: list[str], output: Sequence[str] = ("-j KUBE-SERVICES",), source: str = "! -s 10.244.0.0/16 "
) -> dict[str, list[str]]:
    """kube-proxy's marker, and these rules."""
    return {
        "OUTPUT": [*output], "POSTROUTING": postrouting, "KUBE-MARK-MASQ": [f"-j MARK --set-xmark {BIT}"],
        DNS: [f"{source}-d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ"],
    }  # fmt: skip


def holds(**tables: Any) -> tuple[str, tuple[str, ...]]:
    """rewrite's answer for these tables of iptables-nft, and whose packets are hit."""
    facts = b.facts(netfilter=b.netfilter(tables))
    found = rewrite(facts, facts["vxlan"]["devices"][0])
    return found.holds, found.clients


def test_without_odd_rules_the_nodes_packets_are_hit() -> None:
    assert holds(nat=nat([RANDOM])) == ("yes", ("host",))


SPARED = "! -s 10.0.0.0/8 "  # the node's own packets are not marked
TUNNEL = "-p udp -m udp --dport 4789"
SETS = f"-j MARK --set-xmark {BIT}"
CLEARS = "-j MARK --set-xmark 0x0/0x4000"
FOUND = [
    ("a mark that mangle POSTROUTING gives to all packets travels with those that kube-proxy does not mark",
     {"mangle": {"OUTPUT": [], "POSTROUTING": [f"-o vxlan.calico {SETS}"]}, "nat": nat([RANDOM], source=SPARED)}, ("yes", ("any",))),
    ("a mark that nat POSTROUTING gives to a packet to a pod's own address travels",
     {"nat": nat(["-o eth0 " + RANDOM, SETS], source=SPARED)}, ("yes", ("any",))),
    ("nat OUTPUT marks the tunnel packet itself",
     {"nat": nat([RANDOM], ["-o eth0 -p udp -m udp --dport 4789 " + SETS, "-j KUBE-SERVICES"], source=SPARED)}, ("yes", ("any",))),
    ("nat OUTPUT clears the tunnel packet's mark",
     {"nat": nat([RANDOM], ["-p udp -m udp --dport 4789 " + CLEARS, "-j KUBE-SERVICES"])}, ("no", ())),
    ("filter OUTPUT clears the mark before the packet reaches the tunnel, by its first way out",
     {"filter": {"OUTPUT": [f"-o eth0 -m conntrack --ctstate DNAT {CLEARS}"]}, "nat": nat([RANDOM])}, ("no", ())),
    ("filter OUTPUT does not see the tunnel as the way out of a packet to a Service",
     {"filter": {"OUTPUT": [f"-o vxlan.calico {CLEARS}"]}, "nat": nat([RANDOM])}, ("yes", ("host",))),
    ("a mark of another tool from mangle OUTPUT is on the packet in POSTROUTING",
     {"mangle": {"OUTPUT": ["-j MARK --set-xmark 0x1/0x1"], "POSTROUTING": []},
      "nat": nat(["-m mark --mark 0x1/0x1 -j ACCEPT", RANDOM])}, ("no", ())),
    ("in raw there is no connection yet, so NEW does not match",
     {"raw": {"OUTPUT": [f"{TUNNEL} -m conntrack --ctstate NEW -j CT --notrack"]}, "nat": nat([RANDOM])}, ("yes", ("host",))),
    ("in raw a packet is INVALID",
     {"raw": {"OUTPUT": [f"{TUNNEL} -m conntrack --ctstate INVALID -j CT --notrack"]}, "nat": nat([RANDOM])}, ("no", ())),
    ("a packet that is not tracked leaves its mark on the tunnel packet",
     {"raw": {"OUTPUT": ["-o vxlan.calico " + SETS, "-o vxlan.calico -j NOTRACK"]}, "nat": nat([RANDOM], source=SPARED)},
     ("maybe", ("any",))),
    ("what is not tracked can still be marked",
     {"raw": {"OUTPUT": [f"-m mark ! --mark {BIT} -j CT --notrack", SETS]}, "nat": nat([RANDOM])}, ("yes", ("any", "host"))),
    ("behind NOTRACK a packet is UNTRACKED",
     {"raw": {"OUTPUT": ["-o vxlan.calico -j NOTRACK", "-m conntrack --ctstate UNTRACKED " + SETS]}, "nat": nat([RANDOM], source=SPARED)},
     ("maybe", ("any",))),
    ("nat is not asked for what is not tracked",
     {"raw": {"OUTPUT": ["-o vxlan.calico -j NOTRACK", "-o vxlan.calico " + SETS]},
      "nat": nat(["-o vxlan.calico " + CLEARS, RANDOM], source=SPARED)}, ("maybe", ("any",))),
    ("a packet to a pod's own address has no DNAT state",
     {"nat": nat(["-o vxlan.calico -m conntrack ! --ctstate DNAT " + SETS, "-o eth0 " + RANDOM], source=SPARED)}, ("maybe", ("any",))),
    ("IP pools hold pods and the tunnel's own address",
     {"nat": nat(["-o vxlan.calico -m set --match-set cali40all-ipam-pools src " + SETS, RANDOM], source=SPARED)}, ("maybe", ("any",))),
    ("IP pools do not hold Services",
     {"mangle": {"OUTPUT": [f"-d 10.96.0.0/12 -m set ! --match-set cali40all-ipam-pools dst {SETS}"], "POSTROUTING": []},
      "nat": nat([RANDOM], source=SPARED)}, ("maybe", ("any",))),
    ("a later packet of a flow does not meet the nat rule that clears the mark of the first",
     {"mangle": {"OUTPUT": ["-o vxlan.calico " + SETS], "POSTROUTING": []},
      "nat": nat(["-o vxlan.calico " + CLEARS, RANDOM], source=SPARED)},
     ("maybe", ("any",))),
    ("another node may be in another subnet", {"nat": nat(["-d 10.1.0.0/16 -j ACCEPT", RANDOM])}, ("maybe", ("host",))),
    ("but in the same private block", {"nat": nat(["-d 10.0.0.0/8 -j ACCEPT", RANDOM])}, ("no", ())),
    ("a rule that fills checksums may make the rewrite harmless",
     {"mangle": {"OUTPUT": [], "POSTROUTING": ["-o vxlan.calico -j CHECKSUM --checksum-fill"]}, "nat": nat([RANDOM])},
     ("maybe", ("host",))),
    ("the one that libvirt writes for DHCP does not",
     {"mangle": {"OUTPUT": [], "POSTROUTING": ["-p udp -m udp --dport 68 -j CHECKSUM --checksum-fill"]}, "nat": nat([RANDOM])},
     ("yes", ("host",))),
    ("a Service chain that was not read does not mark tunnel packets",
     {"nat": {**nat([RANDOM], source=SPARED), "OUTPUT": ["-j KUBE-SERVICES"]}}, ("no", ())),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "expected"), [pytest.param(tables, expected, id=name) for name, tables, expected in FOUND])
def test_found_by_the_judge(tables: dict[str, Any], expected: tuple[str, tuple[str, ...]]) -> None:
    assert holds(**tables) == expected


@pytest.mark.parametrize(("addresses", "expected"), [
    (["10.1.0.11/24"], "no"),
    (["10.1.0.5/32", "10.1.0.11/24"], "no"),
    (["10.1.0.11/24", "10.1.0.5/24"], "maybe"),
    (["10.1.0.11/32", "10.1.0.5/32"], "maybe"),
    (["10.1.0.5/24"], "yes"),
    ([], "maybe"),
])  # fmt: skip
def test_masquerade_takes_an_address_of_the_underlay(addresses: list[str], expected: str) -> None:
    """The first in the network of the next hop; a virtual address of one host is in none."""
    facts = b.facts(netfilter=b.netfilter({"nat": nat([f"-m mark --mark {BIT} -j MASQUERADE"])}))
    next(one for one in facts["links"]["devices"] if one["name"] == "eth0")["addresses"] = addresses
    assert rewrite(facts, facts["vxlan"]["devices"][0]).holds == expected


def test_two_backends_at_one_hook_have_no_known_order() -> None:
    """One clears what the other sets: which comes last cannot be read from a node."""
    facts = b.facts(netfilter=b.netfilter({"mangle": {"OUTPUT": ["-o eth0 " + SETS]}, "nat": nat([RANDOM], source=SPARED)}))
    for entry in facts["netfilter"]["tables"]:
        if (entry["backend"], entry["table"]) == ("legacy", "mangle"):
            entry.update(state="read", chains={"OUTPUT": ["-o eth0 " + CLEARS], "POSTROUTING": []})
    assert rewrite(facts, facts["vxlan"]["devices"][0]).holds == "maybe"


def test_a_rule_that_counts_everything_is_read() -> None:
    """iptables-legacy-save prints it without a word behind the chain."""
    lines = ("*nat", ":OUTPUT ACCEPT [0:0]", "-A OUTPUT", "-A OUTPUT -j ACCEPT", "COMMIT")
    assert saved(Section("legacy", "", lines, 0, False), "nat") == {"OUTPUT": ["", "-j ACCEPT"]}
