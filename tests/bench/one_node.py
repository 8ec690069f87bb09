# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to read one node: node_info against ping, against setup, and against plain tasks that gather the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labs
import measure

# (backend, cali* interfaces, more Services): nat rules are 11 for each Service, as kube-proxy writes three endpoints.
NODES = (
    ("nft", 30, 10),
    ("nft", 1000, 1000),
    ("nft", 1000, 10_000),
    ("legacy", 30, 10),
    ("legacy", 1000, 1000),
    ("legacy", 1000, 10_000),
)
# How many times a playbook has the tasks of a side: what is cheap needs more to stand out of the noise of ansible's start. With 1000
# interfaces one `setup` takes many seconds.
TIMES = {"ping": 4, "node_info": 4, "setup": 1, "plain": 1}
NODE_INFO = "kubenet.vxlan_offload.node_info"


def _plain(backend: str) -> list[dict[str, Any]]:
    """As people do it today. No loop over the interfaces: only the tunnel's and the card's features matter."""
    commands = (
        "uname -r", "cat /etc/os-release", "ip -d link show", "ip route show table all", "ethtool -k vxlan.calico", "ethtool -k eth0",
        "iptables-%s-save" % backend,
    )  # fmt: skip
    return [{"name": one, "ansible.builtin.command": one, "changed_when": False} for one in commands]


def _sides(backend: str) -> dict[str, list[dict[str, Any]]]:
    """The tasks of each side, once."""
    return {
        "ping": [{"name": "Ping", "ansible.builtin.ping": {}}],
        "node_info": [{"name": "Read", NODE_INFO: {}}],
        "setup": [{"name": "Facts", "ansible.builtin.setup": {"gather_subset": ["!all", "!min", "network"]}}],
        "plain": _plain(backend),
    }


def _playbook(folder: Path, name: str, tasks: list[dict[str, Any]]) -> list[str]:
    path = folder / (name + ".yml")
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    return [str(labs.BIN / "ansible-playbook"), str(path)]


def by_task(hosts: str, backend: str, folder: Path, repeats: int) -> dict[str, measure.Cost]:
    """The cost of a side's tasks once: a playbook with them so many TIMES, less one with so many debug tasks."""
    commands = {name: _playbook(folder, name, tasks * TIMES[name]) for name, tasks in _sides(backend).items()}
    for times in set(TIMES.values()):
        commands[_nothing(times)] = _playbook(folder, _nothing(times), [{"name": "Nothing", "ansible.builtin.debug": {}}] * times)
    found = measure.in_turns({name: (lambda words=words: measure.cost([*words, "-i", hosts])) for name, words in commands.items()}, repeats)
    costs = {}
    for name, times in TIMES.items():
        one, none = found[name], found[_nothing(times)]
        costs[name] = measure.Cost((one.wall - none.wall) / times, (one.cpu - none.cpu) / times)
    return costs


def _nothing(times: int) -> str:
    return "nothing-%d" % times


def by_command(hosts: str, repeats: int) -> dict[str, measure.Cost]:
    """The whole `ansible -m MODULE`, with the start of ansible."""
    ansible = [str(labs.BIN / "ansible"), "-i", hosts, "all", "-m"]
    modules = {"ping": "ansible.builtin.ping", "node_info": NODE_INFO}
    return measure.in_turns({name: (lambda module=module: measure.cost([*ansible, module])) for name, module in modules.items()}, repeats)


HEAD = (
    "| backend | cali* interfaces | nat rules | node_info | ping | **node_info : ping** | whole command | plain tasks : node_info "
    "| CPU of setup : node_info |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def rows(folder: Path, repeats: int) -> Iterator[str]:
    for backend, interfaces, services in NODES:
        with labs.lab(scenarios=("fixed_kube_proxy_calico_first",), backend=backend, services=services, interfaces=interfaces) as built:
            task = by_task(labs.hosts(built), backend, folder, repeats)
            command = by_command(labs.hosts(built), repeats)
        mine = task["node_info"]
        yield "| %s | %d | %d | %.0f ms | %.0f ms | **%.2f** | %.2f | %.1f | %.1f |" % (
            backend, interfaces, services * 11, mine.wall * 1000, task["ping"].wall * 1000, mine.wall / task["ping"].wall,
            command["node_info"].wall / command["ping"].wall, task["plain"].wall / mine.wall, task["setup"].cpu / mine.cpu,
        )  # fmt: skip
