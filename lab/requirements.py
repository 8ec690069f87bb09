# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine must have; one line says what to install, before anything is created."""

from __future__ import annotations

import importlib.util
import os
import shutil

from .errors import LabError

TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables-nft-restore": "iptables",
    "iptables-legacy-restore": "iptables",
    "nft": "nftables",
    "ethtool": "ethtool",
    "dnsmasq": "dnsmasq-base",
}


def check() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: run it with sudo")
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise LabError("missing tools: apt-get install %s" % " ".join(missing))
    if importlib.util.find_spec("pyroute2") is None:
        raise LabError("missing pyroute2 in this Python: pip install pyroute2")
