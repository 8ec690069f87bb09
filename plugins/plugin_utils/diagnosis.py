# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete diagnosis of a node: the verdict, and the remedies ranked when there is something to cure."""

from __future__ import annotations

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.advice import cure_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import of_one_node
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.remedies import ranked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import Diagnosis, judge


def status_of(facts: Facts) -> str:
    """The status alone, which takes a tenth of the time. Raises ValueError when `facts` are not node facts."""
    with of_one_node():
        return judge(checked(facts))["status"]


def diagnose(facts: Facts) -> Diagnosis:
    """The verdict on a node, with its remedies ranked when it needs one.

    Raises ValueError when `facts` are not node facts. Facts that are missing are no error: the verdict says so.
    """
    facts = checked(facts)
    with of_one_node():
        found = judge(facts)
        if found["status"] not in ("affected", "exposed", "unknown") or not found["devices"]:
            return found
        found["remedies"] = ranked(facts, judged=found)
        if found["status"] != "unknown":
            found["action"] = cure_text(facts, found["remedies"], found["upgrade"])
        return found
