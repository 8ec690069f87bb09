# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this process may change the network: CAP_NET_ADMIN, not the user id, decides (capabilities(7))."""

from typing import List, Sequence

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}  # linux/capability.h


def missing_capabilities(names, status="/proc/self/status"):  # type: (Sequence[str], str) -> List[str]
    """Those of names that are not in the effective set."""
    effective = 0
    with open(status) as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                effective = int(line.split()[1], 16)
    return [name for name in names if not effective >> CAPABILITIES[name] & 1]


def require(names, what):  # type: (Sequence[str], str) -> None
    """Refuse early and in both check mode and run, so that the two agree."""
    missing = missing_capabilities(names)
    if missing:
        raise NodeError("%s needs root (%s): run with become" % (what, ", ".join(missing)))


def require_net_admin(what):  # type: (str) -> None
    """What each change of the network needs."""
    require(["CAP_NET_ADMIN"], what)
