# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several workers at once, and what they saw together.

Loading nft rules is waiting for the kernel (15 ms for each table), so there are more workers than cores. Each is a process of its own
with a seed of its own: JUDGE_SEED + its number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parent / "worker.py"
WORKERS = 2 + 2 * (os.cpu_count() or 1)


def start(seed: int, count: int, broken: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(seed), str(count), *([broken] if broken else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(worker: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = worker.communicate()
    if worker.returncode != 0:
        raise RuntimeError("a worker ended with %d:\n%s" % (worker.returncode, err[-4000:]))
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def judge(count: int, seed: int, workers: int = WORKERS) -> list[dict[str, Any]]:
    """`count` rule sets, shared out; each worker makes one more than its share where that does not come out even."""
    share = -(-count // workers)
    started = [start(seed + place, share) for place in range(workers)]
    try:
        return [result(worker) for worker in started]
    finally:
        for worker in started:
            worker.kill()


def summed(results: Sequence[dict[str, Any]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in results:
        counts.update(one["counts"])
        counts.update({name: one[name] for name in ("judged", "probed", "again")})
    return counts


def share(counts: Counter[str], *names: str, of: str) -> float:
    """Part of all counts whose name begins with `of`."""
    whole = sum(number for name, number in counts.items() if name.startswith(of))
    return sum(counts[name] for name in names) / whole if whole else 0.0


def report(results: Sequence[dict[str, Any]]) -> str:
    """What was seen, for people."""
    counts = summed(results)
    lines = ["seeds %s" % ", ".join(str(one["seed"]) for one in results)]
    lines += ["%7d %s" % (number, name) for name, number in sorted(counts.items())]
    return "\n".join([*lines, "%7.1f s" % max(one["seconds"] for one in results)])
