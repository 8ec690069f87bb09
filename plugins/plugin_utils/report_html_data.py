# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as compact data for its page: every distinct value once, and hosts as numbers that lead there.

10,000 hosts of one cluster have some dozen distinct diagnoses, and those share most of their texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html_groups import (
    Group,
    action_key,
    cause_key,
    grouped,
    remedy_of,
    status_of,
)

# Kept out: the table of a node has them by its devices.
_REPEATED = frozenset({"conditions", "mitigations"})


class _Pool:
    """Distinct values by their JSON text; lists and dictionaries hold the numbers of their parts."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._seen: dict[tuple[str, Any], int] = {}

    def add(self, value: Any) -> int:
        """The number of a value."""
        if isinstance(value, Mapping):
            stored: Any = {str(key): self.add(one) for key, one in value.items()}
            key: Any = tuple(sorted(stored.items()))
        elif isinstance(value, (list, tuple)):
            stored = [self.add(one) for one in value]
            key = tuple(stored)
        else:
            stored = value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
            # 0.0 and -0.0 are equal in Python, and are two texts in JSON.
            key = repr(stored) if isinstance(stored, float) else stored
        # 1, 1.0 and true are equal in Python, so the type is part of the key.
        found = self._seen.setdefault((type(stored).__name__, key), len(self.values))
        if found == len(self.values):
            self.values.append(stored)
        return found


def _slim(diagnosis: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: one for key, one in diagnosis.items() if key not in _REPEATED} if diagnosis.get("devices") else diagnosis


class _Packer:
    """One pool for a report and the one before it."""

    def __init__(self) -> None:
        self.pool = _Pool()
        self._whole: dict[str, int] = {}

    def diagnosis(self, found: Mapping[str, Any]) -> int:
        """The number of a diagnosis; equal ones are found by their text, which is quicker than to look at each part."""
        text = json.dumps(found, sort_keys=True, default=str)
        if text not in self._whole:
            self._whole[text] = self.pool.add(_slim(found))
        return self._whole[text]


def hosts_of(report: Optional[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The hosts of a report.

    Raises ValueError when it is none.
    """
    hosts = (report or {}).get("hosts")
    if not isinstance(hosts, Mapping) or not all(isinstance(one, Mapping) for one in hosts.values()):
        raise ValueError("this is no report: pass what fleet.json holds, a dictionary with 'hosts'")
    return {str(name): one for name, one in hosts.items()}


def packed(report: Mapping[str, Any], before: Optional[Mapping[str, Any]] = None) -> tuple[dict[str, Any], list[Group], list[Group]]:
    """The data of the page, the causes and the things to do.

    A host is [name, number of its diagnosis, cause, thing to do, remedy, status].
    """
    hosts, packer = hosts_of(report), _Packer()
    causes = grouped({name: cause_key(one) for name, one in hosts.items()})
    actions = grouped({name: action_key(one) for name, one in hosts.items()})
    cause_of = {name: at for at, group in enumerate(causes) for name in group["hosts"]}
    action_of = {name: at for at, group in enumerate(actions) for name in group["hosts"]}
    rows = [
        [name, packer.diagnosis(one), cause_of[name], action_of[name], remedy_of(one), status_of(one)] for name, one in hosts.items()
    ]
    earlier = [[name, packer.diagnosis(one)] for name, one in hosts_of(before).items()] if before is not None else None
    data = {
        "pool": packer.pool.values, "hosts": rows, "before": earlier,
        "causes": [[group["status"], group["text"]] for group in causes],
        "actions": [[group["status"], group["text"]] for group in actions],
    }  # fmt: skip
    return data, causes, actions


def island(data: Mapping[str, Any]) -> str:
    """JSON that cannot leave its script element, whatever texts are in it. Pure ASCII, so U+2028 and the like are escapes."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
