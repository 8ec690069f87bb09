# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks with one deliberate mistake each: a judge that does not find them is none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Callable
from unittest import mock

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import matching, packet_ways, rewrite, traversal
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import ALL_BITS, Mark

_UTILS = "ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils."
_set, _equals, _effect, _source_nat = Mark.set, Mark.equals, traversal._effect, traversal.source_nat
_addrtype, _go = matching._addrtype, traversal._go


def _without_negation(answer: Any, negated: bool) -> Any:
    return answer


def _no_return(walk: Any, target: Any, mark: Mark) -> tuple[Mark, str]:
    return (mark, "continue") if target.name == "RETURN" else _effect(walk, target, mark)


def _goto_comes_back(walk: Any, target: Any, mark: Mark) -> tuple[Mark, str]:
    found, effect = _effect(walk, target, mark)
    return found, "jump" if effect == "goto" else effect


def _tracked_in_raw(thing: Any, **changes: Any) -> Any:
    return thing if changes == {"state": "INVALID"} else replace(thing, **changes)


def _accept_goes_on(walk: Any, target: Any, mark: Mark) -> tuple[Mark, str]:
    return (mark, "continue") if target.name == "ACCEPT" else _effect(walk, target, mark)


def _notrack_goes_on(walk: Any, target: Any, mark: Mark) -> tuple[Mark, str]:
    return (mark, "continue") if target.name in ("CT", "NOTRACK") else _effect(walk, target, mark)


def _notrack_ends_the_walk(walk: Any, visit: Any, target: Any, effect: str, states: Any) -> Any:
    if effect != "notrack" or walk.packet.kind != "inner":
        return _go(walk, visit, target, effect, states)
    for mark, trace in states.items():
        walk.end(traversal.End("end", mark), trace)
    return {}


def _every_masquerade_is_random(walk: Any, target: Any) -> Any:
    return replace(_source_nat(walk, target), port_changes=True)


def _limit_iface_out_ignored(packet: Any, match: Any) -> Any:
    return _addrtype(packet, replace(match, options=tuple(one for one in match.options if one.name != "--limit-iface-out")))


# name: (what is replaced, by what)
WALKS: dict[str, tuple[str, Callable[..., Any] | Any]] = {
    "the_mask_of_a_mark_match_is_ignored": ("matching.Mark.equals", lambda mark, value, mask: _equals(mark, value, ALL_BITS)),
    "the_mask_of_set_xmark_is_ignored": ("matching.Mark.set", lambda mark, value, mask: _set(mark, value, ALL_BITS)),
    "negation_is_ignored": ("matching.negate", _without_negation),
    "return_is_ignored": ("traversal._effect", _no_return),
    "goto_is_a_jump": ("traversal._effect", _goto_comes_back),
    "connections_are_tracked_before_raw": ("packet_ways.replace", _tracked_in_raw),
    "accept_does_not_end_the_walk": ("traversal._effect", _accept_goes_on),
    "notrack_does_nothing": ("traversal._effect", _notrack_goes_on),
    "nothing_is_asked_behind_notrack": ("traversal._go", _notrack_ends_the_walk),
    "every_masquerade_draws_a_port": ("traversal.source_nat", _every_masquerade_is_random),
    "limit_iface_out_is_ignored": ("matching._addrtype", _limit_iface_out_ignored),
    "the_mark_does_not_survive_encapsulation": ("rewrite.marked", lambda *_arguments: {Mark(0): ()}),
    "output_does_not_touch_the_inner_packet": ("packet_ways._service_marks", lambda _node, bit, marked: {Mark(bit if marked else 0): ()}),
    "marks_of_other_packets_do_not_travel": ("rewrite.unmarked", lambda *_arguments: {Mark(0): ()}),
}


@contextlib.contextmanager
def broken(name: str = "") -> Iterator[None]:
    """The walk with this mistake, or the walk as it is; what was remembered is forgotten before and after."""
    with contextlib.ExitStack() as stack:
        if name:
            place, instead = WALKS[name]
            stack.enter_context(mock.patch(_UTILS + place, instead))
        stack.callback(_forget)
        _forget()
        yield


def _forget() -> None:
    traversal._walked_from.cache_clear()
    packet_ways._walked_from.cache_clear()
    rewrite._KNOWN.clear()
