# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the node's own iptables spells a rule: --xor-mark as --set-xmark, implied -m udp, /32, quotes.

Only the tool itself knows, and its knowledge changes with its version, so it is asked: the rule is
added to an empty chain of a private network namespace and printed from there.
"""

from typing import List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import rule_text, xtables
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.private_network import (
    private_network,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.privileges import require
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Table


def require_namespace(chain):  # type: (str) -> None
    """Raises NodeError when this process may not make a network namespace."""
    require(["CAP_SYS_ADMIN"], "finding the rule among those of chain %s" % chain)


def _jump_target(rule):  # type: (List[str]) -> Optional[str]
    for option, value in zip(rule, rule[1:]):
        if option in ("-j", "-g", "--jump", "--goto"):
            return value
    return None


def printed(table, chain, rule):  # type: (Table, str, List[str]) -> str
    """The text after "-A CHAIN ". Raises NodeError when the tool does not take the rule."""
    with private_network():
        if xtables.rules_of(table, chain) is None:
            xtables.change(table, ["-N", chain])
        result = xtables.call(table, ["-A", chain] + rule)
        target = _jump_target(rule)
        if result[0] != 0 and target:
            # not a target of iptables, so a chain, which the empty namespace does not have
            xtables.call(table, ["-N", target])
            result = xtables.call(table, ["-A", chain] + rule)
        if result[0] != 0:
            raise xtables.failure(table, "reading the rule", result)
        return (xtables.rules_of(table, chain) or [""])[-1]


def same(rules, rule):  # type: (List[str], List[str]) -> Optional[str]
    """The printed rule that has exactly these arguments, for which the tool need not be asked."""
    for text in rules:
        if rule_text.split(text) == rule:
            return text
    return None


def of(table, chain, rules, rule, is_there):
    # type: (Table, str, List[str], List[str], bool) -> Optional[str]
    """The rule's text as the chain prints it, None when this node cannot tell (ipset).

    Raises NodeError without CAP_SYS_ADMIN, which the namespace needs. A rule that was added without knowing how it will be printed could
    not be found again, and so not be taken back.
    """
    text = same(rules, rule) if is_there else None
    if text is None:
        require_namespace(chain)
        try:
            text = printed(table, chain, rule)
        except (NodeError, OSError):
            return None
    return text
