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


# What a kernel may lack, where it shows, and what to do.
KERNEL = {
    "ip_vs": (
        "/proc/net/ip_vs",
        "this kernel has no IPVS: run it in the kernel lab (make kernel-lab), or modprobe ip_vs where it is a module",
    ),
}


def kernel_has(needs: str) -> bool:
    """Whether the running kernel has what a scenario needs; nothing is loaded."""
    return not needs or os.path.exists(KERNEL[needs][0])


def check_kernel(scenario: str, needs: str) -> None:
    if not kernel_has(needs):
        raise LabError("scenario %s: %s" % (scenario, KERNEL[needs][1]))


def check() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: run it with sudo")
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise LabError("missing tools: apt-get install %s" % " ".join(missing))
    if importlib.util.find_spec("pyroute2") is None:
        raise LabError("missing pyroute2 in this Python: pip install pyroute2")
