# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the walk says of a rule set, against what the kernel did: every difference as a sentence.

Two laws. What the kernel did is one of the ways that the walk found, so a certain answer is right. And a certain verdict is what the
receiver would see: `affected` has a wrong checksum on the wire, `unaffected` and `mitigated` have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from rule_sets import DEVICES, RuleSet
from sight import KINDS, Seen

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import rewrite as reasoning
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import base_chains
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import judge

# The order in which the kernel asks the nat tables of a stand, as the backends are called in a base chain.
_ORDERS = {
    "nft": ("nft",), "legacy": ("legacy",), "nft_then_legacy": ("nft", "legacy"), "legacy_then_nft": ("legacy", "nft"),
    "native_then_nft": ("nftables", "nft"), "nft_then_native": ("nft", "nftables"),
}  # fmt: skip


# What the walk answers for one client, and its ways.
Walked = tuple[Optional[bool], list[reasoning.Way]]


@dataclass
class Judgment:
    """One rule set judged. `answers` and `truths` by client; `wrong` is empty when the walk was right."""

    status: str
    holds: str
    answers: dict[str, Optional[bool]]
    truths: dict[str, set[bool]]
    wrong: list[str] = field(default_factory=list)
    seen: int = 0


def walked_ways(facts: Mapping[str, Any], stand: str) -> dict[str, Walked]:
    """The walk's answer and its ways by client, with nat's tables in the order in which this kernel asks them."""
    device = facts["vxlan"]["devices"][0]
    found = reasoning.rewrite(facts, device)
    bases = base_chains(found.walked, "nat", "POSTROUTING")
    order = sorted(bases, key=lambda base: _ORDERS[stand].index(base.backend))
    answers = reasoning._one_order(reasoning.Node(found.walked, device), found.marking, order)
    walked = {client: (answer, ways) for client, answer, ways in answers}
    plain = walked["any"]
    for client, marked in (("host", found.marking.host), ("pod", found.marking.pod)):
        if marked is False:
            walked[client] = plain
        elif marked is None:  # marked or not: both are foretold
            answer = walked[client][0]
            walked[client] = (answer if answer == plain[0] else None, walked[client][1] + plain[1])
    return walked


def _covers(mark: Mark, real: int) -> bool:
    return not (mark.value ^ real) & ~mark.unknown & 0xFFFFFFFF


def _is_way(way: reasoning.Way, seen: Seen) -> bool:
    """Whether this way is what the kernel did. What happens to the mark behind NOTRACK does not matter any more."""
    if way.rewrites is not None and way.rewrites != seen.rewritten:
        return False
    if way.end.kind == "notrack":
        return not seen.tracked
    return _covers(way.end.mark, seen.outer_mark)


def _by_ways(judged: Judgment, walked: Mapping[str, Walked], seen: Mapping[str, Optional[Seen]]) -> None:
    for kind in KINDS:
        one = seen[kind.name]
        if one is None:
            continue
        answer, ways = walked[kind.client]
        judged.truths.setdefault(kind.client, set()).add(one.rewritten)
        if answer is not None and answer != one.rewritten:
            judged.wrong.append("%s: the walk is certain that the source %s, the kernel sent %s" % (
                kind.name, "changes" if answer else "stays", one.outer))  # fmt: skip
        elif not any(_is_way(way, one) for way in ways):
            judged.wrong.append("%s: no way of the walk ends as the kernel's did: rewritten %s, tracked %s, mark %#x; ways %s" % (
                kind.name, one.rewritten, one.tracked, one.outer_mark,
                sorted({(way.end.kind, str(way.rewrites), "%#x/%#x" % (way.end.mark.value, way.end.mark.unknown)) for way in ways}),
            ))  # fmt: skip


def _by_verdict(judged: Judgment, diagnosis: Mapping[str, Any], seen: Mapping[str, Optional[Seen]]) -> None:
    found = {kind: seen[kind.name] for kind in KINDS if seen[kind.name] is not None}
    bad = [kind for kind, one in found.items() if one and one.checksum == "bad"]
    if diagnosis["status"] in ("unaffected", "mitigated") and bad:
        judged.wrong.append("%s, and a wrong checksum travelled: %s" % (diagnosis["status"], ", ".join(kind.name for kind in bad)))
    for protocol in ("tcp", "udp"):
        here = [kind for kind in bad if kind.protocol == protocol]
        asked = [kind for kind in found if kind.protocol == protocol]
        if diagnosis["status"] == "affected" and diagnosis[protocol] == "broken" and not here and len(asked) == 3:
            judged.wrong.append("affected, %s broken, and no wrong checksum travelled" % protocol)
        if diagnosis[protocol] == "ok" and diagnosis["status"] != "exposed" and here:
            judged.wrong.append("%s is ok, and a wrong checksum travelled: %s" % (protocol, here[0].name))


def _instruments(rule_set: RuleSet, seen: Mapping[str, Optional[Seen]]) -> list[str]:
    """The two instruments, connection tracking and the wire, must tell the same story. CHECKSUM is another story."""
    wrong = []
    broken_way = DEVICES[rule_set.device] and rule_set.offload and "CHECKSUM" not in str(rule_set.rules)
    for name, one in seen.items():
        if one is not None and broken_way and (one.checksum == "bad") != one.rewritten:
            wrong.append("%s: the kernel's own stories differ: rewritten %s, checksum %s" % (name, one.rewritten, one.checksum))
        if one is not None and not broken_way and not one.rewritten and one.checksum == "bad":
            wrong.append("%s: a wrong checksum without a rewrite" % name)
    return wrong


def compare(rule_set: RuleSet, facts: Mapping[str, Any], seen: Mapping[str, Optional[Seen]]) -> Judgment:
    """The walk's and the verdict's answers, and where the kernel says otherwise."""
    diagnosis = judge(facts, simulated=True)
    holds = diagnosis["devices"][0]["conditions"]["rewrite"]["holds"]
    if holds == "unknown":  # a table that could not be read: nothing is claimed
        return Judgment(diagnosis["status"], holds, {}, {})
    ways = walked_ways(facts, rule_set.stand)
    judged = Judgment(diagnosis["status"], holds, {client: answer for client, (answer, _ways_of) in ways.items()}, {})
    judged.seen = sum(one is not None for one in seen.values())
    judged.wrong += _instruments(rule_set, seen)
    _by_ways(judged, ways, seen)
    if holds == "no" and any(one.rewritten for one in seen.values() if one):
        judged.wrong.append("rewrite holds no, and a source changed")
    if holds == "yes" and judged.seen == len(KINDS) and not any(one.rewritten for one in seen.values() if one):
        judged.wrong.append("rewrite holds yes, and no source changed")
    _by_verdict(judged, diagnosis, seen)
    return judged
