# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time commands against each other: in turns, in one run, medians. The machine is shared, so the ratio is what counts."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds: on the clock, and of processor time of the command with all that it started and waited for (the nodes' side too, with
    local connections)."""

    wall: float
    cpu: float


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost(command: Sequence[str], codes: Sequence[int] = (0,)) -> Cost:
    """Run it. A command that fails (ends with none of `codes`) ends the benchmark: its time would say nothing."""
    before, start = _cpu(), time.monotonic()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, cwd=tempfile.gettempdir()
    )
    took = Cost(time.monotonic() - start, _cpu() - before)
    if done.returncode not in codes:
        raise SystemExit("%s ended with %d:\n%s" % (" ".join(command), done.returncode, done.stdout[-3000:]))
    return took


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.cpu for one in costs))


def in_turns(sides: Mapping[str, Callable[[], Cost]], repeats: int) -> dict[str, Cost]:
    """The medians of each side. The first round is thrown away: it warms the caches of all."""
    taken: dict[str, list[Cost]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, run in sides.items():
            found = run()
            if turn:
                taken[name].append(found)
    return {name: median(costs) for name, costs in taken.items()}


def machine() -> str:
    """One line about where it was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        model = next((line.split(":", 1)[1].strip() for line in stream if line.startswith("model name")), "unknown processor")
    kernel = os.uname()
    load = ", ".join("%.1f" % one for one in os.getloadavg())
    return "%d cores (%s), %s %s, load at the start %s" % (os.cpu_count() or 0, model, kernel.sysname, kernel.release, load)
