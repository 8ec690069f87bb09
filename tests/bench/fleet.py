# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks over many nodes against `ansible -m ping` over the same, with local connections and over ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import labs
import measure

SIZES = (10, 50, 200)
APPLY_NODES = 10
FORKS = "10"


def _run(hosts: str, folder: Path, name: str) -> measure.Cost:
    report = ["-e", "vxlan_offload_report_dir=%s" % folder]
    return measure.cost([str(labs.BIN / "ansible-playbook"), "-i", hosts, "--forks", FORKS, "kubenet.vxlan_offload." + name, *report])


def _ping(hosts: str) -> measure.Cost:
    return measure.cost([str(labs.BIN / "ansible"), "-i", hosts, "--forks", FORKS, "all", "-m", "ansible.builtin.ping"])


def _sides(hosts: str, folder: Path) -> dict[str, Callable[[], measure.Cost]]:
    return {"ping": lambda: _ping(hosts), "diagnose": lambda: _run(hosts, folder, "diagnose")}


HEAD = (
    "| connection | nodes | diagnose | ping | **diagnose : ping** | diagnose, each node | CPU, each node |\n|---|---|---|---|---|---|---|"
)


def _row(connection: str, count: int, found: dict[str, measure.Cost]) -> str:
    mine, ping = found["diagnose"], found["ping"]
    return "| %s | %d | %.1f s | %.1f s | **%.2f** | %.0f ms | %.0f ms |" % (
        connection, count, mine.wall, ping.wall, mine.wall / ping.wall, mine.wall / count * 1000, mine.cpu / count * 1000,
    )  # fmt: skip


def rows(folder: Path, repeats: int, sizes: tuple[int, ...] = SIZES) -> Iterator[str]:
    for count in sizes:
        with labs.lab(nodes=count) as built:
            yield _row("local", count, measure.in_turns(_sides(labs.hosts(built), folder), repeats))
            with labs.ssh_hosts(built) as hosts:
                yield _row("ssh, pipelining", count, measure.in_turns(_sides(hosts, folder), repeats))


APPLY_HEAD = "| nodes, half of them affected | seconds | : ping |\n|---|---|---|"


def apply_rows(folder: Path, repeats: int) -> Iterator[str]:
    """Of each round: ping, the first apply, the second, which changes nothing, and revert."""
    with labs.lab(nodes=APPLY_NODES) as built:
        hosts = labs.hosts(built)
        sides: dict[str, Any] = {
            "ping": lambda: _ping(hosts),
            "apply": lambda: _run(hosts, folder, "apply"),
            "apply again": lambda: _run(hosts, folder, "apply"),
            "revert": lambda: _run(hosts, folder, "revert"),
        }
        found = measure.in_turns(sides, repeats)
    for name, one in found.items():
        yield "| %s, %d | %.1f s | %.1f |" % (name, APPLY_NODES, one.wall, one.wall / found["ping"].wall)
