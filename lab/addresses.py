# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which address. One number per node decides everything."""

from __future__ import annotations

UNDERLAY_PREFIX = 16
GATEWAY = "10.1.0.1"
CLUSTER_CIDR = "10.244.0.0/16"
DNS_SERVICE = "10.96.0.10"
KUBERNETES_SERVICE = "10.96.0.1"

UNDERLAY_PREFIX_V6 = 64
GATEWAY_V6 = "fd00:10:1::1"
CLUSTER_CIDR_V6 = "fd00:10:244::/56"
DNS_SERVICE_V6 = "fd00:10:96::a"
KUBERNETES_SERVICE_V6 = "fd00:10:96::1"

BACKEND_NUMBER = 1
FIRST_NODE_NUMBER = 10
MOST_NODES = 255 - FIRST_NODE_NUMBER  # one /24 of the cluster CIDR for each


def underlay(number: int) -> str:
    return "10.1.1.%d" % number


def pod_cidr(number: int) -> str:
    return "10.244.%d.0/24" % number


def tunnel(number: int) -> str:
    """The VXLAN device's own address: Calico and flannel both take one out of the node's pod CIDR."""
    return "10.244.%d.0" % number


def underlay_v6(number: int) -> str:
    return "fd00:10:1::1:%x" % number


def pod_cidr_v6(number: int) -> str:
    return "fd00:10:244:%x::/64" % number


def tunnel_v6(number: int) -> str:
    return "fd00:10:244:%x::" % number


def tunnel_mac(vni: int, number: int) -> str:
    return "66:%02x:%02x:00:00:%02x" % (vni >> 8, vni & 255, number)


DNS_POD = "10.244.%d.2" % BACKEND_NUMBER
DNS_POD_V6 = "fd00:10:244:%x::2" % BACKEND_NUMBER
