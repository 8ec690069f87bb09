# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rule of one chain: what has to be done so that it is as wanted (pure)."""

from typing import List, NamedTuple, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

Wanted = NamedTuple(
    "Wanted",
    [
        ("chain", str),
        ("rule", List[str]),  # the arguments as the user gave them
        ("text", str),  # the same rule as the tool prints it
        ("position", Optional[int]),  # counted from 1; None means anywhere
        ("state", str),  # present or absent
    ],
)


def copies(rules, text):  # type: (List[str], str) -> List[int]
    """The numbers, from 1, at which the rule stands in the chain."""
    return [number for number, rule in enumerate(rules, 1) if rule == text]


def is_satisfied(rules, wanted):  # type: (List[str], Wanted) -> bool
    """Whether the chain is as wanted already."""
    found = copies(rules, wanted.text)
    if wanted.state == "absent":
        return not found
    return wanted.position in found if wanted.position else bool(found)


def predict(rules, wanted):  # type: (List[str], Wanted) -> List[str]
    """The chain's rules after the plan."""
    if is_satisfied(rules, wanted):
        return list(rules)
    others = [rule for rule in rules if rule != wanted.text]
    if wanted.state == "absent":
        return others
    position = wanted.position or 1
    if position > len(others) + 1:
        raise NodeError(
            "chain %s has %d other rules: position %d is not possible, at most %d is"
            % (wanted.chain, len(others), position, len(others) + 1)
        )
    return others[: position - 1] + [wanted.text] + others[position - 1 :]


def plan(rules, wanted):  # type: (List[str], Wanted) -> List[List[str]]
    """The iptables commands, without the program and the table, that make the chain as wanted.

    Copies are deleted by their text and never by number: another program may have moved the rules
    since they were read, and -D CHAIN NUMBER would then delete one of its rules.
    """
    if is_satisfied(rules, wanted):
        return []
    found = copies(rules, wanted.text)
    deletions = [["-D", wanted.chain] + wanted.rule for _number in found]
    if wanted.state == "absent":
        return deletions
    place = predict(rules, wanted).index(wanted.text) + 1
    if all(number <= place for number in found):
        # -D takes the first match, which is an old copy: there is no moment without the rule
        return [_insertion(wanted, place + len(found))] + deletions
    return deletions + [_insertion(wanted, place)]


def _insertion(wanted, number):  # type: (Wanted, int) -> List[str]
    return ["-I", wanted.chain, str(number)] + wanted.rule
