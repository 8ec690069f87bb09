# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a DNS server once, with a fresh socket, over UDP or over TCP (RFC 1035).

A fresh socket per question matters: only the first packet of a connection carries kube-proxy's mark, so a second
question on the same socket says nothing about the failure.
"""

import errno
import socket
import struct
import time
from typing import NamedTuple, Tuple

RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}

# What the kernel's answer to connect, send or recv means for a person. EINVAL is a blackhole route, EACCES a
# prohibit route, EPERM a DROP in this node's own OUTPUT chain (man 7 ip, man 8 ip-route).
ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.ENETUNREACH: "no_route",
    errno.EHOSTUNREACH: "no_route",
    errno.ENETDOWN: "no_route",
    errno.EHOSTDOWN: "no_route",
    errno.EADDRNOTAVAIL: "no_route",
    errno.EINVAL: "no_route",
    errno.EACCES: "no_route",
    errno.EPERM: "no_route",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNRESET: "bad_answer",
    errno.EPIPE: "bad_answer",
}

REFUSAL_WAIT = 0.05

Server = NamedTuple("Server", [("address", str), ("port", int), ("timeout", float)])

# latency_ms: until the answer is complete, -1.0 without an answer. connect_ms: how long connect() took, whether it
# worked (connected) or not. source: this socket's own address and port. detail: the kernel's or parser's words.
Attempt = NamedTuple(
    "Attempt",
    [
        ("protocol", str),
        ("source", Tuple[str, int]),
        ("query", bytes),
        ("error", str),
        ("detail", str),
        ("rcode", str),
        ("latency_ms", float),
        ("connected", bool),
        ("connect_ms", float),
    ],
)


def build_query(identifier: int, name: str) -> bytes:
    """The DNS message that asks for the A record of name."""
    labels = name.rstrip(".").split(".")
    try:
        encoded = [label.encode("ascii") for label in labels]
    except UnicodeEncodeError:
        raise ValueError("name %r is no DNS name: use its ASCII form" % name) from None
    if not all(1 <= len(label) <= 63 for label in encoded) or len(name) > 253:
        raise ValueError("name %r is no DNS name: each part needs 1 to 63 characters, all of it at most 253" % name)
    question = b"".join(struct.pack("!B", len(label)) + label for label in encoded) + b"\0"
    return struct.pack("!6H", identifier, 0x0100, 1, 0, 0, 0) + question + struct.pack("!2H", 1, 1)


def read_reply(query: bytes, reply: bytes) -> str:
    """The response code of reply as text; ValueError when it is no answer to query."""
    if len(reply) < 12:
        raise ValueError("the answer has %d bytes, too short for DNS" % len(reply))
    identifier, flags = struct.unpack("!2H", reply[:4])
    if identifier != struct.unpack("!H", query[:2])[0]:
        raise ValueError("the answer belongs to another question")
    if not flags & 0x8000:
        raise ValueError("the answer is a question: something sends our packets back")
    return RCODES.get(flags & 0xF, "RCODE%d" % (flags & 0xF))


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _left(deadline: float) -> float:
    """Seconds until deadline, for settimeout; never 0, which would mean non-blocking."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _receive(sock: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        sock.settimeout(_left(deadline))
        part = sock.recv(size - len(data))
        if not part:
            raise ValueError("the connection was closed before the answer was complete")
        data += part
    return data


def _exchange_udp(sock: socket.socket, query: bytes, deadline: float) -> bytes:
    sock.settimeout(_left(deadline))
    try:
        sock.send(query)
    except PermissionError:
        # A REJECT in this node's OUTPUT, kube-proxy's way to say that a Service has no endpoint, drops the packet (EPERM
        # here) and sends the refusal, which the next call returns. After a plain DROP nothing comes.
        sock.settimeout(REFUSAL_WAIT)
        try:
            return sock.recv(4096)
        except socket.timeout:
            raise OSError(errno.EPERM, "dropped by this node's own firewall") from None
    sock.settimeout(_left(deadline))
    return sock.recv(4096)


def _exchange_tcp(sock: socket.socket, query: bytes, deadline: float) -> bytes:
    sock.settimeout(_left(deadline))
    sock.sendall(struct.pack("!H", len(query)) + query)
    size = struct.unpack("!H", _receive(sock, 2, deadline))[0]
    return _receive(sock, size, deadline)


def _classify(problem: Exception) -> Tuple[str, str]:
    """(error, detail) of what went wrong; an error that is not about the network is raised again."""
    if isinstance(problem, socket.timeout):
        return "timeout", "no answer in time"
    if isinstance(problem, ValueError):
        return "bad_answer", str(problem)
    if isinstance(problem, OSError) and problem.errno in ERRORS:
        return ERRORS[problem.errno], (problem.strerror or str(problem)).lower()
    raise problem


def ask(protocol: str, server: Server, query: bytes) -> Attempt:
    """One question with a new socket; protocol is udp or tcp. Never takes longer than server.timeout seconds."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    exchange = _exchange_tcp if protocol == "tcp" else _exchange_udp
    error, detail, rcode, latency, connect, connected, source = "none", "", "", -1.0, -1.0, False, ("", 0)
    started = time.monotonic()
    with socket.socket(_family(server.address), kind) as sock:
        sock.settimeout(server.timeout)
        try:
            try:
                sock.connect((server.address, server.port))
                connected = True
            finally:
                connect = (time.monotonic() - started) * 1000
                source = sock.getsockname()[:2]
            rcode = read_reply(query, exchange(sock, query, started + server.timeout))
            latency = (time.monotonic() - started) * 1000
        except (OSError, ValueError) as problem:
            error, detail = _classify(problem)
    return Attempt(protocol, source, query, error, detail, rcode, round(latency, 2), connected, round(connect, 2))
