# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways to pods than one tunnel device that all of them are reached over.

same_subnet   Calico's vxlanMode CrossSubnet, every other node in this node's subnet: the device is there and nothing leads over it
other_subnet  the same mode with one node in another subnet: its pods are reached over the device, the others' directly
both          two devices carry pods, of two networks (a migration under way, multus)
flow_csum     one external device; with each packet comes the wish for an outer checksum (as OVN asks for it)
flow_zero     the same without the checksum (as Cilium and Calico's eBPF mode ask for it)
"""

from __future__ import annotations

import subprocess
from typing import Any

from . import addresses as ip
from . import links
from .errors import LabError
from .ruleset import enter

NEIGHBOUR = 2  # a node that is only a route
SECOND_NETWORK = "10.245.%d.0/24"


def connect(scenario: Any, node: int, number: int, backend: int) -> None:
    """Both ends of a Scenario's way to the backend's pods."""
    if scenario.way.startswith("flow_"):
        _flows(scenario, node, number, backend)
        return
    direct = scenario.way == "same_subnet"
    for place, name in enumerate(scenario.devices):
        tunnel = links.TUNNELS[name]
        links.add_tunnel(node, number, tunnel, scenario.udp_checksum)
        links.connect_tunnel(node, tunnel, ip.BACKEND_NUMBER, subnet=place == 0 and not direct)
        links.connect_tunnel(backend, tunnel, number, subnet=place == 0 and not direct)
    if direct:
        links.connect_host_gateway(node, ip.BACKEND_NUMBER)
        links.connect_host_gateway(backend, number)
    elif scenario.way == "other_subnet":
        links.connect_host_gateway(node, NEIGHBOUR)
    else:
        for name in scenario.devices[1:]:
            gateway = ip.tunnel(ip.BACKEND_NUMBER)
            _ip(node, "route", "add", SECOND_NETWORK % ip.BACKEND_NUMBER, "via", gateway, "dev", name, "onlink")


def _flows(scenario: Any, node: int, number: int, backend: int) -> None:
    """The tunnel of a packet is chosen by its route here; eBPF and Open vSwitch do the same with other means."""
    (name,) = scenario.devices
    far = links.TUNNELS["flannel.1"]
    links.connect_tunnel(backend, far, number)
    _ip(node, "link", "add", name, "address", ip.tunnel_mac(far.vni, number), "type", "vxlan", "external", "dstport", str(far.port))
    _ip(node, "link", "set", name, "mtu", str(links.TUNNEL_MTU), "up")
    _ip(node, "addr", "add", ip.tunnel(number) + "/32", "dev", name)
    gateway, mac = ip.tunnel(ip.BACKEND_NUMBER), ip.tunnel_mac(far.vni, ip.BACKEND_NUMBER)
    _ip(node, "neigh", "replace", gateway, "lladdr", mac, "dev", name, "nud", "permanent")
    checksum = ["csum"] if scenario.way == "flow_csum" else []
    encapsulation = ["encap", "ip", "id", str(far.vni), "dst", ip.underlay(ip.BACKEND_NUMBER), "ttl", "64", *checksum]
    _ip(node, "route", "add", ip.pod_cidr(ip.BACKEND_NUMBER), *encapsulation, "via", gateway, "dev", name, "onlink")


def _ip(node: int, *words: str) -> None:
    """ip(8) in the node: pyroute2 knows no `encap ip`."""
    done = subprocess.run([*enter(node), "ip", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise LabError("ip %s failed: %s" % (" ".join(words), done.stdout.strip()))
