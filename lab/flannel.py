# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What flanneld does again and again to the rules of a node: every 5 s (--iptables-resync) it looks for each of its rules, and where
one is missing it deletes all of them and writes all of them. The device and its routes it makes at its start only."""

from __future__ import annotations

from .errors import LabError
from .iptables import Iptables
from .rules_cni import Cni, write
from .ruleset import BUILT_IN, RuleSet


class Flannel:
    """flanneld of one node, with iptables rules."""

    def __init__(self, iptables: Iptables, cni: Cni, number: int) -> None:
        if cni.plugin != "flannel" or cni.nftables:
            raise LabError("not a flannel with iptables rules: %s %s" % (cni.plugin, cni.version))
        self.iptables = iptables
        self.prepend = cni.before_kube_proxy
        rules = RuleSet()
        write(rules, cni, number)
        # Its own chains first, then what jumps to them.
        self.rules = [
            (table, chain, rule)
            for built_in in (False, True)
            for table, chains in rules.tables.items()
            for chain, texts in chains.items()
            for rule in texts
            if (chain in BUILT_IN[table]) == built_in
        ]

    def refresh_rules(self) -> bool:
        """True when it had to write."""
        for table, chain in dict.fromkeys((table, chain) for table, chain, _rule in self.rules if chain not in BUILT_IN[table]):
            self.iptables.ensure_chain(table, chain)
        if all(self.iptables.has_rule(*one) for one in self.rules):
            return False
        for one in self.rules:
            self.iptables.delete_rule(*one)
        for table, chain, rule in self.rules:
            top = self.prepend and table == "nat" and chain == "POSTROUTING"
            self.iptables.ensure_rule(table, chain, rule, prepend=top)
        return True
