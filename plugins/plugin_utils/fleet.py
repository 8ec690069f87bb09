# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of many nodes as one report: a line for each host, the worst first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.judging import judged
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_versions import node_versions
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable, short
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.probed import remark, with_probe
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

SCHEMA = 1
_FACTS_KEYS = ("facts", "node")
_TEMPLATE = re.compile("[{](?=[{%#])")
_LONGEST = 400
_NAMED = 20
_VERDICT = ("status", "tcp", "udp", "summary", "action")


class Fleet(TypedDict):
    """The report; see the fleet filter."""

    schema: int
    hosts: dict[str, Any]
    summary: dict[str, Any]
    lines: list[str]


def _unknown(reason: str, how: str) -> dict[str, Any]:
    """A diagnosis for a node that nothing is known about."""
    return {
        "status": "unknown", "tcp": "unknown", "udp": "unknown", "summary": reason, "action": how, "defects": [],
        "conditions": {}, "devices": [], "mitigations": [], "unneeded": [],
        "missing": [{"fact": "all", "reason": reason, "how": how}], "remedies": [], "lookalikes": [], "upgrade": [],
        "node": node_versions({}),
    }  # fmt: skip


def _not_foreseen(error: Exception) -> dict[str, Any]:
    """A node can say anything. What nobody thought of must not cost the other hosts their verdict."""
    why = f"the facts cannot be judged: {type(error).__name__} in this collection"
    return _unknown(why, "report this with the node's transcript")


def _judged(result: Any, probe: Any) -> dict[str, Any]:
    """The printable diagnosis of one host, whatever came from it."""
    try:
        return dict(printable(with_probe(host_diagnosis(result), probe)))
    except Exception as error:  # pylint: disable=broad-except
        return _not_foreseen(error)


def _reason(result: Mapping[str, Any], default: str) -> str:
    found = result.get("error") or result.get("msg") or result.get("unreachable")
    return short(str(printable(found))) if isinstance(found, str) and found.strip() else default


def host_diagnosis(result: Any) -> dict[str, Any]:
    """The diagnosis of one host from whatever its play left: a diagnosis, node facts, or an error."""
    if not isinstance(result, Mapping) or not result:
        return _unknown("the node was not read", "look at the output of the play for this host")
    if isinstance(result.get("diagnosis"), Mapping):
        given = dict(result["diagnosis"])
        known = is_verdict({"tcp": "", "udp": "", **given})
        return given if known else _unknown("the result has no verdict", "pass what the filter diagnose returned")
    if result.get("unreachable"):
        return _unknown(f"unreachable: {_reason(result, 'no connection')}", "make the node reachable and run again")
    try:
        facts = facts_of(result)
        if facts is not None:
            return dict(diagnose(facts))
    except ValueError as error:
        return _unknown(f"the facts cannot be judged: {short(str(error))}", "read the node again with this version")
    except Exception as error:  # pylint: disable=broad-except
        return _not_foreseen(error)
    if result.get("error") or result.get("failed") or result.get("msg"):
        return _unknown(f"not read: {_reason(result, 'the task failed')}", "settle this error and run again")
    return _unknown("the result has no node facts", "pass what node_info returned")


def facts_of(result: Mapping[str, Any]) -> Any:
    """What node_info returned, as a dictionary or as text; None when there is neither. Raises ValueError for text that is no JSON."""
    if isinstance(result.get("node_json"), str):
        return json.loads(result["node_json"])
    return next((result[key] for key in _FACTS_KEYS if isinstance(result.get(key), Mapping)), None)


def is_verdict(value: Any) -> bool:
    """Whether a diagnosis has what a report needs of it: it may have come over a network."""
    if not isinstance(value, Mapping) or value.get("status") not in STATUSES:
        return False
    probe = value.get("probe") or {}
    return (
        all(isinstance(value.get(key), str) for key in ("tcp", "udp", "summary", "action"))
        and is_list_of(value.get("defects") or [], str)
        and is_list_of(value.get("mitigations") or [], Mapping)
        and isinstance(probe, Mapping)
        and (not probe or isinstance(probe.get("verdict"), str))
    )


def is_list_of(value: Any, kind: type) -> bool:
    """Whether all that is in this list is of one kind."""
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _line(name: str, found: Mapping[str, Any], width: int) -> str:
    """One host in one line."""
    text = f"{name:<{width}}  {str(found['status']).upper():<10}  {found['summary']} -> {found['action']}{remark(found)}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def causes(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many hosts have each kernel defect that can hit them now, and each mitigation."""
    found: dict[str, int] = {}
    for one in hosts.values():
        keys = list(one.get("defects") or []) if one["status"] in ("affected", "exposed") else []
        keys += sorted({str(mitigation.get("id")) for mitigation in one.get("mitigations") or []})
        for key in keys:
            found[key] = found.get(key, 0) + 1
    return dict(sorted(found.items()))


def _shown_names(names: Iterable[str]) -> dict[str, str]:
    """{name: how a report shows it}. Two that look the same get a number: neither host may hide the other."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        shown = base = str(printable(str(name)))
        number = 1
        while shown in taken:
            number += 1
            shown = f"{base} ({number})"
        taken.add(shown)
        found[name] = shown
    return found


def _expected(hosts: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What to add to the summary where it is known which hosts there are. A host that nobody asked for is one of them, too."""
    wanted = set(names)
    return {"expected": len(wanted | set(hosts)), "not_checked": sorted(wanted - set(hosts))} if wanted else {}


def counts(summary: Mapping[str, Any]) -> list[str]:
    """The first lines of a report: how many hosts have each status, and how many of those that there are were checked."""
    number = summary["hosts"]
    found = ", ".join(f"{count} {status}" for status, count in summary["status"].items() if count)
    lines = [f"{number} {'host' if number == 1 else 'hosts'}: {found}"]
    if "expected" in summary:
        missing = summary["not_checked"]
        named = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        lines.append(f"checked {number} of {summary['expected']} hosts" + (f"; not checked: {named}" if missing else ""))
    return lines


def inert(value: Any) -> Any:
    """The same value without text that Ansible takes for a template. What is published comes back as an extra variable, whose templates
    are resolved on the controller, and the texts have words of the nodes in them."""
    if isinstance(value, str):
        return _TEMPLATE.sub("{ ", value)
    if isinstance(value, Mapping):
        return {inert(key): inert(one) for key, one in value.items()}
    return [inert(one) for one in value] if isinstance(value, list) else value


def published(report: Fleet, kind: str, detail: str) -> dict[str, Any]:
    """What other runs need of a report: the verdict of each host, or with `detail` "diagnosis" all that is known of it."""
    hosts = report["hosts"]
    if detail != "diagnosis":
        hosts = {name: {key: found[key] for key in _VERDICT if key in found} for name, found in hosts.items()}
    return dict(inert({"schema": report["schema"], "kind": kind, "hosts": hosts, "summary": report["summary"]}))


def fleet(results: Mapping[str, Any], probes: Mapping[str, Any] | None = None, expected: Iterable[str] = ()) -> Fleet:
    """Judge every host of `results` ({host: node_info's result, or "diagnosis", or an error}).

    `probes`: what service_probe returned, for the hosts that were asked. `expected`: the hosts that ought to be in `results`;
    the summary names those that are not.
    Raises ValueError when `results` is not a dictionary of hosts.
    """
    if not isinstance(results, Mapping):
        raise ValueError("fleet needs a dictionary of hosts: pass {host: what node_info returned}")
    found = {str(name): one for name, one in judged(results, probes or {}, _judged).items()}
    expected = [str(name) for name in expected]
    shown = _shown_names([*found, *(name for name in dict.fromkeys(expected) if name not in found)])
    hosts = {shown[name]: one for name, one in found.items()}
    order = sorted(hosts, key=lambda name: (STATUSES.index(hosts[name]["status"]), name))
    width = max((len(name) for name in hosts), default=0)
    counts = {status: sum(1 for one in hosts.values() if one["status"] == status) for status in STATUSES}
    return {
        "schema": SCHEMA, "hosts": {name: hosts[name] for name in order},
        "summary": {"hosts": len(hosts), "status": counts, "causes": causes(hosts), **_expected(hosts, [shown[name] for name in expected])},
        "lines": [_line(name, hosts[name], width) for name in order],
    }  # fmt: skip
