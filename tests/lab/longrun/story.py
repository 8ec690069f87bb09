# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node gets which remedy, and what happens to it when: data and pure functions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# kube-proxy 1.17 to 1.31, Calico 3.14 to 3.29, flannel 0.12 to 0.21, each with both backends: 20 nodes.
METHODS: Mapping[str, tuple[str, str]] = {  # nft, legacy
    "pre_fix_kube_proxy": ("auto", "masquerade_without_random"),
    "fixed_kube_proxy_calico_first": ("masquerade_without_random", "auto"),
    "flannel_0_20_1": ("service_route", "tx_checksum_off"),
    "kube_proxy_1_17": ("auto", "service_route"),
    "custom_masquerade_bit": ("auto", "notrack"),
    "skew_old_then_new": ("auto", "tx_checksum_off"),
    "masquerade_all": ("notrack", "auto"),
    "flannel_0_21_custom_masquerade_bit": ("rx_tx_offload_off", "auto"),
    "nft_kube_proxy_calico_registered_last": ("tx_checksum_off", "auto"),
    "calico_3_29_notrack": ("auto", "auto"),  # needs none
}


def methods(scenarios: Sequence[str] = tuple(METHODS)) -> dict[str, str]:
    """By the name of the node."""
    unknown = sorted(set(scenarios) - set(METHODS))
    if unknown:
        raise ValueError("no node of the long run is of the scenario %s: choose from %s" % (", ".join(unknown), ", ".join(METHODS)))
    return {"%s_%s" % (name, backend): method for name in scenarios for backend, method in zip(("nft", "legacy"), METHODS[name])}


def control(scenarios: Sequence[str]) -> str:
    """One more node, left as it is: the traffic must be able to fail. A lab repeats its first scenario."""
    return scenarios[0] + "_nft_2"


@dataclass(frozen=True)
class Kind:
    """Something that happens to each node every `period` seconds in an hour's run, and at least `least` times in any."""

    name: str
    period: float
    least: float


KINDS = (
    Kind("kube-proxy sync", 30, 2),
    Kind("CNI refresh", 90, 1),
    Kind("device made again", 240, 1),
    Kind("agents restarted", 600, 0.5),  # in a short run: half of the nodes
)
SHORT = 100.0  # seconds; below, the runs of the playbook are most of a run
REAPPLY = 600.0  # seconds; at least one in any run


@dataclass(frozen=True)
class Event:
    """What happens to which node, in seconds after the start."""

    at: float
    kind: str
    node: str


def plan(seconds: float, nodes: Sequence[str], seed: int) -> list[Event]:
    """Every node and kind in its own rhythm, the same for the same seed."""
    chance = random.Random(seed)
    events = []
    for kind in KINDS:
        period = min(kind.period, seconds / kind.least)
        for node in nodes:
            at = chance.uniform(0, period)
            while at < seconds:
                events.append(Event(at, kind.name, node))
                at += period
    return sorted(events, key=lambda one: one.at)


def again_on(nodes: Sequence[str], seconds: float, turn: int) -> list[str]:
    """All nodes; in a short run every third one."""
    return list(nodes) if seconds >= SHORT else list(nodes)[turn % 3 :: 3]


def reapplies(seconds: float) -> list[float]:
    """When the playbook is run again."""
    period = min(REAPPLY, seconds / 2)
    return [period * (count + 1) for count in range(max(1, int(seconds / period) - 1))]
