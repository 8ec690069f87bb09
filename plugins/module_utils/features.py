# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which feature bits to request, and what the kernel will make of them (pure)."""

from typing import Dict, List

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.ethtool import Features

ANY_CHECKSUM = "tx-checksum-ip-generic"
TSO4 = "tx-tcp-segmentation"
TSO6 = "tx-tcp6-segmentation"
TSO_ECN = "tx-tcp-ecn-segmentation"
TSO_MANGLEID = "tx-tcp-mangleid-segmentation"
USO = "tx-udp-segmentation"
SCATTER = "tx-scatter-gather"
GSO = "tx-generic-segmentation"


def changeable(features):  # type: (Features) -> Features
    """The features that a user can change."""
    return {name: dict(state) for name, state in features.items() if not state["fixed"]}


def plan(device, before, wanted):  # type: (str, Features, Dict[str, bool]) -> Dict[str, bool]
    """The wanted features whose requested bit differs. Raises NodeError for what cannot be had."""
    unknown = sorted(set(wanted) - set(before))
    if unknown:
        raise NodeError(
            "device %s has no feature %s: see ethtool -k %s for the names"
            % (device, ", ".join(unknown), device)
        )
    stuck = sorted(
        name
        for name, state in wanted.items()
        if before[name]["fixed"] and before[name]["active"] != state
    )
    if stuck:
        raise NodeError(
            "feature %s of device %s is fixed: the driver does not let it change"
            % (", ".join(stuck), device)
        )
    return {
        name: state for name, state in wanted.items() if before[name]["requested"] != state
    }


# what netdev_fix_features() of net/core/dev.c switches off, in its order, when none of a group is on
IPV4 = (ANY_CHECKSUM, "tx-checksum-ipv4")
IPV6 = (ANY_CHECKSUM, "tx-checksum-ipv6")
NEEDS = (
    ((SCATTER,), (TSO4, TSO6, TSO_ECN, TSO_MANGLEID, GSO)),
    (IPV4, (TSO4, TSO_ECN, TSO_MANGLEID, USO)),
    (IPV6, (TSO6, USO)),
    ((TSO4,), (TSO_MANGLEID,)),
    ((TSO4, TSO6, TSO_MANGLEID), (TSO_ECN,)),
)


def _dependencies(active):  # type: (Dict[str, bool]) -> None
    """Switch off what lacks something that it needs."""
    if active.get(ANY_CHECKSUM):
        for narrower in ("tx-checksum-ipv4", "tx-checksum-ipv6"):
            if narrower in active:
                active[narrower] = False
    for needed, dependent in NEEDS:
        if not any(active.get(name) for name in needed):
            active.update({name: False for name in dependent if name in active})


def predict(before, changes):  # type: (Features, Dict[str, bool]) -> Features
    """What read() gives after the changes. requested is certain, active follows kernel 6.x."""
    after = {name: dict(state) for name, state in before.items()}
    if not changes:
        return after
    for name, wanted in changes.items():
        after[name]["requested"] = wanted
    active = {name: state["requested"] for name, state in after.items()}
    _dependencies(active)
    for name, state in after.items():
        if not state["fixed"]:
            state["active"] = active[name]
    return after


def shortfall(wanted, after):  # type: (Dict[str, bool], Features) -> List[str]
    """Features that are requested as wanted but act otherwise, as sentences."""
    return [
        "%s is requested %s but is %s"
        % (name, "on" if state else "off", "on" if after[name]["active"] else "off")
        for name, state in sorted(wanted.items())
        if after[name]["active"] != state
    ]
