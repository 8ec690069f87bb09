# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a fleet that was run in parts, as one report.

A part counts only when its return code is 0 and its stats and its result are there. Everything else is incomplete: its hosts are
not checked, whatever was seen of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import SCHEMA, fleet, is_verdict
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

CLEAN, FOUND, INCOMPLETE = 0, 2, 3
_AGAIN = "run this part again"


class Part(TypedDict):
    """What one part left behind."""

    name: str
    # Why it cannot be read, in one line; empty when it can.
    problem: str
    rc: Optional[int]
    # ansible-runner's word for the end of the run; None when it was not written.
    status: Optional[str]
    # The data of the event playbook_on_stats.
    stats: Optional[Mapping[str, Any]]
    # What set_stats published, by name.
    artifacts: Mapping[str, Any]
    # Hosts that its events name. They are told as not checked when the part is incomplete.
    begun: list[str]
    # Hosts that it says itself it did not check.
    missing: list[str]


def part(name: str, problem: str = "", **found: Any) -> Part:
    """A part of which nothing is known but what is said here."""
    empty: Part = {
        "name": name, "problem": problem, "rc": None, "status": None, "stats": None, "artifacts": {}, "begun": [], "missing": [],
    }  # fmt: skip
    return {**empty, **found}  # type: ignore[typeddict-item]


def _is_result(value: Any) -> bool:
    return isinstance(value, Mapping) and "schema" in value and isinstance(value.get("hosts"), Mapping)


def _result(one: Part, wanted: str) -> Mapping[str, Any]:
    """What the report role published. Raises ValueError with the reason why there is no such thing."""
    results: dict[str, Mapping[str, Any]] = {name: value for name, value in one["artifacts"].items() if _is_result(value)}
    found = {name: value for name, value in results.items() if wanted in ("", name)}
    if not found:
        named = f" named {wanted}" if wanted else ""
        raise ValueError(f"no result{named} was published: set vxlan_offload_artifact for the run and {_AGAIN}")
    if len(found) > 1:
        raise ValueError(f"several results: {', '.join(sorted(found))}; name one with --artifact")
    (result,) = found.values()
    if result["schema"] != SCHEMA:
        raise ValueError(f"its result has not schema {SCHEMA}, which this version reads: use the same version everywhere")
    if not result["hosts"]:
        raise ValueError(f"no host is in its result: look at its inventory and its limit, and {_AGAIN}")
    return result


def verdicts(one: Part, artifact: str = "") -> dict[str, Any]:
    """The verdicts of a complete part, by host. Raises ValueError with the reason when it is incomplete."""
    if one["problem"]:
        raise ValueError(one["problem"])
    if one["rc"] is None:
        raise ValueError(f"no return code: its stream was cut or it has not ended; {_AGAIN}")
    if one["rc"] != 0:
        raise ValueError(f"return code {one['rc']}: a play failed (vxlan_offload_fail_on does that, too); see its stdout, and {_AGAIN}")
    if one["status"] not in (None, "successful"):
        raise ValueError(f"its status is {one['status']}; {_AGAIN}")
    if one["stats"] is None:
        raise ValueError(f"no stats of the play: its events are not all there; {_AGAIN}")
    given = _result(one, artifact)["hosts"]
    hosts = {str(printable(str(name))): value for name, value in given.items()}
    if len(hosts) < len(given):
        raise ValueError("two of its hosts have one name when printed: rename one in the inventory")
    wrong = sorted(name for name, value in hosts.items() if not is_verdict(value))
    if wrong:
        raise ValueError(f"no verdict for {wrong[0]} in its result: use the same version of the collection everywhere")
    return hosts


def _worse(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    return min((first, second), key=lambda one: STATUSES.index(one["status"]))


def _collect(parts: Sequence[Part], artifact: str) -> tuple[dict[str, Any], dict[str, list[str]], dict[str, dict[str, Any]]]:
    """The verdicts of all complete parts, the parts each host is in, and how each part ended."""
    hosts: dict[str, Any] = {}
    places: dict[str, list[str]] = {}
    ends: dict[str, dict[str, Any]] = {}
    for one in parts:
        name = str(printable(one["name"]))
        if name in ends:
            raise ValueError(f"part {name} is given twice: name each part once")
        try:
            found = verdicts(one, artifact)
        except ValueError as error:
            ends[name] = {"status": "incomplete", "reason": printable(str(error)), "hosts": 0}
            continue
        ends[name] = {"status": "complete", "reason": "", "hosts": len(found)}
        for host, verdict in found.items():
            hosts[host] = _worse(hosts[host], verdict) if host in hosts else verdict
            places.setdefault(host, []).append(name)
    return hosts, places, ends


def merge_parts(parts: Sequence[Part], expected: Collection[str] = (), artifact: str = "") -> dict[str, Any]:
    """One fleet report from the parts of a run.

    `expected`: the hosts that ought to be there; hosts of an incomplete part are expected as well. `artifact`: the name under which
    the parts published their result, when they published more than one.
    Beside the keys of fleet(): `parts` {name: {status: complete|incomplete, reason, hosts}}, `duplicates` {host: [parts]} (the worse
    verdict counts) and `unexpected` [host] (seen, but not expected).
    Raises ValueError when a part is given twice.
    """
    hosts, places, ends = _collect(parts, artifact)
    cut = [one for one in parts if ends[str(printable(one["name"]))]["status"] == "incomplete"]
    begun = [host for one in cut for host in one["begun"]] + [host for one in parts for host in one["missing"]]
    wanted = {str(printable(host)) for host in (*expected, *begun)}
    report: dict[str, Any] = {**fleet({host: {"diagnosis": verdict} for host, verdict in hosts.items()}, expected=wanted)}
    report["parts"] = ends
    report["duplicates"] = {host: names for host, names in sorted(places.items()) if len(names) > 1}
    report["unexpected"] = sorted(hosts.keys() - wanted) if expected else []
    return report


def exit_code(report: Mapping[str, Any], fail_on: Collection[str] = ("affected",)) -> int:
    """3 when something is not known, else 2 when a host has one of the statuses `fail_on`, else 0."""
    statuses = {one["status"] for one in report["hosts"].values()}
    cut = any(one["status"] == "incomplete" for one in report["parts"].values())
    if cut or not statuses or report["summary"].get("not_checked") or "unknown" in statuses:
        return INCOMPLETE
    return FOUND if statuses & set(fail_on) else CLEAN


def _part_line(name: str, end: Mapping[str, Any]) -> str:
    if end["status"] == "incomplete":
        return f"part {name}: incomplete: {end['reason']}"
    return f"part {name}: {end['hosts']} {'host' if end['hosts'] == 1 else 'hosts'}"


def part_lines(report: Mapping[str, Any]) -> list[str]:
    """One line for each part, and for what the parts do not agree on."""
    lines = [_part_line(name, end) for name, end in report["parts"].items()]
    lines += [f"{host} is in {' and '.join(names)}: the worse verdict counts" for host, names in report["duplicates"].items()]
    if report["unexpected"]:
        lines.append(f"seen, but not expected: {', '.join(report['unexpected'])}")
    return lines
