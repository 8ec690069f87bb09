# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the node: answers of DNS servers, captured packets, output of ip and iptables, and the arguments that a user gives."""

from __future__ import annotations

import pytest
from hostile import WORDS, mutated, plain, tried, words
from hypothesis import given
from hypothesis import strategies as st
from transcripts import NAMES, recorded

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import features, route, rule_arguments, rule_text, xtables
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import build_query, read_reply
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.outer_packet import IPV4, read_packet
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_evidence import parse_devices

QUERY = build_query(7, "kubernetes.default.svc.cluster.local")
# virtio_net_hdr, then IPv4, UDP, VXLAN, Ethernet, IPv4, UDP and 8 bytes of content.
INNER = bytes([0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, 10, 244, 0, 1, 10, 244, 1, 1]) + b"\x30\x39\0\x35\0\x10\0\0abcdefgh"
PACKET = (bytes(10) + bytes([0x45, 0, 0, 86, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 0, 11, 10, 1, 0, 12]) + b"\x9c\x40\x12\xb5\0\x42\0\0"
          + b"\x08\0\0\0\0\x10\0\0" + bytes(12) + b"\x08\0" + INNER)  # fmt: skip
LINES = [
    "\n".join(line for line in recorded(name).split("\n") if "vxlan id" in line or " via " in line or line.startswith("-"))
    for name in NAMES
]


@st.composite
def changed(draw: st.DrawFn, base: bytes) -> bytes:
    """The bytes with some of them changed, then cut or lengthened."""
    found = bytearray(base)
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(base) - 1), st.integers(0, 255)), max_size=6)):
        found[at] = value
    return bytes(found[: draw(st.integers(0, len(found)))]) + draw(st.binary(max_size=8)) if draw(st.booleans()) else bytes(found)


@tried(300)
@given(st.one_of(changed(QUERY), st.binary(max_size=64)))
def test_an_answer_of_a_dns_server(reply: bytes) -> None:
    try:
        assert read_reply(QUERY, reply)
    except ValueError as error:
        plain(str(error))


def test_the_packet_that_is_changed_below_is_one() -> None:
    found = read_packet(PACKET, 0)
    assert found is not None and found.payload == b"abcdefgh" and found.checksum == "zero"


@tried(400)
@given(st.one_of(changed(PACKET), st.binary(max_size=120)), st.sampled_from([0, 14, 200]))
def test_a_captured_packet(captured: bytes, link_header: int) -> None:
    found = read_packet(captured, link_header)
    assert found is None or found.checksum in ("good", "bad", "zero")


@pytest.mark.parametrize("size", range(11))
def test_a_captured_packet_that_is_shorter_than_its_header(size: int) -> None:
    assert read_packet(PACKET[:size], 0) is None and IPV4


@tried(100)
@given(words)
def test_a_name_to_ask_for(name: str) -> None:
    try:
        assert len(build_query(1, name)) < 300
    except ValueError as error:
        assert "is no DNS name" in str(error)


@tried(100)
@given(mutated(LINES))
def test_output_of_ip_and_iptables(text: str) -> None:
    assert all(device.name for device in parse_devices(text))
    assert all("\n" not in one for one in route.parse(text))
    xtables.parse_rules("POSTROUTING", text)
    for line in text.splitlines():
        assert all(isinstance(word, str) for word in rule_text.split(line))


@pytest.mark.parametrize("word", WORDS)
def test_arguments_of_the_state_modules_are_taken_or_refused(word: str) -> None:
    for option in ("-o", "-s", "--dport", "--mark", "-j", "--comment", "-p"):
        for arguments in ([option, word], [option, word, "-j", "ACCEPT"], [word], [f"{option}={word}"]):
            try:
                rule_arguments.rule(arguments)
            except NodeError as error:
                assert "\n" not in str(error)
    for call in (lambda: rule_arguments.chain_name(word), lambda: route.destination(word), lambda: features.plan("x", {}, {word: True})):
        try:
            call()
        except NodeError as error:
            assert "Traceback" not in str(error)


@pytest.mark.parametrize("port", ["\u00b2", "\u0663", "9" * 5000, "1_0", "", " 1"])
def test_a_port_is_made_of_digits(port: str) -> None:
    with pytest.raises(NodeError):
        rule_arguments.rule(["--dport", port or "x", "-j", "ACCEPT"])
