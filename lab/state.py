# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one lab has created, written down before each thing is created.

/run/vxlan-offload-lab/NAME.json is the only authority for removal: what is not in it is never touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from typing import Any, Optional

from . import holder
from .errors import LabError

ROOT = "/run/vxlan-offload-lab"
SCHEMA = 1
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")


def path_of(name: str) -> str:
    if not _NAME.match(name):
        raise LabError("bad lab name %r: use a-z, 0-9 and -, at most 31 characters" % name)
    return os.path.join(ROOT, name + ".json")


class State:
    """The state file of one lab. `data` is plain JSON; save() replaces the file in one step."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data

    @property
    def directory(self) -> str:
        return os.path.join(ROOT, self.name)

    @property
    def marker(self) -> str:
        """Prefix of argv[0] of every process of this lab."""
        return "vxlan-offload-lab/%s/%s/" % (self.name, self.data["token"])

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        nodes: dict[str, dict[str, Any]] = self.data["nodes"]
        return nodes

    @property
    def servers(self) -> dict[str, Optional[dict[str, Any]]]:
        servers: dict[str, Optional[dict[str, Any]]] = self.data["servers"]
        return servers

    def node_directory(self, node: str) -> str:
        return os.path.join(self.directory, "nodes", node)

    def pid(self, node: str) -> int:
        """The holder of a node; refuses when it is not the process that the lab started."""
        if node not in self.nodes:
            raise LabError("no node %r in lab %s (python -m lab status shows them)" % (node, self.name))
        identity = self.nodes[node]["holder"]
        if not identity or not holder.is_running(identity):
            raise LabError("node %s of lab %s is not running: python -m lab down --name %s" % (node, self.name, self.name))
        return int(identity["pid"])

    def scenario_nodes(self) -> list[str]:
        return [name for name, node in self.nodes.items() if node["role"] == "node"]

    def save(self) -> None:
        path = path_of(self.name)
        temporary = path + ".new"
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(self.data, stream)
        os.replace(temporary, path)

    def forget(self) -> None:
        """Remove the lab's files; the state file last, so that an interrupted removal can be repeated."""
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.isdir(self.directory):
            raise LabError("cannot remove %s" % self.directory)
        for path in (path_of(self.name) + ".new", path_of(self.name)):
            if os.path.exists(path):
                os.unlink(path)
        try:
            os.rmdir(ROOT)
        except OSError:
            pass  # another lab is there


def create(name: str, options: dict[str, Any]) -> State:
    """Claim the name. Fails when a lab, or anything else, has it."""
    path = path_of(name)
    os.makedirs(ROOT, mode=0o755, exist_ok=True)
    data = {
        "schema": SCHEMA,
        "name": name,
        "token": uuid.uuid4().hex,
        "builder": holder.identify(os.getpid()),
        "complete": False,
        "options": options,
        "nodes": {},
        "servers": {},
    }
    state = State(name, data)
    if os.path.lexists(state.directory) and not os.path.exists(path):
        raise LabError("%s exists and no lab of that name does: not touching it" % state.directory)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise LabError("lab %s exists: python -m lab down --name %s, or use another --name" % (name, name)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(data, stream)
    os.makedirs(state.directory, mode=0o755)
    return state


def load(name: str) -> Optional[State]:
    """The lab's state; None when there is no such lab."""
    path = path_of(name)
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except FileNotFoundError:
        return None
    except ValueError:
        raise LabError("%s is not a lab's state file: not touching it" % path) from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or data.get("name") != name or "token" not in data:
        raise LabError("%s is not a lab's state file: not touching it" % path)
    return State(name, data)


def require(name: str) -> State:
    state = load(name)
    if state is None:
        raise LabError("no lab named %s: python -m lab up --name %s" % (name, name))
    return state
