# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy in IPVS mode: Service addresses on kube-ipvs0, ipsets, virtual servers, and the few rules that are left.

The rules are those of kube-proxy 1.18 to 1.28 (pkg/proxy/ipvs). The hairpin rule stands first since 1.19 (kubernetes PR 92584).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from pyroute2 import IPVS, IPRoute, IPSet, IPVSDest, IPVSService
from pyroute2.ipset import PortEntry

from .namespaces import network_of
from .rules_kube_proxy import POSTROUTING_JUMP, KubeProxy, postrouting
from .ruleset import RuleSet
from .services import Service

DEVICE = "kube-ipvs0"
CLUSTER_IPS, LOOP_BACK = "KUBE-CLUSTER-IP", "KUBE-LOOP-BACK"
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_MASQUERADE_FORWARDING = 0  # IP_VS_CONN_F_MASQ: NAT


def set_up(node: int, services: Sequence[Service]) -> None:
    """Everything but the rules; the sets have to be there before the rules that ask them."""
    with network_of(node):
        with open("/proc/sys/net/ipv4/vs/conntrack", "w", encoding="ascii") as stream:
            stream.write("1")
        with IPRoute() as route:
            route.link("add", ifname=DEVICE, kind="dummy")
            index = route.link_lookup(ifname=DEVICE)[0]
            for address in sorted({service.address for service in services}):
                route.addr("add", index=index, address=address, prefixlen=32)
        with IPSet() as sets:
            _fill_sets(sets, services)
        with IPVS() as servers:
            for service in services:
                _virtual_server(servers, service)


def _fill_sets(sets: IPSet, services: Sequence[Service]) -> None:
    sets.create(CLUSTER_IPS, stype="hash:ip,port", maxelem=65536)
    sets.create(LOOP_BACK, stype="hash:ip,port,ip", maxelem=65536)
    for service in services:
        protocol = _PROTOCOLS[service.protocol]
        sets.add(CLUSTER_IPS, (service.address, PortEntry(service.port, protocol=protocol)), etype="ip,port")
        for endpoint in service.endpoints:
            host, _colon, port = endpoint.partition(":")
            sets.add(LOOP_BACK, (host, PortEntry(int(port), protocol=protocol), host), etype="ip,port,ip")


def _virtual_server(servers: IPVS, service: Service) -> None:
    virtual = IPVSService(addr=service.address, port=service.port, protocol=_PROTOCOLS[service.protocol], sched_name="rr")
    servers.service("add", service=virtual)
    for endpoint in service.endpoints:
        host, _colon, port = endpoint.partition(":")
        servers.dest("add", service=virtual, dest=IPVSDest(addr=host, port=int(port), fwd_method=_MASQUERADE_FORWARDING))


def write(rules: RuleSet, proxy: KubeProxy) -> None:
    """The rules, the same however many Services there are."""
    portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    cluster_ip = '-m comment --comment "Kubernetes service cluster ip + port for masquerade purpose" -m set --match-set %s ' % CLUSTER_IPS
    for chain in ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-FIREWALL", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"):
        rules.chain("nat", chain)
    rules.append("nat", "PREROUTING", portals)
    rules.append("nat", "OUTPUT", portals)
    rules.append("nat", "POSTROUTING", POSTROUTING_JUMP)
    rules.append("nat", "KUBE-LOAD-BALANCER", "-j KUBE-MARK-MASQ")
    rules.append("nat", "KUBE-MARK-MASQ", "-j MARK --set-xmark {0}/{0}".format(proxy.mark))
    rules.append("nat", "KUBE-SERVICES", _marker(proxy, cluster_ip))
    rules.append("nat", "KUBE-SERVICES", "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    rules.append("nat", "KUBE-SERVICES", "-m set --match-set %s dst,dst -j ACCEPT" % CLUSTER_IPS)
    hairpin = '-m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"'
    loop_back = "%s -m set --match-set %s dst,dst,src -j MASQUERADE" % (hairpin, LOOP_BACK)
    own = postrouting(proxy)
    rules.append("nat", "KUBE-POSTROUTING", *([loop_back, *own] if proxy.clears_mark else [*own, loop_back]))


def _marker(proxy: KubeProxy, cluster_ip: str) -> str:
    if proxy.masquerade_all:
        return cluster_ip + "dst,dst -j KUBE-MARK-MASQ"
    if proxy.cluster_cidr:
        return "! -s %s %sdst,dst -j KUBE-MARK-MASQ" % (proxy.cluster_cidr, cluster_ip)
    return cluster_ip + "src,dst -j KUBE-MARK-MASQ"
