#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: transaction
short_description: Change a node in one step, with a record of the state before
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Does everything that a plan of the P(kubenet.vxlan_offload.plan#filter) filter needs on a node in one process. It writes the
    record of the state before, runs the actions, writes the systemd units and the links that enable them. Or it takes all of it back.
  - The record is complete on the disk before the first change. It is written beside, synced and renamed, so it is there as a
    whole or not at all.
  - When something fails, what was changed is put back, and the message says so. When the process is killed, the record says that a
    run began and did not end. The next run tells that, and finishes it or takes it back.
  - One run at a time changes a node. Another one waits, and is refused when the record is no longer the one that it had read.
options:
  state:
    description:
      - With V(present) the planned state is there.
      - With V(absent) the recorded state is there again, and no record and no unit.
    type: str
    choices: [present, absent]
    default: present
  record:
    description: RV(ignore:record) of the plan. Needed for O(state=present).
    type: dict
  actions:
    description: RV(ignore:actions) of the plan, but for C(felix_override), which no node can do.
    type: list
    elements: dict
    default: []
  units:
    description: RV(ignore:units) of the plan. Without them nothing keeps the change after a reboot.
    type: list
    elements: dict
    default: []
  keeper:
    description: Text of the script that units with a timer call.
    type: str
    default: ""
  found:
    description:
      - The record that the node had when it was read, C(record) in RV(kubenet.vxlan_offload.node_info#module:node.applied), or V({})
        when it had none.
      - The module refuses to work on another one. Left out, it works on what is there.
    type: dict
  wait:
    description: Seconds to wait for another run to end, V(1) to V(3600).
    type: int
    default: 60
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
  - kubenet.vxlan_offload.node_module.state
notes:
  - Runs on CPython 3.6 and later and needs what the actions need.
  - The lock is flock(2) on the folder C(/run). The kernel gives it back when the run ends, however it ends. No file is left.
  - Signals that end a connection are ignored on the way, so that a lost connection does not stop a change half way.
  - It does not talk to systemd; a C(daemon-reload) is for the caller.
seealso:
  - module: kubenet.vxlan_offload.netfilter_rule
  - module: kubenet.vxlan_offload.offload
  - module: kubenet.vxlan_offload.service_route
"""

EXAMPLES = r"""
- name: Read the node
  kubenet.vxlan_offload.node_info:
  register: before

- name: Clear the mark of the tunnel's packets, and record how to take that back
  kubenet.vxlan_offload.transaction:
    record: "{{ plan.record }}"
    actions: "{{ plan.actions }}"
    units: "{{ plan.units }}"
    found: "{{ before.node.applied.record | default({}, true) }}"
  vars:
    plan: "{{ before.node | kubenet.vxlan_offload.plan('clear_mark') }}"
  register: done
  become: true

- name: Take it back
  kubenet.vxlan_offload.transaction:
    state: absent
    found: "{{ done.after }}"
  become: true
"""

RETURN = r"""
before:
  description: The record on the node as it was, null when there was none.
  type: dict
  returned: success
  sample: null
after:
  description: The record on the node afterwards. In check mode, as it would be. Null when there is none.
  type: dict
  returned: success
  sample:
    schema: 1
    method: clear_mark
    undo:
      - module: netfilter_rule
        args:
          backend: nft
          table: mangle
          chain: OUTPUT
          rule: [-p, udp, -m, udp, --dport, "4789", -j, MARK, --set-xmark, "0x0/0x4000"]
          state: absent
    units: [vxlan-offload-clear_mark.service]
    links: [multi-user.target.wants/vxlan-offload-clear_mark.service]
    folders: []
    state: applied
interrupted:
  description: What an earlier run has left unfinished, and what this one makes of it. Empty when there was none.
  type: str
  returned: success
  sample: an earlier run began clear_mark on this node and did not end, this run finishes it
systemd:
  description: Whether systemd runs on the node (as sd_booted(3) tells it), so that there is one to be told of units that came or went.
  type: bool
  returned: success
  sample: true
"""

import os
import signal

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import (
    changes,
    command,
    node_lock,
    record,
    transaction,
    unit_files,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError, answer

SYSTEMD = "/run/systemd/system"
# what sshd, sudo or a terminal send when the connection goes
HANGING_UP = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def read_request(params):
    wanted = params["record"] or {}
    wrong = record.problem(wanted)
    if wrong:
        raise NodeError("record: %s is not usable: give the record of a plan" % wrong)
    unknown = [one for one in params["actions"] if one.get("module") not in changes.ACTIONS or not isinstance(one.get("args"), dict)]
    if unknown:
        raise NodeError("actions: %r is not usable: give the actions of a plan" % unknown[0])
    return transaction.Request(
        record=wanted,
        actions=params["actions"],
        units=unit_files.wanted(params["units"], params["keeper"]),
        found=params["found"],
    )


def run(module):
    params = module.params
    command.check_wait(params["wait"])
    request = read_request(params) if params["state"] == "present" else None
    for number in HANGING_UP:
        signal.signal(number, signal.SIG_IGN)
    with node_lock.held(params["wait"]):
        if request is None:
            done = transaction.absent(params["found"], module.check_mode, module.warn)
        else:
            done = transaction.present(request, module.check_mode, module.warn)
    return dict(done, systemd=os.path.isdir(SYSTEMD))


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "record": {"type": "dict"},
            "actions": {"type": "list", "elements": "dict", "default": []},
            "units": {"type": "list", "elements": "dict", "default": []},
            "keeper": {"type": "str", "default": ""},
            "found": {"type": "dict"},
            "wait": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ["record"])],
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
