# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet report for monitoring: metrics for node_exporter's textfile collector, and the answer of a node-problem-detector plugin.

Metrics follow Prometheus' text format (0.0.4) and its practices: gauges, all statuses always there (0 or 1), no timestamps on samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import causes
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import checked, not_checked, shortened, status_counts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

# node-problem-detector's exit codes.
OK, PROBLEM, UNKNOWN = 0, 1, 2
_PROBLEMS = ("affected", "exposed")
_LONGEST_LINE = 80
_HELP = {
    "vxlan_offload_host_status": "Whether the host has this status.",
    "vxlan_offload_hosts": "How many checked hosts have this status.",
    "vxlan_offload_hosts_not_checked": "How many hosts ought to have been checked and were not.",
    "vxlan_offload_cause_hosts": "How many hosts have this kernel defect or this mitigation.",
    "vxlan_offload_report_timestamp_seconds": "When the report was made, in seconds since the epoch.",
}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    text = ",".join(f'{key}="{_escaped(one)}"' for key, one in labels.items())
    return f"{name}{'{' + text + '}' if text else ''} {value:.15g}"


def _metric(name: str, samples: list[tuple[Mapping[str, str], float]], common: Mapping[str, str]) -> list[str]:
    lines = [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
    return [*lines, *(_sample(name, {**common, **labels}, value) for labels, value in samples)] if samples else []


def one_host(report: Mapping[str, Any], name: str = "") -> str:
    """The name of the host, or of the only one there is. Raises ValueError."""
    if name:
        if name not in report["hosts"]:
            raise ValueError(f"host {name} is not in the report")
        return name
    if len(report["hosts"]) != 1:
        raise ValueError(f"the report has {len(report['hosts'])} hosts: name one with --host")
    return str(next(iter(report["hosts"])))


def textfile(report: Mapping[str, Any], made: float, host: str = "", fleet: str = "") -> str:
    """The metrics of the whole fleet, or of one `host`.

    `made`: when the report was made, seconds since the epoch. `fleet`: a label on every sample, so that the files of several fleets can
    lie beside each other. Raises ValueError when `report` is no fleet report or has no such host.
    """
    found = checked(report)
    names = [one_host(found, host)] if host else sorted(found["hosts"])
    common = {"fleet": fleet} if fleet else {}
    statuses: list[tuple[Mapping[str, str], float]] = [
        ({"host": name, "status": status}, float(found["hosts"][name]["status"] == status)) for name in names for status in STATUSES
    ]
    lines = _metric("vxlan_offload_host_status", statuses, common)
    if not host:
        counts = status_counts(found).items()
        lines += _metric("vxlan_offload_hosts", [({"status": status}, number) for status, number in counts], common)
        lines += _metric("vxlan_offload_hosts_not_checked", [({}, len(not_checked(found)))], common)
        lines += _metric("vxlan_offload_cause_hosts", [({"cause": key}, number) for key, number in causes(found["hosts"]).items()], common)
    lines += _metric("vxlan_offload_report_timestamp_seconds", [({}, made)], common)
    return "\n".join(lines) + "\n"


def npd_line(text: str) -> str:
    """What node-problem-detector shows of a text: one line, at most 80 characters of one byte each."""
    return shortened(" ".join(text.encode("ascii", "replace").decode("ascii").split()), _LONGEST_LINE)


def npd(report: Mapping[str, Any], host: str = "", age: float = 0, oldest: float = 0) -> tuple[int, str]:
    """Exit code and line for one host: 0 fine, 1 affected or exposed, 2 not known.

    A report whose `age` is above `oldest` seconds (0: any age is good) says nothing about now. Raises ValueError when `report` is no fleet
    report, and when it is not clear which host is meant.
    """
    found = checked(report)
    name = one_host(found, host)
    if oldest and age > oldest:
        return UNKNOWN, npd_line(f"vxlan_offload: the report is {age / 3600:.1f} h old")
    verdict = found["hosts"][name]
    code = PROBLEM if verdict["status"] in _PROBLEMS else UNKNOWN if verdict["status"] == "unknown" else OK
    return code, npd_line(f"{verdict['status']}: {verdict['summary']}")
