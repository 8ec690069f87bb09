# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One packet's way through base chains: every outcome that the rules allow.

The walk keeps a set of states (the packet's mark) instead of one path: a match that is "maybe" sends the packet
both ways, and ways that meet in the same state are one again. So the cost is rules x states, and an answer on
which all outcomes agree is certain however many doubts lie on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import spend
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import (
    ALL_BITS,
    Mark,
    evaluate,
    mark_and_mask,
    number,
    refined,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Packet, Tri, network
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import Rule, Target, shown_text

MAX_DEPTH = 32
MAX_STATES = 64
MAX_EVALUATIONS = 100_000
MAX_TRACE = 500
MAX_ENDS = 256
# kube-proxy's and kubelet's filter chains decide about bit 0x8000 and about Services without endpoints;
# they neither change the mark of a tunnel packet nor stop it.
HARMLESS_UNREAD = frozenset({
    "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-NODEPORTS",
})  # fmt: skip
# Where kube-proxy takes the node's own packets to a Service: in nat OUTPUT, by iptables and in its own nftables table.
_SERVICE_CHAINS = {
    **dict.fromkeys(("nft", "legacy"), frozenset({"KUBE-SERVICES", "KUBE-NODEPORTS"})), "nftables": frozenset({"services"}),
}  # fmt: skip
OUTPUT_HOOKS = frozenset({"OUTPUT", "nat-output"})
_STOPS = frozenset({"DROP", "REJECT", "TARPIT", "STEAL"})
_NAT_TARGETS = frozenset({"MASQUERADE", "SNAT", "NETMAP", "SAME"})
_NEW_DESTINATION = frozenset({"DNAT", "REDIRECT"})
_PASSIVE = frozenset({
    "LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "CHECKSUM", "TOS", "DSCP", "TTL", "TCPMSS", "CLASSIFY", "SECMARK",
    "CONNSECMARK", "ECN", "RATEEST", "LED", "TEE", "IDLETIMER", "CONTINUE", "SYNPROXY",
})  # fmt: skip
_MARKING = frozenset({"MARK", "CONNMARK", "HMARK", "SET"})
_EFFECTS = {
    "ACCEPT": "accept", "RETURN": "return", "NFQUEUE": "queue", "QUEUE": "queue", **dict.fromkeys(_STOPS, "drop"),
    **dict.fromkeys(_NAT_TARGETS, "nat"), **dict.fromkeys(_PASSIVE, "continue"),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One rule that the packet met: its place, its text and what it did."""

    packet: str
    table: str
    chain: str
    number: int
    text: str
    effect: str
    backend: str
    # What a picture needs; the same rule with the same effect is the same step, whatever mark a packet came with.
    hook: str = field(default="", compare=False)
    mark: Mark = field(default=Mark(), compare=False)

    def __str__(self) -> str:
        return f"{self.packet} {self.table} {self.chain} {self.number} {shown_text(self.text)}".rstrip()


Trace = tuple[Step, ...]


def longer(trace: Trace, step: Step) -> Trace:
    """The trace with one more step. Of a way that is too long to be read the first steps and the last one are kept."""
    return (*(trace if len(trace) < MAX_TRACE else trace[: MAX_TRACE - 1]), step)


@dataclass(frozen=True)
class Nat:
    """What a NAT target does to the source: does the port change, does the address change (None: not known)."""

    port_changes: Tri
    address_changes: Tri

    @property
    def rewrites(self) -> Tri:
        """Whether any part of the source changes."""
        if self.port_changes or self.address_changes:
            return True
        return None if self.port_changes is None or self.address_changes is None else False


@dataclass(frozen=True)
class End:
    """How a packet left a base chain: "end" (accepted or ran off the end), "drop", "notrack", "nat", "service" (kube-proxy takes it)."""

    kind: str
    mark: Mark
    nat: Optional[Nat] = None


@dataclass(frozen=True, eq=False)
class BaseChain:
    """One table at one hook: its chains, its reading rules and the printer that wrote the text.

    Equal only to itself, so that walks can be remembered by it: simulated remedies leave most tables as they are.
    """

    backend: str
    table: str
    hook: str
    chains: Mapping[str, Sequence[tuple[str, Rule]]]
    unread: frozenset[str] = frozenset()
    prints_random_fully: bool = True
    known: bool = True


States = dict[Mark, Trace]


@dataclass
class _Walk:
    """The state of one walk through one base chain."""

    base: BaseChain
    packet: Packet
    bit: int
    ends: dict[End, Trace] = field(default_factory=dict)
    evaluations: int = 0
    # What a chain gives back for a mark, with the steps inside it; None while it is being walked.
    visited: dict[tuple[str, Mark], Optional[States]] = field(default_factory=dict)

    def end(self, end: End, trace: Trace) -> None:
        """Note an outcome; the first way to it is the one that is shown. Too many marks are one unknown mark, as in _meet."""
        if len(self.ends) >= MAX_ENDS and end not in self.ends:
            end = End(end.kind, end.mark.anything(), end.nat)
        self.ends.setdefault(end, trace)


@dataclass(frozen=True)
class _Visit:
    """A rule at its place, and where packets go that return from its chain."""

    chain: str
    position: int
    text: str
    rule: Rule
    returned: States
    depth: int

    def step(self, walk: _Walk, effect: str, mark: Mark) -> Step:
        """This rule as a line of the trace."""
        base = walk.base
        return Step(walk.packet.kind, base.table, self.chain, self.position, self.text, effect, base.backend, base.hook, mark)


def _merge(into: States, more: States) -> None:
    for mark, trace in more.items():
        into.setdefault(mark, trace)


def unread_chain(walk: _Walk, states: States) -> States:
    """A chain that could not be read: it may do nothing, clear the bit, or in nat end the walk.

    It is not taken to set the bit: only kube-proxy's marker does that.
    """
    after: States = dict(states)
    for mark, trace in states.items():
        after.setdefault(mark.holding(0, walk.bit), trace)
        if walk.base.table == "nat" and walk.base.hook in OUTPUT_HOOKS:  # a new destination is none of the source's business
            walk.end(End("end", mark), trace)
        elif walk.base.table == "nat":
            walk.end(End("nat", mark, Nat(None, None)), trace)
            walk.end(End("end", mark), trace)
        elif walk.base.table == "raw" and walk.packet.kind == "inner":
            for one in (mark, mark.holding(0, walk.bit)):
                after.setdefault(replace(one, tracking="untracked"), trace)
        elif walk.base.table == "raw":
            walk.end(End("notrack", mark), trace)
    return after


def unread_rule(walk: _Walk, states: States) -> States:
    """A rule that is there, and that this walk does not understand or has no time for: it may do anything."""
    after = unread_chain(walk, states)
    for mark, trace in list(after.items()):
        walk.end(End("end", mark.anything()), trace)
        after.setdefault(mark.anything(), trace)
    return after


def walk_chain(walk: _Walk, chain: str, states: States, depth: int) -> States:
    """Walk one chain; the states that come back to the caller."""
    rules = walk.base.chains.get(chain)
    if depth > MAX_DEPTH:
        return unread_rule(walk, states)
    if rules is None:
        harmless = walk.base.table != "nat" and chain in HARMLESS_UNREAD
        return dict(states) if harmless else unread_chain(walk, states)
    returned: States = {}
    for position, (text, rule) in enumerate(rules, 1):
        if not states:
            break
        states = _meet(walk, _Visit(chain, position, text, rule, returned, depth), states)
    if chain in walk.base.unread and states:  # only its first rules were read
        states = unread_chain(walk, states)
    _merge(returned, states)
    return returned


def _meet(walk: _Walk, visit: _Visit, states: States) -> States:
    """One rule against every state; the states that go on to the next rule."""
    onward: States = {}
    for mark, trace in states.items():
        spend(1 + len(visit.rule.matches) // 8)
        walk.evaluations += 1
        if walk.evaluations > MAX_EVALUATIONS:
            _merge(onward, unread_rule(walk, {mark: trace}))
            continue
        answer = evaluate(visit.rule, walk.packet, mark)
        if answer is False:
            onward.setdefault(mark, trace)
            continue
        met, missed = (mark, mark) if answer else refined(visit.rule, walk.packet, mark)
        if answer is None:
            onward.setdefault(missed, trace)
        _merge(onward, _apply(walk, visit, {met: trace}, doubt=answer is None))
    # Too many marks are one unknown mark.
    return onward if len(onward) <= MAX_STATES else _anything(onward)


def _anything(states: States) -> States:
    """One unknown mark for all, or two where some packets are not tracked."""
    found: States = {}
    for mark, trace in states.items():
        found.setdefault(mark.anything(), trace)
    return found


def _apply(walk: _Walk, visit: _Visit, states: States, doubt: bool) -> States:
    """Every target of a rule that matched, in order."""
    # iptables-nft prints an nft rule with a set or a map only in part, without a word about it; so does a rule look that only counts.
    in_part = walk.base.backend == "nft" and not visit.rule.targets
    if visit.rule.broken or in_part:
        stepped = {mark: longer(trace, visit.step(walk, "unreadable rule", mark)) for mark, trace in states.items()}
        return unread_rule(walk, stepped)
    for target in visit.rule.targets:
        after: States = {}
        for mark, trace in states.items():
            new, effect = _effect(walk, target, mark)
            step = visit.step(walk, ("maybe " if doubt else "") + effect, new)
            _merge(after, _go(walk, visit, target, effect, {new: longer(trace, step)}))
        states = after
    return states


def _effect(walk: _Walk, target: Target, mark: Mark) -> tuple[Mark, str]:
    """The mark after a target, and one word for what the target does."""
    name = target.name
    leads = "goto" if target.goto else "jump"
    if name in walk.base.chains:  # a chain may have the name of a target that this iptables does not have
        return mark, leads
    if name in _MARKING:
        return _mark(walk, target, mark)
    if name in ("NOTRACK", "CT"):
        return _track(walk, target, mark)
    if name in _NEW_DESTINATION or name == "NETMAP" and walk.base.hook in OUTPUT_HOOKS:
        return replace(mark, tracking="dnat"), "accept"
    return mark, _EFFECTS.get(name, leads)


def _mark(walk: _Walk, target: Target, mark: Mark) -> tuple[Mark, str]:
    """MARK, and what gives a mark that nobody can foretell."""
    if target.name == "MARK":
        new = apply_mark(target, mark)
        changed = (new.value ^ mark.value) & walk.bit or (new.unknown ^ mark.unknown) & walk.bit
        return new, "mark cleared" if changed and not new.value & walk.bit and not new.unknown & walk.bit else "mark"
    gives = {"CONNMARK": "--restore-mark", "SET": "--map-set"}.get(target.name)
    return (mark.anything(), "mark") if gives is None or target.option(gives) else (mark, "continue")


def _track(walk: _Walk, target: Target, mark: Mark) -> tuple[Mark, str]:
    """The first of these that a packet meets counts (xt_CT.c). Behind NOTRACK a tunnel packet does not matter any more."""
    if mark.tracking:
        return mark, "continue"
    if target.name == "CT" and not target.option("--notrack"):
        return replace(mark, tracking="template"), "continue"
    return (replace(mark, tracking="untracked") if walk.packet.kind == "inner" else mark), "notrack"


def apply_mark(target: Target, mark: Mark) -> Mark:
    """A MARK target: all its spellings are --set-xmark with some value and mask."""
    for option in target.options:
        pair = mark_and_mask(option.value)
        if pair is None:
            break
        value, mask = pair
        if option.name == "--set-xmark":
            return mark.set(value, mask)
        if option.name == "--set-mark":
            return mark.set(value, mask | value)
        if option.name == "--or-mark":
            return mark.set(value, value)
        if option.name == "--and-mark":
            return mark.set(0, ~value & ALL_BITS)
        if option.name == "--xor-mark":
            return mark.set(value, 0)
    return mark.anything()


def _go(walk: _Walk, visit: _Visit, target: Target, effect: str, states: States) -> States:
    """Where the packet goes after a target; the states that go on to the next rule."""
    if effect == "return":
        _merge(visit.returned, states)
    elif effect in ("jump", "goto"):
        back: States = {}
        for mark, trace in states.items():
            _merge(back, _enter(walk, target.name, mark, trace, visit.depth + 1))
        if effect == "jump":
            return back
        _merge(visit.returned, back)
    elif effect == "queue":  # without a listener as ACCEPT, with one as that one likes
        return unread_rule(walk, states)
    elif effect == "notrack" and walk.packet.kind == "inner":  # its mark travels, and the rules behind may still change it
        return states
    elif effect in ("accept", "drop", "notrack", "nat"):
        for mark, trace in states.items():
            nat = source_nat(walk, target) if effect == "nat" else None
            walk.end(End("end" if effect == "accept" else effect, mark, nat), trace)
    else:
        return states
    return {}


def _enter(walk: _Walk, chain: str, mark: Mark, trace: Trace, depth: int) -> States:
    """Walk a chain that a rule leads to, once for each mark; a chain that leads to itself cannot be read."""
    if chain in _SERVICE_CHAINS[walk.base.backend] and walk.base.table == "nat" and walk.base.hook in OUTPUT_HOOKS:
        # They match nothing but the addresses of Services and NodePorts of this node. Those of a kube-proxy that is gone may not match.
        if walk.packet.asks_service:
            walk.end(End("service", mark), trace)
        return {mark: trace}
    key = (chain, mark)
    if key not in walk.visited:
        walk.visited[key] = None
        found = walk_chain(walk, chain, {mark: trace}, depth)
        walk.visited[key] = {after: way[len(trace) :] for after, way in found.items()}
        return found
    known = walk.visited[key]
    if known is None:
        return unread_chain(walk, {mark: trace})
    # Rules that changed nothing are shown once; a way through doubled jumps would be longer than any memory.
    return {after: trace if after == mark or len(trace) > MAX_TRACE else (*trace, *inside) for after, inside in known.items()}


def source_nat(walk: _Walk, target: Target) -> Nat:
    """What MASQUERADE, SNAT or NETMAP does to the source of this packet."""
    random = any(target.option(name) for name in ("--random", "--random-fully"))
    port: Tri = True if random else _moves_port(target)
    if target.name == "MASQUERADE":
        if not port and not walk.base.prints_random_fully:
            port = None  # iptables before 1.6.2 cannot print --random-fully
        primary = walk.packet.source_is_primary
        return Nat(port, None if primary is None else not primary)
    to = target.option("--to-source", "--to")
    wanted = to.value if to else ""
    address, _ports = _address_and_ports(wanted)
    net = network(address) if address else None
    if net is None:
        return Nat(port, None)
    same = walk.packet.source.within(net)
    return Nat(port, None if same is None else not same)


def _address_and_ports(text: str) -> tuple[str, str]:
    """ADDRESS[-ADDRESS][:PORTS]; an IPv6 address with ports stands in brackets."""
    if text.startswith("["):
        address, _bracket, ports = text[1:].partition("]")
        return address, ports.lstrip(":")
    if text.count(":") > 1:
        return text, ""
    address, _colon, ports = text.partition(":")
    return address, ports


def _moves_port(target: Target) -> Tri:
    """--to-ports, or --to-source ADDRESS:PORTS: a source port that lies in that range stays. VXLAN's are never below 1024."""
    ports = target.option("--to-ports")
    to = target.option("--to-source", "--to")
    text = ports.value if ports else _address_and_ports(to.value)[1] if to else ""
    low, _dash, high = text.partition("-")
    first, last = number(low or "0"), number(high or low or "65535")
    if not text or first is not None and last is not None and first <= 1024 and last >= 65535:
        return False
    return True if last is not None and last < 1024 else None


def walk_base(base: BaseChain, packet: Packet, bit: int, starts: States) -> dict[End, Trace]:
    """All outcomes of one base chain."""
    if len(starts) != 1:
        return _walked(base, packet, bit, starts)
    ((mark, trace),) = starts.items()
    return {end: (*trace, *inside) for end, inside in _walked_from(base, packet, bit, mark).items()}


@lru_cache(maxsize=2048)
def _walked_from(base: BaseChain, packet: Packet, bit: int, mark: Mark) -> dict[End, Trace]:
    """The outcomes for one mark; the steps before it do not matter."""
    return _walked(base, packet, bit, {mark: ()})


def _walked(base: BaseChain, packet: Packet, bit: int, starts: States) -> dict[End, Trace]:
    walk = _Walk(base, packet, bit)
    back = walk_chain(walk, base.hook, starts, 0) if base.known else unread_chain(walk, starts)
    for mark, trace in back.items():
        walk.end(End("end", mark), trace)
    return walk.ends
