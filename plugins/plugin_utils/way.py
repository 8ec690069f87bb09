# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet's way as data, for a picture: what each step of `walk` did, and whether the checksum broke at its end.

`steps` is parallel to `walk`, the texts of the same steps, and does not repeat them: at 10,000 hosts they are most of a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import family_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import masquerade_bit
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, base_chains, underlay_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import Rewrite, unread_tables
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import shown_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import Step, Trace

_NAT_TARGETS = ("MASQUERADE", "SNAT", "NETMAP")
# Behind one of these no later rule of the chain is met.
_LEAVES = ("accept", "drop", "notrack", "nat", "return", "goto")
_MOST_PASSED = 6
_TABLES = ("raw", "mangle", "filter", "nat")


class WayStep(TypedDict):
    """What one rule did. matched: yes or maybe. mark: kube-proxy's bit behind the rule: set, clear or unknown."""

    backend: str
    hook: str
    effect: str
    matched: str
    mark: str


class Passed(TypedDict):
    """A rule that would rewrite the packet, and did not match."""

    backend: str
    chain: str
    number: int
    rule: str


class WayData(TypedDict):
    """One packet's way. port: "rewritten", "kept" or "maybe". checksum: "broken", "good", "maybe" or "unknown"."""

    family: str
    client: str
    device: str
    underlay: str
    vni: Optional[int]
    port: Optional[int]
    outer_checksum: str
    bit: str
    assumed: bool
    mark: str
    steps: list[WayStep]
    passed: list[Passed]
    unread: list[str]  # tables of which at least one backend could not be read
    end: str
    source: str
    checksum: str


def _mark(mark: Mark, bit: int) -> str:
    return "unknown" if mark.unknown & bit else "set" if mark.value & bit else "clear"


def _step(step: Step, bit: int) -> WayStep:
    doubt = step.effect.startswith("maybe ")
    return {
        "backend": step.backend, "hook": step.hook, "effect": step.effect[6:] if doubt else step.effect,
        "matched": "maybe" if doubt else "yes", "mark": _mark(step.mark, bit),
    }  # fmt: skip


def _passed(facts: Facts, trace: Trace) -> list[Passed]:
    """The rules at the last hook that give a source to what they match, and that this packet walked past."""
    met = {(step.backend, step.chain, step.number): step.effect for step in trace if (step.packet, step.table) == ("outer", "nat")}
    found: list[Passed] = []
    for base in base_chains(facts, "nat", "POSTROUTING"):
        for chain in sorted({chain for backend, chain, _number in met if backend == base.backend} | {base.hook}):
            left = min((at for (backend, name, at), effect in met.items()
                        if (backend, name) == (base.backend, chain) and effect in _LEAVES), default=None)  # fmt: skip
            for number, (text, rule) in enumerate(base.chains.get(chain) or (), 1):
                if rule.target in _NAT_TARGETS and (base.backend, chain, number) not in met and (left is None or number < left):
                    found.append({"backend": base.backend, "chain": chain, "number": number, "rule": shown_text(text)})
    return found[:_MOST_PASSED]


def _unread(facts: Facts) -> list[str]:
    """The tables that may hold rules that nobody has seen; kube-proxy's own nftables table stands for nat."""
    names = {"nat" if one["table"] == "kube-proxy" else str(one["table"]) for one in unread_tables(facts)}
    return [name for name in _TABLES if name in names]


def _checksum(conditions: Mapping[str, Any], source: str) -> str:
    """Where port or address change, offload is on and the kernel has the defect, the checksum on the wire is wrong."""
    if source == "maybe" and conditions["rewrite"]["holds"] == "unknown" and "no" not in (
        conditions["kernel_defect"]["holds"], conditions["offload"]["holds"]
    ):  # fmt: skip
        return "unknown"
    holds = [conditions["kernel_defect"]["holds"], conditions["offload"]["holds"]]
    if source == "kept" or "no" in holds:
        return "good"
    if "unknown" in holds:
        return "unknown"
    return "broken" if source == "rewritten" and holds == ["yes", "yes"] else "maybe"


def way(facts: Facts, device: Mapping[str, Any], conditions: Mapping[str, Any], found: Optional[Rewrite]) -> Optional[WayData]:
    """The way of the packet that a verdict is about; None where no rules were read."""
    shown = found.shown if found else None
    if found is None or shown is None:
        return None
    bit = masquerade_bit(facts)
    source = {True: "rewritten", False: "kept", None: "maybe"}[shown.rewrites]
    if source == "rewritten" and found.holds != "yes":
        source = "maybe"
    if found.holds == "unknown":
        source = "maybe"
    nat = bool(shown.trace) and shown.end.kind == "nat"
    unread = _unread(facts)
    return {
        "family": family_of(device), "client": shown.client, "device": str(device.get("name")),
        "underlay": underlay_of(facts, device), "vni": device.get("vni"), "port": device.get("port"),
        "outer_checksum": str(device.get("checksum")), "bit": f"{bit:#x}", "assumed": not found.marking.present and "nat" not in unread,
        "mark": "clear" if shown.client == "any" else "set", "steps": [_step(step, bit) for step in shown.trace],
        "passed": [] if nat or shown.end.kind == "notrack" else _passed(found.walked, shown.trace),
        "unread": unread, "end": shown.end.kind, "source": source, "checksum": _checksum(conditions, source),
    }  # fmt: skip
