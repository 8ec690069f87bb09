# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a node from being affected, found by taking it away on the facts and walking again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import IPV6, family_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import upstream_version
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, lookups, part, tables
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.releases import calico, felix_turns_offload_off
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import Rewrite, rewrite
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import (
    parse_rule,
    rule_arguments,
    rule_text,
    same_rule,
    shown_text,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import (
    CHECKSUM,
    Action,
    apply_action,
    apply_actions,
    record_of,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import Step

_ROUNDS = 16
# What these chains do is the normal configuration of kube-proxy, flannel and Calico, not a workaround.
_NORMAL_CHAINS = ("KUBE-", "FLANNEL-", "cali-")
_OFFLOAD_METHODS = ("tx_checksum_off", "rx_tx_offload_off", "felix_override")


class Mitigation(TypedDict):
    """One thing that prevents the failure; owner: calico, felix, vxlan_offload or unknown."""

    id: str
    owner: str
    evidence: str


@dataclass(frozen=True)
class Candidate:
    """Something that may be a mitigation, and the action that takes it away."""

    mitigation: Mitigation
    removal: Action


def _candidate(name: str, owner: str, evidence: str, module: str, args: Mapping[str, Any]) -> Candidate:
    return Candidate({"id": name, "owner": owner, "evidence": evidence}, {"module": module, "args": args})


def _is_ours(facts: Facts, args: Mapping[str, Any]) -> bool:
    """Whether the record says that this collection put the rule there."""
    for action in record_of(facts).get("undo") or []:
        known = action.get("args") or {}
        same_place = family_of(known) == family_of(args) and all(known.get(key) == args[key] for key in ("backend", "table", "chain"))
        if action.get("module") == "netfilter_rule" and same_place and same_rule(rule_text(known["rule"]), rule_text(args["rule"])):
            return True
    return False


def _rule_id(step: Step) -> Optional[str]:
    """Which remedy a rule of the trace amounts to; None when it is no workaround."""
    effect = step.effect.replace("maybe ", "")
    normal = step.chain.startswith(_NORMAL_CHAINS)
    if effect == "notrack":
        return "notrack"
    if step.table != "nat":
        return "clear_mark" if effect == "mark cleared" else None
    if step.packet != "outer" and effect != "mark cleared":
        return None
    if effect == "nat" and (step.chain == "KUBE-POSTROUTING" or not normal):
        return "masquerade_without_random"
    if normal:
        return None
    # RETURN in a chain of its own (ip-masq-agent) is how that tool works; in POSTROUTING itself somebody put it there.
    if effect == "accept" or effect == "return" and step.chain == "POSTROUTING":
        return "tunnel_accept" if parse_rule(step.text).options("--dport", "--dports") else "underlay_accept"
    return "clear_mark" if effect == "mark cleared" else None


def _from_step(facts: Facts, device: Mapping[str, Any], step: Step) -> Optional[Candidate]:
    name = _rule_id(step)
    if name is None or step.backend == "nftables":
        return None
    try:
        rule = rule_arguments(step.text)
    except ValueError:
        return None
    family = family_of(device)
    args = {"backend": step.backend, "family": family, "table": step.table, "chain": step.chain, "rule": rule, "state": "absent"}
    owner = "vxlan_offload" if _is_ours(facts, args) else "unknown"
    if step.chain.startswith("cali-") or '"cali:' in step.text:
        owner = "calico"
    evidence = f"{step.backend} {step.table} {step.chain} rule {step.number}: {shown_text(step.text)}"
    return _candidate(name, owner, evidence, "netfilter_rule", args)


def _route(facts: Facts, device: Mapping[str, Any]) -> list[Candidate]:
    """A route that gives the node's packets to Services the device's own address."""
    found = []
    for lookup in lookups(facts):
        if lookup.get("device") == device.get("name") and lookup.get("destination"):
            ours = record_of(facts).get("method") == "service_route"
            evidence = f"the route to {lookup['destination']} leaves by {device.get('name')}"
            length = 128 if family_of(device) == IPV6 else 32
            args = {"destination": f"{lookup['destination']}/{length}", "device": device.get("name"), "state": "absent"}
            owner = "vxlan_offload" if ours else "unknown"
            found.append(_candidate("service_route", owner, evidence, "service_route", args))
    return found


def _detached(facts: Facts) -> list[Candidate]:
    """kube-proxy's rules are there, and nothing leads to KUBE-POSTROUTING.

    Nothing leads to it, so a reader that follows jumps has not read it: the walk then takes it as "maybe".
    """
    found = []
    for entry in tables(facts, "nat"):
        chains = entry.get("chains") or {}
        leads = {parse_rule(text).target for name in ("OUTPUT", "POSTROUTING") for text in chains.get(name) or []}
        if "KUBE-SERVICES" not in leads or "KUBE-POSTROUTING" in leads:
            continue
        args = {
            "backend": entry.get("backend"), "family": family_of(entry), "table": "nat", "chain": "POSTROUTING",
            "rule": ["-j", "KUBE-POSTROUTING"],
            "position": len(chains.get("POSTROUTING") or []) + 1, "state": "present",
        }  # fmt: skip
        owner = "vxlan_offload" if record_of(facts).get("method") == "kube_postrouting_detached" else "unknown"
        evidence = f"{entry.get('backend')} nat POSTROUTING has no jump to KUBE-POSTROUTING"
        found.append(_candidate("kube_postrouting_detached", owner, evidence, "netfilter_rule", args))
    return found


def _candidates(facts: Facts, walked: Facts, device: Mapping[str, Any], found: Rewrite) -> list[Candidate]:
    """What the walk met that may be a mitigation."""
    steps = dict.fromkeys(step for way in found.ways for step in way.trace)
    rules = [candidate for step in steps if (candidate := _from_step(facts, device, step))]
    return rules + _route(walked, device) + _detached(walked)


def rule_mitigations(facts: Facts, device: Mapping[str, Any], found: Rewrite, simulated: bool = False) -> list[Mitigation]:
    """What prevents the rewrite on a node whose walk says "no"; nothing when that is its normal configuration.

    Which of several is decisive costs a walk for each, and is not asked of a node that is `simulated`.
    """
    taken: list[Candidate] = []
    walked, now = facts, found
    for _round in range(_ROUNDS):
        new = [one for one in _candidates(facts, walked, device, now) if one not in taken]
        if now.holds != "no" or not new:
            break
        taken += new
        walked = apply_actions(walked, [one.removal for one in new])
        now = rewrite(walked, device)
    if now.holds == "no":
        return []
    return [one.mitigation for one in (taken if simulated else _decisive(facts, device, taken))]


def _decisive(facts: Facts, device: Mapping[str, Any], taken: Sequence[Candidate]) -> list[Candidate]:
    """Those that are enough alone; all of them when only the combination is."""
    enough = []
    for kept in taken:
        without = apply_actions(facts, [one.removal for one in taken if one is not kept])
        if rewrite(without, device).holds == "no":
            enough.append(kept)
    return enough or list(taken)


def offload_mitigation(facts: Facts, device: Mapping[str, Any]) -> Mitigation:
    """The offload that is off, and who turned it off as far as that can be known."""
    evidence = f"{CHECKSUM} of {device.get('name')} is off"
    method = str(record_of(facts).get("method") or "")
    if method in _OFFLOAD_METHODS:
        return {"id": method, "owner": "felix" if method == "felix_override" else "vxlan_offload", "evidence": evidence}
    if device.get("owner") == "calico" and _felix_does_it(facts):
        return {"id": "tx_checksum_off", "owner": "felix", "evidence": evidence}
    return {"id": "tx_checksum_off", "owner": "unknown", "evidence": evidence}


def _felix_does_it(facts: Facts) -> bool:
    version = str((part(facts, "cni") or {}).get("calico_version") or "")
    kernel = upstream_version(str((part(facts, "kernel") or {}).get("release") or ""))
    try:
        return bool(version and kernel) and kernel is not None and felix_turns_offload_off(calico(version), kernel)
    except (ValueError, StopIteration):
        return False


def with_offload_on(facts: Facts, device: Mapping[str, Any]) -> Facts:
    """The facts with the device's offload turned on again."""
    return apply_action(facts, {"module": "offload", "args": {"device": device.get("name"), "features": {CHECKSUM: True}}})
