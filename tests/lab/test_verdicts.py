# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets are the judge: what diagnose says of each node is what happened to its UDP and TCP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lab import scenarios

PAIRS = ["%s_%s" % (scenario.name, backend) for scenario, backend in scenarios.variants(scenarios.on_this_kernel(), "both")]

# The order in which equal hooks were registered cannot be read from a node, so these verdicts may not be certain.
_ORDER_UNKNOWN = ("nft_kube_proxy", "ipv6_nft_kube_proxy", "calico_in_other_backend", "nftables_proxy_flannel_0_20_1")
ORDER_UNKNOWN = {name for name in PAIRS if name.startswith(_ORDER_UNKNOWN)}


@pytest.fixture(scope="module")
def packets(fleet: Any) -> dict[str, dict[str, str]]:
    seen = fleet.ask()["nodes"]
    return {name: {kind: seen[name][kind]["result"] for kind in ("udp", "tcp")} for name in seen}


@pytest.fixture(scope="module")
def verdicts(fleet: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    directory = tmp_path_factory.mktemp("report")
    run = fleet.playbook("kubenet.vxlan_offload.diagnose", variables={"vxlan_offload_report_dir": str(directory)})
    assert run.returncode == 0, run.output
    assert not any(one["result"].get("changed") for one in run.results)
    yield json.loads(Path(directory, "fleet.json").read_text(encoding="utf-8"))["hosts"]


def test_every_node_of_the_fleet_is_judged(fleet: Any, verdicts: dict[str, Any]) -> None:
    assert sorted(verdicts) == sorted(fleet.nodes) == sorted(PAIRS)


def test_every_verdict_follows_the_schema(verdicts: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).resolve().parents[2] / "docs/fleet.schema.json").read_text(encoding="utf-8"))
    hosts = {"$defs": schema["$defs"], "type": "object", "additionalProperties": {"$ref": "#/$defs/host"}}
    Draft202012Validator(hosts).validate(verdicts)


@pytest.mark.parametrize("node", PAIRS)
def test_verdict_equals_packets(node: str, verdicts: dict[str, Any], packets: dict[str, Any]) -> None:
    verdict = {kind: verdicts[node][kind] for kind in ("udp", "tcp")}
    if node in ORDER_UNKNOWN and verdicts[node]["status"] == "exposed":
        assert verdict == {"udp": "at_risk", "tcp": "at_risk"}, verdicts[node]["summary"]
    else:
        assert verdict == packets[node], verdicts[node]["summary"]


def test_the_readme_has_the_figures_of_this_fleet(verdicts: dict[str, Any], packets: dict[str, Any]) -> None:
    equal = [node for node in PAIRS if {kind: verdicts[node][kind] for kind in ("udp", "tcp")} == packets[node]]
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert "%d scenarios on %d nodes" % (len(scenarios.on_this_kernel()), len(PAIRS)) in readme
    assert "| %d equal; %d whose order" % (len(equal), len(PAIRS) - len(equal)) in readme


@pytest.mark.parametrize("node", PAIRS)
def test_status_says_what_the_traffic_does(node: str, verdicts: dict[str, Any]) -> None:
    status, traffic = verdicts[node]["status"], {verdicts[node]["tcp"], verdicts[node]["udp"]}
    allowed = {"affected": {"broken", "ok"}, "exposed": {"at_risk", "ok"}, "mitigated": {"ok"}, "unaffected": {"ok"}}
    assert traffic <= allowed[status]
    assert ("broken" in traffic) == (status == "affected")


@pytest.mark.parametrize(
    "node, status",
    [
        ("pre_fix_kube_proxy_nft", "affected"),
        ("fixed_kube_proxy_nft", "unaffected"),
        ("fixed_kube_proxy_calico_first_legacy", "affected"),
        ("offload_off_nft", "mitigated"),
        ("calico_3_29_notrack_nft", "mitigated"),
        ("noudpcsum_nft", "unaffected"),
        ("no_vxlan_nft", "unaffected"),
    ],
)
def test_status_of_the_plain_cases(node: str, status: str, verdicts: dict[str, Any]) -> None:
    assert verdicts[node]["status"] == status, verdicts[node]["summary"]


def test_transcripts_saved_by_hand_are_a_fleet(fleet: Any, verdicts: dict[str, Any], tmp_path: Path) -> None:
    """The same verdicts from files, with no connection at all."""
    probe = Path(__file__).resolve().parents[2] / "plugins/plugin_utils/probe.sh"
    folder = tmp_path / "transcripts"
    folder.mkdir()
    chosen = [name for name in fleet.nodes if name.endswith("_nft")][:4]
    for name in chosen:
        text = fleet.run(name, "sh", "-c", 'sh < "$0"', str(probe))
        (folder / (name + ".txt")).write_text(text, encoding="utf-8")
    run = fleet.playbook(
        "kubenet.vxlan_offload.diagnose",
        variables={"vxlan_offload_transcripts": str(folder), "vxlan_offload_report_dir": str(tmp_path / "report")},
        inventory_path="localhost,",
    )
    assert run.returncode == 0, run.output
    read = json.loads((tmp_path / "report/fleet.json").read_text(encoding="utf-8"))["hosts"]
    assert {name: read[name]["status"] for name in read} == {name: verdicts[name]["status"] for name in chosen}
