# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user has: the tarball, installed into an empty folder. Every public playbook by its full name, on a node of the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
PARTS = {"kubespray_groups", "require_hosts"}  # of other playbooks, for no one to start
RUN_HERE = {"diagnose", "apply", "verify", "revert", "kubespray_preflight", "kubespray_apply"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which no other copy of the collection can be found."""
    folder = tmp_path_factory.mktemp("installed")
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "False", "ANSIBLE_HOME": str(folder / "home"),
        "PYTHONPATH": "",
    }  # fmt: skip

    def galaxy(*arguments: str) -> str:
        command = [str(BIN / "ansible-galaxy"), "collection", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment}).stdout

    galaxy("build", "--output-path", str(folder / "built"), str(ROOT))
    (tarball,) = (folder / "built").iterdir()
    galaxy("install", "--offline", "-p", str(folder), str(tarball))
    found = json.loads(galaxy("list", "--format", "json", "kubenet.vxlan_offload"))
    assert list(found) == [str(folder / "ansible_collections")]
    return environment


def test_no_playbook_is_forgotten() -> None:
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - PARTS == RUN_HERE


def test_every_playbook_by_its_full_name(installed: dict[str, str], make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy")
    (node,) = lab.nodes
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"all": {"children": {"k8s_cluster": {"children": {"nodes": {}}}}}}), encoding="utf-8")

    def run(name: str) -> tuple[int, str]:
        """The return code, and the node's status in the report."""
        report = tmp_path / name
        done = lab.playbook(
            "kubenet.vxlan_offload." + name, "-i", str(groups), environment=installed, variables={"vxlan_offload_report_dir": str(report)}
        )
        assert "[WARNING]" not in done.output and "[DEPRECATION" not in done.output, done.output
        assert (report / "report.html").exists(), done.output
        status = json.loads((report / "fleet.json").read_text(encoding="utf-8"))["hosts"][node]["status"]
        return done.returncode, status

    assert run("diagnose") == (0, "affected")
    assert run("kubespray_preflight") == (2, "affected")
    assert run("verify") == (2, "affected")
    assert run("apply") == (0, "mitigated")
    assert run("verify") == (0, "mitigated")
    assert run("revert") == (0, "affected")
    assert run("kubespray_apply") == (0, "mitigated")
    assert lab.verdict(node) == {"udp": "ok", "tcp": "ok"}
    assert run("revert") == (0, "affected")
