# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets recorded in the lab on Linux 6.18 by a packet socket with PACKET_VNET_HDR: header, then the frame."""

import socket
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import outer_packet
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Flow

RECORDED = {
    "port_rewritten_while_the_inner_udp_checksum_is_pending": (
        "01000000000054000600b6181ba738c19249aaf87492080045000069fe960000401167d50a01000b0a01000c4d9312b500550bfb080000"
        "00001000000200000000020200000000010800450000379bf84000401185d40af401000af40202563d00350023191e1241010000010000"
        "000000000161076578616d706c650000010001",
        "bad",
    ),
    "port_rewritten_while_the_inner_tcp_checksum_is_pending": (
        "01000000000054001000b6181ba738c19249aaf8749208004500006efe9c0000401167ca0a01000b0a01000caa7b12b5005a2a75080000"
        "000010000002000000000202000000000108004500003c9a614000400687710af401000af402026abe0035be54499c00000000a002faf0"
        "19180000020405b40402080abaae1d9e000000000103030a",
        "bad",
    ),
    "not_rewritten_while_the_inner_udp_checksum_is_pending": (
        "01000000000054000600b6181ba738c19249aaf87492080045000069fec40000401167a70a01000b0a01000cadb212b500552de7080000"
        "0000100000020000000002020000000001080045000037c29c4000401161180a01000b0af4020297120035002317361241010000010000"
        "000000000161076578616d706c650000010001",
        "good",
    ),
    "port_rewritten_while_the_outer_checksum_is_pending": (
        "01000000000022000600b6181ba738c19249aaf87492080045000069fed000004011679b0a01000b0a01000c1e3912b50055147f080000"
        "0000100000020000000002020000000001080045000037735440004011ae780af401000af4020262cf00350023137b1241010000010000"
        "000000000161076578616d706c650000010001",
        "good",
    ),
    "port_rewritten_and_nothing_pending": (
        "00000000000000000000b6181ba738c19249aaf8749208004500006efef10000401167750a01000b0a01000cdcc612b5005a00ab080000"
        "000010000002000000000202000000000108004500003c9288400040068f4a0af401000af40202c02e0035e1fd5d9e00000000a002faf0"
        "9e500000020405b40402080ae367b26a000000000103030a",
        "good",
    ),
    "noudpcsum": (
        "01000000000054000600b6181ba738c19249aaf87492080045000069ff1100004011675a0a01000b0a01000c063b12b500550000080000"
        "0000100000020000000002020000000001080045000037b7c8400040116a040af401000af402021e6800350023191e1241010000010000"
        "000000000161076578616d706c650000010001",
        "zero",
    ),
    "ipv6_port_rewritten_while_the_inner_udp_checksum_is_pending": (
        "0100000000007c000600c2fe953ab24a5ada64b95f8f86dd6000000000671140fd00001000010000000000000001000afd00001000010000"
        "0000000000010001e2b812b50067b27d080000000010000066100000000166100000000a86dd6001bf5900211140fd0000100244000a0000"
        "000000000000fd000010024400010000000000000002dfc000350021fee8124101000001000000000000076578616d706c650000010001",
        "bad",
    ),
    "ipv6_port_rewritten_while_the_inner_tcp_checksum_is_pending": (
        "0100000000007c001000c2fe953ab24a5ada64b95f8f86dd60000000006e1140fd00001000010000000000000001000afd00001000010000"
        "0000000000010001831a12b5006e14be080000000010000066100000000166100000000a86dd60055c6600280640fd0000100244000a0000"
        "000000000000fd000010024400010000000000000002741b0035ae1a9e8f00000000a002fd20fee40000020405a00402080aaab9005d0000"
        "00000103030a",
        "bad",
    ),
    "ipv6_not_rewritten_while_the_inner_tcp_checksum_is_pending": (
        "0100000000007c001000c2fe953ab24a2248ee610b1586dd60000000006e1140fd00001000010000000000000001000cfd00001000010000"
        "0000000000010001ac5812b5006e4a64080000000010000066100000000166100000000c86dd60093a0f00280640fd0000100244000c0000"
        "000000000000fd000010024400010000000000000002cbca003575d074f100000000a002fd20fee60000020405a00402080aec4e29f80000"
        "00000103030a",
        "good",
    ),
    "ipv6_udp6zerocsumtx": (
        "0100000000007c000600c2fe953ab24abad6711f336b86dd6000000000671140fd000010000100000000000000010010fd00001000010000"
        "0000000000010001167c12b500670000080000000010000066100000000166100000001086dd60006b0a00211140fd000010024400100000"
        "000000000000fd000010024400010000000000000002f74d00350021feee124101000001000000000000076578616d706c650000010001",
        "zero",
    ),
}
REWRITTEN = bytes.fromhex(RECORDED["port_rewritten_while_the_inner_udp_checksum_is_pending"][0])
UNTOUCHED = bytes.fromhex(RECORDED["not_rewritten_while_the_inner_udp_checksum_is_pending"][0])
CHECKSUM_AT = 10 + 14 + 26
SPORT_AT = 10 + 14 + 20


@pytest.mark.parametrize("name", RECORDED)
def test_checksum_of_a_recorded_packet(name):
    captured, expected = RECORDED[name]
    assert outer_packet.read_packet(bytes.fromhex(captured), 14).checksum == expected


def test_flows_and_payload_of_a_recorded_packet():
    outer = outer_packet.read_packet(REWRITTEN, 14)
    assert outer.flow == Flow("udp", "10.1.0.11", 0x4D93, "10.1.0.12", 4789)
    assert outer.inner == Flow("udp", "10.244.1.0", 0x563D, "10.244.2.2", 53)
    assert outer.payload[:2] == b"\x12\x41"


def test_flows_and_payload_of_a_recorded_packet_over_ipv6():
    udp, tcp = (
        outer_packet.read_packet(bytes.fromhex(RECORDED["ipv6_port_rewritten_while_the_inner_%s_checksum_is_pending" % kind][0]), 14)
        for kind in ("udp", "tcp")
    )
    assert udp.flow == Flow("udp", "fd00:10:1::1:a", 0xE2B8, "fd00:10:1::1:1", 4789)
    assert udp.inner == Flow("udp", "fd00:10:244:a::", 0xDFC0, "fd00:10:244:1::2", 53)
    assert (udp.payload[:2], tcp.inner.protocol, tcp.payload) == (b"\x12\x41", "tcp", b"")


def test_a_non_zero_checksum_on_a_device_without_checksums_is_bad():
    """zero_checksum: kernels before 5.7 "update" a checksum of 0; 0xffff is what they make of it (flannel issue 1266)."""
    packet = bytearray.fromhex(RECORDED["noudpcsum"][0])
    packet[CHECKSUM_AT : CHECKSUM_AT + 2] = b"\xff\xff"
    assert outer_packet.read_packet(bytes(packet), 14).checksum == "bad"


def test_without_completing_the_inner_checksum_a_good_packet_would_look_bad():
    """The naive reading of a capture on the sender, and why this file exists."""
    header = outer_packet.VNET_HEADER.pack(0, 0, 0, 0, 0, 0)
    assert outer_packet.read_packet(header + UNTOUCHED[10:], 14).checksum == "bad"


@given(st.integers(1, 65535))
def test_any_port_change_without_a_checksum_change_is_bad(sport):
    old = struct.unpack("!H", UNTOUCHED[SPORT_AT : SPORT_AT + 2])[0]
    assume(sport % 65535 != old % 65535)
    packet = UNTOUCHED[:SPORT_AT] + struct.pack("!H", sport) + UNTOUCHED[SPORT_AT + 2 :]
    assert outer_packet.read_packet(packet, 14).checksum == "bad"


@given(st.binary(min_size=40, max_size=200))
def test_a_completed_checksum_verifies(data):
    # offset 6 is where UDP keeps its checksum; before it is completed the field holds the pseudo header's sum
    done = outer_packet.complete(data, 20, 6)
    pseudo_header = data[26:28]
    assert outer_packet.ones_sum(pseudo_header + done[20:]) == 0xFFFF


@pytest.mark.parametrize(
    "captured",
    [
        bytes(10),
        REWRITTEN[:60],
        REWRITTEN[:24] + b"\x46" + REWRITTEN[25:],
        REWRITTEN[:33] + bytes([socket.IPPROTO_ICMP]) + REWRITTEN[34:],
    ],
    ids=["nothing", "cut", "ip_options", "icmp"],
)
def test_what_is_no_vxlan_is_left_out(captured):
    assert outer_packet.read_packet(captured, 14) is None
