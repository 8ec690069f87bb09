# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for the tests, and Ansible with the venv in use.

`make_lab("pre_fix_kube_proxy", backend="both")` builds a lab of its own name that is removed with the module;
`fleet` is one lab with every scenario on both backends, shared and never changed.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))  # the `lab` package; tests/lab is no package

from lab import addresses, inventory, links, removal, ruleset, scenarios, topology, traffic  # noqa: E402
from lab.state import State  # noqa: E402

_counter = itertools.count(1)


@dataclass(frozen=True)
class AnsibleRun:
    """One run of ansible or ansible-playbook. `results`: one dict per task and host, in order: status, host, task, action, result."""

    returncode: int
    output: str
    results: list[dict[str, Any]]

    def of(self, host: str, action: str = "") -> list[dict[str, Any]]:
        """The module results of a host, of one action when named (short name)."""
        return [one["result"] for one in self.results if one["host"] == host and (not action or one["action"].rsplit(".", 1)[-1] == action)]

    def changed(self, host: str) -> bool:
        return any(one["result"].get("changed") for one in self.results if one["host"] == host)


@dataclass(frozen=True)
class Lab:
    """A running lab."""

    state: State
    collections: Path
    scratch: Path

    @property
    def nodes(self) -> list[str]:
        return self.state.scenario_nodes()

    @property
    def inventory(self) -> str:
        return inventory.inventory_path(self.state)

    def ask(self, *nodes: str) -> dict[str, Any]:
        return traffic.ask(self.state, nodes)

    def verdict(self, node: str) -> dict[str, str]:
        """What packets say: {"udp": ok|broken|partial, "tcp": ok|broken}."""
        seen = self.ask(node)["nodes"][node]
        return {kind: seen[kind]["result"] for kind in ("udp", "tcp")}

    def run(self, node: str, *argv: str, check: bool = True) -> str:
        """Output of a command in the node."""
        command = ruleset.enter(self.state.pid(node)) + list(argv)
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def with_one_outer_port(self, node: str) -> None:
        """Each flow over the tunnel comes upon the translation of the one before; with ports of their own that is a chance."""
        pid, tunnel = self.state.pid(node), links.TUNNELS["vxlan.calico"]
        self.run(node, "ip", "link", "del", tunnel.name)
        links.add_tunnel(pid, self.state.nodes[node]["number"], tunnel, source_port=40000)
        links.connect_tunnel(pid, tunnel, addresses.BACKEND_NUMBER)

    def ansible(self, *arguments: str, **options: Any) -> AnsibleRun:
        """`ansible PATTERN -m MODULE ...` against this lab."""
        return self._ansible("ansible", arguments, **options)

    def playbook(self, *arguments: str, **options: Any) -> AnsibleRun:
        """`ansible-playbook FILE ...` against this lab. `variables` become extra variables."""
        return self._ansible("ansible-playbook", arguments, **options)

    def _ansible(
        self,
        tool: str,
        arguments: Sequence[str],
        variables: Optional[Mapping[str, Any]] = None,
        environment: Optional[Mapping[str, str]] = None,
        inventory_path: Optional[str] = None,
        venv: Optional[str] = None,
    ) -> AnsibleRun:
        path = self.scratch / ("results-%d.jsonl" % next(_counter))
        path.touch()
        binaries = Path(venv) / "bin" if venv else Path(sys.executable).parent
        command = [str(binaries / tool), "-i", inventory_path or self.inventory, *arguments]
        if variables:
            command += ["--extra-vars", json.dumps(variables)]
        settings = {
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "results_to_file",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "True",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_HOME": str(self.scratch / "ansible-home"),
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_NOCOLOR": "1",
            "VXLAN_OFFLOAD_RESULTS": str(path),
            **(environment or {}),
        }
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings, cwd=str(self.scratch)
        )
        results = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return AnsibleRun(done.returncode, done.stdout, results)


MakeLab = Callable[..., Lab]


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds this checkout."""
    root = tmp_path_factory.mktemp("collections")
    home = root / "ansible_collections" / "kubenet"
    home.mkdir(parents=True)
    (home / "vxlan_offload").symlink_to(REPOSITORY)
    return root


def _factory(collections: Path, scratch: Path) -> Iterator[MakeLab]:
    names: list[str] = []

    def make(*wanted: str, name: str = "", **options: Any) -> Lab:
        name = name or "test-%d-%d" % (os.getpid(), next(_counter))
        names.append(name)
        chosen = tuple(wanted) or scenarios.DEFAULT_FLEET
        return Lab(topology.up(name, topology.Options(scenarios=chosen, **options)), collections, scratch)

    try:
        yield make
    finally:
        for name in names:
            removal.down(name)


@pytest.fixture(scope="module")
def make_lab(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeLab]:
    yield from _factory(collections, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def fleet(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Every scenario that this kernel can build, on both backends. Tests only read it. The others run in the kernel lab: test_modes.py."""
    for make in _factory(collections, tmp_path_factory.mktemp("fleet")):
        yield make(*scenarios.on_this_kernel(), backend="both")
