# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process may change the network: CAP_NET_ADMIN, not the user id, decides (capabilities(7))."""

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

CAP_NET_ADMIN = 12


def has_net_admin(status="/proc/self/status"):  # type: (str) -> bool
    """True when CAP_NET_ADMIN is in the effective set."""
    with open(status) as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> CAP_NET_ADMIN & 1)
    return False


def require_net_admin(what):  # type: (str) -> None
    """Refuse early and in both check mode and run, so that the two agree."""
    if not has_net_admin():
        raise NodeError("%s needs root (CAP_NET_ADMIN): run with become" % what)
