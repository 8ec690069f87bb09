# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run publishes for other runs: as ansible-core shows it at the end, also when the run fails for what it found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

GOOD, BAD = "fixed_kube_proxy_nft", "pre_fix_kube_proxy_nft"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")


def run(lab: Any, name: str, folder: Path, **variables: Any) -> tuple[Any, dict[str, Any]]:
    """The run, and its statistics."""
    settings = {"vxlan_offload_report_dir": str(folder), **variables}
    done = lab.playbook("kubenet.vxlan_offload." + name, variables=settings, environment={"ANSIBLE_SHOW_CUSTOM_STATS": "True"})
    shown = re.search(r"^\tRUN: (\{.*\})$", done.output, re.M)
    return done, json.loads(shown.group(1)) if shown else {}


def statuses(value: dict[str, Any]) -> dict[str, str]:
    return {name: one["status"] for name, one in value["hosts"].items()}


def test_verdicts_are_published_also_when_they_fail_the_run(lab: Any, tmp_path: Path) -> None:
    done, stats = run(lab, "verify", tmp_path, awx_job_id=41)
    assert done.returncode == 2, done.output
    assert list(stats) == ["vxlan_offload_job_41"]
    value = stats["vxlan_offload_job_41"]
    assert (value["schema"], value["kind"]) == (1, "verify")
    assert statuses(value) == {BAD: "affected", GOOD: "unaffected"}
    assert value["summary"]["status"]["affected"] == 1, "a number stays a number"


def test_the_name_and_the_detail_can_be_chosen(lab: Any, tmp_path: Path) -> None:
    _done, stats = run(lab, "diagnose", tmp_path, vxlan_offload_artifact="part_1", vxlan_offload_artifact_detail="diagnosis")
    report = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))
    assert stats["part_1"]["hosts"] == report["hosts"]


def test_nothing_is_published_without_a_name(lab: Any, tmp_path: Path) -> None:
    done, stats = run(lab, "diagnose", tmp_path)
    assert (done.returncode, stats) == (0, {})


@pytest.mark.parametrize("name", ["a b", "1a", "a-b", "a;b", "a\nb"])
def test_what_is_no_name_of_a_variable_is_refused(name: str, lab: Any, tmp_path: Path) -> None:
    done, stats = run(lab, "diagnose", tmp_path, vxlan_offload_artifact=name)
    assert (done.returncode, stats) == (2, {})
    assert "Traceback" not in done.output
