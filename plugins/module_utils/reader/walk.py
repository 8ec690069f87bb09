# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which chains of a table a packet of this node can reach, read one by one (pure but for read)."""

import re
from typing import Any, Callable, Dict, List, Optional, Set

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import rule_text

# the chains of each table that a packet made on this node enters
ROOTS = {
    "raw": ["OUTPUT"],
    "mangle": ["OUTPUT", "POSTROUTING"],
    "filter": ["OUTPUT"],
    "nat": ["OUTPUT", "POSTROUTING"],
}
# hash of namespace/name:port, the same on all clusters (kube-proxy servicePortChainName)
KUBERNETES = "KUBE-SVC-NPX46M4PTMTKRN6Y"
DNS = [
    "KUBE-SVC-TCOU7JCQXEZGVUNU",
    "KUBE-SVC-ERIFXISQEP7F7OF4",
    "KUBE-SVC-ZRLRAB2E5DTUX37C",
    "KUBE-SVC-YFPH5LFNKP7E3G4L",
]
WELL_KNOWN = [KUBERNETES] + DNS
MARKER = "KUBE-MARK-MASQ"
# their number grows with the Services: 110,000 rules must not be read to learn about five
NOT_FOLLOWED = re.compile(r"KUBE-(SERVICES$|NODEPORTS$|SVC-|SEP-|SVL-|EXT-|FW-|XLB-)")
MAX_CHAINS = 64
MAX_RULES = 2000
MAX_SERVICE_RULES = 40
# targets that are no chains: iptables-extensions(8) and the built-in ones
TARGETS = frozenset(
    "ACCEPT DROP RETURN QUEUE AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP"
    " ECN HL HMARK IDLETIMER LED LOG MARK MASQUERADE NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT"
    " SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG".split()
)

# the first rules of a chain, at most so many and one more; None when there is no such chain
ReadChain = Callable[[str, int], Optional[List[str]]]


def jump(rule):  # type: (str) -> Optional[str]
    """The chain that a rule jumps or goes to."""
    words = rule_text.split(rule)
    for option, value in zip(reversed(words[:-1]), reversed(words[1:])):
        if option in ("-j", "-g"):
            return None if value in TARGETS else value
    return None


class Walk:
    """The chains of one table as they are collected."""

    def __init__(self, table, read_chain):  # type: (str, ReadChain) -> None
        self.table = table
        self.read_chain = read_chain
        self.chains = {}  # type: Dict[str, List[str]]
        self.unread = set()  # type: Set[str]

    def read(self, name, limit=MAX_RULES):  # type: (str, int) -> List[str]
        """Read one chain, unless it was read before."""
        if name in self.chains:
            return []
        rules = self.read_chain(name, limit)
        if rules is None:
            return []
        self.chains[name] = rules[:limit]
        if len(rules) > limit:
            self.unread.add(name)
        return self.chains[name]

    def follow(self):  # type: () -> None
        """Everything that the roots reach by jumps."""
        waiting = list(ROOTS[self.table])
        seen = set()  # type: Set[str]
        while waiting:
            name = waiting.pop(0)
            if name in seen or (self.table == "nat" and NOT_FOLLOWED.match(name)):
                continue
            seen.add(name)
            if len(seen) > MAX_CHAINS:
                self.unread.add(name)
                continue
            waiting += [target for target in map(jump, self.read(name)) if target]

    def services(self):  # type: () -> None
        """What a detached KUBE-POSTROUTING holds, the marker, and the Services that every cluster has."""
        for name in ["PREROUTING", "KUBE-POSTROUTING", MARKER] + WELL_KNOWN:
            self.read(name)
            if name in DNS and name in self.chains:
                break  # one DNS Service is enough: all have one address, and kube-proxy writes all alike
        if not any(jump(rule) == MARKER for name in WELL_KNOWN for rule in self.chains.get(name, [])):
            # kube-proxy up to 1.21 marks in KUBE-SERVICES
            self.read("KUBE-SERVICES", MAX_SERVICE_RULES)

    def result(self):  # type: () -> Dict[str, Any]
        """Chains and unread of the facts."""
        targets = {jump(rule) for rules in self.chains.values() for rule in rules}
        missing = {name for name in targets if name and name not in self.chains}
        return {"chains": self.chains, "unread": sorted(self.unread | missing)}


def walk(table, read_chain):  # type: (str, ReadChain) -> Dict[str, Any]
    """Collect one table."""
    way = Walk(table, read_chain)
    way.follow()
    if table == "nat":
        way.services()
    return way.result()


def service_addresses(tables):  # type: (List[Dict[str, Any]]) -> Dict[str, str]
    """Addresses by Service chain, from the Service's own rules or the rule that jumps to it."""
    found = {}  # type: Dict[str, str]
    for table in tables:
        if table["table"] != "nat":
            continue
        for chain, rules in table["chains"].items():
            for rule in rules:
                match = re.match(r"(?:! -s \S+ |-s \S+ )?-d ([0-9a-f][0-9a-f.:]*)(?:/32|/128)? ", rule)
                name = jump(rule) if chain == "KUBE-SERVICES" else chain
                if match and name:
                    found.setdefault(name, match.group(1))
    return found
