#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: offload
short_description: Switch offload features of a VXLAN device
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Requests offload features of a network device on or off, as C(ethtool -K DEVICE NAME on|off) does.
  - Touches only the features whose I(requested) bit differs, so that what another program has set stays.
  - Needs neither the ethtool program nor any Python library on the node.
options:
  device:
    description: Name of the device, for example V(vxlan.calico) or V(flannel.1).
    type: str
    required: true
  features:
    description:
      - The features and whether they are to be on.
      - The names are the kernel's own as C(ethtool -k) prints them indented, for example V(tx-checksum-ip-generic).
        The summary names, such as C(tx-checksumming), are made by ethtool and are not known here.
    type: dict
    required: true
  require_vxlan:
    description: Refuse a device that is no VXLAN device, so that a mistaken name cannot slow down a NIC.
    type: bool
    default: true
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
  - kubenet.vxlan_offload.node_module.state
notes:
  - Runs on CPython 3.6 and later with nothing installed.
  - Switching V(tx-checksum-ip-generic) off makes the TCP and UDP segmentation features inactive while they stay requested.
    The kernel brings them back when it is switched on again (C(netdev_fix_features) in net/core/dev.c). Therefore
    RV(before) and RV(after) tell both, and a change back to the requested bits of RV(before) is exact.
  - In check mode the requested bits are certain; the active bits follow the dependencies of Linux 6.x.
  - The change does not outlive a reboot or a re-creation of the device.
  - Kernel interface, ioctl SIOCETHTOOL with ETHTOOL_GFEATURES and ETHTOOL_SFEATURES, see include/uapi/linux/ethtool.h and ethtool(8).
seealso:
  - name: Calico issue 3145
    description: Where switching this offload off is given as a workaround.
    link: https://github.com/projectcalico/calico/issues/3145
"""

EXAMPLES = r"""
- name: Let the kernel compute the checksums of what enters the tunnel
  kubenet.vxlan_offload.offload:
    device: vxlan.calico
    features:
      tx-checksum-ip-generic: false
  become: true

- name: Leave the checksums to the offload again
  kubenet.vxlan_offload.offload:
    device: vxlan.calico
    features:
      tx-checksum-ip-generic: true
  become: true
"""

RETURN = r"""
before:
  description: The features that can be changed, as they were.
  type: dict
  returned: success
  sample:
    tx-checksum-ip-generic: {requested: true, active: true, fixed: false}
    tx-tcp-segmentation: {requested: true, active: true, fixed: false}
after:
  description: The same features afterwards. In check mode, as they would be.
  type: dict
  returned: success
  sample:
    tx-checksum-ip-generic: {requested: false, active: false, fixed: false}
    tx-tcp-segmentation: {requested: true, active: false, fixed: false}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import changes
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import answer


def run(module):
    return changes.offload(module.params, module.check_mode, module.warn)


def main():
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "features": {"type": "dict", "required": True},
            "require_vxlan": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
