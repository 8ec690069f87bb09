# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis of many hosts, on as many cores as there are: each host is judged for itself."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

Judge = Callable[[Any, Any], dict[str, Any]]
CHUNK = 32  # hosts; fewer than two chunks are not worth a process
_CREATED_BETWEEN_COLLECTIONS = 50_000
_work: tuple[Mapping[str, Any], Mapping[str, Any], Judge]


def judged(results: Mapping[str, Any], probes: Mapping[str, Any], judge: Judge) -> dict[str, dict[str, Any]]:
    """{host: judge(its result, its probe)}, in the order of `results`. The same whether there is one process or several."""
    names = list(results)
    chunks = [names[at : at + CHUNK] for at in range(0, len(names), CHUNK)]
    workers = min(_cores(), len(chunks))
    if workers > 1:
        try:
            return _side_by_side(chunks, workers, results, probes, judge)
        except (OSError, BrokenProcessPool):
            pass  # no semaphores in this container, no more processes or memory: one process can do it as well
    return {name: judge(results[name], probes.get(name)) for name in names}


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _side_by_side(
    chunks: list[list[str]], workers: int, results: Mapping[str, Any], probes: Mapping[str, Any], judge: Judge
) -> dict[str, dict[str, Any]]:
    # Forked, the processes have the results already; they are too many to be sent.
    fork = multiprocessing.get_context("fork")
    found: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(workers, fork, _take, (results, probes, judge)) as pool:
        for part in pool.map(_chunk, chunks):
            found.update(part)
    return found


def _take(*work: Any) -> None:
    global _work  # what an initializer leaves for the calls in its process
    _work = work
    # What was there before the fork stays: looking through it would only copy its pages. And a verdict is made of thousands of small
    # things that refer to each other in one direction only: looking for circles among them took a third of the time.
    gc.freeze()
    gc.set_threshold(_CREATED_BETWEEN_COLLECTIONS, 10, 10)


def _chunk(names: list[str]) -> dict[str, dict[str, Any]]:
    results, probes, judge = _work
    return {name: judge(results[name], probes.get(name)) for name in names}
