# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kubenet.vxlan_offload.remedies."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.remedies import ranked

DOCUMENTATION = r"""
name: remedies
short_description: Every remedy simulated on the facts of a node, the one to take first at the top
version_added: 1.0.0
author: the kubenet.vxlan_offload authors
description:
  - Applies each remedy to the facts, not to the node, and judges the result. Those that work come first, cheapest and safest first.
positional: service_cidr
options:
  _input:
    description: The RV(kubenet.vxlan_offload.node_info#module:node) that M(kubenet.vxlan_offload.node_info) returned.
    type: dict
    required: true
  service_cidr:
    description: The service CIDR of the cluster; without it V(service_route) is not applicable.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Read the node
  kubenet.vxlan_offload.node_info:
  become: true
  register: read

- name: Show what would help
  ansible.builtin.debug:
    msg: "{{ read.node | kubenet.vxlan_offload.remedies | selectattr('applicable') | map(attribute='id') | list }}"
"""

RETURN = r"""
_value:
  description: The remedies.
  type: list
  elements: dict
  contains:
    id:
      description: The method to give to the role C(workaround).
      type: str
      sample: clear_mark
    what:
      description: What it does.
      type: str
      sample: mangle OUTPUT takes kube-proxy's mark off packets to the VXLAN port
    status:
      description: The verdict on the node with it.
      type: str
      sample: mitigated
    applicable:
      description: Whether it can be applied to this node and helps.
      type: bool
      sample: true
    reason:
      description: Why it is not applicable.
      type: str
      sample: ''
    risk:
      description: What else it breaks. Such a remedy is applied only when it is named and the risk is accepted.
      type: str
      sample: ''
    cost:
      description: What it costs.
      type: str
      sample: none
    survives:
      description: Whether it survives a kube-proxy sync, a restart of the CNI agent and a reboot by itself.
      type: dict
      sample: {sync: true, cni_restart: true, reboot: false}
"""


def remedies_filter(facts: t.Any, service_cidr: str = "") -> list[dict[str, t.Any]]:
    """Node facts to ranked remedies."""
    try:
        return ranked(facts, service_cidr)
    except ValueError as error:
        raise AnsibleFilterError(f"kubenet.vxlan_offload.remedies: {error}") from error


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """What ansible-core asks for."""
        return {"remedies": remedies_filter}
