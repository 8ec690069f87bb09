# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies as data, in the order in which `auto` tries them."""

from __future__ import annotations

from dataclasses import dataclass

_THROUGHPUT = "60 to 75 % of the throughput of one TCP stream"


@dataclass(frozen=True)
class Remedy:
    """One remedy. `survives`: a kube-proxy sync, a restart of the CNI agent, a reboot, each by itself.

    `risk` says what else it breaks; a remedy with a risk is applied only when the user names and accepts it.
    """

    id: str
    what: str
    cost: str
    survives: tuple[bool, bool, bool]
    risk: str = ""


CATALOGUE = (
    Remedy(
        "clear_mark",
        "mangle OUTPUT takes kube-proxy's mark off packets to the VXLAN port",
        # Every UDP packet that the node sends to that port is touched, and only the one bit of its mark.
        "none; policy routing that asks for this bit on packets to the VXLAN port no longer sees it",
        (True, True, False),
    ),
    Remedy(
        "notrack",
        "raw OUTPUT exempts packets to the VXLAN port from connection tracking, so from NAT",
        "none; a stateful host firewall must accept UNTRACKED packets to the VXLAN port",
        (True, True, False),
    ),
    Remedy("tx_checksum_off", "turns tx-checksum-ip-generic of the VXLAN device off", _THROUGHPUT, (True, False, False)),
    Remedy("rx_tx_offload_off", "turns rx and tx checksumming of the VXLAN device off", _THROUGHPUT, (True, False, False)),
    Remedy(
        "felix_override",
        "has Felix turn the offload off: featureDetectOverride ChecksumOffloadBroken=true",
        _THROUGHPUT + ", on every node of the cluster",
        (True, True, True),
    ),
    Remedy(
        "service_route",
        "routes the service CIDR to the VXLAN device, so that the node's packets have a pod address",
        "partial: traffic to NodePorts is not covered, and Felix removes the route from vxlan.calico",
        (True, False, False),
    ),
    Remedy(
        "masquerade_without_random",
        "KUBE-POSTROUTING first masquerades without a random port",
        "connections can collide on a source port again",
        (False, True, False),
        "every kube-proxy sync erases it; a timer puts it back, and connections fail in between",
    ),
    Remedy(
        "underlay_accept",
        "nat POSTROUTING first accepts everything that leaves by the underlay device",
        "no source NAT on that device",
        (False, False, False),
        "breaks everything that needs source NAT on that device: pods reach nothing outside the cluster",
    ),
    Remedy(
        "kube_postrouting_detached",
        "takes the jump to KUBE-POSTROUTING away",
        "no masquerading by kube-proxy",
        (False, True, False),
        "breaks hairpin, NodePort and off-cluster traffic to Services; a kube-proxy sync puts the jump back",
    ),
)
BY_ID = {remedy.id: remedy for remedy in CATALOGUE}
METHODS = ("auto", *BY_ID)
