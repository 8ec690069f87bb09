# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy on a node that really fails: the simulation, what was gathered afterwards and the packets must agree; revert is exact."""

from __future__ import annotations

import re
from typing import Any

import pytest

BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}
METHODS = (
    "clear_mark",
    "notrack",
    "tx_checksum_off",
    "rx_tx_offload_off",
    "service_route",
    "masquerade_without_random",
    "kube_postrouting_detached",
    "underlay_accept",
)
SCENARIOS = ("pre_fix_kube_proxy", "fixed_kube_proxy_calico_first", "flannel_0_20_1", "custom_masquerade_bit")
COUNTER = re.compile(r"\[\d+:\d+\]")


def state_of(lab: Any, node: str) -> dict[str, str]:
    """Everything a remedy may touch, read by other tools than those that wrote it."""
    rules = lab.run(node, "sh", "-c", "iptables-nft-save; iptables-legacy-save")
    return {
        # Which empty tables exist is not part of what traffic sees; rules and policies are.
        "rules": "\n".join(line for line in COUNTER.sub("", rules).splitlines() if line[:1] == "-"),
        "features": lab.run(node, "sh", "-c", "for d in eth0 vxlan.calico flannel.1; do ethtool -k $d 2>/dev/null; done; true"),
        "routes": lab.run(node, "ip", "-4", "route", "show", "table", "all"),
        "files": lab.run(node, "find", "/etc", "/var/lib", "-xdev", "-newermt", "2000-01-01", "-path", "*vxlan-offload*"),
    }


def run_playbook(lab: Any, name: str, node: str, report: Any, *arguments: str, **variables: Any) -> Any:
    return lab.playbook(
        "kubenet.vxlan_offload." + name, "--limit", node, *arguments, variables={"vxlan_offload_report_dir": str(report), **variables}
    )


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab(*SCENARIOS, backend="both")


def changes(run: Any, node: str) -> list[str]:
    """Task names that changed something, in order."""
    return [one["task"] for one in run.results if one["host"] == node and one["result"].get("changed")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("node", ["%s_%s" % (name, backend) for name in SCENARIOS for backend in ("nft", "legacy")])
def test_a_remedy_cures_is_idempotent_and_is_taken_back(lab: Any, node: str, method: str, tmp_path: Any) -> None:
    variables = {"workaround_method": method, "workaround_accept_risk": True, "workaround_service_cidr": "10.96.0.0/12"}
    before = state_of(lab, node)
    assert lab.verdict(node) == BROKEN

    check = run_playbook(lab, "apply", node, tmp_path, "--check", **variables)
    assert check.returncode == 0, check.output
    assert state_of(lab, node) == before

    apply = run_playbook(lab, "apply", node, tmp_path, **variables)
    assert apply.returncode == 0, apply.output
    assert changes(apply, node) == changes(check, node)
    assert lab.verdict(node) == CURED

    again = run_playbook(lab, "apply", node, tmp_path, **variables)
    assert again.returncode == 0, again.output
    assert changes(again, node) == []

    revert = run_playbook(lab, "revert", node, tmp_path)
    assert revert.returncode == 0, revert.output
    assert state_of(lab, node) == before
    assert lab.verdict(node) == BROKEN

    once_more = run_playbook(lab, "revert", node, tmp_path)
    assert changes(once_more, node) == []


@pytest.mark.parametrize("method", ["masquerade_without_random", "kube_postrouting_detached", "underlay_accept"])
def test_what_breaks_other_traffic_or_a_sync_erases_is_refused_without_the_risk_variable(lab: Any, method: str, tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_nft"
    before = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path, workaround_method=method)
    assert run.returncode == 2
    assert "workaround_accept_risk" in run.output
    assert state_of(lab, node) == before


def test_auto_takes_the_cheapest_cure_and_keeps_it(lab: Any, tmp_path: Any) -> None:
    node = "fixed_kube_proxy_calico_first_legacy"
    before = state_of(lab, node)
    first = run_playbook(lab, "apply", node, tmp_path)
    assert first.returncode == 0, first.output
    assert lab.verdict(node) == CURED
    assert "clear_mark" in lab.run(node, "cat", "/var/lib/vxlan-offload/record.json")
    assert changes(run_playbook(lab, "apply", node, tmp_path), node) == []
    other = run_playbook(lab, "apply", node, tmp_path, workaround_method="tx_checksum_off")
    assert other.returncode == 0, other.output
    assert "tx_checksum_off" in lab.run(node, "cat", "/var/lib/vxlan-offload/record.json")
    assert lab.verdict(node) == CURED
    assert run_playbook(lab, "revert", node, tmp_path).returncode == 0
    assert state_of(lab, node) == before


def test_a_cure_that_does_not_cure_is_rolled_back(lab: Any, tmp_path: Any) -> None:
    """Only a part of the Service network is routed, and the DNS Service is not in it: the facts do not end as simulated, or packets fail."""
    node = "pre_fix_kube_proxy_legacy"
    before = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path, workaround_method="service_route", workaround_service_cidr="10.111.0.0/16")
    assert run.returncode == 2, run.output
    assert state_of(lab, node) == before
    assert lab.verdict(node) == BROKEN
