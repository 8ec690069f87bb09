# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats as a run writes them and as a user makes them again: docs/report-formats.md and the examples of monitoring."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import documented
import pytest
import yaml
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/report-formats.md"
MONITORING = ROOT / "examples/monitoring"
INSTALLED = "/usr/share/ansible/collections/ansible_collections/kubenet/vxlan_offload"
PULLED = "/var/lib/kubenet-vxlan-offload/report/fleet.json"
# The lab's inventory is YAML, whatever its name.
YAML = {"ANSIBLE_INVENTORY_ENABLED": "yaml", "ANSIBLE_INVENTORY_PLUGIN_EXTS": ".ini", "ANSIBLE_PIPELINING": "1"}
BAD, GOOD = "pre_fix_kube_proxy_nft", "fixed_kube_proxy_nft"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return documented.home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def work(home: Path, make_lab: Any) -> Path:
    """A folder with an inventory, in which the first command has been run."""
    lab = make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")
    (home / "hosts.ini").symlink_to(lab.inventory)
    done = run(home, home, "by a run")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def run(home: Path, folder: Path, title: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A block of the page, with these texts in it replaced."""
    text = documented.block(f"test_formats.py: {title}", PAGE)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home), **YAML}
    return subprocess.run(["bash", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def metrics(text: str) -> dict[tuple[str, ...], float]:
    return {(one.name, *one.labels.values()): one.value for family in text_string_to_metric_families(text) for one in family.samples}


def test_a_run_writes_the_formats_beside_fleet_json(work: Path) -> None:
    folder = work / "vxlan-offload-report"
    assert sorted(path.name for path in folder.iterdir()) == ["fleet.json", "junit.xml", "report.html", "report.md", "vxlan_offload.prom"]
    assert BAD in (folder / "report.html").read_text(encoding="utf-8")
    (case,) = ElementTree.parse(folder / "junit.xml").iterfind(".//testcase[failure]")
    assert case.get("name") == BAD
    assert f"`{BAD}`" in (folder / "report.md").read_text(encoding="utf-8")
    found = metrics((folder / "vxlan_offload.prom").read_text(encoding="utf-8"))
    assert found["vxlan_offload_host_status", BAD, "affected"] == found["vxlan_offload_host_status", GOOD, "unaffected"] == 1


def test_the_report_of_a_run_follows_the_schema_that_is_installed(work: Path, home: Path) -> None:
    schema = home / ".ansible/collections/ansible_collections/kubenet/vxlan_offload/docs/fleet.schema.json"
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    validator.validate(json.loads((work / "vxlan-offload-report/fleet.json").read_text(encoding="utf-8")))


def test_each_format_can_be_made_again(work: Path) -> None:
    done = run(work, work, "made again")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (work / "vxlan-offload-report/report.md").read_text(encoding="utf-8")
    assert ElementTree.parse(work / "junit.xml").getroot().get("failures") == "1"
    assert metrics((work / "east.prom").read_text(encoding="utf-8"))["vxlan_offload_hosts", "east", "affected"] == 1


@pytest.mark.parametrize(
    ("host", "code", "begins"), [(BAD, 1, "affected: "), (GOOD, 0, "unaffected: "), ("nobody", 2, "vxlan_offload: host nobody ")]
)
def test_node_problem_detector_sees_one_line(host: str, code: int, begins: str, work: Path) -> None:
    done = run(work, work, "by node-problem-detector", node1=host)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(begins) and len(done.stdout) <= 81


def test_progress_says_nothing_without_a_terminal(work: Path) -> None:
    done = run(work, work, "progress")
    assert done.returncode == 0 and "now: " not in done.stdout + done.stderr


def test_a_wrong_format_is_one_line(make_lab: Any, collections: Path, tmp_path: Path) -> None:
    folder = ROOT / "tests/data/transcripts"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "kubenet.vxlan_offload.diagnose"]
    command += ["-e", json.dumps({"vxlan_offload_transcripts": str(folder), "vxlan_offload_report_formats": ["pdf"]})]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "formats must be one or more of: html, junit, markdown, textfile. Got no match for: pdf" in done.stdout + done.stderr


# Monitoring


def own_report(work: Path, folder: Path) -> str:
    """The report of a node that pulls: one host."""
    report = json.loads((work / "vxlan-offload-report/fleet.json").read_text(encoding="utf-8"))
    path = folder / "fleet.json"
    path.write_text(json.dumps({**report, "hosts": {"localhost": report["hosts"][BAD]}}), encoding="utf-8")
    return str(path)


def test_the_rule_of_node_problem_detector_runs(work: Path, tmp_path: Path) -> None:
    config = json.loads((MONITORING / "node-problem-detector.json").read_text(encoding="utf-8"))
    (rule,) = config["rules"]
    assert rule["condition"] in {one["type"] for one in config["conditions"]}
    assert config["pluginConfig"]["max_output_length"] == 80
    places = {PULLED: own_report(work, tmp_path), f"{INSTALLED}/scripts/render_report.py": str(ROOT / "scripts/render_report.py")}
    assert set(places) <= set(rule["args"])
    command = [sys.executable, *(places.get(one, one) for one in rule["args"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.startswith("affected: "), done.stderr


def test_the_drop_in_writes_the_metrics(work: Path, tmp_path: Path) -> None:
    (line,) = re.findall("^ExecStartPost=(.*)$", (MONITORING / "textfile.conf").read_text(encoding="utf-8"), re.M)
    out = tmp_path / "vxlan_offload.prom"
    for old, new in (
        (INSTALLED, str(ROOT)),
        (PULLED, own_report(work, tmp_path)),
        ("/var/lib/prometheus/node-exporter/vxlan_offload.prom", str(out)),
    ):
        assert old in line
        line = line.replace(old, new)
    subprocess.run([sys.executable, *shlex.split(line)[1:]], check=True)
    assert metrics(out.read_text(encoding="utf-8"))["vxlan_offload_host_status", "localhost", "affected"] == 1


def test_the_alerts_ask_for_metrics_and_statuses_that_there_are(work: Path) -> None:
    (group,) = yaml.safe_load((MONITORING / "prometheus-rules.yml").read_text(encoding="utf-8"))["groups"]
    rules = group["rules"]
    found = metrics((work / "vxlan-offload-report/vxlan_offload.prom").read_text(encoding="utf-8"))
    names, values = {key[0] for key in found}, {label for key in found for label in key[1:]}
    assert len(rules) == 4
    for rule in rules:
        asked = set(re.findall(r"vxlan_offload_\w+", rule["expr"]))
        assert asked and asked <= names
        assert set(re.findall(r'status="(\w+)"', rule["expr"])) <= values
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
