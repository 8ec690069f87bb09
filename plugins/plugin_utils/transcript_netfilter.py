# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netfilter of a transcript: tables of both backends, kube-proxy's nftables table, the well-known Services in them."""

from __future__ import annotations

import re

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    Family,
    Netfilter,
    Nftables,
    Printer,
    Services,
    Table,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    NEEDS_ROOT,
    Section,
    Transcript,
    said,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_tables import (
    DNS_CHAINS,
    KUBERNETES_CHAIN,
    ROOTS,
    Chains,
    listed,
    saved,
    select,
    target,
    unread_table,
)

_DIGIT = {"ipv4": "", "ipv6": "6"}
VERSION = re.compile(r"\bv(\d[\d.]*)")
RULE = re.compile(r"-A \S+ ")
FRAME = re.compile(r"(table|chain|type|comment) ")
DESTINATION = re.compile(r"(?:(?:! )?-s \S+ )?-d ([0-9a-f][0-9a-f.:]*)(?:/32|/128)? ")
SOURCE = "iptables-nft -S, iptables-legacy-save, nft list chain"
ROOT = "needs root: run with become"


def netfilter(transcript: Transcript, proxy_mode: str | None, ipv6: bool = False) -> Netfilter:
    """`ipv6`: the node has a tunnel over IPv6, so the probe has read ip6tables too."""
    section = transcript.find("printers")
    if section is None or not section.ok:
        return {"unknown": section.reason() if section else transcript.missing("printers")}
    lines = section.lines
    printers = {backend: _printer(lines, backend) for backend in ("nft", "legacy")}
    loaded = "nf_tables" in lines
    families: tuple[Family, ...] = ("ipv4", "ipv6") if ipv6 else ("ipv4",)
    return {
        "source": SOURCE,
        "printers": printers,
        "tables": [table for family in families for table in _tables(transcript, family, lines, printers, loaded)],
        "nftables": _nftables(transcript, families, loaded, "nftables" in lines, proxy_mode),
    }


def _tables(
    transcript: Transcript, family: Family, lines: tuple[str, ...], printers: dict[str, Printer | None], loaded: bool
) -> list[Table]:
    nft = [
        _nft_table(transcript, family, table, printers["nft"])
        if loaded
        else unread_table("nft", table, "absent", "nf_tables is not loaded")
        for table in ROOTS
    ]
    legacy = [_legacy_table(transcript, family, table, lines, printers["legacy"]) for table in ROOTS]
    return [{**table, "family": family} for table in nft + legacy]


def _printer(lines: tuple[str, ...], backend: str) -> Printer | None:
    for line in lines:
        words = line.split(" ", 2)
        if words[0] == backend and len(words) == 3:
            version = VERSION.search(words[2])
            return {"command": words[1], "version": version[1] if version else ""}
    return None


def _nft_table(transcript: Transcript, family: Family, table: str, printer: Printer | None) -> Table:
    if printer is None:
        reason = "nf_tables is loaded, but this node has no iptables >= 1.8 that reads it: install iptables (iptables-nft)"
        return unread_table("nft", table, "unknown", reason)
    wanted = f"nft{_DIGIT[family]} {table} "
    sections = {one.args.split(" ")[-1]: one for one in transcript.all("chain") if one.args.startswith(wanted)}
    chains: Chains = {}
    partial = set()
    for name, section in sections.items():
        rules, whole = listed(name, section)
        if rules is not None:
            chains[name] = rules
        if rules is not None and not whole:
            partial.add(name)
    missing = [root for root in ROOTS[table] if root not in chains]
    if missing:
        return unread_table("nft", table, "unknown", _unreadable(transcript, sections.get(missing[0])))
    return select("nft", table, chains, partial)


def _unreadable(transcript: Transcript, section: Section | None) -> str:
    if section is None:
        # the probe stops at the first chain when it may not read
        denied = any(NEEDS_ROOT.search(line) for one in transcript.all("chain") for line in one.lines if not one.ok)
        return ROOT if denied else transcript.missing("chain")
    odd = next((line.lstrip("# ") for line in section.lines if "incompatible" in line), "")
    if odd:  # printed among the rules that iptables does understand
        return f"{said(odd.rstrip('.'))}: it has rules that nft wrote and iptables cannot print, look at them with nft list ruleset"
    odd = next((line for line in section.lines[1:] if line and not RULE.match(line)), "")
    if section.ok and odd:  # "-A POSTROUTING" alone: a set of nft(8) in iptables 1.8.9
        return f"iptables printed {said(odd)!r}, which is no rule: look at it with nft list ruleset"
    return section.reason()


def _legacy_table(transcript: Transcript, family: Family, table: str, lines: tuple[str, ...], printer: Printer | None) -> Table:
    digit = _DIGIT[family]
    names = f"/proc/net/ip{digit}_tables_names"
    if "unreadable" in lines:
        return unread_table("legacy", table, "unknown", ROOT)
    if digit and "legacy6_looked" not in lines:
        reason = f"the probe of this transcript did not look at {names}: collect the transcript again with the probe.sh of this version"
        return unread_table("legacy", table, "unknown", reason)
    if f"legacy{digit}_table {table}" not in lines:
        return unread_table("legacy", table, "absent", f"{names} has no {table}")
    if printer is None:
        reason = (
            f"{names} has {table}, but this node has no iptables-legacy-save:"
            " install it, or run the probe with the iptables of the kube-proxy container"
        )
        return unread_table("legacy", table, "unknown", reason)
    section = transcript.find("legacy" + digit)
    if section is None:
        return unread_table("legacy", table, "unknown", transcript.missing("legacy" + digit))
    chains = saved(section, table)
    if chains is None or not set(ROOTS[table]) <= set(chains):
        return unread_table("legacy", table, "unknown", _not_saved(section, table))
    return select("legacy", table, chains, set())


def _not_saved(section: Section, table: str) -> str:
    if section.code is None:
        return section.reason()
    words = [line for line in section.lines if line.strip() and line[0] not in "#*:-" and line != "COMMIT"]
    if any(NEEDS_ROOT.search(line) for line in words):
        return ROOT
    return f"iptables-legacy-save printed no whole table {table}: {said(words[0]) if words else 'its output is cut off'}"


def _nftables(
    transcript: Transcript, families: tuple[Family, ...], loaded: bool, has_nft: bool, proxy_mode: str | None
) -> Nftables:
    answer: Nftables = {"state": "absent", "reason": "", "printer": "", "chains": {}}
    if not loaded:
        return {**answer, "reason": "nf_tables is not loaded"}
    if not has_nft and proxy_mode not in (None, "nftables"):
        return {**answer, "reason": f"kube-proxy runs in {proxy_mode} mode"}
    if not has_nft:
        reason = "this node has no nft to look for the table ip kube-proxy: install nftables"
        return {**answer, "state": "unknown", "reason": reason}
    reason = _nft_failure(transcript, families)
    if reason:
        return {**answer, "state": "unknown", "reason": reason}
    sections = [one for one in transcript.all("chain") if one.args.startswith(("nftables ", "nftables6 "))]
    chains = {_nft_name(one): _nft_rules(one) for one in sections if one.ok}
    return {**answer, "state": "read", "printer": "nft", "chains": chains} if chains else answer


def _nft_failure(transcript: Transcript, families: tuple[Family, ...]) -> str:
    """Why the tables of all families, which have one state, are not known; empty when each is read or not there."""
    for word in (f"nftables{_DIGIT[family]}" for family in families):
        sections = [one for one in transcript.all("chain") if one.args.startswith(word + " ")]
        if not sections:
            return transcript.missing(word)
        failed = next((one.reason() for one in sections if not one.ok and "No such file" not in one.reason()), "")
        if failed:
            return failed
    return ""


def _nft_name(section: Section) -> str:
    """kube-proxy/CHAIN for the table ip kube-proxy, `ip6 kube-proxy`/CHAIN for the other family's."""
    word, table, chain = section.args.split(" ")
    return f"{'ip6 ' if word == 'nftables6' else ''}{table}/{chain}"


def _nft_rules(section: Section) -> list[str]:
    lines = (line.strip() for line in section.lines)
    return [line for line in lines if line not in ("", "}") and not FRAME.match(line)]


def services(part: Netfilter) -> Services:
    """Addresses of the well-known Services: `-d IP/32` of their own chains, or of the rule that jumps there."""
    if "unknown" in part:
        return {"unknown": part["unknown"]}
    nat = [table for table in part["tables"] if table["table"] == "nat"]
    ipv4, ipv6 = ([table for table in nat if table["family"] == family] for family in ("ipv4", "ipv6"))
    found, found_v6 = _addresses(ipv4), _addresses(ipv6)
    reason = next((table["reason"] for table in nat if table["state"] == "unknown"), "")
    if reason and not found and not found_v6:
        return {"unknown": reason}
    dns, kubernetes = _well_known(found)
    dns_v6, kubernetes_v6 = _well_known(found_v6)
    return {
        "source": "nat KUBE-SVC-* chains of well-known Services",
        "dns": dns or dns_v6,
        "kubernetes": kubernetes or kubernetes_v6,
        "dns_ipv6": dns_v6,
        "kubernetes_ipv6": kubernetes_v6,
    }


def _addresses(nat: list[Table]) -> dict[str, str]:
    """The address of each well-known Service by the name of its chain."""
    found: dict[str, str] = {}
    for table in nat:
        for chain, rules in table["chains"].items():
            for rule in rules:
                match = DESTINATION.match(rule)
                name = target(rule) if chain == "KUBE-SERVICES" else chain
                if match and name:
                    found.setdefault(name, match[1])
    return found


def _well_known(found: dict[str, str]) -> tuple[str | None, str | None]:
    """(cluster DNS, kubernetes)."""
    return next((found[chain] for chain in DNS_CHAINS if chain in found), None), found.get(KUBERNETES_CHAIN)
