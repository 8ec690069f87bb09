# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import packet_capture, probe_evidence
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.conntrack import Entry, Flow
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import Attempt, Server
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.outer_packet import Outer
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_evidence import Device

LINKS = """\
4: vxlan.calico: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group default
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535
    vxlan id 4096 local 10.1.0.11 dev eth0 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300 udpcsum
5: flannel.1@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT
    link/ether 3a:8f:4d:c4:6c:d4 brd ff:ff:ff:ff:ff:ff promiscuity 0
    vxlan id 1 local 10.0.0.4 dev bond0 srcport 0 0 dstport 8472 nolearning ageing 300 noudpcsum
6: vxlan_sys_4789: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 65000 qdisc noqueue master ovs-system state UNKNOWN
    link/ether 3a:8f:4d:c4:6c:d5 brd ff:ff:ff:ff:ff:ff promiscuity 1
    vxlan external id 0 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300 udpcsum
"""
CALICO, FLANNEL, OVS = (
    Device("vxlan.calico", 4789, "eth0"),
    Device("flannel.1", 8472, "bond0"),
    Device("vxlan_sys_4789", 4789, ""),
)


def test_devices_of_ip_link():
    assert probe_evidence.parse_devices(LINKS) == [CALICO, FLANNEL, OVS]


@pytest.mark.parametrize(
    ("devices", "asked", "chosen"),
    [
        ([CALICO], (None, None, None), ([4789], "eth0")),
        ([CALICO, FLANNEL], (None, None, None), ([4789, 8472], "")),
        ([CALICO, FLANNEL], ("flannel.1", None, None), ([8472], "bond0")),
        ([CALICO], (None, 4790, "eth1"), ([4790], "eth1")),
        ([OVS], (None, None, None), ([4789], "")),
        ([], (None, None, None), ([], "")),
    ],
)
def test_what_to_capture(devices, asked, chosen):
    assert probe_evidence.choose(devices, *asked) == chosen


def test_a_device_that_is_no_vxlan_is_bad_input():
    with pytest.raises(ValueError, match="device eth0 is no VXLAN device"):
        probe_evidence.choose([CALICO], "eth0", None, None)


SERVER = Server("10.96.0.10", 53, 2.0)
ATTEMPT = Attempt("udp", ("10.1.0.11", 50000), b"question", "timeout", "no answer in time", "", -1.0, True, 0.1)
ASKED = Flow("udp", "10.1.0.11", 50000, "10.96.0.10", 53)
INNER = Flow("udp", "10.244.1.0", 61000, "10.244.2.2", 53)
SENT = Flow("udp", "10.1.0.11", 40000, "10.1.0.12", 4789)
WIRE = SENT._replace(sport=7737)
OTHER_ADDRESS = SENT._replace(src="10.1.0.21")


def turned(flow):
    return Flow(flow.protocol, flow.dst, flow.dport, flow.src, flow.sport)


def table(*entries):
    known = {}
    for entry in entries:
        known["original", entry.original] = known["reply", entry.reply] = entry
    return lambda direction, flow: known.get((direction, flow))


SERVICE = Entry(ASKED, turned(INNER))
REWRITTEN = table(SERVICE, Entry(SENT, turned(WIRE)))


@pytest.mark.parametrize(
    ("packets", "find", "rewritten", "checksum", "ours"),
    [
        ([Outer(WIRE, "bad", INNER, b"")], REWRITTEN, "yes", "bad", 1),
        ([Outer(OTHER_ADDRESS, "bad", INNER, b"")], table(SERVICE, Entry(SENT, turned(OTHER_ADDRESS))), "yes", "bad", 1),
        ([Outer(SENT, "good", INNER, b"")], table(SERVICE, Entry(SENT, turned(SENT))), "no", "good", 1),
        ([Outer(SENT, "good", INNER, b"")], table(SERVICE), "no", "good", 1),
        ([Outer(SENT, "zero", INNER, b"")], table(SERVICE), "no", "zero", 1),
        ([Outer(WIRE, "bad", INNER, b""), Outer(SENT, "good", INNER, b"")], REWRITTEN, "yes", "bad", 2),
        ([Outer(WIRE, "bad", INNER, b"question")], None, "unknown", "bad", 1),
        ([Outer(WIRE, "bad", INNER._replace(sport=1), b"another")], REWRITTEN, "unknown", "unknown", 0),
    ],
    ids=[
        "port_rewritten",
        "address_rewritten",
        "tracked_and_left_alone",
        "notrack",
        "no_checksum",
        "the_second_syn_is_fine",
        "connection_tracking_unreadable",
        "a_packet_of_somebody_else",
    ],
)
def test_evidence(packets, find, rewritten, checksum, ours):
    evidence = probe_evidence.weigh(packets, [ATTEMPT], SERVER, find, "test")
    assert (evidence["source_port_rewritten"], evidence["outer_checksum"], evidence["outer_packets"]) == (
        rewritten,
        checksum,
        ours,
    )


@pytest.mark.parametrize(
    ("find", "reason"),
    [
        (table(SERVICE), "the Service led to 10.244.2.2:53"),
        (table(Entry(ASKED, turned(ASKED))), "translates the Service address to no pod"),
        (None, "no packet left by VXLAN"),
    ],
)
def test_no_packet_is_explained(find, reason):
    evidence = probe_evidence.weigh([], [ATTEMPT], SERVER, find, "test")
    assert reason in evidence["reason"]
    assert evidence["outer_checksum"] == "unknown"


@pytest.mark.parametrize("ports", [[4789], [4789, 8472, 4790], list(range(4789, 4809))])
def test_every_jump_of_the_socket_filter_stays_inside(ports):
    program = packet_capture.filter_program(ports, 0x1240)
    code = packet_capture.assemble(program)
    assert len(code) == 8 * len(program)
    for index in range(len(program)):
        assert index + 1 + max(code[8 * index + 2], code[8 * index + 3]) < len(program) or index >= len(program) - 2
