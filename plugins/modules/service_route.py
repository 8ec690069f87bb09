#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: service_route
short_description: Route the Service network into a device
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Adds or removes the route C(DESTINATION dev DEVICE) of the main routing table of its address family.
  - A connection of the node to a Service then has the tunnel's own address from the start, so that nothing masquerades it.
options:
  destination:
    description: The network of the Services as a CIDR, for example V(10.96.0.0/12) or V(fd00:10:96::/112). Not the default route.
    type: str
    required: true
  device:
    description: The device, for example V(vxlan.calico). It must exist, and be up for O(state=present).
    type: str
    required: true
  state:
    description:
      - With V(present) the route is there. A route for exactly the same network that is not this one is refused and told.
      - With V(absent) the route through O(device) is removed; routes through other devices or a gateway stay.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
  - kubenet.vxlan_offload.node_module.state
notes:
  - Runs on CPython 3.6 and later and needs nothing but iproute2; its text output is read, since C(ip -j) is missing on old nodes.
  - Does not help a NodePort, and does nothing useful in the IPVS mode of kube-proxy. Felix removes routes of its device
    that it did not write, and a reboot removes all.
  - See ip-route(8) and https://github.com/projectcalico/calico/issues/3145.
seealso:
  - module: kubenet.vxlan_offload.offload
  - module: kubenet.vxlan_offload.netfilter_rule
"""

EXAMPLES = r"""
- name: Reach Services through the tunnel
  kubenet.vxlan_offload.service_route:
    destination: 10.96.0.0/12
    device: vxlan.calico
  become: true

- name: Take the route away again
  kubenet.vxlan_offload.service_route:
    destination: 10.96.0.0/12
    device: vxlan.calico
    state: absent
  become: true
"""

RETURN = r"""
before:
  description: The routes for exactly this network as they were, as C(ip route) prints them.
  type: list
  elements: str
  returned: success
  sample: []
after:
  description: The routes afterwards. In check mode, as they would be.
  type: list
  elements: str
  returned: success
  sample:
    - 10.96.0.0/12 dev vxlan.calico scope link
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import changes
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import answer


def run(module):
    return changes.service_route(module.params, module.check_mode, module.warn)


def main():
    module = AnsibleModule(
        argument_spec={
            "destination": {"type": "str", "required": True},
            "device": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
