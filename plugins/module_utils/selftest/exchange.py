# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one small packet through each test tunnel and read what enters the tunnels and what arrives (packet(7))."""

import contextlib
import select
import socket
import struct
import time
from typing import List, Optional, Sequence, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.outer_packet import (
    NEEDS_CSUM,
    VNET_HEADER,
    read_packet,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.packet_capture import (
    ETH_P_ALL,
    ETH_P_IP,
    PACKET_OUTGOING,
    PACKET_VNET_HDR,
    SOL_PACKET,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.judgment import Arrived
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.network import (
    INNER_PORT,
    TUNNELS,
)

ETHERNET = 14
OUTER_CHECKSUM = VNET_HEADER.size + ETHERNET + 26
INNER_DESTINATION = VNET_HEADER.size + ETHERNET + 16
# Packets cross a veth at once; this is for a machine that is very busy.
WAIT_SECONDS = 1.0


def packet_socket(device, protocol):  # type: (str, int) -> socket.socket
    """A socket for the packets of one device, of all devices when it is empty, in the namespace of this process."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    if device:
        sock.bind((device, protocol))
    return sock


def receiver_socket(device):  # type: (str) -> socket.socket
    """The other end: only what comes in, only IPv4."""
    return packet_socket(device, ETH_P_IP)


def sender_socket():  # type: () -> socket.socket
    """All that leaves, so also what enters the tunnels."""
    return packet_socket("", ETH_P_ALL)


def read_arrived(data):  # type: (bytes) -> Optional[Arrived]
    """One frame with its virtio_net_hdr; None when it is none of the test's."""
    outer = read_packet(data, ETHERNET) if len(data) > OUTER_CHECKSUM + 2 else None
    if outer is None:
        return None
    value = struct.unpack_from("!H", data, OUTER_CHECKSUM)[0]  # type: int
    return Arrived(outer.inner.dst, outer.flow.sport, outer.checksum, value, not data[0] & NEEDS_CSUM)


def _open_inner(sock):  # type: (socket.socket) -> List[str]
    """The destinations of the packets that entered a tunnel with an open checksum."""
    devices = [tunnel.device for tunnel in TUNNELS]
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            data, address = sock.recvfrom(2048, socket.MSG_DONTWAIT)
            if address[2] == PACKET_OUTGOING and address[0] in devices and data[0] & NEEDS_CSUM:
                found.append(socket.inet_ntoa(data[INNER_DESTINATION : INNER_DESTINATION + 4]))
    return found


def _arrivals(sock, wanted):  # type: (socket.socket, int) -> List[Arrived]
    found = []  # type: List[Arrived]
    end = time.monotonic() + WAIT_SECONDS
    while len(found) < wanted and select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        arrived = read_arrived(sock.recv(2048))
        found += [arrived] if arrived else []
    return found


def exchange(sender, receiver):  # type: (socket.socket, socket.socket) -> Tuple[Sequence[str], Sequence[Arrived]]
    """(inner destinations whose checksum was open, what arrived) for one packet through each tunnel."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for tunnel in TUNNELS:
            client.sendto(b"kernel_selftest", (tunnel.inner, INNER_PORT))
    arrived = _arrivals(receiver, len(TUNNELS))
    return _open_inner(sender), arrived
