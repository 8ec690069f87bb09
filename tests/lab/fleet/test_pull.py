# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that pulls its own repair: the repository is a real one by file://, the command is the one of the systemd service."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import documented
import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/pull"
SERVICE = EXAMPLE / "kubenet-vxlan-offload.service"
STATE = "/var/lib/kubenet-vxlan-offload"
BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", nodes=2)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As docs/distributed.md makes it."""
    folder = tmp_path_factory.mktemp("repository")
    home = documented.home(folder / "home")
    (home / ".gitconfig").write_text("[user]\nname = ops\nemail = ops@example.com\n", encoding="utf-8")
    command = ["bash", "-e", "-c", documented.block("test_pull.py: the repository")]
    subprocess.run(command, cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(home)}, check=True)
    return folder / "nodes"


def settings(repository: Any) -> dict[str, str]:
    """What systemd would set: Environment= of the unit, and the file that it names."""
    unit = dict(re.findall(r"^Environment=(\w+)=(.*)$", SERVICE.read_text(encoding="utf-8"), re.M))
    # A node has the collection from the repository alone.
    return {**unit, "REPOSITORY": "file://%s" % repository, "PATH": "%s:%s" % (Path(sys.executable).parent, os.environ["PATH"])}


def start(lab: Any, node: str, repository: Any) -> tuple[int, str]:
    """Run the command of the service in the node as systemd would; its exit code and output."""
    (command,) = re.findall(r"^ExecStart=(.*)$", SERVICE.read_text(encoding="utf-8"), re.M)
    words = ["%s=%s" % pair for pair in settings(repository).items()]
    lab.run(node, "mkdir", "-p", STATE)
    output = lab.run(node, "env", "-i", *words, "sh", "-c", command + '; echo "exit code $?"')
    return int(output.rpartition("exit code ")[2]), output


def changes(output: str) -> list[str]:
    """The counts of changes of the plays."""
    return re.findall(r"^localhost +: ok=\d+ +changed=(\d+) ", output, re.M)


def record(lab: Any, node: str) -> str:
    return str(lab.run(node, "ls", "/var/lib/vxlan-offload", "/etc/systemd/system", check=False))


def test_a_broken_node_pulls_its_cure_and_gets_it_again_after_drift(lab: Any, repository: Path) -> None:
    node = lab.nodes[0]
    assert lab.verdict(node) == BROKEN
    code, output = start(lab, node, repository)
    assert code == 0, output
    assert lab.verdict(node) == CURED
    assert changes(output) != ["0"]
    # Nothing was lost: nothing is changed.
    code, output = start(lab, node, repository)
    assert (code, changes(output)) == (0, ["0"]), output
    # Drift: the rule goes away, the repository stays what it was.
    lab.run(node, "iptables-nft", "-t", "mangle", "-F", "OUTPUT")
    assert lab.verdict(node) == BROKEN
    code, output = start(lab, node, repository)
    assert code == 0, output
    assert '"changed": false' in output  # the checkout
    assert lab.verdict(node) == CURED
    report = json.loads(lab.run(node, "cat", STATE + "/report/fleet.json"))
    assert {name: found["status"] for name, found in report["hosts"].items()} == {"localhost": "mitigated"}


def test_a_repository_that_cannot_be_had_is_a_failure_and_changes_nothing(lab: Any, repository: Path) -> None:
    node = lab.nodes[1]
    before = record(lab, node)
    code, output = start(lab, node, "/nowhere/at/all.git")
    assert code != 0, output
    assert (record(lab, node), lab.verdict(node)) == (before, BROKEN)
    # Not even when there is a checkout of better days.
    assert start(lab, node, repository)[0] == 0
    lab.run(node, "iptables-nft", "-t", "mangle", "-F", "OUTPUT")
    assert start(lab, node, "/nowhere/at/all.git")[0] != 0
    assert lab.verdict(node) == BROKEN


def verified(*units: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = [shutil.copy(EXAMPLE / ("kubenet-vxlan-offload." + kind), tmp_path) for kind in ("service", "timer")]
    assert verified(*map(Path, units)) == (0, "")
    timer = Path(units[1]).read_text(encoding="utf-8")
    assert {"OnBootSec=2min", "Persistent=true", "RandomizedDelaySec=5min"} <= set(timer.splitlines())
    service = Path(units[0])
    service.write_text(service.read_text(encoding="utf-8").replace("/usr/bin/env", "/usr/bin/emv"), encoding="utf-8")
    assert verified(service)[0] != 0


def test_the_units_are_not_taken_for_a_workaround_and_never_wait_for_a_change() -> None:
    """The probe lists vxlan-offload-* as units of an applied workaround; -o would not repair drift."""
    assert [path.name for path in EXAMPLE.iterdir() if path.name.startswith("vxlan-offload-")] == []
    (command,) = re.findall(r"^ExecStart=(.*)$", SERVICE.read_text(encoding="utf-8"), re.M)
    assert not re.search(r" (-o|--only-if-changed|-f|--force)\b", command)


def test_the_documented_commands_put_the_units_in_their_place(lab: Any, repository: Path) -> None:
    node = lab.nodes[1]
    script = "cd %s && %s" % (shlex.quote(str(repository.parent)), documented.block("test_pull.py: the node"))
    lab.run(node, "sh", "-e", "-c", script)
    for kind in ("service", "timer"):
        path = "/etc/systemd/system/kubenet-vxlan-offload." + kind
        assert lab.run(node, "cat", path) == (EXAMPLE / path.rpartition("/")[2]).read_text(encoding="utf-8")
    named = re.findall(r"^EnvironmentFile=(.*)$", SERVICE.read_text(encoding="utf-8"), re.M)
    assert "REPOSITORY=" in lab.run(node, "cat", *named)


def test_the_example_of_the_settings_sets_what_the_service_uses() -> None:
    text = (EXAMPLE / "kubenet-vxlan-offload.default").read_text(encoding="utf-8")
    names = set(re.findall(r"^#?([A-Z]+)=", text, re.M))
    assert set(re.findall(r"\$\{(\w+)\}", SERVICE.read_text(encoding="utf-8"))) <= names
