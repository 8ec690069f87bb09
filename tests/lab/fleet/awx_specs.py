# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of awx.awx's modules, taken out of their source, and awx/setup.yml's tasks as they reach them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(sys.prefix) / "awx"
MODULES = FOLDER / "ansible_collections/awx/awx/plugins/modules"


def require_collection() -> None:
    assert MODULES.is_dir(), f"no collection awx.awx in {FOLDER}: run make test-fleet"


def _assigned(tree: ast.AST, name: str) -> ast.expr:
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name]
    assert len(found) == 1, f"{len(found)} assignments of {name}"
    return found[0]


def _tree(module: str) -> ast.Module:
    require_collection()
    return ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))


def argument_spec(module: str) -> dict[str, Any]:
    """What the module passes to AnsibleModule, without the options of the connection: those are no business of a file."""
    code = compile(ast.Expression(_assigned(_tree(module), "argument_spec")), module, "eval")
    spec = eval(code, {"__builtins__": {}, "dict": dict})
    assert "name" in spec
    return dict(spec)


def _from_documentation(option: Mapping[str, Any]) -> dict[str, Any]:
    spec = {key: option[key] for key in ("type", "elements", "required", "choices", "aliases") if key in option}
    if "suboptions" in option:
        spec["options"] = {name: _from_documentation(one) for name, one in option["suboptions"].items()}
    return spec


def node_spec() -> dict[str, Any]:
    """The options of one of workflow_nodes: the module's argument spec says only that it is a dict, its documentation what is in it."""
    text = ast.literal_eval(_assigned(_tree("workflow_job_template"), "DOCUMENTATION"))
    return dict(_from_documentation(yaml.safe_load(text)["options"]["workflow_nodes"])["options"])


def data(**variables: Any) -> dict[str, Any]:
    """awx/controller.yml with its templates resolved."""
    names = [name for name in yaml.safe_load((ROOT / "awx/controller.yml").read_text(encoding="utf-8")) if name.startswith("controller_")]
    task = {"name": "Data", "ansible.builtin.debug": {"msg": {name: "{{ %s }}" % name for name in names}}}
    return dict(_run([task], variables)[0]["msg"])


def tasks() -> list[tuple[str, dict[str, Any]]]:
    """The tasks of awx/setup.yml that call a module of awx.awx: its short name and the task."""
    (play,) = yaml.safe_load((ROOT / "awx/setup.yml").read_text(encoding="utf-8"))
    pairs = ((next((key for key in task if key.startswith("awx.awx.")), ""), task) for task in play["tasks"])
    return [(name.rsplit(".", 1)[-1], task) for name, task in pairs if name]


def rendered(**variables: Any) -> list[tuple[str, dict[str, Any]]]:
    """(module, arguments) of everything that awx/setup.yml would call, in order."""
    found: list[tuple[str, dict[str, Any]]] = []
    for module, task in tasks():
        shown = {"name": task["name"], "loop": task["loop"], "ansible.builtin.debug": {"msg": task[f"awx.awx.{module}"]}}
        for result in _run([shown], variables)[0].get("results", []):
            found.append((module, {key: value for key, value in result["msg"].items() if not _omitted(value)}))
    return found


def _omitted(value: Any) -> bool:
    """Inside of a value ansible-core before 2.19 leaves a mark for omit."""
    return isinstance(value, str) and value.startswith("__omit_place_holder__")


def _run(tasks_: list[dict[str, Any]], variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    files = [str(ROOT / "awx/controller.yml")]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars_files": files, "tasks": tasks_}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "shown.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        done, results = playbook(scratch, "shown.yml", variables)
    assert done.returncode == 0, done.stdout
    return [one["result"] for one in results]


Run = tuple["subprocess.CompletedProcess[str]", list[dict[str, Any]]]


def playbook(scratch: Path, path: str, variables: Mapping[str, Any], **settings: str) -> Run:
    """ansible-playbook on localhost, with awx.awx, in the scratch folder; and the results of its tasks."""
    require_collection()
    results = scratch / "results"
    results.write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/lab/callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "results_to_file",
        "ANSIBLE_COLLECTIONS_PATH": str(FOLDER),
        "ANSIBLE_HOME": str(scratch / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_NOCOLOR": "1",
        "VXLAN_OFFLOAD_RESULTS": str(results),
        **settings,
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), path, "-e", json.dumps(variables)]
    done = subprocess.run(command, cwd=scratch, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done, [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
