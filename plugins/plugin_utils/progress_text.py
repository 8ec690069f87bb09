# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over many hosts says on a terminal: one line while it runs, and the summary by cause at its end."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.causes import FINE, NOT_CHECKED, Group, groups
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import status_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import counts, facts_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import shortened, status_counts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

# Of the time that a run takes, judging on the way may have this share. The report judges every node anyway.
_SHARE = 0.02
_LONGEST = 400
_COLOURS = {"affected": "31", "exposed": "33", "unknown": "35", NOT_CHECKED: "35", "mitigated": "32", "unaffected": "32"}


def _columns(character: str) -> int:
    return 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitting(text: str, width: int) -> str:
    """As much of a text as fits into so many columns of a terminal."""
    used = 0
    for at, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:at]
    return text


class Tally:
    """What a run has found so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._judging = 0.0
        self.play, self.task = "", ""
        self.batch, self.total = 1, 0
        self._statuses: dict[str, str] = {}
        self._unreachable: set[str] = set()
        self._failed: set[str] = set()

    def read(self, host: str, result: Mapping[str, Any]) -> None:
        """node_info's result for a host. Judged only while that takes next to none of the run's time."""
        self._unreachable.discard(host)
        if not isinstance(result.get("node") or result.get("node_json"), (Mapping, str)):
            self._statuses[host] = "unknown"
            return
        now = self._clock()
        if self._judging > _SHARE * (now - self._begun):
            self._statuses[host] = ""
            return
        try:
            self._statuses[host] = status_of(facts_of(result))
        except Exception:  # pylint: disable=broad-except  # a node can say anything; the report says what is wrong with it
            self._statuses[host] = "unknown"
        self._judging += self._clock() - now

    def unreachable(self, host: str) -> None:
        self._unreachable.add(host)

    def failed(self, host: str) -> None:
        self._failed.add(host)

    def line(self) -> str:
        """One line of all that, without a name of a host."""
        found = [f"{number} {status}" for status in STATUSES if (number := list(self._statuses.values()).count(status))]
        of = f" of {self.total}" if self.total else ""
        judged = sum(1 for status in self._statuses.values() if status)
        which = f"of {judged} judged " if judged < len(self._statuses) else ""
        parts = [f"read {len(self._statuses)}{of}{': ' + which + ', '.join(found) if found else ''}"]
        parts += [f"{len(self._unreachable)} unreachable"] if self._unreachable else []
        parts += [f"{len(self._failed)} failed"] if self._failed else []
        batch = f" (batch {self.batch})" if self.batch > 1 else ""
        now = [f"now: {self.task}"] if self.task else []
        return str(printable("; ".join([f"{self.play}{batch}: " * bool(self.play) + parts[0], *parts[1:], *now])))


def _group(group: Group, names: int, colour: bool) -> list[str]:
    status = "NOT CHECKED" if group["status"] == NOT_CHECKED else group["status"].upper()
    more = len(group["hosts"]) - names
    named = ", ".join(group["hosts"][:names]) + (f" and {more} more" if more > 0 else "")
    number = len(group["hosts"])
    shown = f"\033[{_COLOURS[group['status']]}m{status}\033[0m" if colour else status
    head = f"{shown}  {number} {'host' if number == 1 else 'hosts'}, {shortened(group['cause'], _LONGEST)}"
    return [head, f"    {shortened(named, _LONGEST)}", f"    -> {shortened(group['action'], _LONGEST)}"]


def summary_lines(report: Mapping[str, Any], names: int, colour: bool) -> list[str]:
    """The end of a run: the counts, and for each cause that needs somebody its hosts and what to do, the worst first.

    `report`: as report_input.checked returns it. `names`: how many hosts are named for each cause.
    """
    every = groups(report)
    number = len(report["hosts"])
    lines = counts({"hosts": number, "status": status_counts(report)})
    missing = sum(len(one["hosts"]) for one in every if one["status"] == NOT_CHECKED)
    if missing:
        lines.append(f"checked {number} of {number + missing} hosts")
    return [*lines, *(line for group in every if group["status"] not in FINE for line in _group(group, names, colour))]
