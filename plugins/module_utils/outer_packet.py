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
IPV4, IPV6 = int(socket.AF_INET), int(socket.AF_INET6)
IP_HEADERS = {IPV4: 20, IPV6: 40}  # without options and extension headers
UDP_HEADER = 8
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


def _family(packet: bytes) -> Optional[int]:
    """Of an IPv4 packet without options, or an IPv6 one; None for anything else."""
    first = packet[0] if packet else 0
    return IPV4 if first == 0x45 else IPV6 if first >> 4 == 6 else None


def _addresses(packet: bytes, family: int) -> bytes:
    """Source and destination, one after the other."""
    return packet[8:40] if family == IPV6 else packet[12:20]


def _read_flow(packet: bytes) -> Optional[Flow]:
    """The flow of a TCP or UDP packet; None for anything else."""
    family = _family(packet)
    if family is None or len(packet) < IP_HEADERS[family] + UDP_HEADER:
        return None
    protocol = packet[6 if family == IPV6 else 9]
    if protocol not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        return None
    both = _addresses(packet, family)
    source, destination = (socket.inet_ntop(family, half) for half in (both[: len(both) // 2], both[len(both) // 2 :]))
    sport, dport = struct.unpack_from("!2H", packet, IP_HEADERS[family])
    return Flow("tcp" if protocol == socket.IPPROTO_TCP else "udp", source, sport, destination, dport)


def judge_checksum(packet: bytes) -> str:
    """good, bad or zero: the UDP checksum of an IP packet whose bytes are complete."""
    family = _family(packet) or IPV4
    udp = packet[IP_HEADERS[family] :]
    length, checksum = struct.unpack_from("!2H", udp, 4)
    if checksum == 0:
        return "zero"
    # RFC 8200 section 8.1 has other widths than RFC 768, and the same sum.
    pseudo = _addresses(packet, family) + struct.pack("!2H", socket.IPPROTO_UDP, length)
    return "good" if ones_sum(pseudo + udp[:length]) == 0xFFFF else "bad"


def _payload(inner: bytes, protocol: str) -> bytes:
    segment = inner[IP_HEADERS[_family(inner) or IPV4] :]
    if protocol == "udp":
        return segment[UDP_HEADER:]
    return segment[(segment[12] >> 4) * 4 :] if len(segment) >= 20 else b""


def read_packet(captured: bytes, link_header: int) -> Optional[Outer]:
    """Read what a packet socket with PACKET_VNET_HDR returned; None when it is no IP in VXLAN in IP.

    link_header: how many bytes precede the outer IP header.
    """
    if len(captured) < VNET_HEADER.size:
        return None
    flags, _gso, _hdr_len, _gso_size, start, offset = VNET_HEADER.unpack(captured[: VNET_HEADER.size])
    frame = captured[VNET_HEADER.size :]
    if flags & NEEDS_CSUM:
        frame = complete(frame, start, offset)
    packet = frame[link_header:]
    outer_flow = _read_flow(packet)
    if outer_flow is None or outer_flow.protocol != "udp":
        return None
    inner = packet[IP_HEADERS[_family(packet) or IPV4] + UDP_HEADER + VXLAN_HEADERS :]
    inner_flow = _read_flow(inner)
    if inner_flow is None:
        return None
    return Outer(outer_flow, judge_checksum(packet), inner_flow, _payload(inner, inner_flow.protocol))
