# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in a guest of the kernel lab, whose kernel has IPVS: kube-proxy in IPVS mode, with packets as the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab import scenarios

NAMES = tuple(one.name for one in scenarios.SCENARIOS if one.needs == "ip_vs")
OK = {"udp": "ok", "tcp": "ok"}


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    assert NAMES
    return make_lab(*NAMES, backend="both")


def packets(lab: Any) -> dict[str, dict[str, str]]:
    seen = lab.ask()["nodes"]
    return {name: {kind: found[kind]["result"] for kind in ("udp", "tcp")} for name, found in seen.items()}


def test_the_verdict_is_what_packets_say(lab: Any, tmp_path: Path) -> None:
    run = lab.playbook("kubenet.vxlan_offload.diagnose", variables={"vxlan_offload_report_dir": str(tmp_path)})
    assert run.returncode == 0, run.output
    hosts = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"]
    seen = packets(lab)
    print(json.dumps({name: [host["status"], host["udp"], host["tcp"], seen[name]] for name, host in hosts.items()}, indent=1))
    assert {name: {kind: host[kind] for kind in OK} for name, host in hosts.items()} == seen
    for name, found in seen.items():
        assert found == lab.state.nodes[name]["expected"]


def test_auto_cures_it(lab: Any, tmp_path: Path) -> None:
    # One backend: a playbook run takes a guest most of a minute for each node.
    broken = [name for name, found in packets(lab).items() if found != OK and name.endswith("_nft")]
    assert len(broken) > 1
    run = lab.playbook(
        "kubenet.vxlan_offload.apply", "--limit", ",".join(broken), variables={"vxlan_offload_report_dir": str(tmp_path)}
    )
    assert run.returncode == 0, run.output
    after = packets(lab)
    assert {name: after[name] for name in broken} == dict.fromkeys(broken, OK)
