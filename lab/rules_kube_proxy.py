# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of kube-proxy (and kubelet) in iptables mode, as each release writes them.

Releases: the mark is cleared in KUBE-POSTROUTING since 1.16.13, 1.17.9, 1.18.6 and 1.19 (kubernetes PR 92035);
the marker moved from KUBE-SERVICES to KUBE-SVC-* in 1.22 (PR 96959); kubelet stopped making its own copies in 1.27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from . import addresses as ip
from .ruleset import RuleSet
from .services import Service

POSTROUTING_JUMP = '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'
_FIXED_PATCH = {16: 13, 17: 9, 18: 6}
_SNAT = '-m comment --comment "kubernetes service traffic requiring SNAT"'


@dataclass(frozen=True)
class KubeProxy:
    """What decides about its rules."""

    version: str = "1.18.5"
    mode: str = "iptables"
    masquerade_bit: int = 14
    masquerade_all: bool = False
    cluster_cidr: Optional[str] = ip.CLUSTER_CIDR
    random_fully: bool = True
    old_rule_left: bool = False  # a newer kubelet appended to what an older kube-proxy had written

    @property
    def release(self) -> tuple[int, int]:
        _major, minor, patch = self.version.split(".")
        return int(minor), int(patch)

    @property
    def mark(self) -> str:
        return "0x%x" % (1 << self.masquerade_bit)

    @property
    def clears_mark(self) -> bool:
        minor, patch = self.release
        return minor > 18 or patch >= _FIXED_PATCH.get(minor, 1000)


def write(rules: RuleSet, proxy: KubeProxy, services: Sequence[Service]) -> None:
    _fixed_part(rules, proxy)
    for service in services:
        _service(rules, proxy, service)
    rules.append(
        "nat",
        "KUBE-SERVICES",
        '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
        " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
    )


def _fixed_part(rules: RuleSet, proxy: KubeProxy) -> None:
    portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    for chain in ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"):
        rules.chain("nat", chain)
    for table in ("mangle", "filter", "nat"):
        rules.chain(table, "KUBE-PROXY-CANARY")
        rules.chain(table, "KUBE-KUBELET-CANARY")
    if proxy.release[0] >= 24:
        rules.chain("mangle", "KUBE-IPTABLES-HINT")
    if proxy.release[0] <= 26:
        rules.append("nat", "KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000")
    rules.append("nat", "PREROUTING", portals)
    rules.append("nat", "OUTPUT", portals)
    rules.append("nat", "POSTROUTING", POSTROUTING_JUMP)
    rules.append("nat", "KUBE-MARK-MASQ", "-j MARK --set-xmark {0}/{0}".format(proxy.mark))
    rules.append("nat", "KUBE-POSTROUTING", *postrouting(proxy))
    _filter(rules, proxy)


def postrouting(proxy: KubeProxy) -> list[str]:
    """The mark's way out, in both modes that write iptables rules."""
    masquerade = "-j MASQUERADE --random-fully" if proxy.random_fully else "-j MASQUERADE"
    old = "%s -m mark --mark %s/%s %s" % (_SNAT, proxy.mark, proxy.mark, masquerade)
    new = [
        "-m mark ! --mark {0}/{0} -j RETURN".format(proxy.mark),
        "-j MARK --set-xmark %s/0x0" % proxy.mark,
        "%s %s" % (_SNAT, masquerade),
    ]
    if not proxy.clears_mark:
        return [old]
    return [old, *new] if proxy.old_rule_left else new


def _filter(rules: RuleSet, proxy: KubeProxy) -> None:
    portals = '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    rules.append("filter", "INPUT", "-j KUBE-FIREWALL")
    rules.append("filter", "FORWARD", '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD')
    rules.append("filter", "OUTPUT", portals, "-j KUBE-FIREWALL")
    rules.chain("filter", "KUBE-SERVICES")
    rules.append(
        "filter",
        "KUBE-FIREWALL",
        '-m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP',
    )
    rules.append(
        "filter",
        "KUBE-FORWARD",
        "-m conntrack --ctstate INVALID -j DROP",
        '-m comment --comment "kubernetes forwarding rules" -m mark --mark {0}/{0} -j ACCEPT'.format(proxy.mark),
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    )


def host_network(address: str) -> str:
    """One address as iptables prints it."""
    return address + ("/128" if ":" in address else "/32")


def _service(rules: RuleSet, proxy: KubeProxy, service: Service) -> None:
    match = '-d {1} -p {0.protocol} -m comment --comment "{0.name} cluster IP" -m {0.protocol} --dport {0.port}'
    match = match.format(service, host_network(service.address))
    marker = _marker(proxy, match)
    marker_chain = "KUBE-SERVICES" if proxy.release[0] <= 21 else service.chain()
    if marker:
        rules.append("nat", marker_chain, marker)
    rules.append("nat", "KUBE-SERVICES", "%s -j %s" % (match, service.chain()))
    left = len(service.endpoints)
    for endpoint in service.endpoints:
        _endpoint(rules, proxy, service, endpoint, left)
        left -= 1


def _marker(proxy: KubeProxy, match: str) -> str:
    """Without a cluster CIDR traffic to a ClusterIP is not marked at all."""
    if proxy.masquerade_all:
        return match + " -j KUBE-MARK-MASQ"
    return "! -s %s %s -j KUBE-MARK-MASQ" % (proxy.cluster_cidr, match) if proxy.cluster_cidr else ""


def _endpoint(rules: RuleSet, proxy: KubeProxy, service: Service, endpoint: str, left: int) -> None:
    chain = service.endpoint_chain(endpoint)
    comment = '-m comment --comment "%s"' % service.name
    arrow = '-m comment --comment "%s -> %s"' % (service.name, endpoint)
    choice = "" if left == 1 else " -m statistic --mode random --probability %.11f" % (1 / left)
    rules.append("nat", service.chain(), "%s%s -j %s" % (arrow if proxy.release[0] >= 23 else comment, choice, chain))
    rules.append(
        "nat",
        chain,
        "-s %s %s -j KUBE-MARK-MASQ" % (host_network(endpoint.rpartition(":")[0].strip("[]")), comment),
        "-p {0} {1} -m {0} -j DNAT --to-destination {2}".format(service.protocol, comment, endpoint),
    )
