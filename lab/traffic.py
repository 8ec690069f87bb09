# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets are the judge: ask the cluster DNS from each node, over UDP and over TCP, with fresh sockets.

One thread serves all nodes: a socket belongs for good to the namespace in which it was opened, so each node costs a
few setns calls and no process.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from . import addresses as ip
from .namespaces import network_of
from .state import State

NAME = "kubernetes.default.svc.cluster.local"
QUERIES = 3
UDP_TIMEOUT = 1.0
TCP_TIMEOUT = 3.0
FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}

NETLINK_NETFILTER = 12
_DELETE_ALL_CONNTRACK = (1 << 8) | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_NLM_F_REQUEST_ACK = 1 | 4


@dataclass(frozen=True)
class Question:
    """Who (the network namespace of process `pid`) asks whom."""

    name: str
    pid: int
    address: str
    port: int = 53
    family: str = "ipv4"


@dataclass
class Probe:
    """One socket of one node."""

    node: str
    family: str
    channel: socket.socket
    kind: str
    started: float
    deadline: float
    connect_s: Optional[float] = None
    lost_syn: int = 0
    ok: bool = False
    received: bytes = field(default=b"")


def query(identifier: int, name: str = NAME) -> bytes:
    """A DNS question for an A record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)


def answered(question: bytes, answer: bytes) -> bool:
    """The same identifier, a response without error, at least one record."""
    if len(answer) < 12 or answer[:2] != question[:2]:
        return False
    _identifier, flags, _questions, records = struct.unpack(">4H", answer[:8])
    return bool(flags & 0x8000) and flags & 0xF == 0 and records > 0


def flush_conntrack() -> None:
    """Forget earlier flows (what `conntrack -F` does), in the caller's network namespace."""
    message = struct.pack("=IHHII", 20, _DELETE_ALL_CONNTRACK, _NLM_F_REQUEST_ACK, 1, 0) + struct.pack("=BBH", 0, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        channel.bind((0, 0))
        channel.send(message)
        channel.recv(4096)


def in_checksum_errors(pid: int) -> int:
    """Udp InCsumErrors of a node, of both families: what a receiver of wrong outer checksums counts."""
    with open("/proc/%d/net/snmp" % pid, encoding="ascii") as stream:
        names, values = (line.split() for line in stream if line.startswith("Udp:"))
    try:
        with open("/proc/%d/net/snmp6" % pid, encoding="ascii") as stream:
            ipv6 = dict(line.split() for line in stream)
    except FileNotFoundError:
        ipv6 = {}  # a kernel without IPv6
    return int(values[names.index("InCsumErrors")]) + int(ipv6.get("Udp6InCsumErrors", 0))


def ask(lab: State, nodes: Sequence[str] = (), service: str = ip.DNS_SERVICE, port: int = 53) -> dict[str, Any]:
    """Ask from each node at the same time, over each address family that the node has.

    Returns {"nodes": {name: {"udp": {"asked", "answered", "result"}, "tcp": {"connect_s", "lost_syn", "ok", "result"}}},
    "in_csum_errors": what the receiver counted meanwhile}. Results: ok, broken, or partial for UDP. A node with IPv6
    also has "ipv4" and "ipv6", each with the answers of that family; its own answers are then the worse of the two.
    """
    names = list(nodes) or lab.scenario_nodes()
    services = {"ipv4": service, "ipv6": ip.DNS_SERVICE_V6}
    families = [(name, family) for name in names for family in lab.nodes[name].get("families", ["ipv4"])]
    questions = [Question(name, lab.pid(name), services[family], port, family) for name, family in families]
    backend = lab.pid("backend")
    before = in_checksum_errors(backend)
    return {"nodes": ask_each(questions), "in_csum_errors": in_checksum_errors(backend) - before}


def ask_each(questions: Sequence[Question]) -> dict[str, dict[str, Any]]:
    """All questions at the same time; each one's `name` and what came of it, see ask()."""
    probes: list[Probe] = []
    for pid in dict.fromkeys(question.pid for question in questions):
        with network_of(pid):
            flush_conntrack()
    try:
        for question in questions:
            probes.extend(_open(question))
        _run(probes)
    finally:
        for probe in probes:
            probe.channel.close()
    return {one.name: _of_node([probe for probe in probes if probe.node == one.name]) for one in questions}


def _open(question: Question) -> list[Probe]:
    with network_of(question.pid):
        return [start(question, kind, UDP_TIMEOUT if kind == "udp" else TCP_TIMEOUT) for kind in ["udp"] * QUERIES + ["tcp"]]


def start(question: Question, kind: str, timeout: float) -> Probe:
    """Send it, in the caller's network namespace; advance() takes it on when its socket is ready for events()."""
    style = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    channel = socket.socket(FAMILIES[question.family], style | socket.SOCK_NONBLOCK)
    now = time.monotonic()
    probe = Probe(question.name, question.family, channel, kind, now, now + timeout)
    error = channel.connect_ex((question.address, question.port))
    if error and kind == "udp":
        probe.deadline = now
    if kind == "udp" and not error:
        with contextlib.suppress(OSError):  # no way there at this moment: nothing is answered
            channel.send(query(_identifier(channel)))
    return probe


def _identifier(channel: socket.socket) -> int:
    """The local port: different for each socket of a node."""
    port: int = channel.getsockname()[1]
    return port


def _run(probes: Sequence[Probe]) -> None:
    with selectors.DefaultSelector() as selector:
        for probe in probes:
            selector.register(probe.channel, events(probe), probe)
        while selector.get_map():
            next_deadline = min(key.data.deadline for key in selector.get_map().values())
            for key, _seen in selector.select(max(0.0, next_deadline - time.monotonic())):
                if advance(key.data):
                    selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                else:
                    _finish(selector, key.data)
            now = time.monotonic()
            for probe in [key.data for key in selector.get_map().values() if key.data.deadline <= now]:
                _finish(selector, probe)


def _finish(selector: selectors.BaseSelector, probe: Probe) -> None:
    """Closed at once: dnsmasq serves 20 TCP clients at a time, and the others would wait."""
    selector.unregister(probe.channel)
    probe.channel.close()


def events(probe: Probe) -> int:
    """What to wait for before the first advance()."""
    return selectors.EVENT_READ if probe.kind == "udp" else selectors.EVENT_WRITE


def advance(probe: Probe) -> bool:
    """Something happened on the socket; True when more is to come."""
    try:
        if probe.kind == "udp":
            probe.ok = answered(query(_identifier(probe.channel)), probe.channel.recv(4096))
            return False
        if probe.connect_s is None:
            return _connected(probe)
        data = probe.channel.recv(4096)
    except OSError:
        return False  # refused or unreachable: no answer
    probe.received += data
    probe.ok = answered(query(_identifier(probe.channel)), probe.received[2:])
    return bool(data) and not probe.ok


def _connected(probe: Probe) -> bool:
    error = probe.channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
    probe.connect_s = time.monotonic() - probe.started
    probe.lost_syn = _retransmits(probe.channel)
    question = query(_identifier(probe.channel))
    probe.channel.send(struct.pack(">H", len(question)) + question)
    return True


def _retransmits(channel: socket.socket) -> int:
    """tcpi_total_retrans right after connect: the SYNs that were lost. Says it where a busy machine blurs the time."""
    info = channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    count: int = struct.unpack_from("=I", info, 100)[0]
    return count


def _of_node(probes: Sequence[Probe]) -> dict[str, Any]:
    """The answers of the node's only family; with IPv6, the worse of each kind and both families apart."""
    apart = {family: _summary([one for one in probes if one.family == family]) for family in dict.fromkeys(one.family for one in probes)}
    if "ipv6" not in apart:
        return apart["ipv4"]
    order = ("broken", "partial", "ok")
    worse = {kind: min((one[kind] for one in apart.values()), key=lambda seen: order.index(seen["result"])) for kind in ("udp", "tcp")}
    return {**worse, **apart}


def _summary(probes: Sequence[Probe]) -> dict[str, Any]:
    udp = [probe for probe in probes if probe.kind == "udp"]
    tcp = next(probe for probe in probes if probe.kind == "tcp")
    count = sum(probe.ok for probe in udp)
    good = tcp.ok and not tcp.lost_syn
    return {
        "udp": {
            "asked": len(udp),
            "answered": count,
            "result": "ok" if count == len(udp) else "partial" if count else "broken",
        },
        "tcp": {
            "connect_s": None if tcp.connect_s is None else round(tcp.connect_s, 4),
            "lost_syn": tcp.lost_syn,
            "ok": good,
            "result": "ok" if good else "broken",
        },
    }
