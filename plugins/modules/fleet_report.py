#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fleet_report
short_description: Judge what node_info returned for each host, write fleet.json, print one line per host
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Turns the registered results of M(kubenet.vxlan_offload.node_info) into one diagnosis per host, writes them to
    C(fleet.json) and prints the summary, worst hosts first.
  - A host that was unreachable, or whose reading failed, is listed as C(unknown) with the reason. It is never left out.
  - Runs on the controller only. It opens no connection; use it with C(run_once).
options:
  results:
    description:
      - A mapping of host name to the registered result of M(kubenet.vxlan_offload.node_info), or to a mapping
        whose key V(diagnosis) holds a verdict that is known already.
    type: dict
    required: true
  probes:
    description:
      - A mapping of host name to the registered result of M(kubenet.vxlan_offload.service_probe), for the hosts that were asked.
      - A host whose packets were seen corrupted is C(affected), whatever its rules say.
    type: dict
    default: {}
  directory:
    description: Folder on the controller for C(fleet.json). Made when missing. The file is replaced atomically.
    type: path
    default: ./vxlan-offload-report
  fail_on:
    description: Fail after the report is written when a host has one of these statuses. By default a finding is not a failure.
    type: list
    elements: str
    choices: [affected, exposed, unknown, mitigated, unaffected]
    default: []
  expected:
    description:
      - The hosts that ought to be in O(results). The summary counts them and names those that are not there.
      - Without it nothing is said about hosts that were left out, for example by C(--limit).
    type: list
    elements: str
    default: []
  hosts:
    description: Print the lines of these hosts only. The file always has all. By default every line is printed.
    type: list
    elements: str
  kind:
    description: Which run it was, for example V(diagnose). Part of the artifact.
    type: str
    default: diagnose
  artifact:
    description:
      - Name of a variable under which the verdicts are published as C(ansible.builtin.set_stats) would do. AWX hands it to the
        following nodes of a workflow, C(ansible-runner) has it in C(artifact_data) of the event C(playbook_on_stats).
      - Empty publishes nothing. Nothing is published when the task fails (ansible-core takes statistics from results that are ok only).
      - Two slices of one AWX job that publish under the same name overwrite each other. Make the name unique for each job.
    type: str
    default: ""
  artifact_detail:
    description: V(verdict) publishes status, tcp, udp, summary and action of each host (some 500 bytes), V(diagnosis) everything.
    type: str
    choices: [verdict, diagnosis]
    default: verdict
  formats:
    description:
      - What to write beside C(fleet.json), each file replaced atomically.
      - V(html) is C(report.html), one page with everything in it. V(junit) is C(junit.xml), one test case for each host. V(markdown) is
        C(report.md), for a ticket. V(textfile) is C(vxlan_offload.prom), for the textfile collector of node_exporter.
      - Each can be made again from C(fleet.json) with C(scripts/render_report.py).
    type: list
    elements: str
    choices: [html, junit, markdown, textfile]
    default: []
attributes:
  check_mode:
    description: Runs in check mode.
    support: full
    details: No node is touched in either mode. The report is written in check mode as well, because it is the result.
  diff_mode:
    description: Shows what it changes in diff mode.
    support: none
    details: The report is written anew on each run.
  idempotent:
    description: Running it twice gives the same result.
    support: full
  platform:
    description: Where it runs.
    support: full
    platforms: posix
    details: It runs on the controller.
notes:
  - The statuses are explained in the collection's README.
seealso:
  - module: kubenet.vxlan_offload.node_info
  - plugin: kubenet.vxlan_offload.fleet
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge and report
  kubenet.vxlan_offload.fleet_report:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'diagnose_node_info'))) }}"
    directory: ./vxlan-offload-report
    expected: "{{ groups['all'] }}"
    formats: [junit, markdown]
  run_once: true
"""

RETURN = r"""
path:
  description: The file that was written.
  type: str
  returned: success
  sample: /home/op/vxlan-offload-report/fleet.json
paths:
  description: Every file that was written, by its format.
  type: dict
  returned: success
  sample: {"json": "/home/op/vxlan-offload-report/fleet.json", "junit": "/home/op/vxlan-offload-report/junit.xml"}
summary:
  description:
    - How many hosts have each status, and the causes. With O(expected) also C(expected), the number of hosts that there are, and
      C(not_checked), the names of those that are not in O(results).
  type: dict
  returned: success
  sample:
    hosts: 1
    status: {"affected": 1, "exposed": 0, "unknown": 0, "mitigated": 0, "unaffected": 0}
    causes: {"lco_checksum": 1}
    expected: 2
    not_checked: ["node2"]
lines:
  description: The printed summary, one line per host, worst first.
  type: list
  elements: str
  returned: success
  sample: ["node1  AFFECTED  kube-proxy rewrites the tunnel's source port -> apply clear_mark"]
"""
# The work is done by the action plugin of the same name: it needs the controller, not a node.
