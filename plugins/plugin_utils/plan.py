# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A method as actions on one node: what to do, how to undo it, what keeps it, and what it leads to.

A plan is made on the facts as they would be without what is applied already, so that planning twice gives the
same plan, and so that its undo leads to the state before the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import NEEDS_ROOT
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import validate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.actions import build_actions, refusal, undo_of, units_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.catalogue import BY_ID, CATALOGUE, METHODS
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import of_one_node
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, part, vxlan_devices
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import apply_actions, before_ours, record_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.units import Unit
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import Diagnosis, judge

SAFE = ("mitigated", "unaffected")
HIT = ("affected", "exposed")


class Plan(TypedDict):
    """What to do on one node. `refused` is the reason when nothing may be done; `record` is what to keep on the node."""

    method: str
    devices: list[str]
    refused: str
    risk: str
    actions: list[dict[str, Any]]
    undo: list[dict[str, Any]]
    units: list[Unit]
    record: dict[str, Any]
    simulated: dict[str, str]


def _empty(method: str, judged: Diagnosis, refused: str = "", risk: str = "") -> Plan:
    return {
        "method": method, "devices": [], "refused": printable(refused), "risk": risk, "actions": [], "undo": [], "units": [],
        "record": {}, "simulated": _outcome(judged),
    }  # fmt: skip


def _outcome(judged: Diagnosis) -> dict[str, str]:
    return {"status": judged["status"], "tcp": judged["tcp"], "udp": judged["udp"]}


def devices_to_treat(base: Facts, judged: Diagnosis) -> list[Mapping[str, Any]]:
    """The devices that are not safe; all of them when the user wants a remedy on a node that needs none."""
    unsafe = {one["name"] for one in judged["devices"] if one["status"] not in SAFE}
    devices = vxlan_devices(base)
    return [one for one in devices if one.get("name") in unsafe] or devices


def _undo(facts: Facts, base: Facts, method: str, actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The inverse from the facts before; what the record of the same method says has been seen first-hand."""
    record = record_of(facts)
    computed = undo_of(base, actions)
    if record.get("method") != method:
        return computed
    recorded = [dict(action) for action in record.get("undo") or []]
    if method == "felix_override":
        return recorded or computed
    return recorded + [action for action in computed if action not in recorded]


def _with_record(facts: Facts, record: Mapping[str, Any]) -> Facts:
    applied = part(facts, "applied") or {"source": "", "units": []}
    return {**facts, "applied": {**applied, "record": record}}


def _make(facts: Facts, base: Facts, before: Diagnosis, method: str, service_cidr: str) -> Plan:
    """The plan of one method, risk or not."""
    remedy = BY_ID[method]
    devices = devices_to_treat(base, before)
    refused = refusal(base, method, devices, service_cidr)
    if refused:
        return _empty(method, before, refused, remedy.risk)
    actions = build_actions(base, method, devices, service_cidr)
    units = units_of(base, method, actions)
    undo = _undo(facts, base, method, actions)
    record = {
        "schema": 1, "method": method, "undo": undo, "units": [unit["name"] for unit in units],
        "links": [f"{wanted}.wants/{unit['name']}" for unit in units for wanted in unit["wanted_by"]],
    }  # fmt: skip
    after = judge(_with_record(apply_actions(base, actions), record), simulated=True)
    plan: Plan = {
        "method": method, "devices": [str(one.get("name")) for one in devices], "refused": "", "risk": remedy.risk,
        "actions": actions, "undo": undo, "units": units, "record": record, "simulated": _outcome(after),
    }  # fmt: skip
    if before["status"] in HIT and not cures(before, after):
        plan = _empty(method, before, f"{method} would not help on this node: {after['summary']}", remedy.risk)
    return plan


def cures(before: Diagnosis, after: Diagnosis) -> bool:
    """Whether every device that was hit is safe afterwards."""
    hit = {one["name"] for one in before["devices"] if one["status"] in HIT}
    return all(one["status"] in SAFE for one in after["devices"] if one["name"] in hit)


def _auto(facts: Facts, base: Facts, before: Diagnosis, service_cidr: str) -> Plan:
    """The first remedy without a risk that keeps the node safe; what is applied already is kept when it does."""
    if before["status"] in SAFE:
        return _empty("none", before)
    if before["status"] == "unknown":
        return _empty("none", before, f"auto needs a verdict: {before['summary']}; {before['action']}")
    kept = str(record_of(facts).get("method") or "")
    order = sorted((one for one in CATALOGUE if not one.risk), key=lambda one: one.id != kept)
    reasons = []
    for remedy in order:
        plan = _make(facts, base, before, remedy.id, service_cidr)
        if not plan["refused"]:
            return plan
        reasons.append(f"{remedy.id}: {plan['refused']}")
    return _empty("none", before, f"no remedy without a risk helps on this node: {'; '.join(reasons)}")


def plan(facts: Facts, method: str, accept_risk: bool = False, service_cidr: str = "") -> Plan:
    """Plan a method (`auto` or the id of a remedy) on a node.

    Raises ValueError for an unknown method and for values that may not go into a rule or a unit.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: use one of {', '.join(METHODS)}")
    validate.service_networks(service_cidr)  # a wrong one is told, also where no remedy needs it
    facts = checked(facts)
    with of_one_node():
        base = before_ours(facts)
        found = plan_from(facts, base, judge(base), method, accept_risk, service_cidr)
    unreadable = _unreadable_record(facts)
    if unreadable and (found["actions"] or unreadable != NEEDS_ROOT):
        return {**found, "refused": f"cannot tell what was applied: {unreadable}", "actions": [], "undo": [], "units": [], "record": {}}
    return found


def _unreadable_record(facts: Facts) -> str:
    """Why the record was not read. Planned without it, the state after an earlier run would be recorded as the one before."""
    applied = facts.get("applied")
    return str(applied.get("unknown") or "") if isinstance(applied, Mapping) else ""


def plan_from(facts: Facts, base: Facts, before: Diagnosis, method: str, accept_risk: bool, service_cidr: str) -> Plan:
    """The same from the facts without what is applied already, and the verdict on them: who plans many methods judges once."""
    if method == "auto":
        return _auto(facts, base, before, service_cidr)
    if not vxlan_devices(base):
        # Surely no tunnel: nothing to do, and no reason to stop a run over a mixed fleet. Not known: refused.
        return _empty("none", before) if before["status"] in SAFE else _empty(method, before, before["summary"])
    found = _make(facts, base, before, method, service_cidr)
    if not found["refused"] and found["risk"] and not accept_risk:
        return _empty(method, before, f"{method} {found['risk']}: set workaround_accept_risk to true to apply it", found["risk"])
    return found
