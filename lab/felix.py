# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Felix does again and again to a node: its jumps and chains, the routes of its tunnel, the offload of its tunnel.

Read in felix/iptables/table.go, felix/routetable and felix/ethtool of 3.14 to 3.29:

  rules    every IptablesRefreshInterval (90 s, 180 s in newer releases) it lists each table. Its rules in a built-in chain must
           stand together at the top (chainInsertMode insert) or at the end (append); where they do not, they are deleted and put
           back in one iptables-restore --noflush. Its own chains are written again only where they differ. Rules of others stay.
  routes   every RouteRefreshInterval (90 s) it removes the routes over its tunnel that are not its own and adds those that are missing
  offload  every 10 s it turns TX checksumming of its tunnel off where it takes the kernel for broken; it never turns it on
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyroute2 import IPRoute

from . import addresses as ip
from . import rules_cni
from .errors import LabError
from .iptables import Iptables
from .namespaces import network_of
from .offload import tx_checksum_off
from .rules_cni import Cni
from .ruleset import BUILT_IN, RuleSet

RESTORE = ("--noflush", "--verbose", "--wait", "10", "--wait-interval", "50000")
_HASH = re.compile(r'--comment "?(cali:[^" ]+)')


class Felix:
    """Felix of one node."""

    def __init__(self, iptables: Iptables, cni: Cni, number: int) -> None:
        if cni.plugin != "calico":
            raise LabError("Felix is Calico's: not of %s" % cni.plugin)
        self.iptables = iptables
        self.cni = cni
        self.rules = RuleSet()
        rules_cni.write(self.rules, cni, number)

    def refresh_rules(self) -> list[str]:
        """The tables that it had to write."""
        return [table for table, wanted in self.rules.tables.items() if self._refresh(table, wanted)]

    def _refresh(self, table: str, wanted: Mapping[str, Sequence[str]]) -> bool:
        there = self.iptables.save(table)
        chains: list[str] = []
        lines: list[str] = []
        for chain, rules in wanted.items():
            if chain not in BUILT_IN[table] and _hashes(there.get(chain, ["missing"])) != _hashes(rules):
                chains.append(":%s - -" % chain)
                lines.extend("-A %s %s" % (chain, rule) for rule in rules)
        for chain in BUILT_IN[table]:
            lines.extend(self._hook(chain, wanted.get(chain, []), there.get(chain, []), table))
        if not chains and not lines:
            return False
        self.iptables.restore("\n".join(["*" + table, *chains, *lines, "COMMIT", ""]), *RESTORE)
        return True

    def _hook(self, chain: str, wanted: Sequence[str], there: Sequence[str], table: str) -> list[str]:
        """Nothing when its rules stand where they must; else all of them go and come again there."""
        own = [place for place, rule in enumerate(there, 1) if _HASH.search(rule)]
        postrouting = (table, chain) == ("nat", "POSTROUTING")
        insert = self.cni.before_kube_proxy if postrouting else self.cni.chain_insert_mode == "insert"
        first = 1 if insert else len(there) - len(wanted) + 1
        if own == list(range(first, first + len(wanted))):
            return []
        gone = ["-D %s %d" % (chain, place) for place in reversed(own)]
        back = ["-I %s 1 %s" % (chain, rule) for rule in reversed(wanted)] if insert else ["-A %s %s" % (chain, rule) for rule in wanted]
        return [*gone, *back]

    def refresh_routes(self, peers: Sequence[int]) -> list[str]:
        """`peers`: the numbers of the nodes whose pods are reached over the tunnel. Returns the destinations that it removed."""
        wanted = {ip.pod_cidr(peer): ip.tunnel(peer) for peer in peers}
        removed = []
        with network_of(self.iptables.pid), IPRoute() as route:
            index = route.link_lookup(ifname=self.cni.device)[0]
            found = {_destination(one): one for one in route.get_routes(family=2, table=254, oif=index)}
            for destination, one in found.items():
                if destination not in wanted:
                    route.route("del", dst=destination, oif=index, scope=one["scope"])
                    removed.append(destination)
            for destination, gateway in wanted.items():
                if destination not in found:
                    route.route("replace", dst=destination, gateway=gateway, oif=index, flags=["onlink"])
        return removed

    def keep_offload_off(self) -> None:
        """Every 10 s, where this release takes the kernel for broken."""
        with network_of(self.iptables.pid):
            tx_checksum_off(self.cni.device)


def _destination(route: Any) -> str:
    return "%s/%d" % (route.get_attr("RTA_DST") or "0.0.0.0", route["dst_len"])


def _hashes(rules: Sequence[str]) -> list[str]:
    """Felix compares rules by the hash in their comment."""
    return [found.group(1) if (found := _HASH.search(rule)) else rule for rule in rules]
