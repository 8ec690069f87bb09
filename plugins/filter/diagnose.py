# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kubenet.vxlan_offload.diagnose."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import Diagnosis

DOCUMENTATION = r"""
name: diagnose
short_description: Tell whether a node loses VXLAN traffic to Services, why, and what to do
version_added: 1.0.0
author: the kubenet.vxlan_offload authors
description:
  - Judges the four conditions of each VXLAN device on the facts of one node. It walks the netfilter rules with the packet before
    and after encapsulation, three-valued, and trusts no version number and no single rule text.
  - A device over which no route leads carries nothing now. It is V(unaffected), left behind by an earlier CNI, when its CNI is not
    configured on the node and the routes lead over a device of one that is. Otherwise it is V(exposed) with TCP and UDP V(ok), because
    a route may come with the next node (Calico's cross-subnet mode, a node that has no peers yet); a remedy may be applied before.
  - A flow-based (C(external)) device has an outer checksum or not packet by packet. Where routes with C(encap ip) ask for it, it is
    read there, and Cilium is known to ask for none; with Calico's eBPF mode, Open vSwitch and OVN it cannot be read, and
    the device is V(exposed) when one of the two kernel defects is present. Packets tell, see M(kubenet.vxlan_offload.service_probe).
  - In which order nat chains of one priority run in two tables cannot be read either. Where it matters the verdict is V(exposed).
  - Tables that other programs made with C(nft) are not read, except that of kube-proxy. That of flannel (C(flannel-ipv4)) needs not be,
    it leaves to kube-proxy what the node sends to pods; this was measured with both orders of registration.
  - Reads nothing and changes nothing. A fact that is missing is listed in RV(_value.missing) and makes the verdict V(unknown)
    only when it can change it.
options:
  _input:
    description: The RV(kubenet.vxlan_offload.node_info#module:node) that M(kubenet.vxlan_offload.node_info) returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Read the node
  kubenet.vxlan_offload.node_info:
  become: true
  register: read

- name: Say what is wrong and what to do
  ansible.builtin.debug:
    msg: "{{ verdict.status }}: {{ verdict.summary }} -> {{ verdict.action }}"
  vars:
    verdict: "{{ read.node | kubenet.vxlan_offload.diagnose }}"

- name: Make groups such as vxlan_affected for the plays that follow
  ansible.builtin.group_by:
    key: vxlan_{{ (read.node | kubenet.vxlan_offload.diagnose).status }}
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
  contains:
    status:
      description: The worst of the devices, one of V(affected), V(exposed), V(unknown), V(mitigated), V(unaffected).
      type: str
      sample: affected
    tcp:
      description: What happens to TCP from the node to Services, one of V(broken), V(ok), V(at_risk), V(unknown).
      type: str
      sample: broken
    udp:
      description: The same for UDP.
      type: str
      sample: broken
    summary:
      description: Why, in one line.
      type: str
      sample: "UDP and TCP are lost to Services on vxlan.calico: nat KUBE-POSTROUTING rule 3 (-j MASQUERADE --random-fully) ..."
    action:
      description: What to do, in one line.
      type: str
      sample: apply clear_mark
    defects:
      description: The kernel defects that matter for the devices and that the kernel has, V(zero_checksum) or V(lco_checksum).
      type: list
      elements: str
      sample: [lco_checksum]
    conditions:
      description: The conditions C(vxlan), C(kernel_defect), C(offload) and C(rewrite) of the worst device.
      type: dict
      sample: {offload: {holds: "yes", evidence: tx-checksum-ip-generic is on, source: ethtool -k vxlan.calico}}
    devices:
      description:
        - The same for each VXLAN device, with the rules that the packet met.
        - C(walk) of a device has them as texts. C(way) is the same as data, its C(steps) parallel to the
          texts - what each rule did and whether kube-proxy's mark is set behind it; then the rules that would have rewritten the packet
          and did not match (C(passed)), whether its source was C(rewritten), C(kept) or C(maybe), and whether the checksum is
          C(broken), C(good), C(maybe) or C(unknown). It is none where no rules were read.
      type: list
      elements: dict
      sample: []
    mitigations:
      description: What keeps the node from being affected, and who put it there.
      type: list
      elements: dict
      sample: [{id: notrack, owner: calico, evidence: "nft raw OUTPUT rule 1"}]
    unneeded:
      description: Applied workarounds that may go; without them the node is still not affected.
      type: list
      elements: str
      sample: []
    missing:
      description: Facts that could not be read, why, and how to get them.
      type: list
      elements: dict
      sample: [{fact: netfilter.nft.nat, reason: needs root, how: "run with become: true"}]
    remedies:
      description: The remedies, simulated on the facts, the one to take first at the top.
      type: list
      elements: dict
      sample: []
    lookalikes:
      description: Other faults with the same symptoms that the hardware of this node can have.
      type: list
      elements: str
      sample: []
    upgrade:
      description: The releases that remove the cause.
      type: list
      elements: str
      sample: []
    node:
      description: What runs on the node, as far as it was seen; an empty text is not known.
      type: dict
      sample: {kernel: 6.18.44, os: Debian GNU/Linux 12 (bookworm), machine: x86_64, cni: "calico 3.28.0", kube_proxy: v1.30.4,
        mode: iptables, iptables: "nft 1.8.9"}
"""


def diagnose_filter(facts: t.Any) -> Diagnosis:
    """Node facts to a verdict."""
    try:
        return diagnose(facts)
    except ValueError as error:
        raise AnsibleFilterError(f"kubenet.vxlan_offload.diagnose: {error}") from error


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """What ansible-core asks for."""
        return {"diagnose": diagnose_filter}
