# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kube-proxy sync does to the rules of a node, in each release from 1.16 on.

Read in pkg/proxy/iptables/proxier.go of 1.16 to 1.30 and in pkg/proxy/nftables/proxier.go of 1.30:

  full sync     every jump: -N of its chain, -C of the rule, -I at the top when it is nowhere in the chain; then one
                iptables-restore --noflush --counters that flushes and writes KUBE-SERVICES, KUBE-NODEPORTS, KUBE-POSTROUTING,
                KUBE-MARK-MASQ and the chains of all Services, and removes the chains of Services that are gone
  partial sync  1.27 and later (MinimizeIPTablesRestore): no jumps, and of the Services only the changed ones; KUBE-SERVICES,
                KUBE-NODEPORTS, KUBE-POSTROUTING and KUBE-MARK-MASQ are flushed and written each time all the same
  monitor       1.17 and later: a full sync when KUBE-PROXY-CANARY in mangle is gone, and only then
  nftables      one transaction: base chains are kept (and with them their order of registration), every chain is flushed and written

1.26 has the partial sync behind an alpha gate; here it syncs fully. Not here: IPVS mode, filter chains that a lab node does not have.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from . import kubelet_sync, rules_kube_proxy, rules_nftables_proxy
from .errors import LabError
from .iptables import WAIT, Iptables, transaction
from .rules_kube_proxy import KubeProxy
from .ruleset import BUILT_IN, RuleSet, enter, load_nft
from .services import Service

CANARY = "KUBE-PROXY-CANARY"
RESTORE = (*WAIT, "--noflush", "--counters")
# What it flushes in every sync, full or partial.
ALWAYS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-FORWARD")
_OF_A_SERVICE = re.compile("KUBE-(SVC|SVL|SEP|FW|XLB|EXT)-")
_TABLES = ("filter", "nat")
_BEFORE_THE_SKEW = "1.18.5"


def sync_partially(proxy: KubeProxy) -> bool:
    """Whether this release has partial syncs."""
    return proxy.mode == "iptables" and proxy.release[0] >= 27


def period(proxy: KubeProxy) -> int:
    """Seconds after which a sync comes that nothing has caused; 0: none."""
    if proxy.mode == "nftables":
        return 30
    minor = proxy.release[0]
    if minor <= 16:
        return 30
    # MinimizeIPTablesRestore made the hourly sync a partial one; a full one each hour is back since 1.33.
    return 3600


class KubeProxySync:
    """kube-proxy in iptables mode. `old_rule_left` of a node is kubelet's doing: kube-proxy itself is the older one."""

    def __init__(self, iptables: Iptables, proxy: KubeProxy, services: Iterable[Service]) -> None:
        if proxy.mode != "iptables":
            raise LabError("no kube-proxy of this kind in %s mode" % proxy.mode)
        self.iptables = iptables
        self.proxy = replace(proxy, version=_BEFORE_THE_SKEW, old_rule_left=False) if proxy.old_rule_left else proxy
        self.services = list(services)

    def start(self) -> None:
        """A new process: what other modes left is removed, then the first sync is a full one."""
        load_nft(self.iptables.pid, _WITHOUT_TABLE % ("ip", "ip"))
        self.full()
        for table in ("mangle", "nat", "filter") if self.proxy.release[0] >= 17 else ():
            self.iptables.ensure_chain(table, CANARY)

    def poll(self) -> bool:
        """What its monitor does. It looks at one canary only: a flushed nat table is not seen. True when there was a sync."""
        if self.proxy.release[0] < 17 or self.iptables.has_chain("mangle", CANARY):
            return False
        self.full()
        for table in ("mangle", "nat", "filter"):
            self.iptables.ensure_chain(table, CANARY)
        return True

    def full(self) -> None:
        rules = self._rules()
        for table, chain, rule in self.jumps(rules):
            self.iptables.ensure_chain(table, rule.rpartition(" -j ")[2])
            self.iptables.ensure_rule(table, chain, rule, prepend=True)
        self._restore({table: _own(chains) for table, chains in rules.tables.items()}, clean_up=True)

    def partial(self, changed: Sequence[Service] = (), clean_up: bool = False) -> None:
        """After a change of these Services; a release without partial syncs does a full one. `clean_up`: the last one was long ago."""
        if not sync_partially(self.proxy):
            self.full()
            return
        ends = [one.endpoint_chain(end) for one in changed for end in one.endpoints]
        touched = {*ALWAYS, *(one.chain() for one in changed), *ends}
        tables: dict[str, dict[str, Sequence[str]]] = {}
        for table, chains in self._rules().tables.items():
            tables[table] = {chain: rules for chain, rules in _own(chains).items() if chain in touched}
        self._restore(tables, clean_up)

    def jumps(self, rules: RuleSet) -> list[tuple[str, str, str]]:
        """Table, built-in chain and rule of each jump that kube-proxy (and not kubelet) ensures, filter first."""
        return [
            (table, chain, rule)
            for table in _TABLES
            for chain in BUILT_IN[table]
            for rule in rules.tables.get(table, {}).get(chain, [])
            if rule.rpartition(" -j ")[2] not in kubelet_sync.CHAINS and rule != "-j KUBE-FIREWALL"
        ]

    def clean_up(self) -> None:
        """kube-proxy --cleanup, and the start in another mode: jumps and chains go, kubelet's, KUBE-MARK-MASQ and the canaries stay."""
        for table, chain, rule in self.jumps(self._rules()):
            self.iptables.delete_rule(table, chain, rule)
        for table in ("nat", "filter"):
            there = self.iptables.save(table)
            gone = [chain for chain in there if chain in ALWAYS and chain != "KUBE-MARK-MASQ" or _OF_A_SERVICE.match(chain)]
            self.iptables.restore(transaction(table, {}, gone), *WAIT, "-T", table, "--noflush", "--counters")

    def _rules(self) -> RuleSet:
        rules = RuleSet()
        rules_kube_proxy.write(rules, self.proxy, self.services)
        return rules

    def _restore(self, tables: Mapping[str, dict[str, Sequence[str]]], clean_up: bool) -> None:
        """One iptables-restore for both tables."""
        text = ""
        for table in _TABLES:
            stale: list[str] = []
            if clean_up and table == "nat":
                active = _own(self._rules().tables[table])
                stale = [chain for chain in self.iptables.save(table) if _OF_A_SERVICE.match(chain) and chain not in active]
            text += transaction(table, tables.get(table, {}), stale)
        self.iptables.restore(text, *RESTORE)


def _own(chains: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The chains that kube-proxy writes."""
    kept = (*kubelet_sync.CHAINS, CANARY, *BUILT_IN["mangle"])
    return {chain: rules for chain, rules in chains.items() if chain not in kept}


_WITHOUT_TABLE = "add table %s kube-proxy\ndelete table %s kube-proxy\n"
_CHAIN = re.compile(r"^ chain (\S+) \{ (type [^;]+;)?", re.M)
_MAP = re.compile(r"^ map (\S+) \{ (.*) \}$", re.M)


class NftablesProxySync:
    """kube-proxy in nftables mode."""

    def __init__(self, pid: int, proxy: KubeProxy, services: Iterable[Service]) -> None:
        self.pid = pid
        self.proxy = proxy
        self.services = list(services)

    def start(self, leftovers: Sequence[KubeProxySync] = ()) -> None:
        """A new process: rules of the iptables mode are removed."""
        for one in leftovers:
            one.clean_up()
        self.full()

    def full(self) -> None:
        """One transaction. Chains of Services that are gone are removed in a second one, as kube-proxy does a second later."""
        text = rules_nftables_proxy.text(self.proxy, self.services)
        chains = _CHAIN.findall(text)
        lines = ["add table ip kube-proxy"]
        for name, kind in chains:
            lines += ["add chain ip kube-proxy %s%s" % (name, " { %s }" % kind if kind else ""), "flush chain ip kube-proxy " + name]
        for name, kind in _MAP.findall(text):
            lines += ["add map ip kube-proxy %s { %s }" % (name, kind), "flush map ip kube-proxy " + name]
        load_nft(self.pid, "\n".join([*lines, text]))
        stale = [name for name in self._chains() if name.startswith(("service-", "endpoint-")) and name not in dict(chains)]
        removed = ["%s chain ip kube-proxy %s" % (verb, name) for verb in ("flush", "delete") for name in stale]
        if removed:
            load_nft(self.pid, "\n".join([*removed, ""]))

    def _chains(self) -> list[str]:
        command = [*enter(self.pid), "nft", "list", "table", "ip", "kube-proxy"]
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return re.findall(r"^\tchain (\S+) \{", text, re.M)
