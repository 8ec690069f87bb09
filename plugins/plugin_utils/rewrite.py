# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can NAT rewrite the source of a tunnel packet: the inner packet's walk, then the outer packet's.

The inner packet's mark survives encapsulation, so the outer packet starts with the mark that the inner one ended
with (https://github.com/kubernetes/kubernetes/pull/92035).
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import (
    Marking,
    marking,
    masquerade_bit,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import ALL_BITS, Mark, evaluate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    Facts,
    part,
    tables,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_packets import asking_packet, inner_packet, outer_packet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packet_ways import (
    Node,
    Order,
    Way,
    later,
    marked,
    outer_ways,
    unmarked,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Tri
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule, print_rule, shown_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import Step, Trace

_DHCP = frozenset({"67", "68", "67:68", "546", "547"})


@dataclass(frozen=True)
class Rewrite:
    """The answer for one device. holds: yes, no, maybe or unknown."""

    holds: str
    evidence: str
    clients: tuple[str, ...]
    ways: tuple[Way, ...]
    marking: Marking
    trace: Trace = ()
    # The facts that were walked: with the rules of a kube-proxy to come where there is none yet.
    walked: Facts = field(default_factory=dict)

    @property
    def shown(self) -> Optional[Way]:
        """The way that `trace` is of: the rewrite if there is one."""
        there = [way for way in self.ways if way.trace is self.trace and (not self.clients or way.client == self.clients[0])]
        return min(there, key=lambda way: {True: 0, None: 1, False: 2}[way.rewrites], default=None)


# A node is judged again with each remedy, and most of those leave everything that decides here as it was.
_DEPENDS_ON = ("netfilter", "routes", "kube_proxy", "cni", "services")
_MOST_KNOWN = 64
_KNOWN: dict[bytes, Rewrite] = {}


def _may_fill_checksums(facts: Facts, device: Mapping[str, Any]) -> str:
    """A CHECKSUM rule that tunnel packets or what they carry may meet: with the checksum filled by software, NAT does no harm.

    The rule that libvirt writes is for DHCP, which is no Service.
    """
    chains = (texts for entry in tables(facts, "mangle") for texts in (entry.get("chains") or {}).values())
    rules = [str(text) for texts in chains for text in texts if parse_rule(text).target == "CHECKSUM"]
    if not rules:  # nearly always, and the packets are dear
        return ""
    host, pod = (inner_packet(facts, device, client) for client in ("host", "pod"))
    packets = [outer_packet(facts, device), asking_packet(facts, device, host), host, pod]
    for text in rules:
        rule = parse_rule(text)
        dhcp = any(not option.negated and set(option.value.split(",")) <= _DHCP for option in rule.options("--dport", "--dports"))
        if not dhcp and any(evaluate(rule, one, Mark(0, ALL_BITS)) is not False for one in packets):
            return text
    return ""


def _answer(ways: Sequence[Way]) -> Tri:
    """True when every way rewrites, False when none does."""
    answers = {way.rewrites for way in ways}
    return next(iter(answers)) if len(answers) == 1 else None if answers else False


def _clients(found: Marking) -> list[tuple[str, Tri]]:
    return [(name, sure) for name, sure in (("host", found.host), ("pod", found.pod)) if sure is not False]


def _one_order(node: Node, found: Marking, nat: Order) -> list[tuple[str, Tri, list[Way]]]:
    """For each client whether its outer packet is rewritten, with nat's base chains in this order."""
    bit = masquerade_bit(node.facts)
    outer = outer_packet(node.facts, node.device)
    first = unmarked(node, bit, nat, found)
    plain = outer_ways(node, outer, bit, first, nat, "any")
    others = {mark: trace for mark, trace in later(node, bit).items() if mark not in first} if _answer(plain) is False else {}
    if others:
        plain += outer_ways(node, outer, bit, others, nat, "any")
    answers = [("any", _answer(plain), plain)]
    for client, sure in _clients(found):
        ways = outer_ways(node, outer, bit, marked(node, bit, nat, client), nat, client)
        answer = _answer(ways)
        answers.append((client, None if answer and not sure else answer, ways))
    return answers


def _walk_all(facts: Facts, device: Mapping[str, Any], found: Marking) -> tuple[Tri, list[tuple[str, Tri, list[Way]]], bool]:
    """The worst answer over all orders, the answers of that order, and whether the orders differ."""
    results = []
    node = Node(facts, device)
    for order in node.orders(("nat", "POSTROUTING")):
        answers = _one_order(node, found, order)
        tris = [answer for _client, answer, _ways in answers]
        results.append((True if True in tris else None if None in tris else False, answers))
    rank = {True: 2, None: 1, False: 0}
    worst = max(results, key=lambda result: rank[result[0]])
    differ = len({result[0] for result in results}) > 1
    return (None if differ else worst[0]), worst[1], differ


def assume_kube_proxy(facts: Facts) -> Facts:
    """The facts with the rules that a kube-proxy before the fix would write: the worst that can come."""
    bit = f"{masquerade_bit(facts):#x}"
    found = dict(part(facts, "netfilter") or {})
    entries = [dict(entry) for entry in found.get("tables") or []]
    entry = next((one for one in entries if one.get("table") == "nat" and one.get("state") == "read"), None)
    if entry is None:
        entry = {"backend": "nft", "table": "nat", "state": "read", "reason": "", "unread": [], "chains": {}}
        entries = [one for one in entries if (one.get("table"), one.get("state")) != ("nat", "absent")] + [entry]
    chains = {name: list(texts) for name, texts in (entry.get("chains") or {}).items()}
    chains["KUBE-POSTROUTING"] = [f"-m mark --mark {bit}/{bit} -j MASQUERADE --random-fully"]
    jumps = [text for text in chains.get("POSTROUTING", []) if parse_rule(text).target == "KUBE-POSTROUTING"]
    chains["POSTROUTING"] = [*chains.get("POSTROUTING", []), *([] if jumps else ["-j KUBE-POSTROUTING"])]
    chains["KUBE-MARK-MASQ"] = [f"-j MARK --set-xmark {bit}/{bit}"]
    entry["chains"] = chains
    found["tables"] = entries
    return {**facts, "netfilter": found}


def without_unknown(facts: Facts) -> Facts:
    """The facts as if the tables that could not be read did not exist."""
    found = dict(part(facts, "netfilter") or {})
    entries = found.get("tables") or []
    found["tables"] = [{**one, "state": "absent"} if one.get("state") == "unknown" else one for one in entries]
    if (found.get("nftables") or {}).get("state") == "unknown":
        found["nftables"] = {**found["nftables"], "state": "absent"}
    return {**facts, "netfilter": found}


def unread_tables(facts: Facts) -> list[Mapping[str, Any]]:
    """The tables that could not be read, each with its reason."""
    found = part(facts, "netfilter") or {}
    unread = [one for one in found.get("tables") or [] if one.get("state") == "unknown"]
    nftables = found.get("nftables") or {}
    return unread + ([{**nftables, "backend": "nftables", "table": "kube-proxy"}] if nftables.get("state") == "unknown" else [])


def decisive_step(trace: Trace) -> Optional[Step]:
    """The rule that decided: the last that did more than lead on."""
    acting = [step for step in trace if step.effect.replace("maybe ", "") not in ("jump", "goto", "continue", "mark")]
    return acting[-1] if acting else None


def place_of(step: Optional[Step]) -> str:
    """A rule's place and its text without comments, for people."""
    if step is None:
        return ""
    text = shown_text(step.text if step.backend == "nftables" else print_rule(parse_rule(step.text)))
    return f"{step.table} {step.chain} rule {step.number} ({text})"


def _who(clients: Sequence[str]) -> str:
    if "any" in clients:
        return "all tunnel packets"
    names = {"host": "this node's", "pod": "its pods'"}
    return f"the tunnel packets of {' and '.join(names[one] for one in clients)} traffic to Services"


def _text(holds: Tri, clients: Sequence[str], trace: Trace, differ: bool, found: Marking, blind: bool = False) -> str:
    if not found.present and holds is not False:
        return "no kube-proxy rules on this node yet, and those of an old kube-proxy would rewrite tunnel packets"
    place = place_of(decisive_step(trace))
    if holds:
        return f"{place} gives {_who(clients)} a new source"
    if holds is None and (found.only_node_ports or not place):
        return found.evidence
    if holds is None:
        why = "the order of the nat tables cannot be read" if differ else "not every match can be decided"
        if blind:
            why = "iptables before 1.6.2 does not show --random-fully"
        return f"{place} may give {_who(clients)} a new source: {why}"
    if found.present and found.host is False:
        return f"this node's traffic to Services is not marked: {found.evidence}"
    return f"no tunnel packet gets a new source: {place} decides" if place else "no rule rewrites a tunnel packet"


def _chosen(answers: Sequence[tuple[str, Tri, list[Way]]], holds: Tri) -> tuple[tuple[str, ...], Trace]:
    """The clients that are hit and the trace to show: the rewrite if there is one, otherwise the node's own traffic."""
    hit = [(client, ways) for client, answer, ways in answers if answer is not False]
    if hit and holds is not False:
        ways = sorted(hit[0][1], key=lambda way: {True: 0, None: 1, False: 2}[way.rewrites])
        return tuple(client for client, _ways in hit), ways[0].trace
    shown = next((ways for client, _answer, ways in answers if client == "host"), answers[0][2])
    return (), shown[0].trace if shown else ()


def _content(facts: Facts, device: Mapping[str, Any]) -> bytes | None:
    """All that the answer depends on, as one key; None for values of a kind that only lives in a run of Ansible."""
    parts = [facts.get(name) for name in _DEPENDS_ON]
    # Features are left out: a remedy that turns the offload off leaves the answer as it is.
    named = [
        [{key: one for key, one in found.items() if key != "features"} for found in (part(facts, name) or {}).get("devices") or []]
        for name in ("vxlan", "links")
    ]
    own = {key: one for key, one in device.items() if key != "features"}
    try:
        return marshal.dumps((parts, named, own), 2)
    except ValueError:
        return None


def rewrite(facts: Facts, device: Mapping[str, Any]) -> Rewrite:
    """Whether the source of a tunnel packet of this device can be rewritten."""
    key = _content(facts, device)
    found = _KNOWN.get(key) if key else None
    if found is None:
        found = _rewrite(facts, device)
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        if key:
            _KNOWN[key] = found
    return found


def _rewrite(facts: Facts, device: Mapping[str, Any]) -> Rewrite:
    found = marking(facts, device)
    walked = facts if found.present else assume_kube_proxy(facts)
    sure, answers, differ = _walk_all(walked, device, found)
    filled = _may_fill_checksums(walked, device) if sure else ""
    holds: Optional[str] = None
    if unread_tables(walked):
        known_only, _answers, _differ = _walk_all(without_unknown(walked), device, found)
        agree = known_only == sure and (found.present or sure is False)
        holds = None if agree else "unknown"
    sure = None if filled else sure
    clients, trace = _chosen(answers, sure)
    ways = tuple(way for _client, _answer, found_ways in answers for way in found_ways)
    blind = any(way.trace == trace and way.end.nat and way.end.nat.port_changes is None for way in ways)
    evidence = _text(sure, clients, trace, differ, found, blind)
    if filled:
        where = place_of(decisive_step(trace))
        evidence = f"{where} gives {_who(clients)} a new source, but {filled} may have filled the checksum in software"
    return Rewrite(holds or {True: "yes", None: "maybe", False: "no"}[sure], evidence, clients, ways, found, trace, walked)
