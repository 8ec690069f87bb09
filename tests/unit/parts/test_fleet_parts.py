# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/fleet_parts.py as a user calls it: by another Python process, without any path to the collection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from run_folders import artifact, run_folder

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts/fleet_parts.py"
INVENTORY = """
[control]
n3
[workers]
n10
n1
n2
[workers:vars]
ansible_host=127.0.0.1
[cluster:children]
control
workers
[other]
z
"""


def call(folder: Path, *arguments: str, script: Path = SCRIPT, path: str = "") -> Any:
    settings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH")}
    settings["PATH"] = path or "%s:%s" % (Path(sys.executable).parent, os.environ["PATH"])
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Two parts that ended, one that was cut, and inventories: good, empty, with a file that cannot be read."""
    run_folder(tmp_path / "out/one", n1="unaffected", n2="mitigated")
    run_folder(tmp_path / "out/two", n3="affected")
    run_folder(tmp_path / "out/cut", rc=None, stats=False, n3="affected")
    (tmp_path / "hosts.ini").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "empty").write_text("[workers]\n", encoding="utf-8")
    (tmp_path / "half").mkdir()
    (tmp_path / "half/good").write_text("n1\n", encoding="utf-8")
    (tmp_path / "half/bad").write_text("[n2\n", encoding="utf-8")
    (tmp_path / "hosts.txt").write_text("# the fleet\nn1\nn2\n\nn3\n", encoding="utf-8")
    return tmp_path


CODES = [
    (["out/one"], 0, ["2 hosts: 1 mitigated, 1 unaffected", "part one: 2 hosts"]),
    (["out/one", "out/two", "--expected", "hosts.txt"], 2,
     ["3 hosts: 1 affected, 1 mitigated, 1 unaffected", "checked 3 of 3 hosts",
      "n3  AFFECTED    because -> nothing to do", "part one: 2 hosts", "part two: 1 host"]),
    (["out/one", "out/two", "--fail-on", "exposed"], 0, None),
    (["out/one", "out/two", "--fail-on", ""], 0, None),
    (["out/one", "--fail-on", "mitigated, affected"], 2, None),
    (["out/one", "--expected", "hosts.txt"], 3,
     ["2 hosts: 1 mitigated, 1 unaffected", "checked 2 of 3 hosts; not checked: n3", "part one: 2 hosts"]),
    (["out/one", "out/cut"], 3,
     ["2 hosts: 1 mitigated, 1 unaffected", "checked 2 of 3 hosts; not checked: n3", "part one: 2 hosts",
      "part cut: incomplete: no return code: its stream was cut or it has not ended; run this part again"]),
    (["out/one", "out/nothing"], 3, None),
    (["out/one", "out/two", "-i", "hosts.ini"], 3, None),
    (["out/one", "out/two", "-i", "hosts.ini", "--group", "control"], 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "lines"), CODES, ids=[" ".join(one[0]) for one in CODES])
def test_merge_prints_and_exits(arguments: list[str], code: int, lines: Any, folder: Path) -> None:
    done = call(folder, "merge", *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    assert lines is None or done.stdout.splitlines() == lines


def test_the_merged_report_is_written_and_can_be_merged_again(folder: Path) -> None:
    first = call(folder, "merge", "out/one", "--directory", "new/report")
    assert first.stdout.splitlines()[-1] == "report: %s" % (folder / "new/report/fleet.json")
    again = call(folder, "merge", "new/report/fleet.json", "out/two", "--directory", "new/report")
    assert again.returncode == 2
    report = json.loads((folder / "new/report/fleet.json").read_text(encoding="utf-8"))
    assert sorted(report["hosts"]) == ["n1", "n2", "n3"]
    assert [path.name for path in (folder / "new/report").iterdir()] == ["fleet.json"]


WRONG = [
    ([], "fleet_parts.py: the following arguments are required: command"),
    (["merge"], "fleet_parts.py merge: the following arguments are required: part"),
    (["merge", "out/one", "--fail-on", "red"], "fleet_parts.py merge: argument --fail-on: no status red: use affected, exposed"),
    (["merge", "out/one", "out/one"], "fleet_parts.py: part out/one is given twice"),
    (["merge", "out/one", "--expected", "none.txt"], "fleet_parts.py: cannot read none.txt: No such file or directory"),
    (["merge", "out/one", "--expected", "/dev/null"], "fleet_parts.py: no host in /dev/null"),
    (["merge", "out/one", "--directory", "hosts.txt"], "fleet_parts.py: "),
    (["merge", "out/one", "-i", "none.ini"], "fleet_parts.py: no inventory at none.ini"),
    (["split", "-i", "hosts.ini", "--parts", "two", "--directory", "parts"], "fleet_parts.py split: argument --parts: invalid int value"),
    (["split", "-i", "hosts.ini", "--parts", "0", "--directory", "parts"], "fleet_parts.py: 0 parts of 5 hosts: ask for 1 to 5"),
    (["split", "-i", "hosts.ini", "--parts", "6", "--directory", "parts"], "fleet_parts.py: 6 parts of 5 hosts: ask for 1 to 5"),
    (["split", "-i", "hosts.ini", "--group", "none", "--parts", "1", "--directory", "parts"], "fleet_parts.py: no group none in hosts.ini"),
    (["split", "-i", "empty", "--parts", "1", "--directory", "parts"], "fleet_parts.py: no host in group all of empty"),
    (["split", "-i", "half", "--parts", "1", "--directory", "parts"], "fleet_parts.py: ansible-inventory cannot read half: "),
    (["split", "-i", "hosts.ini", "--parts", "1", "--directory", "hosts.txt"], "fleet_parts.py: "),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(one[0]) or "nothing" for one in WRONG])
def test_a_wrong_call_is_one_line_and_1(arguments: list[str], message: str, folder: Path) -> None:
    done = call(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_split_is_as_awx_slices(folder: Path) -> None:
    done = call(folder, "split", "-i", "hosts.ini", "--group", "cluster", "--parts", "3", "--directory", "a/parts")
    assert (done.returncode, done.stderr) == (0, "")
    found = {path.name: path.read_text(encoding="utf-8").split() for path in (folder / "a/parts").iterdir()}
    assert found == {"hosts.txt": ["n1", "n10", "n2", "n3"], "part-1": ["n1", "n3"], "part-2": ["n10"], "part-3": ["n2"]}


def test_a_split_does_not_mix_with_an_older_one(folder: Path) -> None:
    assert call(folder, "split", "-i", "hosts.ini", "--parts", "3", "--directory", "parts").returncode == 0
    again = call(folder, "split", "-i", "hosts.ini", "--parts", "2", "--directory", "parts")
    assert (again.returncode, again.stderr) == (1, "fleet_parts.py: parts holds part-3 of another split: use an empty folder\n")


def test_without_ansible_inventory_it_says_so(folder: Path) -> None:
    done = call(folder, "split", "-i", "hosts.ini", "--parts", "3", "--directory", "parts", path="/nowhere")
    assert (done.returncode, done.stderr) == (1, "fleet_parts.py: no ansible-inventory on PATH: activate the environment of ansible-core\n")


@pytest.mark.parametrize("place", ["ansible_collections/kubenet/vxlan_offload", "any-name"])
def test_it_finds_its_collection_wherever_that_is(place: str, folder: Path) -> None:
    for name in ("plugins", "scripts"):
        shutil.copytree(ROOT / name, folder / place / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = call(folder, "merge", "out/one", script=folder / place / "scripts/fleet_parts.py")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_report_of_the_future_is_incomplete(folder: Path) -> None:
    (folder / "fleet.json").write_text(json.dumps({**artifact(n1="unaffected"), "schema": 2}), encoding="utf-8")
    done = call(folder, "merge", "fleet.json")
    assert done.returncode == 3 and "part fleet.json: incomplete: its result has not schema 1" in done.stdout
