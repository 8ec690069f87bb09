# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of flannel with EnableNFTables (0.25 and later): table ip flannel-ipv4, a nat table beside kube-proxy's."""

from __future__ import annotations

from . import addresses as ip

_TABLE = """table ip flannel-ipv4 {{
 comment "rules for flannel-ipv4"
 chain postrtg {{
  comment "chain to manage traffic masquerading by flannel"
  type nat hook postrouting priority srcnat;
  meta mark 0x4000 return
  ip saddr {own} ip daddr {cluster} return
  ip saddr {cluster} ip daddr {own} return
  ip saddr != {own} ip daddr {cluster} return
  ip saddr {cluster} ip daddr != 224.0.0.0/4 masquerade fully-random
  ip saddr != {cluster} ip daddr {cluster} masquerade fully-random
 }}
 chain forward {{
  type filter hook forward priority filter;
  ip saddr {cluster} accept
  ip daddr {cluster} accept
 }}
}}
"""


def text(number: int) -> str:
    """For `nft -f`. The mark is hard-coded in flannel and compared as a whole (pkg/trafficmngr/nftables)."""
    return _TABLE.format(own=ip.pod_cidr(number), cluster=ip.CLUSTER_CIDR)
