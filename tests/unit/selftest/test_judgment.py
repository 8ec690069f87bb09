# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived at the other end on four kernels, recorded with PACKET_VNET_HDR: header, then the frame.

The UML kernels are built from Debian's linux-source-6.1: as it is, with the fix of 2020 turned back, with a patch for
the other defect.
"""

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import network
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.exchange import read_arrived
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.judgment import Arrived, judge_all

RECORDED = {
    "6.1.192-zero-checksum": (
        "present",
        "present",
        [
            "00000000000000000000020000000002822de0494a4808004500005d93c70000401162c5c0000201c0000202a03212b600490000080000"
            "0000000100020000000101e2f3fa23d42108004500002bb84c40004011963fc0000201c63364019de31e6100170f3d6b65726e656c5f73656c6674657374",
            "00000000000000000000020000000002822de0494a4808004500005d93c80000401162c4c0000201c00002024e4a12b50049ffff080000"
            "000000020002000000010272c63fc4830208004500002b177e40004011370dc0000201c63364029de31e6100170f3c6b65726e656c5f73656c6674657374",
            "00000000000000000000020000000002822de0494a4808004500005d93c90000401162c3c0000201c0000202a04612b60049d9ae080000"
            "00000003000200000001034ec912b2638f08004500002bf366400040115b23c0000201c63364039de31e6100170f3b6b65726e656c5f73656c6674657374",
            "00000000000000000000020000000002822de0494a4808004500005d93ca0000401162c2c0000201c00002024e3b12b5004963c6080000"
            "00000004000200000001047a09bdcb021508004500002b0f66400040113f23c0000201c63364049de31e6100170f3a6b65726e656c5f73656c6674657374",
        ],
    ),
    "6.1.192-plain": (
        "absent",
        "present",
        [
            "000000000000000000000200000000027e020cd1cc8808004500005d270300004011cf89c0000201c0000202a03212b600490000080000"
            "0000000100020000000101f260acbfa1d008004500002b73ca40004011dac1c0000201c6336401c8a41e610017e47b6b65726e656c5f73656c6674657374",
            "000000000000000000000200000000027e020cd1cc8808004500005d270400004011cf88c0000201c00002024e2512b500490000080000"
            "0000000200020000000102eaac2a716af708004500002bf07b400040115e0fc0000201c6336402c8a41e610017e47a6b65726e656c5f73656c6674657374",
            "000000000000000000000200000000027e020cd1cc8808004500005d270500004011cf87c0000201c0000202a04612b600490f39080000"
            "000000030002000000010316810eb86a4708004500002b87f440004011c695c0000201c6336403c8a41e610017e4796b65726e656c5f73656c6674657374",
            "000000000000000000000200000000027e020cd1cc8808004500005d270600004011cf86c0000201c00002024e8012b5004926e2080000"
            "0000000400020000000104f62e1b15658a08004500002b26b44000401127d5c0000201c6336404c8a41e610017e4786b65726e656c5f73656c6674657374",
        ],
    ),
    "6.1.192-no-lco-checksum": (
        "absent",
        "absent",
        [
            "0000000000000000000002000000000242b7ea07568808004500005d301900004011c673c0000201c0000202a03212b600490000080000"
            "000000010002000000010136f0a414764b08004500002bfe06400040115085c0000201c6336401e2c01e610017ca5f6b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000242b7ea07568808004500005d301a00004011c672c0000201c00002024e5f12b500490000080000"
            "00000002000200000001028ab872af8db708004500002b3141400040111d4ac0000201c6336402e2c01e610017ca5e6b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000242b7ea07568808004500005d301b00004011c671c0000201c0000202a04612b60049d2b7080000"
            "00000003000200000001030a841db7a3c608004500002ba72440004011a765c0000201c6336403e2c01e610017ca5d6b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000242b7ea07568808004500005d301c00004011c670c0000201c00002024e4812b500490b53080000"
            "00000004000200000001049a91280a21ca08004500002be6ee40004011679ac0000201c6336404e2c01e610017ca5c6b65726e656c5f73656c6674657374",
        ],
    ),
    "6.18.44": (
        "absent",
        "present",
        [
            "0000000000000000000002000000000226a3bce5f52508004500005d263800004011d054c0000201c0000202a03212b600490000080000"
            "0000000100020000000101ea9e7f46753d08004500002b326c400040111c20c0000201c6336401de271e610017cef86b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000226a3bce5f52508004500005d263900004011d053c0000201c00002024e3b12b500490000080000"
            "0000000200020000000102cae56fc35d7208004500002b2b3040004011235bc0000201c6336402de271e610017cef76b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000226a3bce5f52508004500005d263a00004011d052c0000201c0000202a04612b6004926b8080000"
            "0000000300020000000103462d997d985608004500002b29c04000401124cac0000201c6336403de271e610017cef66b65726e656c5f73656c6674657374",
            "0000000000000000000002000000000226a3bce5f52508004500005d263b00004011d051c0000201c00002024e5612b500499b1b080000"
            "000000040002000000010432bc6c58638008004500002b22b6400040112bd3c0000201c6336404de271e610017cef56b65726e656c5f73656c6674657374",
        ],
    ),
}

INNER = [tunnel.inner for tunnel in network.TUNNELS]


@pytest.mark.parametrize("release", RECORDED)
def test_recorded_packets_of(release):
    zero, lco, frames = RECORDED[release]
    arrived = [read_arrived(bytes.fromhex(frame)) for frame in frames]
    found = judge_all(INNER, arrived)
    assert (found["zero_checksum"], found["lco_checksum"], found["reason"]) == (zero, lco, "")


def test_what_was_seen_is_told():
    _zero, _lco, frames = RECORDED["6.1.192-zero-checksum"]
    found = judge_all(INNER, [read_arrived(bytes.fromhex(frame)) for frame in frames])
    assert found["devices"][0] == {
        "checksum": "noudpcsum",
        "without_nat": {"outer_checksum": "zero", "value": "0x0000", "source_port": 41010},
        "with_nat": {"outer_checksum": "bad", "value": "0xffff", "source_port": 20042},
    }


@pytest.mark.parametrize("data", [b"", b"\0" * 30, b"\0" * 60, bytes(10) + b"\xff" * 90])
def test_a_frame_of_somebody_else_is_no_answer(data):
    assert read_arrived(data) is None


def packet(checksum, number, port, finished=True):
    return Arrived("198.51.100.%d" % number, port, checksum, 0, finished)


CONTROL, REWRITTEN = packet("good", 3, 41030), packet("bad", 4, 20050)
DOUBTS = [
    ("nothing_arrived", INNER, [], "the test packet without NAT did not arrive"),
    ("the_control_did_not_arrive", INNER, [REWRITTEN], "the test packet without NAT did not arrive"),
    ("the_rewritten_packet_did_not_arrive", INNER, [CONTROL], "the test packet with NAT did not arrive"),
    ("the_inner_checksum_was_complete", INNER[:3], [CONTROL, REWRITTEN], "its inner checksum was complete before the tunnel"),
    ("nat_changed_nothing", INNER, [CONTROL, packet("good", 4, 41040)], "NAT did not rewrite the source port (41040)"),
    ("the_control_is_wrong_too", INNER, [packet("bad", 3, 41030), REWRITTEN], "already without NAT the packet had a wrong outer checksum"),
    ("the_kernel_knows_no_udpcsum", INNER, [packet("zero", 3, 41030), packet("zero", 4, 20050)], "already without NAT the packet had no"),
    ("nat_took_the_checksum_away", INNER, [CONTROL, packet("zero", 4, 20050)], "after NAT the packet had no outer checksum"),
    ("the_veth_left_the_checksum_open", INNER, [CONTROL, packet("bad", 4, 20050, False)], "arrived with an open checksum"),
    ("the_veth_left_the_control_open", INNER, [packet("good", 3, 41030, False), REWRITTEN], "arrived with an open checksum"),
]


@pytest.mark.parametrize(("open_inner", "arrived", "reason"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_a_test_that_proves_nothing_is_unknown(open_inner, arrived, reason):
    found = judge_all(open_inner, arrived)
    assert found["lco_checksum"] == "unknown"
    # not "noudpcsum device: ", which it ends in too
    assert reason in found["reason"].rpartition("; udpcsum device: ")[2]


def test_one_defect_can_be_known_without_the_other():
    found = judge_all(INNER, [CONTROL, REWRITTEN])
    assert (found["zero_checksum"], found["lco_checksum"]) == ("unknown", "present")
    assert found["reason"] == "noudpcsum device: the test packet without NAT did not arrive"


def test_nat_cannot_leave_a_source_port_as_it_is():
    ports = [int(line.split(" srcport ")[1].split()[0]) for line in network.tunnel_commands() if " srcport " in line]
    assert len(ports) == 4
    assert not [port for port in ports if network.NAT_PORTS[0] <= port <= network.NAT_PORTS[1]]
