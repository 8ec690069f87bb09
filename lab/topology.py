# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a lab."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from . import addresses as ip
from . import dns, holder, inventory, kube_proxy_api, links, mounts, node, requirements, scenarios, state
from . import namespaces as ns
from .errors import LabError
from .removal import remove
from .state import State

WORKERS = 4


@dataclass(frozen=True)
class Options:
    """What `up` can be asked for."""

    scenarios: tuple[str, ...] = scenarios.DEFAULT_FLEET
    backend: str = ""
    nodes: int = 0  # 0: one for each scenario and backend
    services: int = 0
    interfaces: int = 0
    hide_python: bool = False
    kube_proxy_api: bool = True
    python: str = "/usr/bin/python3"


def plan(options: Options) -> dict[str, dict[str, Any]]:
    """Every node that will exist, before any does."""
    pairs = scenarios.variants(options.scenarios, options.backend)
    for scenario, _backend in pairs:
        requirements.check_kernel(scenario.name, scenario.needs)
    count = options.nodes or len(pairs)
    if not 0 < count <= ip.MOST_NODES:
        raise LabError("%d nodes: a lab has 1 to %d" % (count, ip.MOST_NODES))
    nodes: dict[str, dict[str, Any]] = {
        "switch": {"role": "switch", "address": ip.GATEWAY},
        "backend": {"role": "backend", "number": ip.BACKEND_NUMBER, "address": ip.underlay(ip.BACKEND_NUMBER)},
        "dns-pod": {"role": "pod", "address": ip.DNS_POD},
    }
    for place in range(count):
        scenario, backend = pairs[place % len(pairs)]
        again = place // len(pairs)
        name = "%s_%s" % (scenario.name, backend) + ("_%d" % (again + 1) if again else "")
        number = ip.FIRST_NODE_NUMBER + place
        nodes[name] = {
            "role": "node",
            "scenario": scenario.name,
            "backend": backend,
            "number": number,
            "address": ip.underlay(number),
            "expected": {"udp": scenario.udp, "tcp": scenario.tcp},
            "families": list(scenario.families),
        }
    for planned in nodes.values():
        planned["holder"] = None
    return nodes


def up(name: str, options: Options) -> State:
    """Build it; on any failure, Ctrl-C included, take down what was built and raise."""
    requirements.check()
    nodes = plan(options)
    lab = None
    try:
        with holder.undisturbed():
            lab = state.create(name, asdict(options))
        lab.nodes.update(nodes)
        lab.save()
        _start_holders(lab, options)
        _build_underlay(lab, any("ipv6" in planned.get("families", ()) for planned in nodes.values()))
        _fill_nodes(lab, options)
        if options.kube_proxy_api:
            with holder.undisturbed():
                lab.servers["kube_proxy_api"] = holder.identify(kube_proxy_api.start(lab))
        inventory.write(lab)
        lab.data["complete"] = True
        lab.save()
    except BaseException:
        if lab is not None:
            remove(lab)
        raise
    return lab


def _start_holders(lab: State, options: Options) -> None:
    for name, planned in lab.nodes.items():
        start_holder(lab, name, options.hide_python and planned["role"] == "node")


def start_holder(lab: State, name: str, hide_python: bool = False) -> None:
    """The namespaces of one planned node."""
    folder = lab.node_directory(name)
    mounts.prepare_folders(folder)

    def prepare() -> None:
        ns.unshare(ns.CLONE_NEWNET | ns.CLONE_NEWNS | ns.CLONE_NEWUTS)
        ns.sethostname(name.replace("_", "-")[:63])
        mounts.mount_all(folder, hide_python)

    with holder.undisturbed():
        lab.nodes[name]["holder"] = holder.identify(holder.spawn(lab.marker + name, prepare))
        lab.save()


def _build_underlay(lab: State, ipv6: bool) -> None:
    switch, backend, pod = lab.pid("switch"), lab.pid("backend"), lab.pid("dns-pod")
    links.build_switch(switch)
    links.plug_in(switch, backend, ip.BACKEND_NUMBER)
    links.configure_node(backend, ip.BACKEND_NUMBER)
    if ipv6:
        links.add_ipv6_to_switch(switch)
        links.add_ipv6_to_node(backend, ip.BACKEND_NUMBER)
    for tunnel in links.TUNNELS.values():
        if ipv6 or not tunnel.ipv6:
            links.add_tunnel(backend, ip.BACKEND_NUMBER, tunnel)
    links.add_pod(backend, pod, ip.DNS_POD)
    if ipv6:
        links.add_ipv6_to_pod(backend, pod, ip.DNS_POD_V6)
    with holder.undisturbed():
        lab.servers["dns"] = holder.identify(dns.start(pod, ipv6))
        lab.save()


def _fill_nodes(lab: State, options: Options) -> None:
    switch, backend = lab.pid("switch"), lab.pid("backend")
    for name in lab.scenario_nodes():
        planned, pid = lab.nodes[name], lab.pid(name)
        scenario = scenarios.get(planned["scenario"])
        links.plug_in(switch, pid, planned["number"])
        node.connect(scenario, pid, planned["number"], backend)
        links.add_pod_interfaces(switch, pid, planned["number"], options.interfaces)
        links.tx_off(pid, scenario.tx_checksum_off)
        node.write_files(scenario, pid, planned["number"])

    def load(name: str) -> None:
        planned = lab.nodes[name]
        scenario = scenarios.get(planned["scenario"])
        node.load_rules(scenario, lab.pid(name), planned["number"], planned["backend"], options.services)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(load, lab.scenario_nodes()))
