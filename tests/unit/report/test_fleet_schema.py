# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/fleet.schema.json holds for every report that is made, and not for a wrong one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Callable

import format_reports
import pytest
from jsonschema import Draft202012Validator
from reasoning import build as b

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet, published
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.parts import merge_parts, part
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import preflight
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs/fleet.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
RULES = sorted(path.stem for path in b.RULES.glob("*.rules"))
TRANSCRIPTS = sorted((ROOT / "tests/data/transcripts").glob("*.txt"))


def errors(report: Any) -> list[str]:
    """As the file would have it."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(json.dumps(report)))]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_ruleset_gives_a_valid_report() -> None:
    assert len(RULES) > 30
    assert errors(fleet({name: {"node": b.facts(name)} for name in RULES})) == []


def test_every_transcript_gives_a_valid_report() -> None:
    assert len(TRANSCRIPTS) > 5
    assert errors(fleet({path.stem: {"node": parse(path.read_text(encoding="utf-8"))} for path in TRANSCRIPTS})) == []


@pytest.mark.parametrize(
    "result", [None, {}, {"failed": True}, {"unreachable": True}, {"node": {"schema": 99}}, {"node": {}}, {"changed": False}]
)
def test_a_host_that_was_not_read_is_in_a_valid_report(result: Any) -> None:
    assert errors(fleet({"n": result}, expected=["n", "m"])) == []


def test_probes_and_expected_hosts() -> None:
    assert errors(format_reports.report()) == []


@pytest.mark.parametrize("detail", ["verdict", "diagnosis"])
def test_merged_parts(detail: str) -> None:
    given = published(fleet(format_reports.RESULTS), "diagnose", detail)
    one = part("1", rc=0, status="successful", stats={}, artifacts={"x": given})
    two = part("2", rc=0, status="successful", stats={}, artifacts={"x": given})
    merged = merge_parts([one, two, part("3", "cut")], ["lost", "absent"])
    assert merged["duplicates"] and merged["unexpected"] and merged["summary"]["not_checked"]
    assert errors(merged) == []


@pytest.mark.parametrize("variables", [{}, {"kube_network_plugin": "flannel", "kube_version": "v1.17.7"}, {"calico_vxlan_mode": "wrong"}])
@pytest.mark.parametrize("result", [{"node": b.facts("calico_first_fixed")}, {"node": {"schema": 1}}, {"unreachable": True}])
def test_a_preflight(variables: dict[str, str], result: dict[str, Any]) -> None:
    assert errors(fleet({"n": preflight(result, plan(variables, "", None))})) == []


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Put the last of `path` at the place that the others name."""

    def change(report: dict[str, Any]) -> None:
        *way, key, value = path
        for step in way:
            report = report[step]
        report[key] = value

    return change


WRONG = {
    "another schema": _set("schema", 2),
    "no hosts": lambda report: report.pop("hosts"),
    "no summary": lambda report: report.pop("summary"),
    "an unknown key": _set("extra", 1),
    "an unknown status": _set("hosts", "lost", "status", "fine"),
    "no action": lambda report: report["hosts"]["lost"].pop("action"),
    "an unknown key of a host": _set("hosts", "lost", "colour", "red"),
    "an unknown protocol state": _set("hosts", "lost", "tcp", "slow"),
    "a condition without evidence": lambda report: report["hosts"]["lost"]["conditions"]["offload"].pop("evidence"),
    "an unknown condition": _set("hosts", "lost", "conditions", "fifth", {"holds": "yes", "evidence": "", "source": ""}),
    "an unknown answer": _set("hosts", "lost", "conditions", "offload", "holds", "perhaps"),
    "a defect that is none": _set("hosts", "lost", "defects", ["bug"]),
    "a device without walk": lambda report: report["hosts"]["lost"]["devices"][0].pop("walk"),
    "a remedy with a number as risk": _set("hosts", "lost", "remedies", 0, "risk", 1),
    "a count below zero": _set("summary", "status", "affected", -1),
    "a missing count": lambda report: report["summary"]["status"].pop("exposed"),
    "names without their number": lambda report: report["summary"].pop("expected"),
    "a probe without reason": _set("hosts", "good", "probe", {"verdict": "works"}),
    "parts without duplicates": _set("parts", {}),
    "a line that is a number": _set("lines", [1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_report_is_refused(name: str) -> None:
    report = copy.deepcopy(format_reports.report())
    WRONG[name](report)
    assert errors(report) != []
