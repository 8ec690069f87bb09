# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kubenet.vxlan_offload.plan."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import Plan, plan

DOCUMENTATION = r"""
name: plan
short_description: A remedy as actions on one node, with their undo and systemd units
version_added: 1.0.0
author: the kubenet.vxlan_offload authors
description:
  - Plans on the facts as they would be without what is applied already. So planning again on a node where the plan was applied gives
    the same plan, and the undo leads to the state before the first one.
  - Changes nothing. The role C(workaround) carries the plan out.
positional: method, accept_risk, service_cidr
options:
  _input:
    description: The RV(kubenet.vxlan_offload.node_info#module:node) that M(kubenet.vxlan_offload.node_info) returned.
    type: dict
    required: true
  method:
    description: V(auto), which takes the first remedy without a risk that keeps the node safe, or the id of a remedy.
    type: str
    required: true
    choices: [auto, clear_mark, notrack, tx_checksum_off, rx_tx_offload_off, felix_override, service_route,
      masquerade_without_random, underlay_accept, kube_postrouting_detached]
  accept_risk:
    description: Accept what the remedy breaks besides.
    type: bool
    default: false
  service_cidr:
    description: The service CIDR of the cluster, for V(service_route).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Read the node
  kubenet.vxlan_offload.node_info:
  become: true
  register: read

- name: Show what the workaround role would do
  ansible.builtin.debug:
    msg: "{{ planned.refused or planned.method }}: {{ planned.actions }}"
  vars:
    planned: "{{ read.node | kubenet.vxlan_offload.plan('auto') }}"

- name: Plan a route for the Services, which needs their network
  ansible.builtin.set_fact:
    planned: "{{ read.node | kubenet.vxlan_offload.plan('service_route', service_cidr='10.96.0.0/12') }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    method:
      description: The method, V(none) when the node needs nothing.
      type: str
      sample: clear_mark
    devices:
      description: The VXLAN devices that it is for.
      type: list
      elements: str
      sample: [vxlan.calico]
    refused:
      description: Why nothing may be done, empty when it may.
      type: str
      sample: ''
    risk:
      description: What else the method breaks.
      type: str
      sample: ''
    actions:
      description: The state modules to run and their arguments.
      type: list
      elements: dict
      sample: [{module: offload, args: {device: vxlan.calico, features: {tx-checksum-ip-generic: false}}}]
    undo:
      description: The inverse, from the facts before.
      type: list
      elements: dict
      sample: [{module: offload, args: {device: vxlan.calico, features: {tx-checksum-ip-generic: true}}}]
    units:
      description: The systemd units that keep it in place.
      type: list
      elements: dict
      sample: []
    record:
      description: What to keep on the node to be able to revert.
      type: dict
      sample: {schema: 1, method: clear_mark, undo: [], units: [], links: []}
    simulated:
      description: The verdict on the node after the actions.
      type: dict
      sample: {status: mitigated, tcp: ok, udp: ok}
"""


def plan_filter(facts: t.Any, method: str, accept_risk: bool = False, service_cidr: str = "") -> Plan:
    """Node facts and a method to a plan."""
    try:
        return plan(facts, method, accept_risk, service_cidr)
    except ValueError as error:
        raise AnsibleFilterError(f"kubenet.vxlan_offload.plan: {error}") from error


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """What ansible-core asks for."""
        return {"plan": plan_filter}
