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

from lab import addresses, traffic
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


def _send(lab: Any, node: str) -> None:
    with network_of(lab.state.pid(node)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.sendto(b"x", (addresses.DNS_SERVICE, 53))


def _keep_alive(lab: Any, node: str, log: Path, ended: threading.Event) -> None:
    """One outer flow from before the remedy, until a question has been deceived by it once."""
    while not ended.wait(0.3) and AGAIN not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        _send(lab, node)


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


def test_verify_asks_again_before_it_says_that_a_rule_was_not_understood(lab: Any, apply: Any, tmp_path: Path) -> None:
    """A flow that began while the rule was flushed; the rule is back."""
    apply("clear_mark")
    (node,), log, folder = lab.nodes, tmp_path / "verify.log", tmp_path / "verify"
    lab.run(node, "sh", "-c", "iptables-nft-save -t mangle >/run/mangle && iptables-nft -t mangle -F OUTPUT")
    with network_of(lab.state.pid(node)):
        traffic.flush_conntrack()
    _send(lab, node)
    lab.run(node, "sh", "-c", "iptables-nft-restore -T mangle </run/mangle")
    with _flow_under_way(lab, log):
        variables, environment = {"vxlan_offload_report_dir": str(folder)}, {"ANSIBLE_LOG_PATH": str(log)}
        run = lab.playbook("kubenet.vxlan_offload.verify", variables=variables, environment=environment)
    assert run.returncode == 0, run.output
    asked = run.of(node, "service_probe")[0]
    assert (asked["verdict"], asked["attempts"] > 1) == ("works", True)


def test_verify_does_not_believe_rules_that_packets_contradict_each_time(lab: Any, apply: Any, tmp_path: Path) -> None:
    apply("clear_mark")
    (node,), folder = lab.nodes, tmp_path / "verify"
    # Marked again behind the remedy, by a table that is not read.
    chain = "table ip other { chain last { type filter hook output priority -149; udp dport 4789 mark set mark or 0x4000; }; }"
    lab.run(node, "nft", chain)
    try:
        with network_of(lab.state.pid(node)):
            traffic.flush_conntrack()
        run = lab.playbook("kubenet.vxlan_offload.verify", variables={"vxlan_offload_report_dir": str(folder)})
    finally:
        lab.run(node, "nft", "delete table ip other")
    assert run.returncode == 2, run.output
    asked = run.of(node, "service_probe")[0]
    assert (asked["verdict"], asked["attempts"]) == ("vxlan_checksum", 3)
    assert "packets were seen corrupted although the rules read mitigated" in run.output
