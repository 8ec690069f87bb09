# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for one rule: laws that must hold for every chain, and the cases where order decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import netfilter
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

RULE = "-j MARK --set-xmark 0x0/0x4000"


def wanted(position, state="present"):
    return netfilter.Wanted("OUTPUT", RULE.split(), RULE, position, state)


def execute(rules, commands):
    """What iptables does with the commands: -I at a number, -D the first match."""
    chain = list(rules)
    for verb, name, *rest in commands:
        assert name == "OUTPUT"
        if verb == "-I":
            assert 1 <= int(rest[0]) <= len(chain) + 1
            chain.insert(int(rest[0]) - 1, " ".join(rest[1:]))
        else:
            chain.remove(" ".join(rest))
    return chain


chains = st.lists(st.sampled_from([RULE, "-j ACCEPT", "-j A", "-j B"]), max_size=7)
states = st.sampled_from(["present", "absent"])
positions = st.one_of(st.none(), st.integers(1, 4))


@given(rules=chains, position=positions, state=states)
def test_the_commands_do_what_was_predicted_and_a_second_plan_is_empty(rules, position, state):
    try:
        after = netfilter.predict(rules, wanted(position, state))
    except NodeError:
        return
    assert execute(rules, netfilter.plan(rules, wanted(position, state))) == after
    assert netfilter.plan(after, wanted(position, state)) == []
    assert netfilter.is_satisfied(after, wanted(position, state))


@given(rules=chains, position=positions, state=states)
def test_no_other_rule_is_touched(rules, position, state):
    try:
        after = netfilter.predict(rules, wanted(position, state))
    except NodeError:
        return
    assert [rule for rule in after if rule != RULE] == [rule for rule in rules if rule != RULE]


@given(others=st.lists(st.sampled_from(["-j A", "-j B"]), max_size=6), data=st.data())
def test_removing_and_putting_back_at_the_old_number_is_the_identity(others, data):
    number = data.draw(st.integers(1, len(others) + 1))
    before = others[: number - 1] + [RULE] + others[number - 1 :]
    without = execute(before, netfilter.plan(before, wanted(None, "absent")))
    assert execute(without, netfilter.plan(without, wanted(number))) == before


CASES = [
    ("an empty chain gets it first", [], None, "present", [["-I", "OUTPUT", "1"]]),
    ("anywhere is fine without a position", ["-j A", RULE], None, "present", []),
    ("the right number", ["-j A", RULE], 2, "present", []),
    ("down: no moment without the rule", [RULE, "-j A", "-j B"], 3, "present", [["-I", "OUTPUT", "4"], ["-D", "OUTPUT"]]),
    ("up: -D would hit the new one, so it goes first", ["-j A", RULE], 1, "present", [["-D", "OUTPUT"], ["-I", "OUTPUT", "1"]]),
    ("all copies go", [RULE, "-j A", RULE], None, "absent", [["-D", "OUTPUT"], ["-D", "OUTPUT"]]),
    ("absent already", ["-j A"], None, "absent", []),
]


@pytest.mark.parametrize(("name", "rules", "position", "state", "expected"), CASES, ids=[c[0] for c in CASES])
def test_commands(name, rules, position, state, expected):
    commands = netfilter.plan(rules, wanted(position, state))
    assert commands == [command + RULE.split() for command in expected]


def test_a_position_beyond_the_end_is_refused_with_the_highest_possible():
    with pytest.raises(NodeError, match="at most 2"):
        netfilter.plan(["-j A"], wanted(3))
