# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a node's Service traffic and see what the kernel did to it: marks, source, connection tracking, checksum.

Packet sockets on the VXLAN device and on eth0 tell the mark that a packet has behind its last hook (SO_RCVMARK, Linux 5.19); one at
the far end, behind a device without TX checksumming, sees the bytes that travel.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable, Optional

from ground import Ground, Node

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Flow, open_table
from lab import addresses as ip
from lab.namespaces import network_of
from lab.traffic import flush_conntrack

SO_RCVMARK = 75
_PACKET_OUTGOING = 4
_ETH_P_ALL, _ETH_P_IP = 3, 0x0800
# A pod's packet crosses a veth, which another thread of the kernel may do; a packet that a rule drops costs this.
_PATIENCE = 0.015
_ROOM = 2048


@dataclass(frozen=True)
class Kind:
    """Who sends what to whom. `client` as in the walk: host and pod ask a Service, any goes to a pod's own address."""

    name: str
    client: str
    protocol: str
    from_pod: bool
    address: str


KINDS = (
    Kind("host_udp", "host", "udp", False, ip.DNS_SERVICE),
    Kind("host_tcp", "host", "tcp", False, ip.DNS_SERVICE),
    Kind("pod_udp", "pod", "udp", True, ip.DNS_SERVICE),
    Kind("pod_tcp", "pod", "tcp", True, ip.DNS_SERVICE),
    Kind("direct_udp", "any", "udp", False, ip.DNS_POD),
    Kind("pod_direct_tcp", "any", "tcp", True, ip.DNS_POD),
)


@dataclass(frozen=True)
class Seen:
    """What became of one packet. `rewritten`: the outer source changed. `checksum`: good, bad or zero, as the receiver computes it."""

    inner_mark: int
    outer_mark: int
    rewritten: bool
    tracked: bool
    checksum: str
    outer: str


def ones_sum(data: bytes) -> int:
    """RFC 1071, not inverted. Written anew: the judge does not trust the arithmetic that it judges."""
    words = struct.unpack("!%dH" % (len(data) // 2), data[: len(data) // 2 * 2])
    total = sum(words) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def wire_checksum(packet: bytes) -> str:
    """Of an IPv4 UDP packet without options, as a receiver looks at it."""
    udp = packet[20:]
    length, checksum = struct.unpack("!2H", udp[4:8])
    if not checksum:
        return "zero"
    pseudo = packet[12:20] + struct.pack("!2H", 17, length)
    return "good" if ones_sum(pseudo + udp[:length]) == 0xFFFF else "bad"


def _packet_socket(device: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
    sock.bind((device, _ETH_P_ALL))  # a socket of one protocol is not shown what the node itself sends
    return sock


def _mark(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SO_MARK):
            return int(struct.unpack("=I", data[:4])[0])
    raise RuntimeError("the kernel tells no mark: SO_RCVMARK needs Linux 5.19")


def _frames(sock: socket.socket, outgoing: bool) -> Iterator[tuple[bytes, int]]:
    """(IP packet, mark) of all that waits; the mark of a packet that came in is none of ours."""
    with contextlib.suppress(BlockingIOError):
        while True:
            data, ancillary, _flags, address = sock.recvmsg(_ROOM, 64)
            if address[1] == _ETH_P_IP and (address[2] == _PACKET_OUTGOING) == outgoing:
                yield data[14:], _mark(ancillary) if outgoing else 0


class Eyes:
    """The packet sockets of one node and of the end of the wire."""

    def __init__(self, ground: Ground, node: Node) -> None:
        self.node = node
        with network_of(node.pid):
            self.inner = _packet_socket(node.tunnel.name)
            self.outer = _packet_socket("eth0")
        with network_of(ground.receiver):
            self.wire = _packet_socket("eth0")

    def close(self) -> None:
        for sock in (self.inner, self.outer, self.wire):
            sock.close()

    def look(self) -> dict[str, Optional[Seen]]:
        """Each kind of packet once; None for one that no tunnel packet came of."""
        with network_of(self.node.pid):
            flush_conntrack()
            find, _source = open_table()
            # Sockets stay in the namespace in which they are opened: the way there and back is paid once.
            sockets = {kind: _socket(kind) for kind in KINDS if not kind.from_pod}
        with network_of(self.node.pod):
            sockets.update({kind: _socket(kind) for kind in KINDS if kind.from_pod})
        ways: dict[str, Optional[tuple[int, int, bytes]]] = {}
        for kind in KINDS:
            ways[kind.name] = self._send(kind, sockets[kind])
        taken: set[tuple[str, int]] = set()
        found: dict[str, Optional[Seen]] = {}
        with network_of(self.node.pid):
            for kind in KINDS:
                way = ways[kind.name]
                found[kind.name] = self._seen(way, find, taken) if way else None
        return found

    def _send(self, kind: Kind, sock: socket.socket) -> Optional[tuple[int, int, bytes]]:
        """(mark behind the inner hooks, mark behind the outer hooks, bytes on the wire)."""
        for one in (self.inner, self.outer, self.wire):
            for _frame in _frames(one, False):
                pass
        with sock:
            with contextlib.suppress(OSError):  # a rule that rejects, or drops on the way out
                if kind.protocol == "udp":
                    sock.sendto(kind.name.encode(), (kind.address, 53))
                else:
                    sock.connect_ex((kind.address, 53))
            wire = self._wait(kind)
        inner = [mark for packet, mark in _frames(self.inner, True) if _is(kind, packet)]
        outer = [mark for packet, mark in _frames(self.outer, True) if _is(kind, _inside(self.node.tunnel.port, packet))]
        if not wire:
            return None
        if (len(inner), len(outer), len(wire)) != (1, 1, 1):
            raise RuntimeError("%s: saw %d inner, %d outer and %d packets on the wire" % (kind.name, len(inner), len(outer), len(wire)))
        return inner[0], outer[0], wire[0]

    def _wait(self, kind: Kind) -> list[bytes]:
        for patience in (0.0, _PATIENCE):
            if select.select([self.wire], [], [], patience)[0]:
                found = [packet for packet, _mark in _frames(self.wire, False) if _is(kind, _inside(self.node.tunnel.port, packet))]
                if found:
                    return found
        return []

    def _seen(self, way: tuple[int, int, bytes], find: Callable[..., object], taken: set[tuple[str, int]]) -> Optional[Seen]:
        inner_mark, outer_mark, packet = way
        source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        sport, dport = struct.unpack("!2H", packet[20:24])
        entry = find("reply", Flow("udp", destination, dport, source, sport))
        before = getattr(entry, "original", None) or Flow("udp", source, sport, destination, dport)
        # Two flows that VXLAN gave one source port are one to connection tracking: the rules were asked for the first only.
        if (before.src, before.sport) in taken:
            return None
        taken.add((before.src, before.sport))
        rewritten = (before.src, before.sport) != (source, sport)
        return Seen(inner_mark, outer_mark, rewritten, entry is not None, wire_checksum(packet), "%s:%d from %s:%d" % (
            source, sport, before.src, before.sport))  # fmt: skip


def _socket(kind: Kind) -> socket.socket:
    style = socket.SOCK_DGRAM if kind.protocol == "udp" else socket.SOCK_STREAM
    return socket.socket(socket.AF_INET, style | socket.SOCK_NONBLOCK)


def _inside(port: int, packet: bytes) -> bytes:
    """What a VXLAN packet carries; nothing when it is none of this port."""
    if len(packet) < 50 or packet[9] != socket.IPPROTO_UDP or packet[22:24] != struct.pack("!H", port):
        return b""
    return packet[50:]


def _is(kind: Kind, packet: bytes) -> bool:
    """Whether this is the packet of that kind; TCP has nothing to tell it by, but one packet is under way at a time."""
    if len(packet) < 28:
        return False
    if kind.protocol == "tcp":
        return packet[9] == socket.IPPROTO_TCP and packet[33] & 0x3F == 0x02
    return packet[9] == socket.IPPROTO_UDP and packet[28:].startswith(kind.name.encode())
