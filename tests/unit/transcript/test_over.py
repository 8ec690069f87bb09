# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether routes lead over a VXLAN device, and what they ask for, as ip-route of several ages prints it."""

from __future__ import annotations

import pytest
from transcripts import facts, section

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.links import flows, wants_checksum

LINE = "5: tun0: <BROADCAST,UP,LOWER_UP> mtu 1450 qdisc noqueue {}state UNKNOWN \\    link/ether 5e:7a:11:22:33:44 \\    vxlan {}"
PLAIN = "id 1 local 10.1.0.1 dev eth0 dstport 8472 udpcsum"
EXTERNAL = "external id 0 srcport 0 0 dstport 8472 udpcsum"
ROUTE = "10.244.1.0/24  encap ip id 1 src 0.0.0.0 dst 10.1.1.1 ttl 64 tos 0 {}via 10.244.1.0 onlink "
ROUTE_6 = "10.244.1.0/24  encap ip6 id 1 src :: dst fd00:1::1 hoplimit 64 tc 0 {}via 10.244.1.0 onlink "
CSUM = "0c:00:01:00:00:00:00:00:00:00:00:01:06:00:06:00:00:01:00:00"
NO_CSUM = "0c:00:01:00:00:00:00:00:00:00:00:01"


def over(text, *lines, master="", code=0):
    sections = [section("vxlan", LINE.format(master, text)), section("over tun0", *lines, code=code), section("default")]
    found = facts(section("uname", "6.1.0 #1 SMP x86_64"), *sections, section("release"))["vxlan"]["devices"][0]
    return found["routed"], found["flow_checksum"]


@pytest.mark.parametrize(
    "text, lines, expected",
    [
        (PLAIN, ["10.244.1.0/24 via 10.244.1.0 onlink ", ""], (True, None)),
        (PLAIN, ["", ""], (False, None)),
        (EXTERNAL, [ROUTE.format("csum "), "csum"], (True, "udpcsum")),
        (EXTERNAL, [ROUTE.format(""), ""], (True, "noudpcsum")),
        (EXTERNAL, [ROUTE.format(""), "csum"], (True, "udpcsum")),  # another route than the first
        (EXTERNAL, [ROUTE.format("flags 100 "), ""], (True, None)),  # iproute2 before 4.15
        (EXTERNAL, [ROUTE_6.format("csum "), "csum"], (True, None)),
        (EXTERNAL, [ROUTE_6.format(""), ""], (True, None)),
        (EXTERNAL, ["", ""], (None, None)),
        (EXTERNAL, ["10.244.0.0/16 scope link ", ""], (None, None)),
        ("id 1 local fd00::1 dev eth0 dstport 8472 udpcsum", ["", ""], (None, None)),
    ],
)
def test_what_is_routed(text, lines, expected):
    assert over(text, *lines) == expected


def test_routes_lead_over_the_bridge_and_not_over_its_port():
    assert over(PLAIN, "", "", master="master br0 ") == (None, None)


def test_routes_that_could_not_be_read_say_nothing():
    assert over(PLAIN, "Cannot find device", code=1) == (None, None)


@pytest.mark.parametrize(
    "attribute, expected",
    [
        ("0c:00:01:00:00:00:00:00:00:00:00:01:06:00:06:00:00:01:00:00", True),
        ("0c:00:01:00:00:00:00:00:00:00:00:01:06:00:06:00:00:04:00:00", False),  # key
        ("0c:00:01:00:00:00:00:00:00:00:00:01", False),
        ({"attrs": []}, None),
    ],
)
def test_flags_of_an_encapsulation_as_pyroute2_hands_them_over(attribute, expected):
    assert wants_checksum(attribute) is expected


@pytest.mark.parametrize(
    "routes, expected",
    [
        ([(2, CSUM)], (True, "udpcsum")),
        ([(2, NO_CSUM)], (True, "noudpcsum")),
        ([(2, NO_CSUM), (2, CSUM)], (True, "udpcsum")),
        ([(4, CSUM)], (True, None)),
        ([(4, NO_CSUM)], (True, None)),
        ([(1, NO_CSUM)], (None, None)),  # MPLS
        ([], (None, None)),
    ],
)
def test_what_the_python_reader_takes_from_routes_is_the_same(routes, expected):
    assert flows([{"RTA_ENCAP_TYPE": kind, "RTA_ENCAP": data} for kind, data in routes]) == expected
