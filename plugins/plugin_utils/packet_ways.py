# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of a node's packets through the hooks: what mark a packet has when it enters the tunnel, and how the tunnel packet ends.

The kernel asks OUTPUT twice: for the node's own packet, and for the tunnel packet that carries it or a pod's. What PREROUTING and
FORWARD do to a pod's packet is not read; no other mark than kube-proxy's is taken to come from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from typing import Any, Callable

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import Marking, masquerade_mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, base_chains
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_packets import asking_packet, direct_packet, inner_packet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Packet, Tri
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import (
    OUTPUT_HOOKS,
    BaseChain,
    End,
    States,
    Trace,
    walk_base,
)

Hook = tuple[str, str]  # table, hook
_BEFORE_NAT: tuple[Hook, ...] = (("raw", "OUTPUT"), ("mangle", "OUTPUT"))
_OUTPUT = (*_BEFORE_NAT, ("nat", "OUTPUT"), ("filter", "OUTPUT"))
_LATER = (*_BEFORE_NAT, ("filter", "OUTPUT"))
_OUTER_HOOKS = (*_OUTPUT, ("mangle", "POSTROUTING"))


@dataclass(frozen=True)
class Way:
    """One way that a client's packet can take, and whether the outer source is rewritten at its end."""

    client: str
    rewrites: Tri
    end: End
    trace: Trace


Order = tuple[BaseChain, ...]


def orders(bases: Sequence[BaseChain]) -> tuple[Order, ...]:
    """The order of registration cannot be read, so every order counts. Chains that nobody could read are all the same."""
    orders = {tuple(id(base) if base.known else 0 for base in order): order for order in permutations(bases)}
    return tuple(orders.values())


class Node:
    """The facts of a walk, with the base chains of each hook and the packets, which are asked for once."""

    def __init__(self, facts: Facts, device: Mapping[str, Any]) -> None:
        self.facts = facts
        self.device = device
        self.masquerade = masquerade_mark(facts)
        self._orders: dict[Hook, tuple[Order, ...]] = {}
        self._hooks: dict[tuple[Hook, ...], tuple[tuple[Order, ...], ...]] = {}
        self._packets: dict[tuple[Callable[..., Packet], str, str], Packet] = {}

    def packet(self, make: Callable[[Facts, Mapping[str, Any], str], Packet], client: str, state: str = "NEW") -> Packet:
        """One of node_packets' packets."""
        key = (make, client, state)
        if key not in self._packets:
            new = state == "NEW"
            self._packets[key] = make(self.facts, self.device, client) if new else replace(self.packet(make, client), state=state)
        return self._packets[key]

    def orders(self, hook: Hook) -> tuple[Order, ...]:
        """The base chains of this hook, in every order that its backends may have."""
        if hook not in self._orders:
            self._orders[hook] = orders(base_chains(self.facts, *hook))
        return self._orders[hook]

    def hooks(self, hooks: tuple[Hook, ...]) -> tuple[tuple[Order, ...], ...]:
        """Those of several hooks, without the hooks that have no rules."""
        if hooks not in self._hooks:
            self._hooks[hooks] = tuple(found for found in map(self.orders, hooks) if found != ((),))
        return self._hooks[hooks]


def _through(bases: Order, packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """Base chains one after the other: the states that leave the last, and the ends that stop NAT from being asked."""
    ends: list[tuple[End, Trace]] = []
    for base in bases:
        seen = replace(packet, state="INVALID") if base.table == "raw" else packet
        # NAT is not asked for a packet that is not tracked, nor a second time for a destination.
        passing = ("untracked", "dnat") if base.hook in OUTPUT_HOOKS else ("untracked",)
        onward: States = {mark: trace for mark, trace in states.items() if mark.tracking in passing} if base.table == "nat" else {}
        if onward:
            states = {mark: trace for mark, trace in states.items() if mark not in onward}
        for end, trace in walk_base(base, seen, bit, states).items():
            if end.kind == "end":
                onward.setdefault(end.mark, trace)
            elif end.kind != "drop":  # a firewall that stops the packet is no cure
                ends.append((end, trace))
        states = onward
    return states, ends


def _hook(found: tuple[Order, ...], packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """One table at one hook, in every order that its backends may have."""
    if len(found) == 1:
        return _through(found[0], packet, bit, states)
    onward: States = {}
    ends: dict[End, Trace] = {}
    for order in found:
        after, ended = _through(order, packet, bit, states)
        for mark, trace in after.items():
            onward.setdefault(mark, trace)
        for end, trace in ended:
            ends.setdefault(end, trace)
    return onward, list(ends.items())


def _hooks(node: Node, hooks: tuple[Hook, ...], packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """Several, in the order in which a packet meets them."""
    found = node.hooks(hooks)
    if not found:
        return states, []
    if len(states) != 1:
        return _walked(found, packet, bit, states)
    ((mark, trace),) = states.items()
    after, ends = _walked_from(found, packet, bit, mark)
    return {one: (*trace, *inside) for one, inside in after.items()}, [(end, (*trace, *inside)) for end, inside in ends]


@lru_cache(maxsize=1024)
def _walked_from(found: tuple[tuple[Order, ...], ...], packet: Packet, bit: int, mark: Mark) -> tuple[States, list[tuple[End, Trace]]]:
    """The same for one mark: most remedies leave most hooks as they are."""
    return _walked(found, packet, bit, {mark: ()})


def _walked(found: tuple[tuple[Order, ...], ...], packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """The states that leave the last of these hooks, and the ends on the way."""
    ends: list[tuple[End, Trace]] = []
    for one in found:
        states, ended = _hook(one, packet, bit, states)
        ends += ended
    return states, ends


def _changing(trace: Trace, start: Mark) -> Trace:
    """The steps that changed the mark: OUTPUT leads every packet past a dozen rules, and these are worth showing."""
    return tuple(step for before, step in zip((start, *(step.mark for step in trace)), trace) if step.mark.bits != before.bits)


def _with_bit(trace: Trace, bit: int) -> Trace:
    """kube-proxy sets its bit in the middle of OUTPUT; it is shown as if the packet had it all the time."""
    return tuple(replace(step, mark=step.mark.set(bit, bit)) for step in trace)


def _asked(node: Node, mark: Mark) -> Mark:
    """A mark with that of kube-proxy."""
    asked = node.masquerade
    found = mark.set(asked.value, asked.value)
    return replace(found, value=found.value & ~asked.unknown, unknown=found.unknown | asked.unknown)


def _service_marks(node: Node, bit: int, marked: bool) -> States:
    """The marks of the node's own packet to a Service when it has left OUTPUT, with kube-proxy's mark or without."""
    inner = node.packet(inner_packet, "host")
    asking = asking_packet(node.facts, node.device, inner)
    start, _ends = _hooks(node, _BEFORE_NAT, asking, bit, {Mark(0): ()})
    passed, ends = _hooks(node, (("nat", "OUTPUT"),), asking, bit, start)
    taken: States = {}
    for end, trace in ends:
        if end.kind == "service":
            mark = _asked(node, end.mark) if marked else end.mark
            taken[mark] = _with_bit(_changing(trace, Mark(0)), bit if marked else 0)
    if not taken:  # no rules of kube-proxy yet, or none that lead to Services
        taken = {_asked(node, Mark(0)) if marked else Mark(0): ()}
    # Where another tool's rule leads there, kube-proxy does not mark.
    taken.update({replace(mark, tracking=""): trace for mark, trace in passed.items() if mark.tracking == "dnat"})
    # The first route stays the way out until OUTPUT is over.
    chosen = replace(inner, out_interface=asking.out_interface, source_on_out_interface=None)
    onward: States = {}
    for mark, trace in taken.items():
        for after, inside in _hooks(node, (("filter", "OUTPUT"),), chosen, bit, {mark: ()})[0].items():
            onward.setdefault(after, trace + _changing(inside, mark))
    return onward


def _inner_marks(node: Node, packet: Packet, bit: int, nat: Order, states: States) -> States:
    """The marks that the inner packet can have when it reaches the VXLAN device. The tunnel packet is tracked anew."""
    states, _ends = _hooks(node, (("mangle", "POSTROUTING"),), packet, bit, states)
    states, ends = _through(nat, packet, bit, states)
    onward: States = {}
    for mark, trace in (*states.items(), *((end.mark, trace) for end, trace in ends)):
        onward.setdefault(replace(mark, tracking="") if mark.tracking else mark, trace)
    return onward


def marked(node: Node, bit: int, nat: Order, client: str) -> States:
    """The marks of a packet to a Service that kube-proxy has marked. What a pod's packet met before POSTROUTING is not read."""
    start: States = _service_marks(node, bit, True) if client == "host" else {_asked(node, Mark(0)): ()}
    return _inner_marks(node, node.packet(inner_packet, client), bit, nat, start)


def unmarked(node: Node, bit: int, nat: Order, marking: Marking) -> States:
    """The marks of all other packets: to pods' own addresses, and to Services where kube-proxy does not mark."""
    direct = node.packet(direct_packet, "host")
    onward, _ends = _hooks(node, _OUTPUT, direct, bit, {Mark(0): ()})
    packets: list[tuple[Packet, States]] = [(direct, onward), (node.packet(direct_packet, "pod"), {Mark(0): ()})]
    if marking.present and marking.host is not True:
        packets.append((node.packet(inner_packet, "host"), _service_marks(node, bit, False)))
    if marking.present and marking.pod is not True:
        packets.append((node.packet(inner_packet, "pod"), {Mark(0): ()}))
    return _together(node, packets, bit, nat)


def later(node: Node, bit: int) -> States:
    """The marks of the packets behind the first of a flow, for which NAT is not asked.

    Their outer flow may be new all the same: the flow was idle for longer than the outer one is remembered, or the outer source port
    changed (net.core.txrehash).
    """
    packets: list[tuple[Packet, States]] = []
    for make in (direct_packet, inner_packet):
        for client, hooks in (("host", _LATER), ("pod", ())):
            packet = node.packet(make, client, "ESTABLISHED")
            packets.append((packet, _hooks(node, hooks, packet, bit, {Mark(0): ()})[0]))
    return _together(node, packets, bit, ())


def _together(node: Node, packets: Sequence[tuple[Packet, States]], bit: int, nat: Order) -> States:
    marks: States = {}
    for packet, start in packets:
        for mark, trace in _inner_marks(node, packet, bit, nat, start).items():
            marks.setdefault(mark, trace)
    return {mark: _changing(trace, Mark(0)) for mark, trace in marks.items()}


def _shown(trace: Trace) -> Trace:
    """Without the rules that only lead a tunnel packet past the Services in nat OUTPUT."""
    there = ("outer", "nat", "OUTPUT")
    return tuple(step for step in trace if (step.packet, step.table, step.hook) != there or step.effect.endswith(("mark", "cleared")))


def outer_ways(node: Node, packet: Packet, bit: int, states: States, nat: Order, client: str) -> list[Way]:
    """Every way of the outer packet that starts with one of these marks."""
    states, ends = _hooks(node, _OUTER_HOOKS, packet, bit, states)
    ways = [Way(client, False, end, _shown(trace)) for end, trace in ends]
    states, ends = _through(nat, packet, bit, {mark: _shown(trace) for mark, trace in states.items()})
    ways += [Way(client, end.nat.rewrites if end.nat else False, end, trace) for end, trace in ends]
    return ways + [Way(client, False, End("end", mark), trace) for mark, trace in states.items()]
