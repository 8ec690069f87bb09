# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All facts of this node in the shape that both readers share."""

import os
import re
from socket import AF_INET6
from typing import Any, Callable, Dict, List

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import (
    cni,
    files,
    kernel,
    kube_proxy,
    netfilter,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.links import Links
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import SUBSETS


def _before_4_6(release):  # type: (str) -> bool
    """Kernels on which a device without an own choice sends zero checksums."""
    found = re.match(r"([0-9]{1,9})\.([0-9]{1,9})", release)
    return bool(found) and tuple(int(number) for number in found.groups()) < (4, 6)  # type: ignore[union-attr]


def _network(facts, wanted, canal, run):  # type: (Dict[str, Any], Callable[[str], bool], bool, Run) -> None
    """Parts vxlan, links and routes, with one netlink socket; and the rules, of IPv6 too when a tunnel runs over it."""
    links = Links()
    try:
        tunnels = links.vxlan(canal, _before_4_6(os.uname().release))
        ipv6 = any(device["outer"] == "ipv6" for device in tunnels["devices"])
        default = links.default_device()
        default_v6 = links.default_device(AF_INET6) if ipv6 else None
        if wanted("netfilter"):
            facts["netfilter"] = netfilter.read(run, facts["kube_proxy"].get("mode"), ipv6)
            facts["services"] = netfilter.services(facts["netfilter"]["tables"])
        if wanted("vxlan"):
            facts["vxlan"] = tunnels
        if wanted("links"):
            names = [device["underlay"] for device in tunnels["devices"]] + [default, default_v6]
            own = [device["name"] for device in tunnels["devices"]]
            facts["links"] = links.devices([name for name in names if name and name not in own])
        if wanted("routes"):
            tables = facts["netfilter"].get("tables", [])
            facts["routes"] = links.routes(default, default_v6, netfilter.lookup_addresses(tables))
    finally:
        links.close()


def read(run, subset, changelog):  # type: (Run, List[str], bool) -> Dict[str, Any]
    """Collect the wanted parts; the others tell how to get them."""

    def wanted(name):  # type: (str) -> bool
        return "all" in subset or name in subset

    root = os.geteuid() == 0
    facts = {
        "schema": 1,
        "collected": {
            "reader": "python",
            "complete": True,
            "root": root,
            "subset": [name for name in subset if name in SUBSETS or name == "all"] or ["all"],
        },
    }  # type: Dict[str, Any]
    for name in SUBSETS:
        facts[name] = {"unknown": "not asked for: add %s to gather_subset" % name}
    facts["services"] = {"unknown": "not asked for: add netfilter to gather_subset"}
    network = cni.read() if wanted("cni") else {}
    parts = {
        "kernel": lambda: kernel.read(run, changelog),
        "kube_proxy": lambda: kube_proxy.read(root),
        "cni": lambda: network,
        "sysctl": files.sysctl,
        "counters": files.counters,
        "applied": files.applied,
    }  # type: Dict[str, Callable[[], Dict[str, Any]]]
    for name, part in parts.items():
        if wanted(name):
            facts[name] = part()
    if any(wanted(name) for name in ("netfilter", "vxlan", "links", "routes")):
        _network(facts, wanted, "canal" in network.get("names", []), run)
    return facts
