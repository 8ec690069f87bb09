# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/scale.md says what the simulation says, and the simulation behaves as queues do."""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(name="scale", scope="module")
def _scale() -> Any:
    sys.path.insert(0, str(ROOT / "tests/bench"))
    try:
        yield importlib.import_module("scale")
    finally:
        sys.path.remove(str(ROOT / "tests/bench"))


def test_the_documented_table_is_what_comes_out(scale: Any) -> None:
    page = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    assert "\n".join(scale.rows(scale.Costs())) in page


def test_one_fork_asks_one_host_after_the_other(scale: Any) -> None:
    costs = scale.Costs(host_cpu=1, node=0, unreachable=0)
    assert scale.asked(10, costs, scale.Controller(8, 1), random.Random(1)) == 10


def test_more_forks_than_cores_wait_for_cores(scale: Any) -> None:
    costs = scale.Costs(host_cpu=1, node=0, unreachable=0)
    assert scale.asked(10, costs, scale.Controller(2, 10), random.Random(1)) == 5


def test_a_host_that_is_gone_holds_its_fork(scale: Any) -> None:
    costs = scale.Costs(host_cpu=0, node=0, unreachable=1, timeout=10)
    assert scale.asked(10, costs, scale.Controller(8, 5), random.Random(1)) == 20


def test_slices_pay_for_the_merge(scale: Any) -> None:
    costs = scale.Costs(merge=1)
    one, four = (scale.run(1000, costs, scale.Controller(), slices) for slices in (1, 4))
    assert four > one
