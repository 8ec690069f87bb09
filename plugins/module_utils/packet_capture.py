# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Capture this node's own outgoing VXLAN packets while a probe runs (man 7 packet).

The socket filter lets through only what a probe can have sent: a DNS question with one of its identifiers, or a
TCP connection's first packet, inside VXLAN. So a busy node neither fills the buffer nor costs time. Packets wait in the
socket's buffer; nothing is read before the probe is over.
"""

import array
import contextlib
import errno
import os
import socket
import struct
from typing import List, Sequence, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.outer_packet import Outer, read_packet

# Every question of one probe has an identifier with the same upper bits, so that the filter can know it.
IDENTIFIER_MASK = 0xFFC0
IDENTIFIERS = 64

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_VNET_HDR = 263, 15
SO_ATTACH_FILTER = 26
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772

# Classic BPF (linux/filter.h). Offsets from NETWORK count from the IP header whatever the link type is.
ANCILLARY, NETWORK = 0xFFFFF000, 0xFFF00000
LOAD_WORD, LOAD_HALF, LOAD_BYTE, AND, JUMP_EQUAL, RETURN = 0x20, 0x28, 0x30, 0x54, 0x15, 0x06

# (label or "", operation, operand, label if equal, label if not); "" is the next instruction.
Instruction = Tuple[str, int, int, str, str]


class Unavailable(Exception):
    """Packets cannot be captured; the text says why and what would help."""


def _require(load: int, at: int, value: int) -> List[Instruction]:
    return [("", load, at, "", ""), ("", JUMP_EQUAL, value, "", "drop")]


# By EtherType: the length of the IP header, and where it names the protocol.
IP_HEADER = {ETH_P_IP: (20, 9), ETH_P_IPV6: (40, 6)}


def _outer_tests(label: str, version: int, ports: Sequence[int]) -> List[Instruction]:
    """UDP to one of ports inside this kind of IP packet; goes on to what it carries."""
    length, protocol = IP_HEADER[version]
    # Options move the UDP header of IPv4; IPv6 has its version in the upper half of the first byte.
    first = [(label, LOAD_BYTE, NETWORK, "", "")]  # type: List[Instruction]
    first += [("", JUMP_EQUAL, 0x45, "", "drop")] if version == ETH_P_IP else [("", AND, 0xF0, "", ""), ("", JUMP_EQUAL, 0x60, "", "drop")]
    return (
        first
        + _require(LOAD_BYTE, NETWORK + protocol, socket.IPPROTO_UDP)
        + [("", LOAD_HALF, NETWORK + length + 2, "", "")]
        + [("", JUMP_EQUAL, port, label + "inner", "") for port in ports[:-1]]
        + [
            ("", JUMP_EQUAL, ports[-1], "", "drop"),
            (label + "inner", LOAD_HALF, NETWORK + length + 28, "", ""),
            ("", JUMP_EQUAL, ETH_P_IP, label + "v4", ""),
            ("", JUMP_EQUAL, ETH_P_IPV6, label + "v6", "drop"),
        ]
    )


def _inner_tests(label: str, start: int, version: int, identifier: int) -> List[Instruction]:
    """Our DNS question or a SYN in the IP packet at start."""
    length, protocol = IP_HEADER[version]
    segment = NETWORK + start + length
    return [
        (label, LOAD_BYTE, NETWORK + start + protocol, "", ""),
        ("", JUMP_EQUAL, socket.IPPROTO_UDP, label + "udp", ""),
        ("", JUMP_EQUAL, socket.IPPROTO_TCP, label + "tcp", "drop"),
        (label + "udp", LOAD_HALF, segment + 8, "", ""),
        ("", AND, IDENTIFIER_MASK, "", ""),
        ("", JUMP_EQUAL, identifier & IDENTIFIER_MASK, "keep", "drop"),
        (label + "tcp", LOAD_BYTE, segment + 13, "", ""),
        ("", AND, 0x3F, "", ""),
        ("", JUMP_EQUAL, 0x02, "keep", "drop"),
    ]


def filter_program(ports: Sequence[int], identifier: int) -> List[Instruction]:
    """The socket filter: outgoing UDP to one of ports that carries our DNS question or a SYN, over either family."""
    program = _require(LOAD_WORD, ANCILLARY + 4, PACKET_OUTGOING)
    program += [("", LOAD_WORD, ANCILLARY, "", ""), ("", JUMP_EQUAL, ETH_P_IP, "v4", ""), ("", JUMP_EQUAL, ETH_P_IPV6, "v6", "drop")]
    for label, version in (("v4", ETH_P_IP), ("v6", ETH_P_IPV6)):
        program += _outer_tests(label, version, ports)
        start = IP_HEADER[version][0] + 30  # UDP, VXLAN, Ethernet
        for inner, inner_version in (("v4", ETH_P_IP), ("v6", ETH_P_IPV6)):
            program += _inner_tests(label + inner, start, inner_version, identifier)
    return program + [("keep", RETURN, 0xFFFF, "", ""), ("drop", RETURN, 0, "", "")]


def assemble(program: Sequence[Instruction]) -> bytes:
    """struct sock_filter[] of the program."""
    places = {label: index for index, (label, _op, _value, _equal, _other) in enumerate(program) if label}
    code = b""
    for index, (_label, operation, value, equal, other) in enumerate(program):
        jumps = [places[label] - index - 1 if label else 0 for label in (equal, other)]
        code += struct.pack("=HBBI", operation, jumps[0], jumps[1], value)
    return code


class Capture:
    """A packet socket that collects the probe's outer packets from open until close."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def packets(self) -> List[Outer]:
        """All that was captured since the socket was opened."""
        found = []  # type: List[Outer]
        while True:
            try:
                data, address = self._sock.recvfrom(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError as problem:
                # EINVAL: a packet whose offload the header cannot express (a segment of a tunnel); never one of ours.
                if problem.errno == errno.EINVAL:
                    continue
                raise
            outer = read_packet(data, 14 if address[3] in (ARPHRD_ETHER, ARPHRD_LOOPBACK) else 0)
            if outer is not None:
                found.append(outer)

    def close(self) -> None:
        self._sock.close()


def _attach(sock: socket.socket, code: bytes) -> None:
    memory = array.array("B", code)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(code) // 8, memory.buffer_info()[0]))


def _discard(sock: socket.socket) -> None:
    """Throw away what came in before the filter was there; the filter lets hardly anything follow."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(1, socket.MSG_DONTWAIT)


def _open_socket(protocol: int) -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    except OSError as problem:
        why = str(problem.strerror).lower()
        raise Unavailable("packets cannot be captured: %s; needs CAP_NET_RAW: run with become" % why) from None


def open_capture(underlay: str, ports: Sequence[int], identifier: int) -> Capture:
    """Start to capture on underlay, on all devices when it is empty; Unavailable without the right or the means."""
    if not os.path.exists("/proc/net/packet"):
        raise Unavailable("packet sockets are not loaded in this kernel (af_packet)")
    # Protocol 0 receives nothing until bind, so that the filter is there first. Python cannot bind to all devices.
    sock = _open_socket(0 if underlay else ETH_P_ALL)
    try:
        _attach(sock, assemble(filter_program(ports, identifier)))
        _discard(sock)
        sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        if underlay:
            sock.bind((underlay, ETH_P_ALL))
    except OSError as problem:
        sock.close()
        where, why = underlay or "any device", str(problem.strerror).lower()
        raise Unavailable("packets cannot be captured on %s: %s" % (where, why)) from None
    return Capture(sock)
