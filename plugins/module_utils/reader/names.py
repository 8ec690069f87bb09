# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that both readers know: parts of the facts, kube-proxy's modes, CNIs and sysctls."""

SUBSETS = (
    "kernel",
    "vxlan",
    "links",
    "routes",
    "netfilter",
    "kube_proxy",
    "cni",
    "sysctl",
    "counters",
    "applied",
)
PROXY_MODES = ("iptables", "ipvs", "nftables", "userspace")
# names and types of CNI configurations, as their projects' manifests have them
CNI_NAMES = {
    "antrea": "antrea",
    "calico": "calico",
    "canal": "canal",
    "cilium-cni": "cilium",
    "flannel": "flannel",
    "kube-ovn": "kube-ovn",
    "kube-router": "kube-router",
    "multus": "multus",
    "weave-net": "weave",
}
SYSCTLS = (
    "net.core.txrehash",
    "net.ipv4.conf.all.rp_filter",
    "net.netfilter.nf_conntrack_udp_timeout",
)
