# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge can fail: each walk with a deliberate mistake is found wrong within a thousand rule sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import broken_walks
import judges
import pytest

WITHIN = 1000
SEED = 6600


@pytest.fixture(scope="module")
def results(say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Every broken walk, as many at once as there are workers."""
    names = list(broken_walks.WALKS)
    found: dict[str, dict[str, Any]] = {}
    for at in range(0, len(names), judges.WORKERS):
        some = names[at : at + judges.WORKERS]
        workers = [judges.start(SEED, WITHIN, name) for name in some]
        try:
            found.update({name: judges.result(worker) for name, worker in zip(some, workers)})
        finally:
            for worker in workers:
                worker.kill()
    lines = ["%5s %s" % (one["failure"].get("first_after"), name) for name, one in found.items()]
    say("\n".join(["found wrong after so many rule sets:", *lines]))
    return found


@pytest.mark.parametrize("name", broken_walks.WALKS)
def test_a_broken_walk_is_found(name: str, results: dict[str, dict[str, Any]]) -> None:
    failure = results[name]["failure"]
    assert failure.get("first", {}).get("wrong"), "%s: %d rule sets, nothing was wrong; %s" % (
        name, results[name]["judged"], failure.get("error", "no error"))  # fmt: skip
