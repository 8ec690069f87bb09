# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sender's evidence of a probe: were its outer packets rewritten, and is their UDP checksum right?

weigh() is a pure function of the captured packets, the probe's attempts and a conntrack look-up.
"""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Find, Flow
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import Attempt, Server
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.outer_packet import Outer

Device = NamedTuple("Device", [("name", str), ("port", int), ("underlay", str)])


def parse_devices(text: str) -> List[Device]:
    """The VXLAN devices in the output of C(ip -d link show type vxlan)."""
    devices = []  # type: List[Device]
    for block in re.findall(r"^\d+: .*(?:\n\s.*)*", text, re.MULTILINE):
        name = re.match(r"\d+: ([^:@\s]+)", block)
        options = re.search(r"^\s+vxlan .*$", block, re.MULTILINE)
        if not name or not options:
            continue
        port = re.search(r" dstport ([0-9]{1,5})(?![0-9])", options.group())
        underlay = re.search(r" dev (\S+)", options.group())
        # Linux's own default for VXLAN is 8472; ip always prints the port, so this is for odd versions only.
        number = int(port.group(1)) if port else 8472
        devices.append(Device(name.group(1), number, underlay.group(1) if underlay else ""))
    return devices


def choose(devices: Sequence[Device], device: Optional[str], port: Optional[int], underlay: Optional[str]) -> Tuple[List[int], str]:
    """(VXLAN ports, underlay) to capture; no port when there is nothing to capture; ValueError: no such device."""
    if device is not None:
        devices = [found for found in devices if found.name == device]
        if not devices:
            raise ValueError("device %s is no VXLAN device of this node: see 'ip -d link show type vxlan'" % device)
    ports = [port] if port else sorted({found.port for found in devices})
    underlays = {found.underlay for found in devices}
    return ports, underlay or (underlays.pop() if len(underlays) == 1 else "")


def unknown(reason: str, source: str = "") -> Dict[str, Any]:
    """Evidence that says only why there is none."""
    return {
        "outer_packets": 0,
        "outer_bad": 0,
        "source_port_rewritten": "unknown",
        "outer_checksum": "unknown",
        "backends": [],
        "source": source,
        "reason": reason,
    }


def _asked_flows(attempts: Sequence[Attempt], server: Server, find: Optional[Find]) -> Tuple[Set[Flow], Set[str]]:
    """(the flows that leave this node for the attempts, the backends that the Service address was translated to)."""
    flows, backends = set(), set()  # type: Set[Flow], Set[str]
    for attempt in attempts:
        if not attempt.source[1]:
            continue
        asked = Flow(attempt.protocol, attempt.source[0], attempt.source[1], server.address, server.port)
        flows.add(asked)
        entry = find("original", asked) if find else None
        if entry:
            reply = entry.reply
            flows.add(Flow(reply.protocol, reply.dst, reply.dport, reply.src, reply.sport))
            if (reply.src, reply.sport) != (server.address, server.port):
                backends.add(("[%s]:%d" if ":" in reply.src else "%s:%d") % (reply.src, reply.sport))
    return flows, backends


def _rewritten(outer: Outer, find: Optional[Find]) -> str:
    if find is None:
        return "unknown"
    wire = outer.flow
    entry = find("reply", Flow("udp", wire.dst, wire.dport, wire.src, wire.sport))
    if entry is None:
        return "no"  # not tracked (NOTRACK): nat never saw it
    return "no" if entry.original == wire else "yes"


def _worst(values: Sequence[str], order: Sequence[str]) -> str:
    return next((value for value in order if value in values), "unknown")


def _why_no_packet(attempts: Sequence[Attempt], backends: Set[str], find: Optional[Find]) -> str:
    if backends:
        return "no packet left by VXLAN: the Service led to %s, on this node or reached another way" % (", ".join(sorted(backends)))
    if find and any(attempt.error in ("timeout", "none") for attempt in attempts):
        return "no packet left by VXLAN: this node translates the Service address to no pod"
    return "no packet left by VXLAN"


def weigh(packets: Sequence[Outer], attempts: Sequence[Attempt], server: Server, find: Optional[Find], source: str) -> Dict[str, Any]:
    """The evidence from the packets that belong to attempts; find is None when connection tracking is unreadable."""
    flows, backends = _asked_flows(attempts, server, find)
    queries = {attempt.query for attempt in attempts if attempt.protocol == "udp"}
    ours = [packet for packet in packets if packet.inner in flows or packet.payload in queries]
    evidence = unknown("", source)
    evidence["backends"] = sorted(backends)
    if not ours:
        evidence["reason"] = _why_no_packet(attempts, backends, find)
        return evidence
    checksums = [packet.checksum for packet in ours]
    evidence.update(
        outer_packets=len(ours),
        outer_bad=checksums.count("bad"),
        outer_checksum=_worst(checksums, ("bad", "good", "zero")),
        source_port_rewritten=_worst([_rewritten(packet, find) for packet in ours], ("yes", "no")),
    )
    return evidence
