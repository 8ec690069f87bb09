# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node facts to a verdict: the four conditions of each VXLAN device, what mitigates them, what is missing.

Remedies are simulated with `judge`; diagnosis.py puts both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.advice import action_text, lookalikes, summary_text, upgrade_texts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.conditions import (
    Condition,
    Missing,
    condition,
    defects_for,
    kernel_condition,
    missing_facts,
    offload_condition,
    rewrite_condition,
    udp_is_hit,
    vxlan_condition,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import device_in, family_of, in_family
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.mitigations import (
    Mitigation,
    offload_mitigation,
    rule_mitigations,
    with_offload_on,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, part, vxlan_devices, why_unknown
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_versions import node_versions
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable, short
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import Rewrite
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import before_ours, record_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.way import WayData, way

# Worst first: a node is what the worst of its devices is.
STATUSES = ("affected", "exposed", "unknown", "mitigated", "unaffected")
CONDITIONS = ("vxlan", "kernel_defect", "offload", "rewrite")
_OFFLOAD_IDS = ("tx_checksum_off", "rx_tx_offload_off", "felix_override")


class DeviceDiagnosis(TypedDict):
    """The verdict on one VXLAN device."""

    name: str
    status: str
    tcp: str
    udp: str
    # Whose packets get a new source: host (the node), pod (its pods), any (all tunnel packets).
    clients: list[str]
    conditions: dict[str, Condition]
    walk: list[str]
    # The same as data; None where no rules were read.
    way: Optional[WayData]
    mitigations: list[Mitigation]


class Diagnosis(TypedDict):
    """The verdict on a node; see docs for every key."""

    status: str
    tcp: str
    udp: str
    summary: str
    action: str
    defects: list[str]
    conditions: dict[str, Condition]
    devices: list[DeviceDiagnosis]
    mitigations: list[Mitigation]
    unneeded: list[str]
    missing: list[Missing]
    remedies: list[dict[str, Any]]
    lookalikes: list[str]
    upgrade: list[str]
    node: dict[str, Any]


def _status(conditions: Mapping[str, Condition], mitigated: bool) -> str:
    """One word from the conditions. A condition that surely does not hold decides whatever the others are."""
    carries, kernel, offload, rewritten = (conditions[name]["holds"] for name in CONDITIONS)
    if "no" in (carries, kernel):
        return "unaffected"
    if rewritten == "no":
        return "mitigated" if mitigated else "unaffected"
    if offload == "no":
        return "mitigated"
    if "unknown" in (kernel, offload, rewritten):
        return "unknown"
    return "affected" if (carries, kernel, rewritten) == ("yes", "yes", "yes") else "exposed"


def _protocols(status: str, udp_hit: Optional[bool]) -> tuple[str, str]:
    """What happens to TCP and to UDP."""
    if status in ("mitigated", "unaffected"):
        return "ok", "ok"
    if status == "unknown":
        return "unknown", "unknown"
    worst = "broken" if status == "affected" else "at_risk"
    return worst, {True: worst, None: "unknown", False: "ok"}[udp_hit]


def _mitigations(
    facts: Facts, device: Mapping[str, Any], conditions: Mapping[str, Condition], found: Optional[Rewrite], simulated: bool
) -> list[Mitigation]:
    """What prevents the failure; a node that could not fail anyway has none."""
    if "no" in (conditions["vxlan"]["holds"], conditions["kernel_defect"]["holds"]):
        return []
    rewritten = conditions["rewrite"]["holds"]
    rules = rule_mitigations(facts, device, found, simulated) if found and rewritten == "no" else []
    off = conditions["offload"]["holds"] == "no" and (rules or rewritten != "no")
    return ([offload_mitigation(facts, device)] if off else []) + rules


def diagnose_device(facts: Facts, device: Mapping[str, Any], simulated: bool = False) -> DeviceDiagnosis:
    """The verdict on one device, on what concerns its own address family; without the picture of the way where it is `simulated`."""
    family = family_of(device)
    facts, device = in_family(facts, family), device_in(family, device)
    rewritten, found = rewrite_condition(facts, device)
    conditions = {
        "vxlan": vxlan_condition(facts, device),
        "kernel_defect": kernel_condition(facts, device),
        "offload": offload_condition(facts, device),
        "rewrite": rewritten,
    }
    mitigations = _mitigations(facts, device, conditions, found, simulated)
    status = _status(conditions, bool(mitigations))
    tcp, udp = _protocols(status, udp_is_hit(facts, device, found.clients if found else ()))
    idle = conditions["vxlan"]["holds"] == "maybe"
    if status == "exposed" and (idle or found and found.marking.only_node_ports):
        # ClusterIPs work; what is exposed is what a route to come will carry, or the node's own traffic to NodePorts
        tcp = udp = "ok"
    return {
        "name": str(device.get("name")), "status": status, "tcp": tcp, "udp": udp,
        "clients": list(found.clients) if found else [], "conditions": conditions,
        "walk": [str(step) for step in found.trace] if found else [],
        "way": None if simulated else way(facts, device, conditions, found), "mitigations": mitigations,
    }  # fmt: skip


def _worst_of(devices: Sequence[DeviceDiagnosis]) -> DeviceDiagnosis:
    return min(devices, key=lambda one: STATUSES.index(one["status"]))


def _worst_protocol(devices: Sequence[DeviceDiagnosis], name: str) -> str:
    order = ("broken", "at_risk", "unknown", "ok")
    answers = [str(dict(one)[name]) for one in devices]
    return min(answers, key=order.index)


def _safe(facts: Facts) -> bool:
    """Whether no device is hit, may be hit or cannot be judged."""
    return all(diagnose_device(facts, one)["status"] in ("mitigated", "unaffected") for one in vxlan_devices(facts))


def _unneeded(facts: Facts, devices: Sequence[DeviceDiagnosis]) -> list[str]:
    """Applied workarounds that may go, all together: without them the node is still not affected.

    Offload that is off is asked first: it is the one that costs throughput.
    """
    found: list[str] = []
    now = facts
    off = [one for one in devices if one["conditions"]["offload"]["holds"] == "no"]
    method = str(record_of(facts).get("method") or "")
    if off and _safe(facts):
        names = {one["name"] for one in off}
        on = now
        for device in vxlan_devices(facts):
            on = with_offload_on(on, device) if device.get("name") in names else on
        if _safe(on):
            found.append(method if method in _OFFLOAD_IDS else "tx_checksum_off")
            now = on
    if method and method not in found and _safe(before_ours(now)):
        found.append(method)
    return found


def _nothing_to_judge(facts: Facts) -> Diagnosis:
    """The verdict when no VXLAN device was seen: because there is none, or because nobody could look."""
    known = part(facts, "vxlan") is not None
    text = "no VXLAN device on this node" if known else f"the VXLAN devices are not known: {why_unknown(facts, 'vxlan')}"
    not_asked = condition("unknown", "not asked: there is no VXLAN device" if known else text)
    conditions = dict.fromkeys(CONDITIONS, not_asked)
    conditions["vxlan"] = condition("no" if known else "unknown", text, "ip -d link show type vxlan")
    status = "unaffected" if known else "unknown"
    missing = [one for one in missing_facts(facts) if not known or one["fact"] == "vxlan"]
    tcp, udp = _protocols(status, None)
    return {
        "status": status, "tcp": tcp, "udp": udp, "summary": printable(text),
        "action": "nothing to do" if known else (missing[0]["how"] if missing else "read the node again"),
        "defects": [], "conditions": conditions, "devices": [], "mitigations": [], "unneeded": [], "missing": missing,
        "remedies": [], "lookalikes": lookalikes(facts), "upgrade": [], "node": node_versions(facts),
    }  # fmt: skip


def judge(facts: Facts, simulated: bool = False) -> Diagnosis:
    """The verdict without the remedies (which are judged by this function themselves).

    Of a node that is `simulated` only the statuses are asked: neither what an applied workaround is good for, nor what to upgrade.
    """
    if not isinstance(facts, Mapping):
        raise ValueError("diagnose needs the facts of one node: pass the 'node' that node_info returned")
    if not vxlan_devices(facts):
        return _nothing_to_judge(facts)
    devices = [diagnose_device(facts, device, simulated) for device in vxlan_devices(facts)]
    worst = _worst_of(devices)
    family = next(family_of(device) for device in vxlan_devices(facts) if str(device.get("name")) == worst["name"])
    mitigations = [one for device in devices for one in device["mitigations"]]
    unique = [one for at, one in enumerate(mitigations) if one not in mitigations[:at]]
    unneeded = [] if simulated else _unneeded(facts, devices)
    missing = missing_facts(facts)
    hit = [one for one, found in zip(vxlan_devices(facts), devices) if found["conditions"]["kernel_defect"]["holds"] in ("yes", "maybe")]
    kernel = dict(kernel_status(part(facts, "kernel") or {})) if hit else {}
    return {
        "status": worst["status"], "tcp": _worst_protocol(devices, "tcp"), "udp": _worst_protocol(devices, "udp"),
        "summary": printable(short(summary_text(worst["status"], worst["name"], worst["conditions"], worst["mitigations"], worst["udp"]))),
        "action": printable(short(action_text(worst["status"], worst["conditions"], unneeded, missing))),
        "defects": sorted({defect for device in hit for defect in defects_for(device) if kernel.get(defect) == "affected"}),
        "conditions": worst["conditions"], "devices": devices, "mitigations": unique, "unneeded": unneeded,
        "missing": missing, "remedies": [], "lookalikes": [] if simulated else lookalikes(facts),
        "upgrade": [] if simulated else upgrade_texts(in_family(facts, family), worst["status"], worst["clients"]),
        "node": node_versions(facts),
    }  # fmt: skip
