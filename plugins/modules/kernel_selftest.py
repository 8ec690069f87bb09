#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kernel_selftest
short_description: Find out which VXLAN checksum defects the running kernel has
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Sends packets through VXLAN devices with and without outer checksums, lets NAT rewrite the source port of the outer
    packets, and reads the outer checksums at the other end. So it tells what the running kernel does, whatever its name
    and its back-ports say.
  - Works in two network namespaces of its own, which have no name and end with the module, also when it is killed.
    Nothing of the node's own network is read or changed, and nothing leaves the node.
  - Every defect has a control. When the packet without NAT is not as it must be, or NAT rewrote nothing, the answer is
    V(unknown). What cannot be tried is V(unknown) too, with the reason; that is no failure.
options:
  allow_module_load:
    description:
      - Whether the kernel may load modules for the test, for example C(vxlan) or C(nft_masq). They stay loaded.
      - By default the module looks what is there before it asks for anything, and says V(unknown) when a module would have to be
        loaded. On a node with a VXLAN device and kube-proxy everything is there already.
    type: bool
    default: false
  timeout:
    description: Seconds after which the test is given up, from V(1) to V(60).
    type: float
    default: 20
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without it.
    support: full
    details: Nothing on the node is ever changed, so the test runs in check mode as well.
  diff_mode:
    description: Returns what it changed, or would change in C(check_mode), when in diff mode.
    support: N/A
    details: It changes nothing.
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
notes:
  - Needs root, or C(CAP_SYS_ADMIN), C(CAP_NET_ADMIN) and C(CAP_NET_RAW).
  - Runs on CPython 3.6 and later with nothing installed. Uses C(ip) of iproute2 and C(nft), C(iptables-nft) or
    C(iptables-legacy), the first of them whose parts of the kernel are there.
  - A legacy table is opened in the private namespace only, and only where C(iptable_nat) is in the kernel already.
    C(iptables-legacy) runs with an empty C(/run); where that cannot be hidden, it takes the node's xtables lock for a moment.
  - The tunnels have an IPv4 outer header.
seealso:
  - module: kubenet.vxlan_offload.node_info
    description: Runs this test where the tables cannot tell, see its option C(kernel_selftest).
  - plugin: kubenet.vxlan_offload.kernel_status
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Find out what the running kernel does
  kubenet.vxlan_offload.kernel_selftest:
  become: true
  register: tried

- name: Use the answer in place of the kernel tables
  ansible.builtin.debug:
    msg: "{{ {'release': tried.kernel, 'selftest': tried} | kubenet.vxlan_offload.kernel_status }}"

- name: On a machine where nothing is loaded yet
  kubenet.vxlan_offload.kernel_selftest:
    allow_module_load: true
  become: true
"""

RETURN = r"""
zero_checksum:
  description: The defect of devices with C(noudpcsum), V(present), V(absent) or V(unknown).
  type: str
  returned: always
  sample: absent
lco_checksum:
  description: The defect of devices with C(udpcsum), V(present), V(absent) or V(unknown).
  type: str
  returned: always
  sample: present
reason:
  description: Why an answer is V(unknown), and what to do. Empty when both are known.
  type: str
  returned: always
  sample: ""
devices:
  description: What arrived through the devices of each checksum mode. Empty when nothing could be tried.
  type: list
  elements: dict
  returned: always
  sample:
    - checksum: udpcsum
      without_nat: {outer_checksum: good, value: "0x41d6", source_port: 41030}
      with_nat: {outer_checksum: bad, value: "0x41cc", source_port: 20064}
  contains:
    checksum:
      description: V(noudpcsum) or V(udpcsum).
      type: str
      returned: always
      sample: udpcsum
    without_nat:
      description: The packet that NAT left alone. Null when it did not arrive.
      type: dict
      returned: always
      sample: {outer_checksum: good, value: "0x41d6", source_port: 41030}
      contains: &packet
        outer_checksum:
          description: V(good), V(bad) or V(zero).
          type: str
          returned: always
          sample: good
        value:
          description: The checksum in the outer UDP header.
          type: str
          returned: always
          sample: "0x41d6"
        source_port:
          description: The outer UDP source port.
          type: int
          returned: always
          sample: 41030
    with_nat:
      description: The packet that NAT gave another source port. Null when it did not arrive.
      type: dict
      returned: always
      sample: {outer_checksum: bad, value: "0x41cc", source_port: 20064}
      contains: *packet
nat:
  description: What added the NAT rule, V(nft), V(iptables-nft) or V(iptables-legacy). Empty when nothing could be tried.
  type: str
  returned: always
  sample: nft
kernel:
  description: The release of the running kernel.
  type: str
  returned: always
  sample: 6.1.0-13-amd64
duration:
  description: How many seconds the test took.
  type: float
  returned: always
  sample: 0.041
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.experiment import selftest


def main():
    module = AnsibleModule(
        argument_spec={
            "allow_module_load": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    seconds = module.params["timeout"]
    if not 1 <= seconds <= 60:
        module.fail_json(msg="timeout is %s: give a number from 1 to 60" % seconds)
    module.exit_json(changed=False, **selftest(module.params["allow_module_load"], seconds))


if __name__ == "__main__":
    main()
