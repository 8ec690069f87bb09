# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a lab and take it down again."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from . import addresses as ip
from . import dns, holder, inventory, kube_proxy_api, links, mounts, node, scenarios, state
from . import namespaces as ns
from .errors import LabError
from .state import State

TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables-nft-restore": "iptables",
    "iptables-legacy-restore": "iptables",
    "nft": "nftables",
    "ethtool": "ethtool",
    "dnsmasq": "dnsmasq-base",
}
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


def check_host() -> None:
    """One line that says what to install, before anything is created."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: run it with sudo")
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise LabError("missing tools: apt-get install %s" % " ".join(missing))


def plan(options: Options) -> dict[str, dict[str, Any]]:
    """Every node that will exist, before any does."""
    pairs = scenarios.variants(options.scenarios, options.backend)
    count = options.nodes or len(pairs)
    if not 0 < count <= ip.MOST_NODES:
        raise LabError("%d nodes: a lab has 1 to %d" % (count, ip.MOST_NODES))
    nodes = {
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
        }
    for planned in nodes.values():
        planned["holder"] = None
    return nodes


def up(name: str, options: Options) -> State:
    """Build it; on any failure, Ctrl-C included, take down what was built and raise."""
    check_host()
    nodes = plan(options)
    lab = state.create(name, asdict(options))
    try:
        lab.nodes.update(nodes)
        lab.save()
        _start_holders(lab, options)
        _build_underlay(lab)
        _fill_nodes(lab, options)
        if options.kube_proxy_api:
            lab.servers["kube_proxy_api"] = holder.identify(kube_proxy_api.start(lab))
        inventory.write(lab)
        lab.data["complete"] = True
        lab.save()
    except BaseException:
        _remove(lab)
        raise
    return lab


def _start_holders(lab: State, options: Options) -> None:
    for name, planned in lab.nodes.items():
        folder = lab.node_directory(name)
        mounts.prepare_folders(folder)
        hide = options.hide_python and planned["role"] == "node"

        def prepare(name: str = name, folder: str = folder, hide: bool = hide) -> None:
            ns.unshare(ns.CLONE_NEWNET | ns.CLONE_NEWNS | ns.CLONE_NEWUTS)
            ns.sethostname(name.replace("_", "-")[:63])
            mounts.mount_all(folder, hide)

        planned["holder"] = holder.identify(holder.spawn(lab.marker + name, prepare))
        lab.save()


def _build_underlay(lab: State) -> None:
    switch, backend, pod = lab.pid("switch"), lab.pid("backend"), lab.pid("dns-pod")
    links.build_switch(switch)
    links.plug_in(switch, backend, ip.BACKEND_NUMBER)
    links.configure_node(backend, ip.BACKEND_NUMBER)
    for tunnel in links.TUNNELS.values():
        links.add_tunnel(backend, ip.BACKEND_NUMBER, tunnel)
    links.add_pod(backend, pod, ip.DNS_POD)
    lab.servers["dns"] = holder.identify(dns.start(pod))
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


def down(name: str) -> bool:
    """Remove a lab. False when there is none; repeating it is safe."""
    lab = state.load(name)
    if lab is None:
        return False
    builder = lab.data["builder"]
    if not lab.data["complete"] and holder.is_running(builder) and builder["pid"] != os.getpid():
        raise LabError("lab %s is being built by process %d: stop that first" % (name, builder["pid"]))
    _remove(lab)
    return True


def _remove(lab: State) -> None:
    """End exactly the processes of this lab; namespaces, mounts, links and rules go with them."""
    known = [planned["holder"] for planned in lab.nodes.values()] + list(lab.servers.values())
    alive = {identity["pid"] for identity in known if identity and holder.is_running(identity)}
    alive.update(holder.find_marked(lab.marker))  # started, but not written down any more
    inodes = {inode for inode in map(holder.netns_inode, alive) if inode is not None}
    inodes.discard(holder.netns_inode(os.getpid()) or 0)
    alive.update(holder.members(inodes))  # whatever was left running inside, `exec` included
    holder.end(sorted(alive))
    lab.forget()
