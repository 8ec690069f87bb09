# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netfilter tables of a transcript, per backend, and the well-known Services that their rules show."""

from __future__ import annotations

import re

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    Netfilter,
    Nftables,
    Printer,
    Services,
    Table,
    TableState,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    Section,
    Transcript,
)

SOURCE = "iptables-nft -S, iptables-legacy-save, nft list chain"
# built-in chains of each table where a locally made packet passes
ROOTS = {
    "raw": ["OUTPUT"],
    "mangle": ["OUTPUT", "POSTROUTING"],
    "filter": ["OUTPUT"],
    "nat": ["OUTPUT", "POSTROUTING"],
}
MAX_RULES = 2000
MAX_SERVICE_RULES = 40
# targets of iptables-extensions(8) and the built-in ones: a jump to anything else is a jump to a chain
EXTENSIONS = frozenset(
    "ACCEPT DROP RETURN QUEUE AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK IDLETIMER LED LOG"
    " MARK MASQUERADE NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS"
    " TPROXY TRACE TTL ULOG".split()
)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
JUMP = re.compile(r"(?:^| )-[jg] (\S+)")
DNS_CHAINS = (
    "KUBE-SVC-TCOU7JCQXEZGVUNU",  # kube-system/kube-dns:dns
    "KUBE-SVC-ERIFXISQEP7F7OF4",  # kube-system/kube-dns:dns-tcp
    "KUBE-SVC-ZRLRAB2E5DTUX37C",  # kube-system/coredns:dns (kubespray)
    "KUBE-SVC-YFPH5LFNKP7E3G4L",  # kube-system/rke2-coredns-rke2-coredns:udp-53
)
KUBERNETES_CHAIN = "KUBE-SVC-NPX46M4PTMTKRN6Y"  # default/kubernetes:https


def netfilter(transcript: Transcript, proxy_mode: str | None) -> Netfilter:
    section = transcript.find("printers")
    if section is None:
        return {"unknown": transcript.missing("printers")}
    if not section.ok:
        return {"unknown": section.reason()}
    words = [line.split(" ", 2) for line in section.lines]
    printers = {backend: _printer(words, backend) for backend in ("nft", "legacy")}
    nf_tables = ["nf_tables", "yes"] in words
    nft = [_nft_table(transcript, table, nf_tables, printers["nft"]) for table in ROOTS]
    legacy = [_legacy_table(transcript, table, words, printers["legacy"]) for table in ROOTS]
    return {
        "source": SOURCE,
        "printers": printers,
        "tables": nft + legacy,
        "nftables": _nftables(transcript, nf_tables, ["nftables", "nft"] in words, proxy_mode),
    }


def _printer(words: list[list[str]], backend: str) -> Printer | None:
    for word in words:
        if word[0] == backend and len(word) == 3:
            version = re.search(r"\bv(\d[\d.]*)", word[2])
            return {"command": word[1], "version": version[1] if version else ""}
    return None


def _state(backend: str, table: str, state: TableState, reason: str = "") -> Table:
    return {
        "backend": backend,
        "table": table,
        "state": state,
        "reason": reason,
        "chains": {},
        "unread": [],
    }


def _nft_table(
    transcript: Transcript, table: str, nf_tables: bool, printer: Printer | None
) -> Table:
    if not nf_tables:
        return _state("nft", table, "absent", "nf_tables is not loaded")
    if printer is None:
        return _state(
            "nft",
            table,
            "unknown",
            "nf_tables is loaded, but this node has no iptables >= 1.8 that reads it: install iptables (iptables-nft)",
        )
    sections = {
        section.args.split(" ")[-1]: section
        for section in transcript.all("chain")
        if section.args.startswith(f"nft {table} ")
    }
    for root in ROOTS[table]:
        section = sections.get(root)
        if section is None or not section.ok:
            denied = section is None and any(_denied(one) for one in transcript.all("chain"))
            reason = "needs root: run with become" if denied else _unreadable(transcript, section)
            return _state("nft", table, "unknown", reason)
    chains: dict[str, list[str]] = {}
    unread = {cut[2] for cut in transcript.cuts if cut[:2] == ("nft", table) and len(cut) == 3}
    for name, section in sections.items():
        _add_chain(chains, unread, name, section)
    if not set(ROOTS[table]) <= set(chains):
        return _state("nft", table, "unknown", f"iptables printed no {table} rules: collect it again")
    return _table("nft", table, chains, unread)


def _denied(section: Section) -> bool:
    return section.code is not None and not section.ok and "needs root" in section.reason()


def _unreadable(transcript: Transcript, section: Section | None) -> str:
    if section is None:
        return transcript.missing("chain")
    reason = section.reason()
    if "incompatible" in reason:
        return f"{reason} Its rules were written by nft, iptables cannot print them: look at nft list ruleset"
    return reason


def _add_chain(
    chains: dict[str, list[str]], unread: set[str], name: str, section: Section
) -> None:
    """The rules of one `iptables -S CHAIN`. A chain that was looked for and does not exist adds nothing."""
    if section.code is None:
        unread.add(name)
        return
    lines = [line for line in section.lines if line and not line.startswith("#")]
    if section.code or not lines:
        return
    rules = lines[1:-1] if section.cut else lines[1:]
    whole = re.match(rf"-[NP] {re.escape(name)}( |$)", lines[0])
    if not whole or not all(rule.startswith(f"-A {name} ") for rule in rules):
        unread.add(name)
        return
    limit = MAX_SERVICE_RULES if name == "KUBE-SERVICES" else MAX_RULES
    chains[name] = [rule[len(f"-A {name} ") :] for rule in rules[:limit]]
    if section.cut or len(rules) > limit:
        unread.add(name)


def target(rule: str) -> str | None:
    """Where a rule jumps or goes to, if it is a chain."""
    found: list[str] = JUMP.findall(QUOTED.sub('""', rule))
    return found[-1] if found and found[-1] not in EXTENSIONS else None


def _table(backend: str, table: str, chains: dict[str, list[str]], unread: set[str]) -> Table:
    targets = {target(rule) for rules in chains.values() for rule in rules}
    missing = {name for name in targets if name and name not in chains}
    return {
        "backend": backend,
        "table": table,
        "state": "read",
        "reason": "",
        "chains": chains,
        "unread": sorted(unread | missing),
    }


def _legacy_table(
    transcript: Transcript, table: str, words: list[list[str]], printer: Printer | None
) -> Table:
    if ["names", "unreadable"] in words:
        return _state("legacy", table, "unknown", "needs root: run with become")
    if ["legacy_table", table] not in words:
        return _state("legacy", table, "absent", f"/proc/net/ip_tables_names has no {table}")
    if printer is None:
        return _state(
            "legacy",
            table,
            "unknown",
            f"the legacy table {table} exists, but this node has no iptables-legacy-save:"
            " install it, or run the probe where kube-proxy's own iptables is",
        )
    section = transcript.find("legacy")
    if section is None:
        return _state("legacy", table, "unknown", transcript.missing("legacy"))
    chains = _saved(section, table)
    if chains is None or not set(ROOTS[table]) <= set(chains):
        return _state("legacy", table, "unknown", _not_saved(section, table))
    cuts = {cut[2] for cut in transcript.cuts if cut[:2] == ("legacy", table) and len(cut) == 3}
    return _table("legacy", table, chains, cuts)


def _saved(section: Section, table: str) -> dict[str, list[str]] | None:
    """The chains of one table in iptables-save's format; None unless the table is whole (has its COMMIT)."""
    chains: dict[str, list[str]] = {}
    inside = False
    for line in section.lines:
        if line.startswith("*"):
            inside = line == f"*{table}"
        elif inside and line.startswith(":"):
            chains[line[1:].split(" ")[0]] = []
        elif inside and line.startswith("-A "):
            _word, name, rule = (line + "  ").split(" ", 2)
            if name not in chains:
                return None
            chains[name].append(rule.rstrip())
        elif inside and line == "COMMIT":
            return chains
    return None


def _not_saved(section: Section, table: str) -> str:
    if section.code is None:
        return section.reason()
    text = next((line for line in section.lines if line and line[0] not in "#*:-"), "")
    if "ermission" in text or "must be root" in text:
        return "needs root: run with become"
    return f"iptables-legacy-save printed no whole table {table}: {text or 'its output is cut off'}"


def _nftables(
    transcript: Transcript, nf_tables: bool, has_nft: bool, proxy_mode: str | None
) -> Nftables:
    answer: Nftables = {"state": "absent", "reason": "", "printer": "", "chains": {}}
    if not nf_tables:
        answer["reason"] = "nf_tables is not loaded"
    elif not has_nft and proxy_mode not in (None, "nftables"):
        answer["reason"] = f"kube-proxy runs in {proxy_mode} mode"
    elif not has_nft:
        answer["state"] = "unknown"
        answer["reason"] = "this node has no nft to look for the table ip kube-proxy: install nftables"
    else:
        sections = [one for one in transcript.all("chain") if one.args.startswith("nftables ")]
        _read_nftables(transcript, sections, answer)
    return answer


def _read_nftables(transcript: Transcript, sections: list[Section], answer: Nftables) -> None:
    first = sections[0] if sections else None
    if first is None or not first.ok:
        gone = first is not None and "No such file" in first.reason()
        answer["state"] = "absent" if gone else "unknown"
        if not gone:
            answer["reason"] = first.reason() if first else transcript.missing("nftables")
        return
    for section in sections:
        if section.ok:
            answer["chains"][section.args.split(" ", 1)[1].replace(" ", "/")] = _nft_rules(section)
    answer.update({"state": "read", "printer": "nft"})
    if sections[-1].code is None:
        answer.update({"state": "unknown", "reason": sections[-1].reason(), "chains": {}})


def _nft_rules(section: Section) -> list[str]:
    lines = (line.strip() for line in section.lines)
    return [
        line for line in lines if line not in ("", "}") and not re.match(r"(table|chain|type|comment) .*", line)
    ]


def services(part: Netfilter) -> Services:
    """Addresses of the well-known Services: `-d IP/32` of their own chains, or of the rule that jumps there."""
    if "unknown" in part:
        return {"unknown": part["unknown"]}
    nat = [table for table in part["tables"] if table["table"] == "nat"]
    found: dict[str, str] = {}
    for table in nat:
        for chain, rules in table["chains"].items():
            for rule in rules:
                match = re.match(r"(?:! -s \S+ |-s \S+ )?-d (\d[\d.]*)(?:/32)? ", rule)
                name = target(rule) if chain == "KUBE-SERVICES" else chain
                if match and name:
                    found.setdefault(name, match[1])
    unread = next((table["reason"] for table in nat if table["state"] == "unknown"), "")
    if unread and not found:
        return {"unknown": unread}
    dns = (found[chain] for chain in DNS_CHAINS if chain in found)
    return {
        "source": "nat KUBE-SVC-* chains of well-known Services",
        "dns": next(dns, None),
        "kubernetes": found.get(KUBERNETES_CHAIN),
    }
