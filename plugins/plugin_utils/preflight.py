# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a node before kubespray runs: by the node's own evidence where a cluster runs, else by the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import host_diagnosis
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import VERSION_VARIABLE
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray_releases import NEWEST_KNOWN
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    kube_proxy,
    nftables_part,
    part,
    tables,
    vxlan_devices,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.predict import predict
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import unread_tables
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

BAD, GOOD = ("affected", "exposed"), ("mitigated", "unaffected")
# predict's names of what kubespray calls otherwise.
_NAMES = {"network_plugin": "kube_network_plugin", "proxy_mode": "kube_proxy_mode"}
_ENCAPSULATION = {"flannel": "flannel_backend_type"}
_NAMED_HOSTS = 5


def cluster_runs(facts: Mapping[str, Any]) -> bool | None:
    """Whether kube-proxy, kubelet or a CNI has left something on the node; None when that could not be read."""
    chains = [name for entry in tables(facts, "nat") for name in entry.get("chains") or {}]
    found = (
        any(device.get("owner") not in (None, "", "other") for device in vxlan_devices(facts)),
        kube_proxy(facts, "running") is True or bool(kube_proxy(facts, "mode")),
        any(name.startswith("KUBE-") for name in chains),
        bool(nftables_part(facts).get("chains")),
    )
    if any(found):
        return True
    return None if part(facts, "netfilter") is None or unread_tables(facts) else False


def planned_verdict(plan: Mapping[str, Any], kernel: Any) -> dict[str, Any]:
    """What a node with this kernel will be. Candidates that end differently are unknown; never a guess."""
    if plan.get("error"):
        return _unknown(f"the plan cannot be judged: {plan['error']}", [])
    usable = isinstance(kernel, Mapping) and bool(kernel.get("release"))
    found = []
    for candidate in plan["candidates"]:
        try:
            found.append((candidate, predict({**candidate, **({"kernel": kernel} if usable else {})})))
        except ValueError as error:
            return _unknown(f"the plan cannot be judged: {error}", [])
    verdict = found[0][1]
    if verdict["status"] != "unknown" and all(one["status"] == verdict["status"] for _candidate, one in found):
        by = f" by kubespray {plan['release']}" if plan["release"] else ""
        return {**verdict, "summary": f"planned{by}: {verdict['summary']}"}
    return _undecided(plan, found)


def _undecided(plan: Mapping[str, Any], found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """Names the variables in which the candidates differ, and those that are missing."""
    statuses = sorted({str(verdict["status"]) for _candidate, verdict in found}, key=STATUSES.index)
    first, verdict = found[0]
    differing = [key for key in first if len({str(candidate.get(key)) for candidate, _verdict in found}) > 1] if len(statuses) > 1 else []
    lacking = [str(missing["fact"]) for _candidate, one in found for missing in one["missing"]]
    names = list(dict.fromkeys(_variable(key, str(first.get("network_plugin"))) for key in (*differing, *lacking)))
    missing = [_missing(name) for name in names]
    # The kernel alone, or a network plugin that cannot be judged: no variable would help.
    if not [name for name in names if name != "kernel"]:
        return _unknown(str(verdict["summary"]), missing, verdict)
    if plan["release"]:
        told = f"kubespray {plan['release']} (by {plan['told_by']})"
        return _unknown(f"{' or '.join(statuses)}, depending on {', '.join(names)} of {told}", missing)
    told = f"kubespray, by {plan['told_by']}, is none of 2.10.0 to {NEWEST_KNOWN}"
    return _unknown(f"{told}, and its {', '.join(names)} is not known", missing)


def _variable(key: str, plugin: str) -> str:
    """kubespray's name of a key of the plan."""
    return _ENCAPSULATION.get(plugin, "calico_vxlan_mode") if key == "encapsulation" else _NAMES.get(key, key)


def _missing(name: str) -> dict[str, str]:
    if name == "kernel":
        return {"fact": name, "reason": "not read from the node", "how": "make the node readable and run again"}
    return {"fact": name, "reason": "not visible before kubespray runs", "how": f"set {name}, or {VERSION_VARIABLE} to kubespray's release"}


def _unknown(reason: str, missing: list[dict[str, str]], verdict: Mapping[str, Any] | None = None) -> dict[str, Any]:
    base = verdict or host_diagnosis({})
    facts = [one["fact"] for one in missing if one["fact"] != "kernel"]
    how = f"set {VERSION_VARIABLE} to kubespray's release, or {' and '.join(facts)}" if facts else "diagnose the nodes when they are up"
    return {**base, "status": "unknown", "tcp": "unknown", "udp": "unknown", "summary": reason, "action": how, "missing": missing}


def preflight(result: Any, plan: Mapping[str, Any], remark: bool = True) -> dict[str, Any]:
    """The verdict as ``{diagnosis: ...}``.

    `result`: what node_info returned or how it failed. `plan`: of kubespray.plan. `remark`: say what the plan changes on a node
    where a cluster runs; after the upgrade it changes nothing any more. The diagnosis has `basis` (node, plan or none) and
    `planned` besides the usual keys. Raises ValueError when `plan` is no plan.
    """
    if not _is_plan(plan):
        raise ValueError("preflight needs a plan: pass what the filter kubespray_plan returned")
    own = host_diagnosis(result)
    facts = result.get("node") if isinstance(result, Mapping) else None
    if not isinstance(facts, Mapping):
        return _with(own, "none", plan)
    facts = checked(facts)
    planned = planned_verdict(plan, part(facts, "kernel"))
    runs = cluster_runs(facts)
    if runs:
        return _with({**own, "summary": own["summary"] + (_remark(own, planned) if remark else "")}, "node", plan)
    if runs is None and planned["status"] not in GOOD:
        text = f"whether a cluster runs here could not be read; if none does: {planned['status']}, {planned['summary']}"
        unread = own["missing"] or [{"fact": "netfilter", "reason": "could not be read", "how": "run with become: true"}]
        return _with({**_unknown(text, list(unread)), "action": "run with become (-b), as kubespray itself is"}, "none", plan)
    return _with(planned, "plan", plan)


def _is_plan(plan: Any) -> bool:
    if not isinstance(plan, Mapping) or not isinstance(plan.get("candidates"), list):
        return False
    whole = bool(plan.get("error")) or bool(plan["candidates"]) and {"release", "told_by"} <= set(plan)
    return whole and all(isinstance(one, Mapping) for one in plan["candidates"])


def _with(diagnosis: Mapping[str, Any], basis: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    return {"diagnosis": {**diagnosis, "basis": basis, "planned": dict(plan)}}


def _remark(own: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    """What this run will change, when that is certain."""
    if own["status"] in BAD and planned["status"] in GOOD:
        return f"; this run ends it ({planned['summary']})"
    if planned["status"] in BAD and STATUSES.index(planned["status"]) < STATUSES.index(own["status"]):
        return f"; after this run it would be {planned['status']} ({planned['summary']}): {planned['action']}"
    return ""


def stop_message(verdicts: Mapping[str, Any], fail_on: Sequence[str], override: str) -> str:
    """Why kubespray must not go on: the nodes, the reason, what to plan instead, and `override`; empty when it may.

    Nodes with the same reason are named together. Raises ValueError for a status that does not exist.
    """
    wrong = [str(status) for status in fail_on if status not in STATUSES]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} is no status: choose from {', '.join(STATUSES)}")
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, verdict in sorted((str(name), verdict) for name, verdict in verdicts.items()):
        found = printable(host_diagnosis(verdict))
        if found["status"] in fail_on:
            groups.setdefault((found["status"], found["summary"], found["action"]), []).append(str(printable(name)))
    if not groups:
        return ""
    count = sum(len(names) for names in groups.values())
    texts = [f"{_names(names)} {status}: {summary} -> {action}" for (status, summary, action), names in groups.items()]
    return f"{count} of {len(verdicts)} checked nodes stop this run. {'. '.join(texts)}. To go on all the same: -e {override}=true"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_HOSTS
    return ", ".join(names[:_NAMED_HOSTS]) + (f" and {more} more" if more > 0 else "")
