# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every remedy simulated on a node's facts, the one to take first at the top."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import validate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.catalogue import CATALOGUE, Remedy
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import of_one_node
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import SAFE, plan_from
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import before_ours, record_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import Diagnosis, judge


def _entry(facts: Facts, base: Facts, before: Diagnosis, remedy: Remedy, service_cidr: str) -> dict[str, Any]:
    try:
        found = plan_from(facts, base, before, remedy.id, True, service_cidr)
        status, refused = found["simulated"]["status"], found["refused"]
    except ValueError as error:  # a name of the node that may not go into a rule is no reason to have no verdict
        status, refused = "unknown", str(error)
    sync, restart, reboot = remedy.survives
    return {
        "id": remedy.id, "what": remedy.what, "status": status, "applicable": not refused,
        "risk": remedy.risk, "cost": remedy.cost, "reason": refused,
        "survives": {"sync": sync, "cni_restart": restart, "reboot": reboot},
    }  # fmt: skip


def ranked(facts: Facts, service_cidr: str = "", judged: Diagnosis | None = None) -> list[dict[str, Any]]:
    """All remedies: those that work on this node first, cheapest and safest first. `judged`: the verdict, where it is known already.

    Raises ValueError for a service CIDR that is none.
    """
    validate.service_networks(service_cidr)
    facts = checked(facts)
    with of_one_node():
        return _ranked(facts, service_cidr, judged)


def _ranked(facts: Facts, service_cidr: str, judged: Diagnosis | None) -> list[dict[str, Any]]:
    base = before_ours(facts)
    before = judged if judged and not record_of(facts) else judge(base)
    entries = [_entry(facts, base, before, remedy, service_cidr) for remedy in CATALOGUE]
    return sorted(entries, key=lambda one: (not one["applicable"], bool(one["risk"]), one["status"] not in SAFE))
