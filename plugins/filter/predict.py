# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter predict: a thin shell over plugin_utils/predict.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: predict
short_description: Diagnose a cluster that is only planned
version_added: 1.0.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - Tells from planned versions and a node's kernel whether Service traffic over VXLAN will fail.
  - It judges what the releases do with their default settings. Once nodes run, their rules tell more.
options:
  _input:
    description:
      - The planned versions. Keys that are left out and needed are listed in C(missing) of the answer.
      - C(kube_version), C(calico_version), C(flannel_version) are written like C(1.18.6).
      - C(network_plugin) is V(calico), V(flannel) or V(canal). V(macvlan), V(cloud) and V(kube-router) are known to make no VXLAN
        device; any other is V(unknown). By default it follows from the version that is given.
      - C(encapsulation) says when VXLAN is used, V(always) (the default), V(crosssubnet) or V(never).
      - C(proxy_mode) is V(iptables) (the default), V(ipvs), V(nftables) or V(none).
      - C(masquerade_bit) is kube-proxy's, V(14) by default. flannel 0.20.2 and newer leave only packets of bit 14 to kube-proxy.
      - C(feature_detect_override) is the text of Felix' C(featureDetectOverride).
      - C(kernel) is a dictionary as for P(kubenet.vxlan_offload.kernel_status#filter).
    type: dict
    required: true
seealso:
  - plugin: kubenet.vxlan_offload.kernel_status
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a plan that is known to fail
  ansible.builtin.assert:
    that: verdict.status in ['unaffected', 'mitigated']
    fail_msg: "{{ verdict.summary }} - {{ verdict.action }}"
  vars:
    verdict: "{{ planned | kubenet.vxlan_offload.predict }}"
    planned:
      kube_version: 1.30.4
      network_plugin: calico
      calico_version: 3.28.2
      encapsulation: always
      proxy_mode: ipvs
      kernel:
        release: 5.15.0-37-generic
"""

RETURN = r"""
_value:
  description:
    - The diagnosis, in the same shape as that of a running node.
    - C(status) is V(affected), V(exposed), V(mitigated), V(unaffected) or V(unknown).
    - C(conditions) has for each of C(vxlan), C(kernel_defect), C(offload) and C(rewrite) whether it holds, the evidence and its source.
  type: dict
  sample:
    status: affected
    tcp: broken
    udp: at_risk
    summary: "node to Service traffic over VXLAN will fail: the CNI masquerades before kube-proxy 1.30.4 can clear the mark"
    action: plan Calico 3.29.0 or later, or apply the workaround role (method auto) when the nodes are up
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import predict as planning


def predict(planned: Any) -> dict[str, Any]:
    """Diagnose planned versions; see the documentation above."""
    if not isinstance(planned, Mapping):
        raise AnsibleFilterError("predict needs a dictionary of planned versions, for example kube_version")
    try:
        return planning.predict(planned)
    except ValueError as error:
        raise AnsibleFilterError(f"predict: {error}") from error


class FilterModule:
    """The one filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name it for Ansible."""
        return {"predict": predict}
