# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of a node's packets through the hooks: what mark a packet has when it enters the tunnel, and how the tunnel packet ends.

The kernel asks OUTPUT twice: for the node's own packet, and for the tunnel packet that carries it or a pod's. What PREROUTING and
FORWARD do to a pod's packet is not read; no other mark than kube-proxy's is taken to come from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import Marking
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, base_chains
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_packets import asking_packet, direct_packet, inner_packet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Packet, Tri
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import (
    BaseChain,
    End,
    States,
    Trace,
    walk_base,
)

_BEFORE_NAT = (("raw", "OUTPUT"), ("mangle", "OUTPUT"))
_UNTRACKED = (("mangle", "OUTPUT"), ("filter", "OUTPUT"), ("mangle", "POSTROUTING"))
_OUTPUT = (*_BEFORE_NAT, ("nat", "OUTPUT"), ("filter", "OUTPUT"))
_OUTER_HOOKS = (*_OUTPUT, ("mangle", "POSTROUTING"))


@dataclass(frozen=True)
class Way:
    """One way that a client's packet can take, and whether the outer source is rewritten at its end."""

    client: str
    rewrites: Tri
    end: End
    trace: Trace


def orders(bases: Sequence[BaseChain]) -> list[Sequence[BaseChain]]:
    """The order of registration cannot be read, so every order counts. Chains that nobody could read are all the same."""
    orders = {tuple(id(base) if base.known else 0 for base in order): order for order in permutations(bases)}
    return list(orders.values())


class Node:
    """The facts of a walk, with the base chains of each hook, which are asked for once."""

    def __init__(self, facts: Facts, device: Mapping[str, Any]) -> None:
        self.facts = facts
        self.device = device
        self._orders: dict[tuple[str, str], list[Sequence[BaseChain]]] = {}

    def orders(self, table: str, hook: str) -> list[Sequence[BaseChain]]:
        """The base chains of this table at this hook, in every order that its backends may have."""
        if (table, hook) not in self._orders:
            self._orders[table, hook] = orders(base_chains(self.facts, table, hook))
        return self._orders[table, hook]


def _through(bases: Sequence[BaseChain], packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """Base chains one after the other: the states that leave the last, and the ends that stop NAT from being asked."""
    ends: list[tuple[End, Trace]] = []
    for base in bases:
        seen = replace(packet, state="INVALID") if base.table == "raw" else packet
        onward: States = {}
        for end, trace in walk_base(base, seen, bit, states).items():
            if end.kind == "end":
                onward.setdefault(end.mark, trace)
            elif end.kind != "drop":  # a firewall that stops the packet is no cure
                ends.append((end, trace))
        states = onward
    return states, ends


def _hook(node: Node, table: str, hook: str, packet: Packet, bit: int, states: States) -> tuple[States, list[tuple[End, Trace]]]:
    """One table at one hook, in every order that its backends may have."""
    onward: States = {}
    ends: dict[End, Trace] = {}
    for order in node.orders(table, hook):
        after, found = _through(order, packet, bit, states)
        for mark, trace in after.items():
            onward.setdefault(mark, trace)
        for end, trace in found:
            ends.setdefault(end, trace)
    return onward, list(ends.items())


def _hooks(
    node: Node, hooks: Iterable[tuple[str, str]], packet: Packet, bit: int, states: States
) -> tuple[States, list[tuple[End, Trace]]]:
    """Several, in the order in which a packet meets them."""
    ends: list[tuple[End, Trace]] = []
    for table, hook in hooks:
        states, found = _hook(node, table, hook, packet, bit, states)
        ends += found
    return states, ends


def _changing(trace: Trace, start: Mark) -> Trace:
    """The steps that changed the mark: OUTPUT leads every packet past a dozen rules, and these are worth showing."""
    return tuple(step for before, step in zip((start, *(step.mark for step in trace)), trace) if step.mark != before)


def _with_bit(trace: Trace, bit: int) -> Trace:
    """kube-proxy sets its bit in the middle of OUTPUT; it is shown as if the packet had it all the time."""
    return tuple(replace(step, mark=step.mark.set(bit, bit)) for step in trace)


def _service_marks(node: Node, bit: int, marked: bool) -> States:
    """The marks of the node's own packet to a Service when it has left OUTPUT, with kube-proxy's mark or without."""
    inner = inner_packet(node.facts, node.device, "host")
    asking = asking_packet(node.facts, node.device, inner)
    start, _ends = _hooks(node, _BEFORE_NAT, asking, bit, {Mark(0): ()})
    _states, ends = _hook(node, "nat", "OUTPUT", asking, bit, start)
    mask = bit if marked else 0
    taken = {end.mark.set(mask, mask): _with_bit(_changing(trace, Mark(0)), mask) for end, trace in ends if end.kind == "service"}
    if not taken:  # no rules of kube-proxy yet, or none that lead to Services
        return {Mark(mask): ()}
    # The first route stays the way out until OUTPUT is over.
    chosen = replace(inner, out_interface=asking.out_interface, source_on_out_interface=None)
    onward: States = {}
    for mark, trace in taken.items():
        for after, inside in _hook(node, "filter", "OUTPUT", chosen, bit, {mark: ()})[0].items():
            onward.setdefault(after, trace + _changing(inside, mark))
    return onward


def _inner_marks(node: Node, packet: Packet, bit: int, nat: Sequence[BaseChain], states: States) -> States:
    """The marks that the inner packet can have when it reaches the VXLAN device."""
    states, _ends = _hook(node, "mangle", "POSTROUTING", packet, bit, states)
    states, ends = _through(nat, packet, bit, states)
    for end, trace in ends:
        states.setdefault(end.mark, trace)
    return states


def marked(node: Node, bit: int, nat: Sequence[BaseChain], client: str) -> States:
    """The marks of a packet to a Service that kube-proxy has marked. What a pod's packet met before POSTROUTING is not read."""
    start: States = _service_marks(node, bit, True) if client == "host" else {Mark(bit): ()}
    return _inner_marks(node, inner_packet(node.facts, node.device, client), bit, nat, start)


def unmarked(node: Node, bit: int, nat: Sequence[BaseChain], marking: Marking) -> States:
    """The marks of all other packets: to pods' own addresses, and to Services where kube-proxy does not mark."""
    direct = direct_packet(node.facts, node.device, "host")
    start, ends = _hook(node, "raw", "OUTPUT", direct, bit, {Mark(0): ()})
    onward, _ends = _hooks(node, _OUTPUT[1:], direct, bit, start)
    packets: list[tuple[Packet, States]] = [(direct, onward), (direct_packet(node.facts, node.device, "pod"), {Mark(0): ()})]
    # Not even a packet that is not tracked leaves its mark behind.
    untracked = {end.mark: trace for end, trace in ends if end.kind == "notrack"}
    marks = _hooks(node, _UNTRACKED, replace(direct, state="UNTRACKED"), bit, untracked)[0]
    if marking.present and marking.host is not True:
        packets.append((inner_packet(node.facts, node.device, "host"), _service_marks(node, bit, False)))
    if marking.present and marking.pod is not True:
        packets.append((inner_packet(node.facts, node.device, "pod"), {Mark(0): ()}))
    for packet, start in packets:
        for mark, trace in _inner_marks(node, packet, bit, nat, start).items():
            marks.setdefault(mark, trace)
    return {mark: _changing(trace, Mark(0)) for mark, trace in marks.items()}


def _shown(trace: Trace) -> Trace:
    """Without the rules that only lead a tunnel packet past the Services in nat OUTPUT."""
    there = ("outer", "nat", "OUTPUT")
    return tuple(step for step in trace if (step.packet, step.table, step.hook) != there or step.effect.endswith(("mark", "cleared")))


def outer_ways(node: Node, packet: Packet, bit: int, states: States, nat: Sequence[BaseChain], client: str) -> list[Way]:
    """Every way of the outer packet that starts with one of these marks."""
    states, ends = _hooks(node, _OUTER_HOOKS, packet, bit, states)
    ways = [Way(client, False, end, _shown(trace)) for end, trace in ends]
    states, ends = _through(nat, packet, bit, {mark: _shown(trace) for mark, trace in states.items()})
    ways += [Way(client, end.nat.rewrites if end.nat else False, end, trace) for end, trace in ends]
    return ways + [Way(client, False, End("end", mark), trace) for mark, trace in states.items()]
