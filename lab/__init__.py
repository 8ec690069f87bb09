# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of Kubernetes-like nodes in network namespaces on which the failure is real.

Nothing is simulated: the packets cross VXLAN devices of this kernel, the rules are the text that kube-proxy,
Calico and flannel write, and the DNS server behind 10.96.0.10 is dnsmasq. Run it with ``python -m lab``.
"""
