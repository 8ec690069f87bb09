# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge has found, again: the kernel does what the case says, and the walk agrees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import CASES
from rule_sets import RuleSet, from_json
from stands import Stands
from worker import TRIES, judge_one


@pytest.fixture(scope="module")
def stands() -> Iterator[Stands]:
    with Stands() as made:
        yield made


DIRECTED = [
    pytest.param(one, stand, id="%s, %s" % (name, stand))
    for name, one in json.loads((Path(__file__).parent / "directed.json").read_text(encoding="utf-8")).items()
    for stand in one["stands"]
]


def _agrees(stands: Stands, rule_set: RuleSet, expected: set[str]) -> dict[str, Any]:
    """The walk says what the kernel does, and the kernel does what is expected."""
    assert judge_one(stands.of(rule_set), rule_set).wrong == []
    # A new flow may come upon the outer port of one that the look before has left in connection tracking.
    for _try in range(TRIES):
        seen = stands.of(rule_set).look()
        rewritten = {kind for kind, one in seen.items() if one and one.rewritten}
        if rewritten == expected and None not in seen.values():
            break
    assert rewritten == expected
    return seen


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("name", CASES)
def test_the_walk_agrees_with_the_kernel(name: str, backend: str, stands: Stands) -> None:
    rule_set = CASES[name].rule_set(backend)
    seen = _agrees(stands, rule_set, set(CASES[name].rewritten))
    assert None not in seen.values()
    checksums = {one.checksum for one in seen.values() if one and one.rewritten}
    assert checksums <= ({"good"} if "CHECKSUM" in str(rule_set) else {"bad"})


@pytest.mark.parametrize(("one", "stand"), DIRECTED)
def test_a_rule_set_that_was_written_to_deceive(one: dict[str, Any], stand: str, stands: Stands) -> None:
    """directed.json: found by reading the walk against the kernel, where random rule sets had found nothing any more."""
    rules = {stand: one["rules"]["each"]} if "each" in one["rules"] else one["rules"]
    _agrees(stands, RuleSet(stand, rules=rules), set(one["rewritten"]))


def test_a_rule_set_is_read_back_as_it_was_printed() -> None:
    rule_set = RuleSet("legacy", "flannel.1", False, {"legacy": {"nat": {"POSTROUTING": ["-j ACCEPT"]}}}, "")
    assert from_json(rule_set.as_json()) == rule_set


def test_nothing_of_one_rule_set_is_left_for_the_next(stands: Stands) -> None:
    for backend in ("nft", "legacy"):
        full = CASES["nat_output_marks_the_tunnel_packet"].rule_set(backend)
        empty = RuleSet(backend, "vxlan.calico", True, {backend: {"mangle": {"OUTPUT": []}}})
        stand = stands.of(full)
        stand.load(full)
        stand.load(empty)
        chains = [entry["chains"] for entry in stand.facts()["netfilter"]["tables"]]
        assert not any(rules for one in chains for rules in one.values())
