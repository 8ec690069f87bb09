# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains as `iptables -S CHAIN` and `iptables-save` print them, and which of them count."""

from __future__ import annotations

import re

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import Table, TableState
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import Section

Chains = dict[str, list[str]]

# the built-in chains of each table that a locally made packet passes
ROOTS = {
    "raw": ["OUTPUT"],
    "mangle": ["OUTPUT", "POSTROUTING"],
    "filter": ["OUTPUT"],
    "nat": ["OUTPUT", "POSTROUTING"],
}
MAX_CHAINS = 64
MAX_RULES = 2000
MAX_SERVICE_RULES = 40
KUBERNETES_CHAIN = "KUBE-SVC-NPX46M4PTMTKRN6Y"  # default/kubernetes:https
DNS_CHAINS = (
    "KUBE-SVC-TCOU7JCQXEZGVUNU",  # kube-system/kube-dns:dns
    "KUBE-SVC-ERIFXISQEP7F7OF4",  # kube-system/kube-dns:dns-tcp
    "KUBE-SVC-ZRLRAB2E5DTUX37C",  # kube-system/coredns:dns (kubespray)
    "KUBE-SVC-YFPH5LFNKP7E3G4L",  # rke2
)
# with 10,000 Services these are 110,000 rules
NOT_FOLLOWED = re.compile(r"KUBE-(SERVICES$|NODEPORTS$|(SVC|SEP|EXT|FW|XLB|SVL)-)")
# built-in targets and those of iptables-extensions(8): a jump to anything else is a jump to a chain
EXTENSIONS = re.compile(
    r"ACCEPT|DROP|RETURN|QUEUE|AUDIT|CHECKSUM|CLASSIFY|CLUSTERIP|CONNMARK|CONNSECMARK|CT|DNAT|DNPT|DSCP|ECN|HL|HMARK|IDLETIMER|LED|LOG"
    r"|MARK|MASQUERADE|NETMAP|NFLOG|NFQUEUE|NOTRACK|RATEEST|REDIRECT|REJECT|SECMARK|SET|SNAT|SNPT|SYNPROXY|TCPMSS|TCPOPTSTRIP|TEE|TOS"
    r"|TPROXY|TRACE|TTL|ULOG"
)
# A rule without a word behind its chain counts every packet.
RULE = re.compile(r"-A (\S+)(?: (.*))?\Z")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
JUMP = re.compile(r"(?:^| )-[jg] (\S+)")


def unread_table(backend: str, table: str, state: TableState, reason: str = "") -> Table:
    return {"family": "ipv4", "backend": backend, "table": table, "state": state, "reason": reason, "chains": {}, "unread": []}


def listed(name: str, section: Section) -> tuple[list[str] | None, bool]:
    """(rules, whole) of one `iptables -S CHAIN`; None: no such chain, or not readable."""
    lines = [line for line in section.lines if line and not line.startswith("#")]
    if not section.ok or not lines or lines[0].split(" ")[:2] not in (["-N", name], ["-P", name]):
        return None, False
    rules = lines[1:-1] if section.cut else lines[1:]
    if not all(rule.startswith(f"-A {name} ") for rule in rules):
        return None, False
    return [rule[len(f"-A {name} ") :] for rule in rules], not section.cut


def saved(section: Section, table: str) -> Chains | None:
    """The chains of one table of `iptables-save`; None unless the table is whole: each line known, COMMIT at its end."""
    chains: Chains = {}
    inside = False
    for line in section.lines:
        if line.startswith("*"):
            inside = line == f"*{table}"
        elif not inside or line.startswith("#"):
            continue
        elif line == "COMMIT":
            return chains
        elif line.startswith(":"):
            chains[line[1:].split(" ")[0]] = []
        else:
            match = RULE.match(line)
            if not match or match[1] not in chains:
                return None
            chains[match[1]].append(match[2] or "")
    return None


def target(rule: str) -> str | None:
    """Where a rule jumps or goes to, if that is a chain."""
    found: list[str] = JUMP.findall(QUOTED.sub('""', rule))
    return found[-1] if found and not EXTENSIONS.fullmatch(found[-1]) else None


def select(backend: str, table: str, chains: Chains, partial: set[str]) -> Table:
    """The part of `chains` that counts, within the limits. `partial`: chains of which the node printed only a part."""
    names = _reachable(table, chains)
    if table == "nat":
        # KUBE-POSTROUTING also when somebody has taken the jump to it away
        # One DNS Service is enough: all have one address, and kube-proxy writes all alike.
        dns = [name for name in DNS_CHAINS if name in chains][:1]
        wanted = ["PREROUTING", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", KUBERNETES_CHAIN, *dns]
        names += [name for name in wanted if name in chains and name not in names]
        known = [rule for name in wanted[3:] for rule in chains.get(name, [])]
        if "KUBE-SERVICES" in chains and not any(target(rule) == "KUBE-MARK-MASQ" for rule in known):
            names.append("KUBE-SERVICES")  # kube-proxy <= 1.21 has its marker rules there
    answer = unread_table(backend, table, "read")
    unread = set()
    for name in names:
        limit = MAX_SERVICE_RULES if (table, name) == ("nat", "KUBE-SERVICES") else MAX_RULES
        answer["chains"][name] = chains[name][:limit]
        if name in partial or len(chains[name]) > limit:
            unread.add(name)
        unread.update(to for to in map(target, chains[name][:limit]) if to and to not in names)
    answer["unread"] = sorted(unread)
    return answer


def _reachable(table: str, chains: Chains) -> list[str]:
    names = list(ROOTS[table])
    for name in names:  # grows while it is walked
        for to in map(target, chains[name][:MAX_RULES]):
            if not to or to in names or to not in chains or len(names) >= MAX_CHAINS:
                continue
            if table != "nat" or not NOT_FOLLOWED.match(to):
                names.append(to)
    return names
