# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a chain, plan, write, read again: the state of one rule."""

from typing import List, NamedTuple, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import (
    backends,
    netfilter,
    private_network,
    rule_spelling,
    rule_text,
    xtables,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Table

Request = NamedTuple(
    "Request",
    [("chain", str), ("rule", List[str]), ("position", Optional[int]), ("state", str)],
)
Outcome = NamedTuple(
    "Outcome",
    [
        ("before", List[str]),
        ("after", List[str]),
        ("commands", List[List[str]]),
        ("position", Optional[int]),  # of the rule afterwards
    ],
)


def _missing_chain(table, request):  # type: (Table, Request) -> Outcome
    if request.state == "absent":
        return Outcome([], [], [], None)
    raise NodeError(
        "there is no chain %s in the %s table %s: the rule cannot be put there"
        % (request.chain, table.tool.backend, table.name)
    )


def _unseen_text(table, request):  # type: (Table, Request) -> str
    """The rule's text when the legacy table is not there yet, without creating it by looking.

    Before 5.15 (xt_register_template) loading the table's module creates it in the node's own
    namespace, even when a private one asks for it.
    """
    rule_spelling.require_namespace(request.chain)
    text = None
    if private_network.kernel_at_least(5, 15):
        text = rule_spelling.of(table, request.chain, [], request.rule, False)
    return text or rule_text.join(request.rule)


def _identify(table, request, rules, is_there):  # type: (Table, Request, List[str], bool) -> str
    """The text by which the rule is found among the chain's printed rules."""
    text = rule_spelling.of(table, request.chain, rules, request.rule, is_there)
    if text is None and not is_there:
        text = rule_text.join(request.rule)
    if text is None or is_there != (text in rules):
        raise NodeError(
            "%s says that the rule is %s in chain %s, but prints it otherwise: write it as -S %s does"
            % (table.tool.path, "" if is_there else "not", request.chain, request.chain)
        )
    return text


def examine(table, request, table_exists):  # type: (Table, Request, bool) -> Outcome
    """What is there, what has to be done and what will be there; changes nothing."""
    if not table_exists:
        if request.state == "absent" or request.chain not in backends.BUILT_IN:
            return _missing_chain(table, request)
        rules, text = [], _unseen_text(table, request)  # type: List[str], str
    else:
        listed = xtables.rules_of(table, request.chain)
        if listed is None:
            return _missing_chain(table, request)
        rules = listed
        is_there = xtables.has_rule(table, request.chain, request.rule)
        if request.state == "absent" and not is_there:
            return Outcome(rules, rules, [], None)
        text = _identify(table, request, rules, is_there)
    wanted = netfilter.Wanted(request.chain, request.rule, text, request.position, request.state)
    after = netfilter.predict(rules, wanted)
    position = after.index(text) + 1 if text in after else None
    if request.state == "present" and request.position:
        position = request.position
    return Outcome(rules, after, netfilter.plan(rules, wanted), position)


def apply(table, request, outcome):  # type: (Table, Request, Outcome) -> Outcome
    """Run the commands of an examined outcome and compare what is there then."""
    for arguments in outcome.commands:
        xtables.change(table, arguments)
    after = xtables.rules_of(table, request.chain) or []
    is_there = xtables.has_rule(table, request.chain, request.rule)
    if is_there != (request.state == "present"):
        raise NodeError(
            "chain %s was changed by another program at the same time: run again" % request.chain
        )
    position = outcome.position
    if position and not _stands_at(table, request, after, position):
        raise NodeError(
            "chain %s was changed by another program at the same time: the rule is not number %d, run again"
            % (request.chain, position)
        )
    return outcome._replace(after=after)


def _stands_at(table, request, after, position):  # type: (Table, Request, List[str], int) -> bool
    if not request.position:
        return True
    text = rule_spelling.of(table, request.chain, after, request.rule, True)
    return text is None or after[position - 1 : position] == [text]
