# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet report as Markdown for a ticket.

Everything that comes from the report is put into code spans: no renderer makes links, mentions, issue numbers or HTML of what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.causes import FINE, NOT_CHECKED, Group, groups
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import (
    checked,
    incomplete_parts,
    not_checked,
    shortened,
    status_counts,
    worst_first,
)

# The text of an issue has 65,536 characters at most on GitHub.
_ROWS, _GROUPS, _NAMES = 50, 20, 10
_LONGEST, _LONGEST_NAME = 240, 80


def code(text: str, longest: int = _LONGEST) -> str:
    """A code span. A backtick would end it, and a bar ends a table's cell even there."""
    inner = shortened(" ".join(text.split()), longest).replace("`", "'").replace("|", "\u00a6")
    return f"`{inner}`" if inner else "-"


def _hosts(number: int) -> str:
    return f"{number} {'host' if number == 1 else 'hosts'}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(code(name, _LONGEST_NAME) for name in names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _counts(report: Mapping[str, Any]) -> list[str]:
    lines = ["| status | hosts |", "|---|---:|"]
    lines += [f"| {status} | {number} |" for status, number in status_counts(report).items() if number]
    missing = len(not_checked(report))
    return [*lines, *([f"| not checked | {missing} |"] if missing else []), ""]


def _group(number: int, group: Group) -> list[str]:
    status = "not checked" if group["status"] == NOT_CHECKED else group["status"]
    return [
        f"{number}. **{_hosts(len(group['hosts']))} {status}** ({code(group['cause'])}): {_names(group['hosts'])}",
        f"   - what is seen: {code(group['summary'])}",
        f"   - what to do: {code(group['action'])}",
    ]


def _order(report: Mapping[str, Any]) -> list[str]:
    """The causes in the order in which to settle them."""
    bad = [group for group in groups(report) if group["status"] not in FINE]
    if not bad:
        return []
    lines = ["## What to do, in this order", ""]
    for number, group in enumerate(bad[:_GROUPS], 1):
        lines += _group(number, group)
    more = len(bad) - _GROUPS
    return [*lines, *(["", f"And {more} more causes; see the whole report."] if more > 0 else []), ""]


def _table(report: Mapping[str, Any]) -> list[str]:
    """The nodes that are not fine."""
    bad = [(name, host) for name, host in worst_first(report) if host["status"] not in FINE]
    if not bad:
        return []
    lines = ["## Nodes", "", "| node | status | TCP | UDP | why |", "|---|---|---|---|---|"]
    for name, host in bad[:_ROWS]:
        cells = [code(name, _LONGEST_NAME), host["status"], code(host["tcp"], 20), code(host["udp"], 20), code(host["summary"])]
        lines.append(f"| {' | '.join(cells)} |")
    more = len(bad) - _ROWS
    return [*lines, "", *([f"And {more} more nodes that are not fine; see the whole report.", ""] if more > 0 else [])]


def markdown(report: Mapping[str, Any]) -> str:
    """The report as GitHub's and GitLab's Markdown. Raises ValueError when `report` is no fleet report."""
    found = checked(report)
    title = f"# VXLAN checksum offload: {_hosts(len(found['hosts']))} checked"
    fine = [] if any(host["status"] not in FINE for host in found["hosts"].values()) else ["No checked node is affected or exposed.", ""]
    parts = [f"- part {code(name, _LONGEST_NAME)} is incomplete: {code(why)}" for name, why in incomplete_parts(found).items()]
    more = [f"- and {len(parts) - _GROUPS} more parts"] if len(parts) > _GROUPS else []
    cut = [*parts[:_GROUPS], *more, ""] if parts else []
    return "\n".join([title, "", *_counts(found), *fine, *cut, *_order(found), *_table(found)]).rstrip() + "\n"
