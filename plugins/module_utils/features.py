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


def _dependencies(active):  # type: (Dict[str, bool]) -> None
    """What netdev_fix_features() of net/core/dev.c switches off when something it needs is off."""

    def on(name):  # type: (str) -> bool
        return active.get(name, False)

    ipv4 = on(ANY_CHECKSUM) or on("tx-checksum-ipv4")
    ipv6 = on(ANY_CHECKSUM) or on("tx-checksum-ipv6")
    off = []  # type: List[str]
    if on(ANY_CHECKSUM):
        off += ["tx-checksum-ipv4", "tx-checksum-ipv6"]
    if not on(SCATTER):
        off += [TSO4, TSO6, TSO_ECN, TSO_MANGLEID, GSO]
    if not ipv4:
        off += [TSO4, TSO_ECN, TSO_MANGLEID]
    if not ipv6:
        off += [TSO6]
    if not on(TSO4) or TSO4 in off:
        off += [TSO_MANGLEID]
        if not on(TSO6) or TSO6 in off:
            off += [TSO_ECN]
    if not (ipv4 and ipv6):
        off += [USO]
    for name in off:
        if name in active:
            active[name] = False


def predict(before, changes):  # type: (Features, Dict[str, bool]) -> Features
    """What read() gives after the changes. requested is certain, active follows kernel 6.x."""
    after = {name: dict(state) for name, state in before.items()}
    if not changes:
        return after
    for name, state in changes.items():
        after[name]["requested"] = state
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
