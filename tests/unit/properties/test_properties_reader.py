# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the python reader takes apart on the node itself: os-release, changelogs, port 10249, processes, our record."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Callable
from unittest import mock

import pytest
from hostile import json_values, mutated, plain, tried, words
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import record
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import kernel, kube_proxy

CONFIGURATION = {"mode": "iptables", "clusterCIDR": "10.244.0.0/16", "iptables": {"masqueradeBit": 14, "masqueradeAll": False}}
CONFIGZ = json.dumps({"kubeproxy.config.k8s.io": CONFIGURATION})
VERSION = 'kubernetes_build_info{git_version="v1.28.3"} 1\n'
HTTP = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
OS_RELEASE = ['ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "ID='centos'\nID_LIKE=\"rhel fedora\"\n"]
CHANGELOG = (
    "linux (6.1.90-1) bookworm; urgency=medium\n\n  * udp: never update the UDP checksum\n\n"
    " -- A B <a@b.example>  Mon, 1 Jan 2024 00:00:00 +0000\n"
)
RECORD = json.dumps({"schema": 1, "state": "applied", "method": "clear_mark", "undo": [], "units": []})
Answer = Callable[[bytes], str]


@pytest.fixture(scope="module")
def answered() -> Iterator[Answer]:
    """A server that says these bytes to whoever asks: the address of it in the form that kube_proxy.ask puts before its own port."""
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    with server.accept()[0] as channel:
                        channel.settimeout(5)
                        channel.recv(65536)
                        channel.sendall(said[-1])
                except OSError:
                    if server.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()

        def answer(text: bytes) -> str:
            said.append(text)
            return "127.0.0.1:%d/" % server.getsockname()[1]

        yield answer
        server.shutdown(socket.SHUT_RDWR)


def test_port_10249_is_understood(answered: Answer) -> None:
    found = kube_proxy.from_port(answered(HTTP + CONFIGZ.encode()))
    assert found is not None and (found["mode"], found["masquerade_bit"], found["cluster_cidr"]) == ("iptables", 14, "10.244.0.0/16")


@tried(100)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda body: HTTP + body),
        mutated([CONFIGZ, VERSION, "iptables"]).map(lambda text: HTTP + text.encode("utf-8", "replace")),
        json_values().map(lambda value: HTTP + json.dumps({"kubeproxy.config.k8s.io": value}).encode()),
    )
)
@example(b"SSH-2.0-OpenSSH_9.2\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
@example(b"HTTP/1.1 200 " + b"a" * 70000)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
def test_what_port_10249_says(answered: Answer, said: bytes) -> None:
    found = kube_proxy.from_port(answered(said))
    assert found is None or set(found) == set(kube_proxy.facts("", True))
    assert found is None or found["mode"] in (None, *kube_proxy.PROXY_MODES)


@tried(150)
@given(
    mutated(["/usr/bin/kube-proxy\0--proxy-mode=ipvs\0--config=conf\0", "k3s\0server\0--masquerade-all\0"]),
    mutated([CONFIGZ, "mode: ipvs\n"]),
)
def test_a_process_and_its_configuration(tmp_path_factory: pytest.TempPathFactory, command: str, configuration: str) -> None:
    folder = tmp_path_factory.mktemp("process")
    (folder / "root").mkdir()
    (folder / "cmdline").write_text(command, encoding="utf-8", errors="replace")
    (folder / "root" / "conf").write_text(configuration, encoding="utf-8", errors="replace")
    found = kube_proxy.from_process("kube-proxy", str(folder))
    assert found["mode"] in (None, *kube_proxy.PROXY_MODES) and isinstance(found["masquerade_bit"], (int, type(None)))


@tried(150)
@given(mutated(OS_RELEASE))
def test_os_release(text: str) -> None:
    with mock.patch.object(kernel, "lines_of", lambda path: text.splitlines() if "os-release" in path else []):
        assert set(kernel.os_release()) == {"id", "version_id", "id_like", "name"}


@tried(150)
@given(words, words, mutated([CHANGELOG]))
def test_uname_and_a_changelog(signature: str, version: str, text: str) -> None:
    assert isinstance(kernel.upstream(signature, version), str)
    assert "\n" not in "".join(kernel.evidence("changelog", text.split("\n")).values())


@tried(150)
@given(st.data())
def test_a_packed_changelog_that_is_damaged(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(CHANGELOG.encode() * 20))
    for at in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=4)):
        packed[at] ^= data.draw(st.integers(1, 255))
    documents = tmp_path_factory.mktemp("doc")
    (documents / "linux-image-6.1.0-21-amd64").mkdir()
    (documents / "linux-image-6.1.0-21-amd64" / "changelog.Debian.gz").write_bytes(packed[: data.draw(st.integers(0, len(packed)))])
    found = kernel.changelog("6.1.0-21-amd64", lambda command: (1, "", ""), str(documents))
    assert set(found) == set(kernel.NOTHING)


@tried(200)
@given(st.one_of(mutated([RECORD]), json_values().map(json.dumps), words))
def test_our_record(text: str) -> None:
    try:
        assert record.parse(text)["schema"] == record.SCHEMA
    except ValueError as error:
        plain(str(error))
