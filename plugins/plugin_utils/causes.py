# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a fleet report grouped by cause, the worst first: what a ticket or a terminal says about many nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import not_checked, worst_first
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

NOT_CHECKED = "not_checked"
FINE = ("mitigated", "unaffected")


class Group(TypedDict):
    """Hosts with the same status, cause and remedy. `summary` is that of the first of them."""

    status: str
    cause: str
    action: str
    summary: str
    hosts: list[str]


def cause(host: Mapping[str, Any]) -> str:
    """What a host's status comes from, in words that are the same for every host that has it."""
    if host["status"] in ("affected", "exposed"):
        return ", ".join(host.get("defects") or []) or "seen in packets"
    if host["status"] == "mitigated":
        return ", ".join(sorted({str(one.get("id")) for one in host.get("mitigations") or []})) or "mitigated"
    if host["status"] == "unaffected":
        return "nothing to do"
    head, colon, _rest = host["summary"].partition(":")
    facts = [str(one.get("fact")) for one in host.get("missing") or []]
    # An error message names the host. What comes before it does not.
    return head if colon or facts in ([], ["all"]) else "not known: " + ", ".join(sorted(set(facts)))


def groups(report: Mapping[str, Any]) -> list[Group]:
    """All hosts by cause; those that were not checked come before those that are fine."""
    found: dict[tuple[str, str, str], Group] = {}
    for name, host in worst_first(report):
        key = (host["status"], cause(host), host["action"])
        group = found.setdefault(key, {"status": key[0], "cause": key[1], "action": key[2], "summary": host["summary"], "hosts": []})
        group["hosts"].append(name)
    missing = not_checked(report)
    every = list(found.values())
    if missing:
        action = "run again for these hosts"
        every.append({"status": NOT_CHECKED, "cause": "not checked", "action": action, "summary": "not in the report", "hosts": missing})
    order = [*(one for one in STATUSES if one not in FINE), NOT_CHECKED, *FINE]
    return sorted(every, key=lambda one: (order.index(one["status"]), -len(one["hosts"]), one["cause"]))
