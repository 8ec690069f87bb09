#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: netfilter_rule
short_description: Have one iptables rule at its place, or not at all
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Inserts, moves or removes one rule of one chain, in the nf_tables or the legacy backend of iptables.
  - Waits for the xtables lock, and never takes an error of iptables for "the rule is absent".
  - Reads the chain again after a change and compares.
options:
  backend:
    description:
      - The backend that holds the chain.
      - With V(auto), when the node has programs for both backends, it is the only one that has rules in the chain,
        or, for a chain that a user made, the only one that has the chain.
        Otherwise it is the one that the plain name C(iptables) starts.
    type: str
    choices: [auto, nft, legacy]
    default: auto
  family:
    description: Whether C(iptables) or C(ip6tables) is used.
    type: str
    choices: [ipv4, ipv6]
    default: ipv4
  table:
    description: The table.
    type: str
    choices: [raw, mangle, filter, nat]
    required: true
  chain:
    description:
      - Name of the chain, up to 28 letters, digits, underscores, dots, colons and dashes.
      - It must exist when O(state=present).
    type: str
    required: true
  rule:
    description:
      - The arguments that follow the chain, each option and each value an item of its own.
      - They reach iptables as they are; no shell reads them.
      - Commands and options that belong to no rule, such as C(-F), C(-t) or C(--modprobe), are refused.
    type: list
    elements: str
    required: true
  position:
    description:
      - The number, counted from 1, that the rule must have in the chain.
      - Without it any place is right, and a missing rule is inserted first.
      - Not used when O(state=absent).
    type: int
  state:
    description:
      - With V(present) the rule is there. When it is at another place than O(position), it is moved there.
      - With V(absent) no copy of it is there.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description:
      - Seconds to wait for the xtables lock, V(1) to V(3600).
      - iptables before 1.6.0 cannot wait for a time; the module then ends the command itself.
    type: int
    default: 30
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
  - kubenet.vxlan_offload.node_module.state
notes:
  - Runs on CPython 3.6 and later and needs nothing but iptables.
  - Whether the rule is there is decided by C(iptables -C), whose only answers are return code 0, and return code 1 with the
    message that no such rule or chain is there. Everything else, also return code 4 of a held lock, is an error
    (see https://github.com/ansible/ansible/issues/59002 for what happens otherwise).
  - At which number it is cannot be asked. The rule is therefore printed by the same iptables from an empty private network
    namespace and looked for in what C(-S CHAIN) prints, so that C(--xor-mark), an implied C(-m udp) or quotes are recognized.
  - A legacy table is never created to look at it; C(/proc/net/ip_tables_names) tells whether it is there. Only
    O(backend=legacy) with O(state=present), or a node that has no other iptables, creates one.
  - A chain in which nft(8) has put rules that iptables cannot show is refused.
  - Copies are deleted by their text, not by their number. For a move to a lower number the old copy goes first, so the rule
    is missing for some milliseconds.
  - See iptables(8), options C(-C), C(-S) and C(-w), and iptables-extensions(8).
seealso:
  - module: ansible.builtin.iptables
"""

EXAMPLES = r"""
- name: Clear kube-proxy's mark from the tunnel's outer packets
  kubenet.vxlan_offload.netfilter_rule:
    table: mangle
    chain: OUTPUT
    rule: [-p, udp, --dport, "4789", -j, MARK, --set-xmark, "0x0/0x4000"]
  become: true

- name: Do not track the tunnel's packets, in the legacy backend
  kubenet.vxlan_offload.netfilter_rule:
    backend: legacy
    table: raw
    chain: OUTPUT
    rule: [-p, udp, --dport, "4789", -j, CT, --notrack]
    position: 1
  become: true

- name: Put kube-proxy's jump back to where it was
  kubenet.vxlan_offload.netfilter_rule:
    table: nat
    chain: POSTROUTING
    rule: [-m, comment, --comment, "kubernetes postrouting rules", -j, KUBE-POSTROUTING]
    position: 2
    wait: 60
  become: true

- name: Remove all copies of a rule
  kubenet.vxlan_offload.netfilter_rule:
    table: mangle
    chain: OUTPUT
    rule: [-p, udp, --dport, "4789", -j, MARK, --set-xmark, "0x0/0x4000"]
    state: absent
  become: true
"""

RETURN = r"""
backend:
  description: The backend that was used.
  type: str
  returned: success
  sample: nft
before:
  description: The rules of the chain as they were, as C(iptables -S) prints them after the chain's name.
  type: list
  elements: str
  returned: success
  sample: []
after:
  description: The rules of the chain afterwards. In check mode, as they would be.
  type: list
  elements: str
  returned: success
  sample:
    - "-p udp -m udp --dport 4789 -j MARK --set-xmark 0x0/0x4000"
position:
  description: The number of the rule in the chain afterwards, null when it is not there.
  type: int
  returned: success
  sample: 1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import changes
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import answer


def run(module):
    return changes.netfilter_rule(module.params, module.check_mode, module.warn)


def main():
    module = AnsibleModule(
        argument_spec={
            "backend": {"type": "str", "choices": ["auto", "nft", "legacy"], "default": "auto"},
            "family": {"type": "str", "choices": ["ipv4", "ipv6"], "default": "ipv4"},
            "table": {
                "type": "str",
                "choices": ["raw", "mangle", "filter", "nat"],
                "required": True,
            },
            "chain": {"type": "str", "required": True},
            "rule": {"type": "list", "elements": "str", "required": True},
            "position": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "wait": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
