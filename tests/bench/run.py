# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much does reading a node cost, measured against ansible.builtin.ping in the same run?

Ratios of medians, the two sides interleaved, because the machine is shared: `make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)
BIN = os.path.dirname(sys.executable)
TASKS = 10

from lab import inventory, removal, throughput, topology  # noqa: E402

# nat rules are 11 a Service, as kube-proxy writes three endpoints.
NODES = (
    ("nft", 30, 10),
    ("nft", 1000, 10_000),
    ("legacy", 30, 10),
    ("legacy", 1000, 10_000),
)


@contextmanager
def lab(**options: Any) -> Iterator[Any]:
    name = "vxlan-offload-bench"
    removal.down(name)
    try:
        yield topology.up(name, topology.Options(**options))
    finally:
        removal.down(name)


def wall(command: list[str]) -> float:
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir())
    took = time.monotonic() - start
    if done.returncode:
        raise SystemExit("%s ended with %d:\n%s" % (" ".join(command), done.returncode, done.stdout[-2000:] + done.stderr[-2000:]))
    return took


def medians(sides: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Interleaved, the first round thrown away: it warms the caches of both."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, run in sides.items():
            seconds = run()
            if turn:
                taken[name].append(seconds)
    return {name: statistics.median(values) for name, values in taken.items()}


def playbook(folder: str, module: str) -> str:
    path = os.path.join(folder, module.rpartition(".")[2] + ".yml")
    tasks = [{"name": "Task %d" % number, module: {}} for number in range(TASKS)]
    with open(path, "w", encoding="utf-8") as stream:
        json.dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}], stream)
    return path


def tasks_and_commands(hosts: str, repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of a playbook by task, and of an ad hoc command by module."""
    with tempfile.TemporaryDirectory() as folder:
        books = {
            "noop": playbook(folder, "ansible.builtin.debug"),
            "ping": playbook(folder, "ansible.builtin.ping"),
            "node_info": playbook(folder, "kubenet.vxlan_offload.node_info"),
        }
        found = medians(
            {name: (lambda path=path: wall([BIN + "/ansible-playbook", "-i", hosts, path])) for name, path in books.items()}, repeats
        )
    command = medians(
        {
            name: (lambda name=name: wall([BIN + "/ansible", "-i", hosts, "all", "-m", name]))
            for name in ("ansible.builtin.ping", "kubenet.vxlan_offload.node_info")
        },
        repeats,
    )
    return found, command


def one_node(repeats: int) -> list[str]:
    rows = []
    for backend, interfaces, services in NODES:
        with lab(scenarios=("fixed_kube_proxy_calico_first",), backend=backend, services=services, interfaces=interfaces) as built:
            found, command = tasks_and_commands(inventory.inventory_path(built), repeats)
        per_task = {name: (found[name] - found["noop"]) / TASKS * 1000 for name in ("ping", "node_info")}
        whole = (command["kubenet.vxlan_offload.node_info"], command["ansible.builtin.ping"])
        rows.append(
            "| %s | %d | %d | %.0f ms | %.0f ms | **%.2f** | %.2f s | %.2f s | %.2f |"
            % (backend, interfaces, services * 11, per_task["node_info"], per_task["ping"], per_task["node_info"] / per_task["ping"],
               whole[0], whole[1], whole[0] / whole[1])
        )
        print(rows[-1], flush=True)
    return rows


def whole_fleet(count: int, forks: int, repeats: int) -> str:
    with lab(nodes=count) as built, tempfile.TemporaryDirectory() as report:
        hosts = inventory.inventory_path(built)
        common = ["-i", hosts, "--forks", str(forks)]
        diagnose = [BIN + "/ansible-playbook", *common, "kubenet.vxlan_offload.diagnose", "-e", "vxlan_offload_report_dir=" + report]
        found = medians(
            {
                "ping": lambda: wall([BIN + "/ansible", *common, "all", "-m", "ansible.builtin.ping"]),
                "diagnose": lambda: wall(diagnose),
            },
            repeats,
        )
    row = "| %d | %d | %.1f s | %.1f s | **%.2f** |" % (count, forks, found["diagnose"], found["ping"], found["diagnose"] / found["ping"])
    print(row, flush=True)
    return row


def stream_costs(repeats: int) -> list[str]:
    """One TCP stream from a node to the pod, a node for each remedy, in turns."""
    methods = ("no workaround", "tx_checksum_off", "clear_mark", "notrack")
    with lab(scenarios=("fixed_kube_proxy_calico_first",), nodes=len(methods)) as built, tempfile.TemporaryDirectory() as folder:
        node_of = dict(zip(methods, built.scenario_nodes()))
        for method in methods[1:]:
            applied = ["kubenet.vxlan_offload.apply", "--limit", node_of[method], "-e", "workaround_method=" + method]
            report = ["-e", "vxlan_offload_report_dir=" + folder]
            wall([BIN + "/ansible-playbook", "-i", inventory.inventory_path(built), *applied, *report])
        taken: dict[str, list[float]] = {method: [] for method in methods}
        for _turn in range(repeats):
            for method, node in node_of.items():
                taken[method].append(throughput.measure(built, node, 3)["gbit_per_s"])
    free = statistics.median(taken[methods[0]])
    rows = []
    for method in methods:
        rows.append("| %s | %.2f Gbit/s | **%.2f** |" % (method, statistics.median(taken[method]), statistics.median(taken[method]) / free))
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--nodes", type=int, default=50)
    options.add_argument("--forks", type=int, default=10)
    options.add_argument("--only", choices=("node", "fleet", "stream"), default="")
    chosen = options.parse_args()
    os.environ.setdefault("ANSIBLE_PIPELINING", "True")
    if chosen.only in ("", "node"):
        columns = "backend | cali* interfaces | nat rules | node_info task | ping task | ratio"
        print("\n| " + columns + " | `ansible -m node_info` | `ansible -m ping` | ratio |")
        print("|---|---|---|---|---|---|---|---|---|")
        one_node(chosen.repeats)
    if chosen.only in ("", "stream"):
        print("\n| remedy | one TCP stream | ratio |\n|---|---|---|")
        stream_costs(chosen.repeats)
    if chosen.only in ("", "fleet"):
        print("\n| nodes | forks | diagnose playbook | `ansible -m ping` | ratio |")
        print("|---|---|---|---|---|")
        whole_fleet(chosen.nodes, chosen.forks, chosen.repeats)


if __name__ == "__main__":
    main()
