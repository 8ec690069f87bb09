# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import socket
import threading

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import dns_client
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import Server

QUERY = dns_client.build_query(0x1234, "a.example.")
ANSWER = b"\x12\x34\x81\x80" + QUERY[4:]


def test_query_is_what_rfc_1035_asks_for():
    assert QUERY.hex() == "123401000001000000000000" + "0161" + "076578616d706c65" + "00" + "00010001"


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, ".".join(["abc"] * 64), "dörf.example"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="is no DNS name"):
        dns_client.build_query(1, name)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "too short"),
        (b"\x12\x34\x81", "too short"),
        (b"\x99\x99" + ANSWER[2:], "another question"),
        (QUERY, "sends our packets back"),
    ],
)
def test_what_is_no_answer_is_refused(reply, message):
    with pytest.raises(ValueError, match=message):
        dns_client.read_reply(QUERY, reply)


@pytest.mark.parametrize(("flags", "rcode"), [(b"\x81\x80", "NOERROR"), (b"\x81\x83", "NXDOMAIN"), (b"\x81\x8b", "RCODE11")])
def test_any_answer_counts(flags, rcode):
    assert dns_client.read_reply(QUERY, ANSWER[:2] + flags + ANSWER[4:]) == rcode


def answer_udp(server, reply):
    _query, peer = server.recvfrom(512)
    if reply:
        server.sendto(reply, peer)


def answer_tcp(server, reply):
    connection = server.accept()[0]
    connection.recv(512)
    if reply:
        connection.sendall(reply)
    connection.close()


def ask_loopback(protocol, reply):
    kind, answer = {"udp": (socket.SOCK_DGRAM, answer_udp), "tcp": (socket.SOCK_STREAM, answer_tcp)}[protocol]
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            server.listen(1)
        thread = threading.Thread(target=answer, args=(server, reply))
        thread.start()
        attempt = dns_client.ask(protocol, Server("127.0.0.1", server.getsockname()[1], 0.2), QUERY)
        thread.join()
    return attempt


@pytest.mark.parametrize(
    ("protocol", "reply", "error"),
    [
        ("udp", ANSWER, "none"),
        ("udp", b"HTTP/1.1 400", "bad_answer"),
        ("udp", b"", "timeout"),
        ("tcp", b"\0" + bytes([len(ANSWER)]) + ANSWER, "none"),
        ("tcp", b"\0" + bytes([len(ANSWER)]) + ANSWER[:5], "bad_answer"),
        ("tcp", b"", "bad_answer"),
    ],
)
def test_answer_over_loopback(protocol, reply, error):
    attempt = ask_loopback(protocol, reply)
    assert (attempt.error, attempt.connected) == (error, True)
    assert (attempt.latency_ms >= 0) == (error == "none")


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_closed_port_refuses(protocol):
    assert dns_client.ask(protocol, Server("127.0.0.1", 1, 1.0), QUERY).error == "refused"


def test_an_error_that_is_not_about_the_network_is_not_hidden():
    with pytest.raises(OSError, match="Too many open files"):
        dns_client._classify(OSError(24, "Too many open files"))
