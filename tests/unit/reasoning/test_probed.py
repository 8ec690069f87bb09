# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe beside the diagnosis."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.probed import remark, with_probe

SAFE: dict[str, Any] = {"status": "unaffected", "tcp": "ok", "udp": "ok", "summary": "safe", "action": "nothing to do"}
LOST = {"verdict": "vxlan_checksum", "reason": "3 of 3 lost", "udp": {"asked": 3, "answered": 0}, "tcp": {"asked": 3, "answered": 3}}


@pytest.mark.parametrize("nothing", [None, {}, {"skipped": True}, {"unreachable": True, "msg": "x"}, "text", {"verdict": 3}])
def test_a_host_that_was_not_asked_keeps_its_diagnosis(nothing: Any) -> None:
    assert with_probe(SAFE, nothing) == SAFE
    assert remark(with_probe(SAFE, nothing)) == ""


def test_corrupted_packets_outrank_the_rules() -> None:
    found = with_probe(SAFE, LOST)
    assert (found["status"], found["udp"], found["tcp"]) == ("affected", "broken", "ok")
    assert "3 of 3 lost" in found["summary"]


def test_a_lost_first_syn_is_broken_tcp() -> None:
    probe = {**LOST, "tcp": {"asked": 3, "answered": 3, "first_syn_lost": True}}
    assert with_probe(SAFE, probe)["tcp"] == "broken"


def test_a_dead_dns_server_does_not_change_the_status() -> None:
    found = with_probe(SAFE, {"verdict": "dns_server_down", "reason": "no answer from 10.96.0.10"})
    assert found["status"] == "unaffected"
    assert remark(found) == "; asked: dns_server_down, no answer from 10.96.0.10"


def test_a_probe_that_could_not_ask_says_why() -> None:
    found = with_probe(SAFE, {"msg": "address '10.96' is no IP address", "failed": False})
    assert found["status"] == "unaffected"
    assert remark(found) == "; asked: unknown, address '10.96' is no IP address"
