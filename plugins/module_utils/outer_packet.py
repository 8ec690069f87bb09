# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read one captured VXLAN packet: outer and inner addresses, and whether its outer UDP checksum will be right.

Why a sender can judge the checksum at all: "bad udp cksum" in a capture on the sender is normal, because the packet is
captured before the NIC has filled the inner TCP or UDP checksum (CHECKSUM_PARTIAL), and the outer checksum was computed
for the finished packet (local checksum offload, Documentation/networking/checksum-offloads.rst). The kernel tells,
in the virtio_net_hdr of a packet socket with PACKET_VNET_HDR, where the NIC will start to sum and where it will store
the result. Doing the same to a copy gives the bytes that travel; over those the outer checksum must be right.
The kernel's own software version of this step is skb_checksum_help() in net/core/dev.c.
"""

import socket
import struct
from typing import NamedTuple, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Flow

VNET_HEADER = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CSUM = 1
OUTER_HEADERS = 28  # IPv4 without options and UDP
VXLAN_HEADERS = 8 + 14  # VXLAN and the inner Ethernet header

# checksum: good | bad | zero. payload: what follows the inner TCP or UDP header.
Outer = NamedTuple("Outer", [("flow", Flow), ("checksum", str), ("inner", Flow), ("payload", bytes)])


def ones_sum(data: bytes) -> int:
    """The 16 bit one's complement sum of RFC 1071, not inverted."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))  # type: int
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def complete(frame: bytes, start: int, offset: int) -> bytes:
    """A copy of frame with the checksum that the NIC was asked for: sum from start, stored at start + offset."""
    checksum = (~ones_sum(frame[start:]) & 0xFFFF) or 0xFFFF
    at = start + offset
    return frame[:at] + struct.pack("!H", checksum) + frame[at + 2 :]


def _read_flow(packet: bytes) -> Optional[Flow]:
    """The flow of an IPv4 packet without IP options, TCP or UDP; None for anything else."""
    if len(packet) < OUTER_HEADERS or packet[0] != 0x45 or packet[9] not in (6, 17):
        return None
    sport, dport = struct.unpack("!2H", packet[20:24])
    return Flow(
        "tcp" if packet[9] == 6 else "udp",
        socket.inet_ntoa(packet[12:16]),
        sport,
        socket.inet_ntoa(packet[16:20]),
        dport,
    )


def judge_checksum(packet: bytes) -> str:
    """good, bad or zero: the UDP checksum of an IPv4 packet whose bytes are complete."""
    length, checksum = struct.unpack("!2H", packet[24:28])
    if checksum == 0:
        return "zero"
    pseudo = packet[12:20] + struct.pack("!2H", 17, length)
    return "good" if ones_sum(pseudo + packet[20 : 20 + length]) == 0xFFFF else "bad"


def _payload(inner: bytes, protocol: str) -> bytes:
    if protocol == "udp":
        return inner[28:]
    return inner[20 + (inner[32] >> 4) * 4 :] if len(inner) >= 40 else b""


def read_packet(captured: bytes, link_header: int) -> Optional[Outer]:
    """Read what a packet socket with PACKET_VNET_HDR returned; None when it is no IPv4 in VXLAN in IPv4.

    link_header: how many bytes precede the outer IP header.
    """
    flags, _gso, _hdr_len, _gso_size, start, offset = VNET_HEADER.unpack(captured[: VNET_HEADER.size])
    frame = captured[VNET_HEADER.size :]
    if flags & NEEDS_CSUM:
        frame = complete(frame, start, offset)
    packet = frame[link_header:]
    inner = packet[OUTER_HEADERS + VXLAN_HEADERS :]
    outer_flow, inner_flow = _read_flow(packet), _read_flow(inner)
    if outer_flow is None or outer_flow.protocol != "udp" or inner_flow is None:
        return None
    return Outer(outer_flow, judge_checksum(packet), inner_flow, _payload(inner, inner_flow.protocol))
