# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CNI is configured on this node, as its files tell."""

import glob
import os
import re
from typing import Any, Dict, Set

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import runner
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import (
    NEEDS_ROOT,
    lines_of,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import CNI_NAMES

CALICO = "/opt/cni/bin/calico"


def calico_version():  # type: () -> str
    """What the plugin says of itself; empty when it is not there or says nothing."""
    if not os.access(CALICO, os.X_OK):
        return ""
    _code, out, _err = runner(2)([CALICO, "-v"])
    found = re.search(r"\bv?(\d+\.\d+\.\d\S*)", out)
    return found.group(1) if found else ""


def read():  # type: () -> Dict[str, Any]
    """Part `cni` of the facts."""
    if os.path.isdir("/etc/cni/net.d") and not os.access("/etc/cni/net.d", os.R_OK | os.X_OK):
        return {"unknown": NEEDS_ROOT}
    names = set()  # type: Set[str]
    for path in sorted(glob.glob("/etc/cni/net.d/*.conf*")):
        if not os.access(path, os.R_OK):
            return {"unknown": NEEDS_ROOT}
        for line in lines_of(path):
            for value in re.findall(r'"(?:type|name)"\s*:\s*"([^"]*)"', line):
                names.update([CNI_NAMES[value]] if value in CNI_NAMES else [])
    flannel = "\n".join(lines_of("/run/flannel/subnet.env"))
    network = re.search(r"^FLANNEL_NETWORK=(\S+)", flannel, re.MULTILINE)
    network_v6 = re.search(r"^FLANNEL_IPV6_NETWORK=(\S+)", flannel, re.MULTILINE)
    if network and "calico" in names:
        names.add("canal")  # Calico's policy on flannel's network
    return {
        "source": "/etc/cni/net.d, /opt/cni/bin, /run/flannel/subnet.env",
        "names": sorted(names),
        "calico_version": calico_version(),
        "flannel_version": "",
        "flannel_network": network.group(1) if network else "",
        "flannel_ipv6_network": network_v6.group(1) if network_v6 else "",
    }
