# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look up single connections in the kernel's connection tracking table, read-only.

ctnetlink answers for one tuple, so the cost does not depend on the size of the table; /proc/net/nf_conntrack is the
second way. Message layout: include/uapi/linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.

Asking through ctnetlink would make the kernel load nf_conntrack_netlink when it is a module that is not loaded
yet. A probe must not load modules, hence the look at /proc/modules first.
"""

import errno
import os
import re
import socket
import struct
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Tuple

Flow = NamedTuple("Flow", [("protocol", str), ("src", str), ("sport", int), ("dst", str), ("dport", int)])
Entry = NamedTuple("Entry", [("original", Flow), ("reply", Flow)])

# (direction, flow) -> the entry, None when the kernel tracks no such connection. direction: original | reply.
Find = Callable[[str, Flow], Optional[Entry]]

PROTOCOLS = {"tcp": 6, "udp": 17}
NETLINK_NETFILTER = 12
CT_NEW, CT_GET = 0x0100, 0x0101
NLMSG_ERROR = 2
NLM_F_REQUEST = 1
NLA_F_NESTED = 0x8000
DIRECTIONS = {"original": 1, "reply": 2}  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY
TUPLE_IP, TUPLE_PROTO = 1, 2
PROTO_NUM, PROTO_SPORT, PROTO_DPORT = 1, 2, 3


class Unavailable(Exception):
    """The table cannot be read; the text says why and what would help."""


def _attribute(kind: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + b"\0" * (-size % 4)


def _attributes(data: bytes) -> Iterator[Tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack("=HH", data[:4])
        if size < 4:
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def _family(flow: Flow) -> int:
    return socket.AF_INET6 if ":" in flow.src else socket.AF_INET


def build_request(direction: str, flow: Flow) -> bytes:
    """The IPCTNL_MSG_CT_GET message that asks for the one connection with this tuple."""
    family = _family(flow)
    src_kind, dst_kind = (3, 4) if family == socket.AF_INET6 else (1, 2)
    addresses = _attribute(src_kind, socket.inet_pton(family, flow.src)) + _attribute(dst_kind, socket.inet_pton(family, flow.dst))
    protocol = (
        _attribute(PROTO_NUM, struct.pack("B", PROTOCOLS[flow.protocol]))
        + _attribute(PROTO_SPORT, struct.pack("!H", flow.sport))
        + _attribute(PROTO_DPORT, struct.pack("!H", flow.dport))
    )
    wanted = _attribute(
        NLA_F_NESTED | DIRECTIONS[direction],
        _attribute(NLA_F_NESTED | TUPLE_IP, addresses) + _attribute(NLA_F_NESTED | TUPLE_PROTO, protocol),
    )
    body = struct.pack("=BBH", family, 0, 0) + wanted
    return struct.pack("=IHHII", 16 + len(body), CT_GET, NLM_F_REQUEST, 1, 0) + body


def _read_flow(data: bytes) -> Flow:
    parts = dict(_attributes(data))
    addresses = dict(_attributes(parts[TUPLE_IP]))
    protocol = dict(_attributes(parts[TUPLE_PROTO]))
    family, kinds = (socket.AF_INET6, (3, 4)) if 3 in addresses else (socket.AF_INET, (1, 2))
    names = {number: name for name, number in PROTOCOLS.items()}
    number = protocol[PROTO_NUM][0]
    return Flow(
        names.get(number, str(number)),
        socket.inet_ntop(family, addresses[kinds[0]]),
        struct.unpack("!H", protocol[PROTO_SPORT])[0],
        socket.inet_ntop(family, addresses[kinds[1]]),
        struct.unpack("!H", protocol[PROTO_DPORT])[0],
    )


def read_response(data: bytes) -> Optional[Entry]:
    """The entry in the kernel's answer; None for ENOENT; OSError for every other error."""
    kind = struct.unpack("=IHHII", data[:16])[1]
    if kind == NLMSG_ERROR:
        code = -struct.unpack("=i", data[16:20])[0]
        if code == errno.ENOENT:
            return None
        raise OSError(code, os.strerror(code))
    if kind != CT_NEW:
        raise OSError(errno.EPROTO, "unexpected netlink message type %d" % kind)
    tuples = dict(_attributes(data[20:]))
    return Entry(_read_flow(tuples[1]), _read_flow(tuples[2]))


def _find_by_netlink(direction: str, flow: Flow) -> Optional[Entry]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.settimeout(1)
        sock.bind((0, 0))
        sock.send(build_request(direction, flow))
        return read_response(sock.recv(65536))


def parse_table(text: str) -> Dict[Tuple[str, Flow], Entry]:
    """/proc/net/nf_conntrack as a look-up table by direction and flow; TCP and UDP only."""
    table = {}  # type: Dict[Tuple[str, Flow], Entry]
    pattern = re.compile(r"src=(\S+) dst=(\S+) sport=([0-9]{1,5}) dport=([0-9]{1,5})")
    for line in text.splitlines():
        words = line.split()
        tuples = pattern.findall(line)
        if len(words) < 3 or words[2] not in PROTOCOLS or len(tuples) != 2:
            continue
        flows = [Flow(words[2], _canonical(src), int(sport), _canonical(dst), int(dport)) for src, dst, sport, dport in tuples]
        entry = Entry(flows[0], flows[1])
        table["original", entry.original] = table["reply", entry.reply] = entry
    return table


def _canonical(address: str) -> str:
    """/proc prints IPv6 in full; the rest of the code uses the short form."""
    if ":" not in address:
        return address
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def _find_in_proc(path: str) -> Find:
    with open(path) as stream:
        table = parse_table(stream.read())
    return lambda direction, flow: table.get((direction, flow))


def netlink_is_loaded(modules: Optional[str], builtin: str) -> bool:
    """Whether ctnetlink can be asked without loading it. modules: /proc/modules, None if the kernel has no modules."""
    if modules is None or re.search(r"^nf_conntrack_netlink ", modules, re.MULTILINE):
        return True
    return "/nf_conntrack_netlink.ko" in builtin


def _read(path: str) -> Optional[str]:
    try:
        with open(path) as stream:
            return stream.read()
    except (IOError, UnicodeDecodeError):
        return None


def open_table() -> Tuple[Find, str]:
    """(find, source). Call it after the packets: the /proc way is a snapshot. Unavailable when there is no way."""
    problems = []
    if not os.path.exists("/proc/sys/net/netfilter/nf_conntrack_count"):
        return (lambda direction, flow: None), "nf_conntrack is not loaded, so nothing is translated"
    builtin = _read("/lib/modules/%s/modules.builtin" % os.uname().release) or ""
    if netlink_is_loaded(_read("/proc/modules"), builtin):
        try:
            _find_by_netlink("original", Flow("udp", "0.0.0.0", 0, "0.0.0.0", 0))
            return _find_by_netlink, "ctnetlink"
        except (OSError, socket.timeout) as problem:
            problems.append("ctnetlink: %s" % str(problem).lower())
    else:
        problems.append("nf_conntrack_netlink is not loaded")
    try:
        return _find_in_proc("/proc/net/nf_conntrack"), "/proc/net/nf_conntrack"
    except (IOError, OSError) as problem:
        problems.append("/proc/net/nf_conntrack: %s" % (problem.strerror or "unreadable").lower())
    raise Unavailable("the connection tracking table cannot be read (%s)" % ", ".join(problems))
