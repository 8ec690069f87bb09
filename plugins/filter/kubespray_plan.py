# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kubespray_plan: a thin shell over plugin_utils/kubespray.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubespray_plan
short_description: What kubespray is about to install, from its variables
version_added: 1.1.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - Turns the variables of a kubespray inventory into the planned versions that P(kubenet.vxlan_offload.predict#filter) judges.
  - What no variable says is taken from a table of the defaults of every kubespray release from 2.10.0 to 2.31.0, read from its tags.
  - Where the release is not known, all that can install the wanted Kubernetes are planned. It is never guessed.
options:
  _input:
    description:
      - The variables that are visible, empty ones count as not set. Others than these are not looked at.
      - C(kube_version), C(kube_network_plugin), C(calico_version), C(flannel_version), with or without C(v) in front of a number.
      - C(calico_vxlan_mode), C(calico_ipip_mode), and C(ipip) and C(ipip_mode) of releases before 2.19. IPIP without a visible
        C(calico_vxlan_mode) means no VXLAN.
      - C(flannel_backend_type), where everything but V(vxlan) means no VXLAN, and C(flannel_vxlan_direct_routing).
      - C(kube_proxy_mode), C(kube_proxy_masquerade_bit), and what makes kubespray leave kube-proxy out, C(kube_proxy_remove),
        C(calico_bpf_enabled), C(cilium_kube_proxy_replacement), C(kube_router_run_service_proxy).
      - C(calico_feature_detect_override).
    type: dict
    required: true
  version:
    description:
      - The release of kubespray, V(2.13.2) or V(2.13) for all of a line.
      - By default it follows from O(tree), else from C(kube_version).
    type: str
    default: ""
  tree:
    description: What P(kubenet.vxlan_offload.kubespray_tree#lookup) found.
    type: dict
    default: {}
seealso:
  - plugin: kubenet.vxlan_offload.kubespray_tree
    plugin_type: lookup
  - plugin: kubenet.vxlan_offload.preflight
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what kubespray 2.13.2 would install with flannel
  ansible.builtin.debug:
    msg: "{{ plan.release }} {{ plan.candidates }} {{ plan.sources }}"
  vars:
    plan: "{{ {'kube_network_plugin': 'flannel'} | kubenet.vxlan_offload.kubespray_plan(version='2.13.2') }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    error:
      description:
        - Which value is not understood. There is no candidate then.
        - Empty otherwise.
      type: str
      sample: ""
    release:
      description: The release, or the first and the last that are possible. Empty when it is not in the table.
      type: str
      sample: 2.13.2
    told_by:
      description: What told the release, V(vxlan_offload_kubespray_version), a folder, C(kube_version) and its value, or V(nothing).
      type: str
      sample: vxlan_offload_kubespray_version
    candidates:
      description:
        - Each possible plan, as P(kubenet.vxlan_offload.predict#filter) takes it.
        - Different ones mean that something is not known.
      type: list
      elements: dict
      sample:
        - {kube_version: 1.17.7, network_plugin: flannel, flannel_version: 0.12.0, encapsulation: always, proxy_mode: ipvs}
    sources:
      description: Where each key of the first candidate comes from, a variable's name or a release's default.
      type: dict
      sample: {network_plugin: kube_network_plugin, kube_version: default of kubespray 2.13.2}
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import plan


def kubespray_plan(variables: Any, version: Any = "", tree: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    """Plan from kubespray's variables; see the documentation above."""
    if tree and not isinstance(tree, Mapping):
        raise AnsibleFilterError("kubespray_plan: tree must be a dictionary: pass what the lookup kubespray_tree returned")
    try:
        return dict(plan(variables, str(version or ""), tree))
    except ValueError as error:
        raise AnsibleFilterError(f"kubespray_plan: {error}") from error


class FilterModule:
    """The one filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name it for Ansible."""
        return {"kubespray_plan": kubespray_plan}
