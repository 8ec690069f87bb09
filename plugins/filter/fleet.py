# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kubenet.vxlan_offload.fleet."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import Fleet, fleet

DOCUMENTATION = r"""
name: fleet
short_description: The results of many nodes as one report
version_added: 1.0.0
author: the kubenet.vxlan_offload authors
description:
  - Judges every host and sorts them, the worst first. A host that could not be read is V(unknown), with the reason.
  - Control characters from the nodes are taken out, so that the lines are safe to print.
options:
  _input:
    description: A dictionary from host to what M(kubenet.vxlan_offload.node_info) returned there, also when it failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Read every node
  kubenet.vxlan_offload.node_info:
  become: true
  register: read

- name: Report
  ansible.builtin.debug:
    msg: "{{ (dict(hosts | zip(hosts | map('extract', hostvars, 'read'))) | kubenet.vxlan_offload.fleet).lines }}"
  vars:
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    schema:
      description: The version of this shape.
      type: int
      sample: 1
    hosts:
      description: The diagnosis of each host.
      type: dict
      sample: {}
    summary:
      description: How many hosts there are, how many of each status, and how many have each defect and mitigation.
      type: dict
      sample: {hosts: 1, status: {affected: 1, exposed: 0, unknown: 0, mitigated: 0, unaffected: 0}, causes: {lco_checksum: 1}}
    lines:
      description: One line for each host, the worst first.
      type: list
      elements: str
      sample: ["node1  AFFECTED  UDP and TCP are lost to Services on vxlan.calico: ... -> apply clear_mark"]
"""


def fleet_filter(results: t.Any) -> Fleet:
    """Results of many hosts to one report."""
    try:
        return fleet(results)
    except ValueError as error:
        raise AnsibleFilterError(f"kubenet.vxlan_offload.fleet: {error}") from error


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """What ansible-core asks for."""
        return {"fleet": fleet_filter}
