# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible inventory of the lab: a local connection whose shell enters the node's namespaces."""

from __future__ import annotations

import json
import os
from typing import Any

from . import mounts, ruleset
from .state import State

_SHELL = """#!/bin/sh
# Enters node {node} of lab {lab}. Refuses when the process that holds it is gone.
if [ "$(readlink /proc/{pid}/ns/net)" != "net:[{netns}]" ]; then
    echo "node {node} of lab {lab} is not running" >&2
    exit 1
fi
exec {enter} /bin/sh "$@"
"""


def shell_path(lab: State, node: str) -> str:
    return os.path.join(lab.node_directory(node), "sh")


def inventory_path(lab: State) -> str:
    return os.path.join(lab.directory, "inventory.json")


def write(lab: State) -> None:
    """One shell per node, and the inventory beside them (JSON is YAML)."""
    for name, node in lab.nodes.items():
        if node["role"] in ("node", "backend"):
            write_shell(lab, name)
    with open(inventory_path(lab), "w", encoding="utf-8") as stream:
        stream.write(text(lab))


def write_shell(lab: State, node: str) -> None:
    """Again where a node has booted: it has another first process then."""
    path, holder = shell_path(lab, node), lab.nodes[node]["holder"]
    command = " ".join(ruleset.enter(holder["pid"]))
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(_SHELL.format(node=node, lab=lab.name, pid=holder["pid"], netns=holder["netns"], enter=command))
    os.chmod(path, 0o755)


def _variables(lab: State, name: str) -> dict[str, Any]:
    node = lab.nodes[name]
    return {
        "ansible_connection": "local",
        "ansible_shell_executable": shell_path(lab, name),
        "ansible_python_interpreter": lab.data["options"]["python"],
        "ansible_remote_tmp": mounts.remote_tmp(lab.node_directory(name)),
        "lab_address": node["address"],
        **{"lab_" + key: node[key] for key in ("scenario", "backend", "expected") if key in node},
    }


def text(lab: State, with_backend: bool = False) -> str:
    """Groups: `nodes`, `scenario_NAME`, `backend_nft`, `backend_legacy`; the receiver only when asked for."""
    children: dict[str, dict[str, Any]] = {"nodes": {"hosts": {}}}
    for name in lab.scenario_nodes():
        node = lab.nodes[name]
        children["nodes"]["hosts"][name] = _variables(lab, name)
        for group in ("scenario_" + node["scenario"], "backend_" + node["backend"]):
            children.setdefault(group, {"hosts": {}})["hosts"][name] = None
    if with_backend:
        children["receiver"] = {"hosts": {"backend": _variables(lab, "backend")}}
    return json.dumps({"all": {"children": children}}, indent=1) + "\n"
