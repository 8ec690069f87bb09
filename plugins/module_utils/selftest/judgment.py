# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packets of the test tunnels say about the running kernel (pure).

A device with noudpcsum must send an outer checksum of zero, one with udpcsum a right one, whether the packet is NATed
or not. A test whose packet without NAT is not as it must be proves nothing, and neither does one that NAT left alone.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.network import (
    NAT_PORTS,
    TUNNELS,
    Tunnel,
)

DEFECTS = {"noudpcsum": "zero_checksum", "udpcsum": "lco_checksum"}
RIGHT = {"noudpcsum": "zero", "udpcsum": "good"}
WORDS = {"zero": "no outer checksum", "good": "a right outer checksum", "bad": "a wrong outer checksum"}

# checksum: good, bad or zero; value: the field itself; finished: no checksum was left to hardware any more
Arrived = NamedTuple("Arrived", [("inner", str), ("source_port", int), ("checksum", str), ("value", int), ("finished", bool)])


def _seen(arrived):  # type: (Optional[Arrived]) -> Optional[Dict[str, Any]]
    if arrived is None:
        return None
    return {
        "outer_checksum": arrived.checksum,
        "value": "0x%04x" % arrived.value,
        "source_port": arrived.source_port,
    }


def judge(checksum, left_open, control, rewritten):
    # type: (str, bool, Optional[Arrived], Optional[Arrived]) -> Tuple[str, str]
    """(present, absent or unknown; the reason when unknown) for one checksum mode.

    left_open: the inner checksums were open when the packets entered the tunnels (CHECKSUM_PARTIAL).
    """
    doubt = _doubt(checksum, left_open, control, rewritten)
    if doubt or rewritten is None:
        return "unknown", "%s device: %s" % (checksum, doubt)
    return ("absent" if rewritten.checksum == RIGHT[checksum] else "present"), ""


def _doubt(checksum, left_open, control, rewritten):
    # type: (str, bool, Optional[Arrived], Optional[Arrived]) -> str
    """Why the packets prove nothing; empty when they do."""
    if control is None or rewritten is None:
        return "the test packet %s NAT did not arrive" % ("without" if control is None else "with")
    if not left_open:
        return "its inner checksum was complete before the tunnel, so the offload was not tried"
    if not (control.finished and rewritten.finished):
        return "the test packets arrived with an open checksum: tx checksumming of the veth device could not be turned off"
    if control.checksum != RIGHT[checksum]:
        return "already without NAT the packet had %s" % WORDS[control.checksum]
    if not NAT_PORTS[0] <= rewritten.source_port <= NAT_PORTS[1]:
        return "NAT did not rewrite the source port (%d)" % rewritten.source_port
    if rewritten.checksum not in (RIGHT[checksum], "bad"):
        return "after NAT the packet had %s" % WORDS[rewritten.checksum]
    return ""


def _of(arrived, tunnel):  # type: (Sequence[Arrived], Tunnel) -> Optional[Arrived]
    return next((one for one in arrived if one.inner == tunnel.inner), None)


def judge_all(open_inner, arrived):  # type: (Sequence[str], Sequence[Arrived]) -> Dict[str, Any]
    """zero_checksum, lco_checksum, reason and devices, from the inner destinations that were open and what arrived."""
    result = {"devices": []}  # type: Dict[str, Any]
    reasons = []  # type: List[str]
    for checksum, defect in DEFECTS.items():
        pair = [tunnel for tunnel in TUNNELS if tunnel.checksum == checksum]
        control, rewritten = (_of(arrived, tunnel) for tunnel in sorted(pair, key=lambda tunnel: tunnel.nat))
        left_open = all(tunnel.inner in open_inner for tunnel in pair)
        result[defect], reason = judge(checksum, left_open, control, rewritten)
        reasons += [reason] if reason else []
        result["devices"].append({"checksum": checksum, "without_nat": _seen(control), "with_nat": _seen(rewritten)})
    result["reason"] = "; ".join(reasons)
    return result


def unknown(reason):  # type: (str) -> Dict[str, Any]
    """The answer when nothing could be tried."""
    return {"zero_checksum": "unknown", "lco_checksum": "unknown", "reason": reason, "devices": []}
