# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new flow that comes upon the outer source port of one from before the remedy is rewritten as that one was, until connection tracking
has forgotten it. On a busy node this is no rare thing, and no reason to take a remedy back that works."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from lab import addresses, links
from lab.namespaces import network_of

FORGOTTEN = 2  # seconds, shorter than the time between two questions of the role
AGAIN = "FAILED - RETRYING"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """All outer flows of its node have one source port, so that each comes upon the one before."""
    found = make_lab("pre_fix_kube_proxy", backend="nft")
    (node,) = found.nodes
    pid, tunnel = found.state.pid(node), links.TUNNELS["vxlan.calico"]
    found.run(node, "ip", "link", "del", tunnel.name)
    links.add_tunnel(pid, found.state.nodes[node]["number"], tunnel, source_port=40000)
    links.connect_tunnel(pid, tunnel, addresses.BACKEND_NUMBER)
    with network_of(pid), open("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "w", encoding="ascii") as stream:
        stream.write(str(FORGOTTEN))
    return found


def _keep_alive(lab: Any, node: str, log: Path, ended: threading.Event) -> None:
    """One outer flow from before the remedy, until the role has been deceived by it once."""
    while not ended.wait(0.3) and AGAIN not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        with network_of(lab.state.pid(node)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"x", (addresses.DNS_SERVICE, 53))


def test_a_translation_from_before_is_no_reason_to_take_the_remedy_back(lab: Any, tmp_path: Path) -> None:
    (node,) = lab.nodes
    assert lab.verdict(node) == {"udp": "broken", "tcp": "broken"}
    log, ended = tmp_path / "ansible.log", threading.Event()
    flow = threading.Thread(target=_keep_alive, args=(lab, node, log, ended))
    flow.start()
    variables = {"workaround_method": "clear_mark", "vxlan_offload_report_dir": str(tmp_path)}
    try:
        run = lab.playbook("kubenet.vxlan_offload.apply", variables=variables, environment={"ANSIBLE_LOG_PATH": str(log)})
    finally:
        ended.set()
        flow.join()
    assert run.returncode == 0, run.output
    asked = [one["result"] for one in run.results if one["task"].endswith(": Ask the Service")]
    assert [(one["verdict"], one["attempts"] > 1) for one in asked] == [("works", True)]
    assert lab.verdict(node) == {"udp": "ok", "tcp": "ok"}
