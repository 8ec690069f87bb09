# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kind and flags of one device by rtnetlink(7); numbers from linux/if_link.h and linux/rtnetlink.h."""

import socket
import struct
from typing import Dict, NamedTuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

RTM_NEWLINK = 16
RTM_GETLINK = 18
NLM_F_REQUEST = 1
NLMSG_ERROR = 2
IFLA_LINKINFO = 18
IFLA_INFO_KIND = 1
NLA_TYPE_MASK = 0x3FFF
IFF_UP = 1
HEADER = struct.Struct("=IHHII")
IFINFO = struct.Struct("=BxHiII")

Link = NamedTuple("Link", [("index", int), ("kind", str), ("up", bool)])


def attributes(data):  # type: (bytes) -> Dict[int, bytes]
    """The netlink attributes of a message, by type (the last one wins)."""
    found = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & NLA_TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def parse_link(message):  # type: (bytes) -> Link
    """One RTM_NEWLINK message; kind is empty for a device without IFLA_INFO_KIND, such as a NIC."""
    _family, _type, index, flags, _change = IFINFO.unpack_from(message, HEADER.size)
    info = attributes(attributes(message[HEADER.size + IFINFO.size :]).get(IFLA_LINKINFO, b""))
    kind = info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode("ascii", "replace")
    return Link(index=index, kind=kind, up=bool(flags & IFF_UP))


def read_link(device):  # type: (str) -> Link
    """Ask the kernel for one device. Raises NodeError when there is none of that name."""
    try:
        index = socket.if_nametoindex(device)
    except (OSError, ValueError):
        raise NodeError("there is no device %s on this node: see ip link" % device) from None
    body = IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    request = HEADER.pack(HEADER.size + len(body), RTM_GETLINK, NLM_F_REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(request)
        answer = netlink.recv(1 << 16)
    if HEADER.unpack_from(answer)[1] != RTM_NEWLINK:
        raise NodeError("device %s is gone: the kernel did not answer for it" % device)
    return parse_link(answer)
