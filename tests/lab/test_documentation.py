# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every documented example is run: the modules', filters' and lookups' EXAMPLES on a lab node, the README's commands on a lab fleet, and
what docs/kernels.md gives."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted([*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/filter/*.py"), *ROOT.glob("plugins/lookup/*.py")])


def examples(path: Path) -> list[dict[str, Any]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
            loaded = yaml.safe_load(ast.literal_eval(node.value))
            assert isinstance(loaded, list) and loaded, "no example in %s" % path
            return loaded
    raise AssertionError("%s has no EXAMPLES" % path)


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """The nodes run the venv's Python: an example of node_info needs pyroute2 on the node."""
    return make_lab("pre_fix_kube_proxy", "fixed_kube_proxy", python=sys.executable)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: "%s-%s" % (path.parent.name, path.stem))
def test_examples_of(path: Path, lab: Any, tmp_path: Path) -> None:
    found = examples(path)
    # An example is a list of tasks, or a list of whole plays.
    plays = found if "hosts" in found[0] else [{"name": "Examples", "hosts": "all", "gather_facts": False, "tasks": found}]
    # fleet_report's example is the end of the diagnose playbook, whose role registers this.
    reading = {"kubenet.vxlan_offload.node_info": {}, "register": "diagnose_node_info"}
    first = {"name": "Read", "hosts": "all", "gather_facts": False, "tasks": [reading]}
    (tmp_path / "transcripts").mkdir()
    for node in lab.nodes:
        text = lab.run(node, "sh", "-c", '. "$0"', str(ROOT / "plugins/plugin_utils/probe.sh"))
        (tmp_path / "transcripts" / (node + ".txt")).write_text(text, encoding="utf-8")
    book = tmp_path / "examples.yml"
    book.write_text(yaml.safe_dump([first, *plays], sort_keys=False), encoding="utf-8")
    run = lab.playbook(str(book))
    assert run.returncode == 0, run.output
    tasks = [task for play in plays for task in play.get("tasks", [])]
    assert {one["task"] for one in run.results if one["status"] == "ok"} >= {task["name"] for task in tasks}, run.output


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"<!-- run by tests/lab/test_documentation.py -->\n```sh\n(.*?)```", text, re.S)


def commands(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]


# A page, and how many blocks it has: one that lost its mark would not be run.
PAGES = {"README.md": 2, "docs/fleet.md": 4}


@pytest.mark.parametrize(("page", "number"), [(page, number) for page, count in PAGES.items() for number in range(count)])
def test_commands_of(page: str, number: int, make_lab: Any, tmp_path: Path) -> None:
    """As printed, in a folder with the user's hosts.ini. sudo and -b fall away: the lab's nodes are entered as root."""
    assert len(blocks(page)) == PAGES[page]
    block = blocks(page)[number]
    lab = make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")
    (tmp_path / "hosts.ini").symlink_to(lab.inventory)
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    (tmp_path / "transcripts").mkdir()
    settings = {
        **os.environ,
        "PATH": "%s:%s" % (Path(sys.executable).parent, os.environ["PATH"]),
        "ANSIBLE_COLLECTIONS_PATH": str(lab.collections),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_INVENTORY_ENABLED": "yaml",  # the lab's inventory is YAML, whatever its name
        "ANSIBLE_INVENTORY_PLUGIN_EXTS": ".ini",
    }
    assert commands(block)
    for command in commands(block):
        command = re.sub(r"^sudo |(?<= )-b ", "", command)
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, "%s\n%s" % (command, done.stdout)
    report = json.loads((tmp_path / "vxlan-offload-report/fleet.json").read_text(encoding="utf-8"))
    assert sorted(report["hosts"]) == (["node1"] if "transcripts" in block else sorted(lab.nodes))


def test_the_example_about_kernels(lab: Any, tmp_path: Path) -> None:
    """It needs no node: on localhost."""
    text = (ROOT / "docs/kernels.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    book = tmp_path / "kernels.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": yaml.safe_load(block)}]), encoding="utf-8")
    run = lab.playbook(str(book))
    assert run.returncode == 0, run.output
    # By the page's own table: RHEL 8.2 before its build 193.10.1.
    assert run.of("localhost", "debug")[0]["msg"]["zero_checksum"] == "affected"
