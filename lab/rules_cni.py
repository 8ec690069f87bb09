# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Calico's Felix and of flannel, as each release writes them.

Left out: rules that match an ipset (policy, NAT-outgoing pools): they never hit traffic between node addresses.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from . import addresses as ip
from .ruleset import RuleSet

FLANNEL_KUBE_MARK = "0x4000/0x4000"  # hard-coded in flannel, whatever --iptables-masquerade-bit says


@dataclass(frozen=True)
class Cni:
    """What decides about its rules. `plugin`: calico or flannel."""

    plugin: str
    version: str
    chain_insert_mode: str = "insert"  # FelixConfiguration chainInsertMode
    device: str = "vxlan.calico"
    nftables: bool = False  # flannel's EnableNFTables: no iptables rules

    @property
    def ipv6(self) -> bool:
        """Whether these are its ip6tables rules."""
        return "-v6" in self.device

    @property
    def release(self) -> tuple[int, int, int]:
        major, minor, patch = self.version.split(".")
        return int(major), int(minor), int(patch)

    @property
    def before_kube_proxy(self) -> bool:
        """Whether its POSTROUTING jump stands before kube-proxy's."""
        if self.plugin == "flannel":
            return self.release >= (0, 20, 0)
        return self.release < (3, 28, 2) and self.chain_insert_mode == "insert"


def write(rules: RuleSet, cni: Cni, number: int) -> None:
    """On top of what kube-proxy wrote, or below it."""
    if cni.nftables or cni.plugin == "bridge":  # bridge: a CNI without rules of its own
        return
    if cni.plugin == "flannel":
        _flannel(rules, cni, number)
    else:
        _calico(rules, cni)


def _felix(chain: str, lines: Sequence[str]) -> list[str]:
    """Felix puts a hash over the chain so far into each rule's comment; computed the same way, real names come out."""
    digest = hashlib.sha224(chain.encode()).digest()
    result = []
    for line in lines:
        digest = hashlib.sha224(digest + ("-A %s HASH %s" % (chain, line)).encode()).digest()
        comment = '-m comment --comment "cali:%s"' % base64.urlsafe_b64encode(digest).decode()[:16]
        result.append("%s %s" % (comment, line))
    return result


def _jump(rules: RuleSet, table: str, chain: str, insert: bool) -> None:
    rule = _felix(chain, ["--jump cali-" + chain])[0]
    rules.chain(table, "cali-" + chain)
    if insert:
        rules.insert(table, chain, rule)
    else:
        rules.append(table, chain, rule)


def _calico(rules: RuleSet, cni: Cni) -> None:
    insert = cni.chain_insert_mode == "insert"
    for table, chain in (("raw", "PREROUTING"), ("raw", "OUTPUT"), ("mangle", "POSTROUTING"), ("filter", "OUTPUT")):
        _jump(rules, table, chain, insert)
    for chain, target in (("PREROUTING", "cali-fip-dnat"), ("OUTPUT", "cali-fip-dnat")):
        _jump(rules, "nat", chain, insert)
        rules.chain("nat", target)
        rules.append("nat", "cali-" + chain, *_felix("cali-" + chain, ["--jump " + target]))
    _jump(rules, "nat", "POSTROUTING", cni.before_kube_proxy)
    for chain in ("cali-fip-snat", "cali-nat-outgoing"):
        rules.chain("nat", chain)
    masquerade = (
        "--out-interface %s -m addrtype ! --src-type LOCAL --limit-iface-out"
        " -m addrtype --src-type LOCAL --jump MASQUERADE --random-fully" % cni.device
    )
    nat = ["--jump cali-fip-snat", "--jump cali-nat-outgoing", masquerade]
    rules.append("nat", "cali-POSTROUTING", *_felix("cali-POSTROUTING", nat))
    _calico_other_tables(rules, cni)


def _calico_other_tables(rules: RuleSet, cni: Cni) -> None:
    clear = "--jump MARK --set-mark 0x0/0xf0000"
    accepted = "-m mark --mark 0x10000/0x10000"
    to_host = "--jump cali-to-host-endpoint"
    notrack = ["-p udp --dport 4789 --jump NOTRACK"] if cni.release >= (3, 29, 0) else []
    for table in ("raw", "mangle", "filter"):
        rules.chain(table, "cali-to-host-endpoint")
    raw_output = [clear, to_host, *notrack, accepted + " --jump ACCEPT"]
    rules.append("raw", "cali-PREROUTING", *_felix("cali-PREROUTING", [clear, *notrack, accepted + " --jump ACCEPT"]))
    rules.append("raw", "cali-OUTPUT", *_felix("cali-OUTPUT", raw_output))
    mangle = [
        accepted + " --jump RETURN",
        clear,
        "-m conntrack --ctstate DNAT " + to_host,
        accepted + " --jump RETURN",
    ]
    rules.append("mangle", "cali-POSTROUTING", *_felix("cali-POSTROUTING", mangle))
    output = [
        accepted + " --jump ACCEPT",
        "--out-interface cali+ --jump RETURN",
        clear,
        "-m conntrack ! --ctstate DNAT " + to_host,
        accepted + " --jump ACCEPT",
    ]
    rules.append("filter", "cali-OUTPUT", *_felix("cali-OUTPUT", output))


def _flannel(rules: RuleSet, cni: Cni, number: int) -> None:
    comment = '-m comment --comment "flanneld masq"'
    cluster, own, multicast = ip.CLUSTER_CIDR, ip.pod_cidr(number), "224.0.0.0/4"
    if cni.ipv6:
        cluster, own, multicast = ip.CLUSTER_CIDR_V6, ip.pod_cidr_v6(number), "ff00::/8"
    masquerade = [
        "-s %s -d %s %s -j RETURN" % (cluster, cluster, comment),
        "-s %s ! -d %s %s -j MASQUERADE --random-fully" % (cluster, multicast, comment),
        "! -s %s -d %s %s -j RETURN" % (cluster, own, comment),
        "! -s %s -d %s %s -j MASQUERADE --random-fully" % (cluster, cluster, comment),
    ]
    if cni.release >= (0, 20, 2):
        masquerade.insert(0, "-m mark --mark %s %s -j RETURN" % (FLANNEL_KUBE_MARK, comment))
    if cni.before_kube_proxy:
        rules.append("nat", "FLANNEL-POSTRTG", *masquerade)
        rules.insert("nat", "POSTROUTING", comment + " -j FLANNEL-POSTRTG")
    else:
        rules.append("nat", "POSTROUTING", *masquerade)
    forward = '-m comment --comment "flanneld forward"'
    rules.append("filter", "FORWARD", forward + " -j FLANNEL-FWD")
    rules.append("filter", "FLANNEL-FWD", "-s %s %s -j ACCEPT" % (cluster, forward), "-d %s %s -j ACCEPT" % (cluster, forward))
