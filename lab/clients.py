# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other users of a cluster: a pod on each node, and a machine outside that asks a NodePort and is asked by pods.

Added to a lab that is up, because most tests need none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import addresses as ip
from . import dns, holder, links, ruleset, scenarios, topology, traffic
from .errors import LabError
from .namespaces import network_of
from .services import CLUSTER_DNS, Service
from .state import State

OUTSIDE = "outside"
OUTSIDE_NUMBER = 2  # between the backend and the first node: on the underlay, without a route to any pod
NODE_PORT = 30053


@dataclass(frozen=True)
class Path:
    """One way through a node: who asks whom."""

    name: str
    description: str


PATHS = (
    Path("node_to_service", "a process on the node asks a ClusterIP"),
    Path("outside_to_node_port", "a machine outside of the cluster asks a NodePort of the node"),
    Path("pod_to_service", "a pod on the node asks a ClusterIP"),
    Path("pod_to_outside", "a pod on the node asks a machine outside of the cluster"),
)


def add(lab: State) -> None:
    """A pod on each node of the lab, and one machine outside."""
    lab.nodes[OUTSIDE] = _plan("outside", ip.underlay(OUTSIDE_NUMBER))
    for name in lab.scenario_nodes():
        if scenarios.get(lab.nodes[name]["scenario"]).proxy.mode != "iptables":
            raise LabError("node %s: clients are there for kube-proxy in iptables mode only" % name)
        lab.nodes[pod_of(name)] = _plan("pod", "10.244.%d.2" % lab.nodes[name]["number"])
    for name in [name for name, node in lab.nodes.items() if node["holder"] is None]:
        topology.start_holder(lab, name)
    links.plug_in(lab.pid("switch"), lab.pid(OUTSIDE), OUTSIDE_NUMBER)
    links.configure_node(lab.pid(OUTSIDE), OUTSIDE_NUMBER)
    with holder.undisturbed():
        lab.servers["outside_dns"] = holder.identify(dns.start(lab.pid(OUTSIDE), listen=[ip.underlay(OUTSIDE_NUMBER)]))
        lab.save()
    for name in lab.scenario_nodes():
        links.add_pod(lab.pid(name), lab.pid(pod_of(name)), lab.nodes[pod_of(name)]["address"])
        _load_rules(lab, name)


def pod_of(node: str) -> str:
    return "pod-of-" + node


def measure(lab: State) -> dict[str, dict[str, dict[str, str]]]:
    """What packets say: {node: {path: {"udp": ok|broken|partial, "tcp": ok|broken}}}. One path after the other."""
    found: dict[str, dict[str, dict[str, str]]] = {name: {} for name in lab.scenario_nodes()}
    for path in PATHS:
        for name, seen in _ask(lab, list(found), path.name).items():
            found[name][path.name] = seen
    return found


def _ask(lab: State, nodes: Sequence[str], path: str) -> dict[str, dict[str, str]]:
    """One path of all nodes; what did not work is asked once more, because a busy machine loses an answer now and then."""
    found: dict[str, dict[str, str]] = {}
    again = list(nodes)
    for _attempt in range(2):
        for name in again:
            # The outer flow must be new to connection tracking: only then are the nat rules asked.
            with network_of(lab.pid(name)):
                traffic.flush_conntrack()
        for name, seen in traffic.ask_each([_question(lab, name, path) for name in again]).items():
            found[name] = {kind: str(seen[kind]["result"]) for kind in ("udp", "tcp")}
        again = [name for name in again if set(found[name].values()) != {"ok"}]
    return found


def _question(lab: State, node: str, path: str) -> traffic.Question:
    pid, pod = lab.pid(node), lab.pid(pod_of(node))
    return {
        "node_to_service": traffic.Question(node, pid, ip.DNS_SERVICE),
        "outside_to_node_port": traffic.Question(node, lab.pid(OUTSIDE), lab.nodes[node]["address"], NODE_PORT),
        "pod_to_service": traffic.Question(node, pod, ip.DNS_SERVICE),
        "pod_to_outside": traffic.Question(node, pod, ip.underlay(OUTSIDE_NUMBER)),
    }[path]


def _plan(role: str, address: str) -> dict[str, Any]:
    return {"role": role, "address": address, "holder": None}


def _load_rules(lab: State, node: str) -> None:
    scenario = scenarios.get(lab.nodes[node]["scenario"])
    rules = ruleset.Additions("nat")
    for service in CLUSTER_DNS:
        _node_port(rules, service, scenario.proxy.release[0])
    if scenario.cni.plugin == "calico":
        # Felix matches ipsets of its pools here; the same pools, as addresses.
        masquerade = "-s {0} ! -d {0} -j MASQUERADE --random-fully".format(ip.CLUSTER_CIDR)
        rules.append("cali-nat-outgoing", masquerade)
    rules.load(lab.pid(node), lab.nodes[node]["backend"])


def _node_port(rules: ruleset.Additions, service: Service, minor: int) -> None:
    """kube-proxy jumps to KUBE-EXT-* since 1.24, before it marked in KUBE-NODEPORTS itself."""
    comment = '-m comment --comment "%s"' % service.name
    match = "-p {0} {1} -m {0} --dport {2}".format(service.protocol, comment, NODE_PORT)
    if minor < 24:
        rules.append("KUBE-NODEPORTS", match + " -j KUBE-MARK-MASQ", "%s -j %s" % (match, service.chain()))
        return
    external = service.chain().replace("KUBE-SVC-", "KUBE-EXT-")
    masquerade = '-m comment --comment "masquerade traffic for %s external destinations" -j KUBE-MARK-MASQ' % service.name
    rules.append(external, masquerade, "-j " + service.chain())
    rules.append("KUBE-NODEPORTS", "%s -j %s" % (match, external))
