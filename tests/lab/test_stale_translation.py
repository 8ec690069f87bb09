# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new flow that comes upon the outer source port of one from before the remedy is rewritten as that one was, until connection tracking
has forgotten it. On a busy node this is no rare thing, and no reason to take a remedy back that works."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import addresses
from lab.namespaces import network_of

FORGOTTEN = 2  # seconds, shorter than the time between two questions of the role
AGAIN = "FAILED - RETRYING"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """All outer flows of its node have one source port, so that each comes upon the one before."""
    found = make_lab("pre_fix_kube_proxy", backend="nft")
    (node,) = found.nodes
    found.with_one_outer_port(node)
    with network_of(found.state.pid(node)), open("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "w", encoding="ascii") as stream:
        stream.write(str(FORGOTTEN))
    return found


def _keep_alive(lab: Any, node: str, log: Path, ended: threading.Event) -> None:
    """One outer flow from before the remedy, until the role has been deceived by it once."""
    while not ended.wait(0.3) and AGAIN not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        with network_of(lab.state.pid(node)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"x", (addresses.DNS_SERVICE, 53))


@contextlib.contextmanager
def _flow_under_way(lab: Any, log: Path) -> Iterator[None]:
    (node,) = lab.nodes
    ended = threading.Event()
    flow = threading.Thread(target=_keep_alive, args=(lab, node, log, ended))
    flow.start()
    try:
        yield
    finally:
        ended.set()
        flow.join()


@pytest.fixture
def apply(lab: Any, tmp_path: Path) -> Iterator[Any]:
    """Apply a method to the affected node while the flow goes on; how the Service was asked. Reverted at the end."""
    (node,) = lab.nodes
    log = tmp_path / "ansible.log"
    assert lab.verdict(node) == {"udp": "broken", "tcp": "broken"}

    def run(method: str) -> list[tuple[str, bool]]:
        variables = {"workaround_method": method, "vxlan_offload_report_dir": str(tmp_path)}
        with _flow_under_way(lab, log):
            found = lab.playbook("kubenet.vxlan_offload.apply", variables=variables, environment={"ANSIBLE_LOG_PATH": str(log)})
        assert found.returncode == 0, found.output
        asked = [one["result"] for one in found.results if one["task"].endswith(": Ask the Service")]
        assert lab.verdict(node) == {"udp": "ok", "tcp": "ok"}
        return [(one["verdict"], one["attempts"] > 1) for one in asked]

    yield run
    reverted = lab.playbook("kubenet.vxlan_offload.revert", variables={"vxlan_offload_report_dir": str(tmp_path)})
    assert reverted.returncode == 0, reverted.output


def test_a_translation_from_before_is_no_reason_to_take_the_remedy_back(apply: Any) -> None:
    assert apply("clear_mark") == [("works", True)]


@pytest.mark.parametrize("method", ["notrack", "tx_checksum_off"])
def test_these_act_on_every_packet_of_a_flow_under_way(method: str, apply: Any) -> None:
    assert apply(method) == [("works", False)]
