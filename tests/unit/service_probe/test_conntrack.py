# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import errno
import struct

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import conntrack
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Entry, Flow

WIRE = Flow("udp", "10.1.0.11", 40000, "10.1.0.12", 4789)
BACK = Flow("udp", "10.1.0.12", 4789, "10.1.0.11", 7737)


def response(*requests):
    """The kernel's answer: the same attributes as in a question, both directions, in a message of the other type."""
    body = requests[0][16:20] + b"".join(request[20:] for request in requests)
    return struct.pack("=IHHII", 16 + len(body), conntrack.CT_NEW, 0, 1, 0) + body


def error(code):
    return struct.pack("=IHHIIi", 20, conntrack.NLMSG_ERROR, 0, 1, 0, -code)


@pytest.mark.parametrize(
    ("original", "reply"),
    [
        (WIRE, BACK),
        (Flow("tcp", "fd00::1", 40000, "fd00::2", 53), Flow("tcp", "fd00::2", 53, "fd00::1", 40000)),
    ],
)
def test_both_directions_are_read_back(original, reply):
    data = response(conntrack.build_request("original", original), conntrack.build_request("reply", reply))
    assert conntrack.read_response(data) == Entry(original, reply)


def test_no_such_connection():
    assert conntrack.read_response(error(errno.ENOENT)) is None


def test_every_other_error_is_an_error():
    with pytest.raises(OSError, match="not permitted"):
        conntrack.read_response(error(errno.EPERM))


# Recorded in the lab; the second line has no ports and the third is not ours to read.
TABLE = """\
ipv4     2 udp      17 29 src=10.1.0.11 dst=10.1.0.12 sport=40000 dport=4789 [UNREPLIED] src=10.1.0.12 dst=10.1.0.11 \
sport=4789 dport=7737 mark=0 zone=0 use=2
ipv4     2 icmp     1 29 src=10.1.0.11 dst=10.1.0.12 type=8 code=0 id=1 src=10.1.0.12 dst=10.1.0.11 type=0 code=0 id=1 \
mark=0 use=2
ipv4     2 sctp     132 29 src=10.1.0.11 dst=10.1.0.12 sport=1 dport=2 src=10.1.0.12 dst=10.1.0.11 sport=2 dport=1 use=2
ipv6     10 tcp      6 102 TIME_WAIT src=fd00:0000:0000:0000:0000:0000:0000:0001 dst=fd00:0000:0000:0000:0000:0000:0000:\
0002 sport=40000 dport=53 src=fd00:0000:0000:0000:0000:0000:0000:0002 dst=fd00:0000:0000:0000:0000:0000:0000:0001 \
sport=53 dport=40000 [ASSURED] mark=0 use=2
"""


@pytest.mark.parametrize(
    ("direction", "flow", "found"),
    [
        ("original", WIRE, True),
        ("reply", BACK, True),
        ("reply", WIRE, False),
        ("original", Flow("tcp", "fd00::1", 40000, "fd00::2", 53), True),
        ("original", Flow("sctp", "10.1.0.11", 1, "10.1.0.12", 2), False),
    ],
)
def test_look_up_in_the_text_table(direction, flow, found):
    assert ((direction, flow) in conntrack.parse_table(TABLE)) is found


@pytest.mark.parametrize(
    ("modules", "builtin", "loaded"),
    [
        (None, "", True),
        ("nf_conntrack_netlink 57344 0 - Live 0x0\n", "", True),
        ("nf_conntrack 57344 1 nf_conntrack_netlink, Live 0x0\n", "", False),
        ("", "kernel/net/netfilter/nf_conntrack_netlink.ko\n", True),
    ],
    ids=["kernel_without_modules", "loaded", "only_named_by_another", "built_in"],
)
def test_ctnetlink_is_asked_only_where_that_loads_nothing(modules, builtin, loaded):
    assert conntrack.netlink_is_loaded(modules, builtin) is loaded
