# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter preflight: a thin shell over plugin_utils/preflight.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight
short_description: The verdict on a node before kubespray runs
version_added: 1.1.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - A node on which a cluster runs (a VXLAN device of a CNI, kube-proxy, or its rules) is judged by its own evidence. The plan is shown
    beside it only where this run makes it worse or ends it.
  - A node without a cluster is judged by the plan and its own kernel.
  - A node that could not be read is V(unknown), and so is one whose possible plans end differently.
options:
  _input:
    description: What M(kubenet.vxlan_offload.node_info) returned for the node, also when it failed or the node was unreachable.
    type: dict
    required: true
  plan:
    description: The answer of P(kubenet.vxlan_offload.kubespray_plan#filter).
    type: dict
    required: true
  remark:
    description:
      - Whether the summary of a node on which a cluster runs says what the plan changes.
      - After the upgrade it changes nothing any more.
    type: bool
    default: true
seealso:
  - plugin: kubenet.vxlan_offload.kubespray_plan
    plugin_type: filter
  - plugin: kubenet.vxlan_offload.preflight_stop
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the node
  kubenet.vxlan_offload.node_info:
  register: read

- name: Say what kubespray 2.31.0 will make of it
  ansible.builtin.debug:
    msg: "{{ verdict.status }} by the {{ verdict.basis }}: {{ verdict.summary }}"
  vars:
    plan: "{{ {'kube_network_plugin': 'calico'} | kubenet.vxlan_offload.kubespray_plan(version='2.31.0') }}"
    verdict: "{{ (read | kubenet.vxlan_offload.preflight(plan)).diagnosis }}"
"""

RETURN = r"""
_value:
  description: The verdict, as a result that P(kubenet.vxlan_offload.fleet#filter) takes.
  type: dict
  contains:
    diagnosis:
      description:
        - A diagnosis as of P(kubenet.vxlan_offload.diagnose#filter), and two keys more.
        - C(basis) is what it was judged by, V(node), V(plan) or V(none) when neither could be.
        - C(planned) is the plan.
      type: dict
      sample: {status: unaffected, basis: plan, summary: "planned by kubespray 2.31.0: kube-proxy 1.35.4 clears the mark before the tunnel"}
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import preflight as judging


def preflight(result: Any, plan: Any, remark: bool = True) -> dict[str, Any]:
    """Judge one node; see the documentation above."""
    try:
        return judging.preflight(result, plan, remark)
    except ValueError as error:
        raise AnsibleFilterError(f"preflight: {error}") from error


class FilterModule:
    """The one filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name it for Ansible."""
        return {"preflight": preflight}
