# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet report that came from a file, made safe to render: anybody may have written it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import SCHEMA, is_list_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

_TEXTS = ("tcp", "udp", "summary", "action")
# What JSON can hold and neither UTF-8 nor XML can: halves of a pair, and the two that are no characters.
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufffe\uffff]")
_AGAIN = "make it again with the role report"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _NO_CHARACTER.sub("?", value)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, (list, tuple)) else value


def _check_host(name: str, host: Any) -> None:
    """Raise ValueError unless the keys that the formats use have the types that they need."""
    if not isinstance(host, Mapping) or host.get("status") not in STATUSES:
        raise ValueError(f"host {name} has no status of {', '.join(STATUSES)}: {_AGAIN}")
    wrong = [key for key in _TEXTS if not isinstance(host.get(key), str)]
    for key, kind in (("defects", str), ("mitigations", Mapping), ("missing", Mapping), ("devices", Mapping)):
        wrong += [key] if not is_list_of(host.get(key, []), kind) else []
    conditions = host.get("conditions", {})
    if not isinstance(conditions, Mapping) or not all(isinstance(one, Mapping) for one in conditions.values()):
        wrong.append("conditions")
    if wrong:
        raise ValueError(f"host {name} has no usable {wrong[0]}: {_AGAIN}")


def _check_summary(report: Mapping[str, Any]) -> None:
    summary = report.get("summary")
    if not isinstance(summary, Mapping):
        raise ValueError(f"the report has no summary: {_AGAIN}")
    if not is_list_of(summary.get("not_checked", []), str):
        raise ValueError(f"not_checked of the summary is no list of names: {_AGAIN}")
    expected = summary.get("expected", 0)
    if not isinstance(expected, int) or isinstance(expected, bool):
        raise ValueError(f"expected of the summary is no number: {_AGAIN}")
    parts = report.get("parts", {})
    if not isinstance(parts, Mapping) or not all(isinstance(one, Mapping) for one in parts.values()):
        raise ValueError(f"parts of the report are no dictionary of parts: {_AGAIN}")


def checked(report: Any) -> dict[str, Any]:
    """The report with every text printable. Raises ValueError when it is no fleet report of this schema."""
    if not isinstance(report, Mapping) or not isinstance(report.get("hosts"), Mapping):
        raise ValueError(f"this is no fleet report, it has no hosts: {_AGAIN}")
    schema = report.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise ValueError(f"the report has not schema {SCHEMA}, which this version reads: use the version that wrote it")
    try:
        found: dict[str, Any] = _clean(printable(report))
    except RecursionError:
        raise ValueError(f"the report is nested too deep: {_AGAIN}") from None
    if len(found["hosts"]) < len(report["hosts"]):
        raise ValueError("two hosts have one name when printed: rename one in the inventory")
    for name, host in found["hosts"].items():
        _check_host(name, host)
    _check_summary(found)
    return found


def parsed(text: str) -> dict[str, Any]:
    """The report in this JSON text. Raises ValueError."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON (line {error.lineno}: {error.msg}): {_AGAIN}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, or a thousand brackets
        raise ValueError(f"its JSON cannot be read: {_AGAIN}") from None
    return checked(value)


def worst_first(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The hosts in the order of their statuses; fleet.json has them by name."""
    return sorted(report["hosts"].items(), key=lambda one: (STATUSES.index(one[1]["status"]), one[0]))


def status_counts(report: Mapping[str, Any]) -> dict[str, int]:
    """How many hosts have each status, counted from the hosts themselves."""
    found = [host["status"] for host in report["hosts"].values()]
    return {status: found.count(status) for status in STATUSES}


def not_checked(report: Mapping[str, Any]) -> list[str]:
    """The hosts that ought to be there and are not."""
    return sorted(set(report["summary"].get("not_checked", [])) - set(report["hosts"]))


def incomplete_parts(report: Mapping[str, Any]) -> dict[str, str]:
    """The reason of each part that is not complete."""
    parts = report.get("parts", {})
    return {name: str(one.get("reason", "")) for name, one in parts.items() if one.get("status") != "complete"}


def shortened(text: str, longest: int) -> str:
    """At most this many characters."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
