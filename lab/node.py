# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill one scenario node: tunnels, rules, the files that a CNI leaves, offload switches."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from . import addresses as ip
from . import ipvs, links, rules_cni, rules_kube_proxy, rules_nftables_flannel, rules_nftables_proxy, ways
from .ruleset import RuleSet, load_nft, restore
from .scenarios import Scenario
from .services import all_of, all_of_v6

OTHER = {"nft": "legacy", "legacy": "nft"}


def connect(scenario: Scenario, node: int, number: int, backend: int) -> None:
    """Both ends of the node's way to the backend's pods."""
    links.configure_node(node, number)
    if "ipv6" in scenario.families:
        links.add_ipv6_to_node(node, number)
    if "ipv4" not in scenario.families:
        links.remove_ipv4(node, number)
    if not scenario.devices:
        links.connect_host_gateway(node, ip.BACKEND_NUMBER)
        links.connect_host_gateway(backend, number)
    if scenario.way:
        ways.connect(scenario, node, number, backend)
        return
    for place, name in enumerate(scenario.devices):
        tunnel = links.TUNNELS[name]
        links.add_tunnel(node, number, tunnel, scenario.udp_checksum)
        # Pods are reached over the first device of a family; a second one is what an earlier CNI has left.
        first = not any(links.TUNNELS[earlier].ipv6 == tunnel.ipv6 for earlier in scenario.devices[:place])
        links.connect_tunnel(node, tunnel, ip.BACKEND_NUMBER, subnet=first)
        links.connect_tunnel(backend, tunnel, number, subnet=first)


def load_rules(scenario: Scenario, node: int, number: int, backend: str, services: int) -> None:
    """One transaction where kube-proxy and the CNI share a table; otherwise in the scenario's order of arrival."""
    if "ipv6" in scenario.families:
        _load_rules_v6(scenario, node, number, backend)
    if "ipv4" not in scenario.families:
        return
    proxy = scenario.proxy
    known = all_of(services)
    apart = scenario.cni_in_other_backend or scenario.cni.nftables or proxy.mode == "nftables"
    proxy_rules = RuleSet()
    cni_rules = RuleSet() if apart else proxy_rules
    if proxy.mode == "iptables":
        rules_kube_proxy.write(proxy_rules, proxy, known)
    if proxy.mode == "ipvs":
        ipvs.set_up(node, known)
        ipvs.write(proxy_rules, proxy)
    rules_cni.write(cni_rules, scenario.cni, number)
    cni_backend = OTHER[backend] if scenario.cni_in_other_backend else backend
    if apart and not scenario.cni_after_proxy:
        _load_cni(scenario, node, number, cni_backend, cni_rules)
    if proxy.mode == "nftables":
        load_nft(node, rules_nftables_proxy.text(proxy, known))
    else:
        restore(node, backend, proxy_rules)
    if apart and scenario.cni_after_proxy:
        _load_cni(scenario, node, number, cni_backend, cni_rules)


def _load_cni(scenario: Scenario, node: int, number: int, backend: str, rules: RuleSet) -> None:
    if scenario.cni.nftables:
        load_nft(node, rules_nftables_flannel.text(number))
    elif rules.tables:
        restore(node, backend, rules)


def _load_rules_v6(scenario: Scenario, node: int, number: int, backend: str) -> None:
    """ip6tables: the same chains, written apart from those of IPv4."""
    proxy = replace(scenario.proxy_v6, cluster_cidr=ip.CLUSTER_CIDR_V6)
    device = next(name for name in scenario.devices if links.TUNNELS[name].ipv6)
    rules = RuleSet()
    if proxy.mode == "iptables":
        rules_kube_proxy.write(rules, proxy, all_of_v6())
    else:
        load_nft(node, rules_nftables_proxy.text(proxy, all_of_v6(), "ip6"))
    rules_cni.write(rules, replace(scenario.cni_v6, device=device), number)
    restore(node, backend, rules, "ip6tables")


def write_files(scenario: Scenario, node: int, number: int) -> None:
    """In the node's own /etc and /run."""
    plugin = scenario.cni.plugin
    root = "/proc/%d/root" % node
    conflist = {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [{"type": plugin}]}
    _write(root + "/etc/cni/net.d/10-%s.conflist" % plugin, json.dumps(conflist))
    if plugin == "flannel":
        text = "FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=10.244.%d.1/24\nFLANNEL_MTU=%d\nFLANNEL_IPMASQ=true\n"
        text = text % (ip.CLUSTER_CIDR, number, links.TUNNEL_MTU)
        if "ipv6" in scenario.families:
            text += "FLANNEL_IPV6_NETWORK=%s\n" % ip.CLUSTER_CIDR_V6
        _write(root + "/run/flannel/subnet.env", text)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
