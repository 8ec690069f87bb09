# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a report grouped by what they have in common: why they are as they are, and what to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES


class Group(TypedDict):
    """Hosts with one cause, or with one thing to do."""

    status: str
    text: str
    detail: str
    hosts: list[str]


def status_of(diagnosis: Mapping[str, Any]) -> str:
    """The status; what nobody has heard of is unknown."""
    found = str(diagnosis.get("status"))
    return found if found in STATUSES else "unknown"


def cause_key(diagnosis: Mapping[str, Any]) -> tuple[str, str, str]:
    """What hosts of one cause share: the status, why, and which defect of the kernel.

    Behind the colon of a node that was not read stands the error, often with the host's own name or address in it.
    """
    text = str(diagnosis.get("summary") or "no reason was given")
    if not diagnosis.get("devices") and status_of(diagnosis) == "unknown":
        text = text.partition(":")[0]
    named = diagnosis.get("defects")
    defects = ", ".join(str(one) for one in named) if isinstance(named, list) else ""
    return status_of(diagnosis), text, f"kernel defect {defects}" if defects else ""


def _first_remedy(diagnosis: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    remedies = diagnosis.get("remedies")
    known = [one for one in remedies if isinstance(one, Mapping)] if isinstance(remedies, list) else []
    return next((one for one in known if one.get("applicable") and not one.get("risk")), None)


def action_key(diagnosis: Mapping[str, Any]) -> tuple[str, str, str]:
    """What hosts with one thing to do share: the status, what to do, and what it costs."""
    first = _first_remedy(diagnosis)
    action = str(diagnosis.get("action") or "")
    cost = f"{first.get('id')}: {first.get('what')}; cost: {first.get('cost')}" if first and str(first.get("id")) in action else ""
    return status_of(diagnosis), action, cost


def remedy_of(diagnosis: Mapping[str, Any]) -> str:
    """The remedy to apply, or nothing."""
    return str((_first_remedy(diagnosis) or {}).get("id") or "")


def grouped(keys: Mapping[str, tuple[str, str, str]]) -> list[Group]:
    """Hosts by key, the worst status first, and of one status the most hosts first."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, key in keys.items():
        found.setdefault(key, []).append(name)
    order = sorted(found, key=lambda key: (STATUSES.index(key[0]), -len(found[key]), key))
    return [{"status": key[0], "text": key[1], "detail": key[2], "hosts": sorted(found[key])} for key in order]
