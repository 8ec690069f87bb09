# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a fleet takes that no machine here can hold: simulated from the measured cost of one host.

A fork of ansible holds a host from its first to its last moment: it wants the processor, waits for the node, and wants the processor
again. A host that cannot be reached holds its fork until ssh gives up. What follows is the report: judged on all cores, written on one.
With --write-table the table goes into docs/scale.md.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pages

FLEETS = (1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Costs:
    """Seconds of one host unless it says otherwise; docs/scale.md says where each default was measured."""

    start: float = 0.6  # of ansible, once
    host_cpu: float = 0.12  # the controller's processor time to ask one host
    node: float = 0.1  # the node's own time, with a round trip or two
    judge: float = 0.007  # processor time of a diagnosis
    write: float = 0.0002  # fleet.json and the page, on one core
    merge: float = 0.0007  # reading a part and writing it into the whole, on one core
    pull: float = 4.5  # ansible-pull on the node itself: git, ansible, diagnosis
    unreachable: float = 0.01  # share of hosts
    timeout: float = 10.0  # until ssh gives up, ansible's default


@dataclass(frozen=True)
class Controller:
    cores: int = 8
    forks: int = 100


def asked(hosts: int, costs: Costs, controller: Controller, chance: random.Random) -> float:
    """Seconds until the last host was asked: forks take hosts in turn, cores serve whoever wants one first."""
    cores = [0.0] * controller.cores
    forks = [0.0] * min(controller.forks, hosts)
    for _host in range(hosts):
        free = heapq.heappop(forks)
        core = heapq.heappop(cores)
        ready = max(free, core) + costs.host_cpu
        heapq.heappush(cores, ready)
        lost = chance.random() < costs.unreachable
        # Most nodes answer alike, a few take several times as long.
        waits = costs.timeout if lost else costs.node * chance.lognormvariate(0, 0.5)
        heapq.heappush(forks, ready + waits)
    return max(forks)


def run(hosts: int, costs: Costs, controller: Controller, slices: int = 1) -> float:
    """Seconds of a diagnose with its report, with `slices` controllers side by side and one merge of what they found."""
    part = -(-hosts // slices)
    report = part * (costs.judge / controller.cores + costs.write)
    each = costs.start + asked(part, costs, controller, random.Random(part)) + report
    return each + (hosts * costs.merge if slices > 1 else 0)


def pulled(spread: float, own: float) -> float:
    """Nodes that ask themselves: each waits a random time up to `spread` and takes its own; nobody is in the way of another."""
    return spread + own


def rows(costs: Costs) -> Iterator[str]:
    yield "| hosts | 2 cores, 20 forks | 8 cores, 100 forks | 4 slices of these | 20 slices | ansible-pull, spread over 5 min |"
    yield "|---|---|---|---|---|---|"
    small, large = Controller(2, 20), Controller(8, 100)
    for hosts in FLEETS:
        found = [run(hosts, costs, small), run(hosts, costs, large), run(hosts, costs, large, 4), run(hosts, costs, large, 20)]
        times = [*found, pulled(300, costs.pull)]
        yield "| %s | %s |" % (format(hosts, ","), " | ".join(_clock(seconds) for seconds in times))


def _clock(seconds: float) -> str:
    return "%.0f s" % seconds if seconds < 100 else "%.0f min" % (seconds / 60)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Costs()).items():
        options.add_argument("--" + name.replace("_", "-"), type=float, default=value, help="default: %(default)s")
    options.add_argument("--write-table", action="store_true", help="into docs/scale.md")
    chosen = vars(options.parse_args())
    into_page = chosen.pop("write_table")
    table = "\n".join(rows(Costs(**chosen)))
    print(table)
    if into_page:
        pages.write("docs/scale.md", "scale", table)


if __name__ == "__main__":
    main()
