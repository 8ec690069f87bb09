# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubelet does to the rules of a node: it makes chains, and appends rules that it does not find.

Read in pkg/kubelet/kubelet_network_linux.go of 1.16 to 1.30. It flushes nothing, so a foreign rule in its chains stays. Up to 1.26 it
makes its own copies of kube-proxy's KUBE-MARK-MASQ and KUBE-POSTROUTING.
"""

from __future__ import annotations

from .iptables import Iptables
from .rules_kube_proxy import POSTROUTING_JUMP, KubeProxy, write
from .ruleset import BUILT_IN, RuleSet

CANARY = "KUBE-KUBELET-CANARY"
CHAINS = ("KUBE-MARK-DROP", "KUBE-FIREWALL", CANARY, "KUBE-IPTABLES-HINT")  # of the rules of a lab, those that are kubelet's
_SHARED = ("KUBE-MARK-MASQ", "KUBE-POSTROUTING")
_TABLES = ("mangle", "nat", "filter")


class Kubelet:
    """Of the version and with the masquerade bit of `release`."""

    def __init__(self, iptables: Iptables, release: KubeProxy) -> None:
        self.iptables = iptables
        self.minor = release.release[0]
        self.rules = RuleSet()
        write(self.rules, release, ())

    @property
    def period(self) -> int:
        """Seconds between two syncs that no event has caused; 0: none, it only looks for its canary."""
        return 60 if self.minor <= 16 else 0

    def start(self) -> None:
        self.sync()
        for table in _TABLES if self.minor >= 17 else ():
            self.iptables.ensure_chain(table, CANARY)

    def poll(self) -> bool:
        """What its monitor does: a sync when the canary in mangle is gone. True when there was one."""
        if self.minor < 17 or self.iptables.has_chain("mangle", CANARY):
            return False
        self.start()
        return True

    def sync(self) -> None:
        shared = self.minor <= 26
        for table, chains in self.rules.tables.items():
            for chain, rules in chains.items():
                if chain in CHAINS and chain != CANARY or shared and table == "nat" and chain in _SHARED:
                    self._chain(table, chain, rules)
        for table, chain in [(table, chain) for table, chains in BUILT_IN.items() for chain in chains]:
            for rule in self.rules.tables.get(table, {}).get(chain, []):
                if rule == "-j KUBE-FIREWALL" or shared and rule == POSTROUTING_JUMP:
                    self.iptables.ensure_rule(table, chain, rule, prepend=True)

    def _chain(self, table: str, chain: str, rules: list[str]) -> None:
        self.iptables.ensure_chain(table, chain)
        for rule in rules:
            self.iptables.ensure_rule(table, chain, rule, prepend=False)
