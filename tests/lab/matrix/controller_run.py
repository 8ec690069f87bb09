# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One ansible-playbook run of a controller over all node Pythons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cases
import cells
import environments
import versions


def pythons() -> list[str]:
    return [*versions.NODE_PYTHONS, *(one for one in versions.OPTIONAL_NODE_PYTHONS if environments.interpreter(one))]


def build(make_lab: Any, wanted: list[str]) -> Any:
    """A node for each Python that changes are made on, and one that all of them read."""
    lab = make_lab("pre_fix_kube_proxy", backend="nft", nodes=len(wanted) + 1)
    # So that both backends are read: a table of iptables-legacy with the same rules.
    lab.run(lab.nodes[-1], "sh", "-c", "iptables-nft-save -t nat | iptables-legacy-restore")
    # A SYN that is sent again may come upon the translated source port of another flow and be lost as well. Here each does.
    for node in lab.nodes[:-1]:
        lab.with_one_outer_port(node)
    return lab


def _inventory(lab: Any, wanted: list[str], folder: Path, path: Path) -> None:
    known = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    groups: dict[str, Any] = {"readers": {"hosts": {}}, "changers": {"hosts": {}}}
    for node, version in zip(lab.nodes, wanted):
        interpreter = {"ansible_python_interpreter": str(environments.node_python(folder, version))}
        groups["changers"]["hosts"]["changer-" + version] = {**known[node], **interpreter}
        groups["readers"]["hosts"]["reader-" + version] = {**known[lab.nodes[-1]], **interpreter}
    path.write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")


def run(lab: Any, controller: versions.Controller, wanted: list[str], folder: Path) -> tuple[dict[str, cells.Results], str]:
    """{python: {task: {"status", "result"}}} and what the run printed."""
    hosts, playbook = lab.scratch / "matrix.json", lab.scratch / "plays.yml"
    _inventory(lab, wanted, folder, hosts)
    playbook.write_text(json.dumps(cases.plays(str(lab.scratch / "report"), controller.steps)), encoding="utf-8")
    venv = environments.controller_home(folder, controller)
    done = lab.playbook(str(playbook), "--forks", str(len(wanted)), inventory_path=str(hosts), venv=str(venv))
    seen: dict[str, cells.Results] = {version: {} for version in wanted}
    for one in done.results:
        seen[one["host"].split("-", 1)[1]][one["task"]] = {"status": one["status"], "result": one["result"]}
    return seen, done.output
