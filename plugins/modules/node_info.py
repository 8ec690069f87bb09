#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: node_info
short_description: Collect what decides whether a node has the VXLAN checksum failure
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Reads the kernel, the VXLAN devices and their offload features, the reachable netfilter rules, kube-proxy, the CNI,
    sysctls and counters of a node. Changes nothing.
  - Two collectors give the same facts. O(reader=shell) sends one POSIX shell script over the connection and needs neither Python
    nor a writable directory on the node. O(reader=python) runs on the node with pyroute2 and python-iptables.
  - What cannot be read is not guessed. It is C(unknown) with the reason and how to get it.
options:
  reader:
    description: Which collector is used.
    type: str
    choices: [shell, python]
    default: shell
  gather_subset:
    description:
      - The parts to collect. The other parts are returned as unknown.
      - V(netfilter) includes the part C(services).
    type: list
    elements: str
    choices: [all, kernel, vxlan, links, routes, netfilter, kube_proxy, cni, sysctl, counters, applied]
    default: [all]
  changelog:
    description:
      - Also look into the changelog of the running kernel's package for a back-port of the fix.
      - Takes some seconds on an RPM system.
    type: bool
    default: false
  kernel_selftest:
    description:
      - Whether to run M(kubenet.vxlan_offload.kernel_selftest) after the reading, in the same task, and to add what it saw to
        the part C(kernel). Needs Python and root on the node. Without them the answer is V(unknown) with the reason.
      - V(auto) runs it only on a node with a VXLAN device of which no table can tell whether the kernel has the defect.
      - It is never run with O(transcript).
    type: str
    choices: [never, auto, always]
    default: never
  selftest:
    description:
      - An answer that M(kubenet.vxlan_offload.kernel_selftest) has given on the same kernel before, as in C(node.kernel.selftest) of an
        earlier reading. It is taken over and the test is not run again, whatever O(kernel_selftest) says.
      - So a reading before and one after a change are judged on the same evidence. It can also be added to a O(transcript).
    type: dict
  transcript:
    description:
      - A file on the controller with what the probe printed on a node, C(sudo sh < probe.sh > node.txt).
      - It is read in place of a node; nothing connects to one, and O(reader) has no meaning then.
    type: path
  as_json:
    description:
      - Return the facts as one text, RV(node_json), in place of the dictionary RV(node).
      - Ansible copies each element of a result several times, a text once. It is for plays that only pass the facts on, to
        P(kubenet.vxlan_offload.fleet_report#module) or P(kubenet.vxlan_offload.fleet#filter).
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as in a run, since it changes nothing.
    support: full
  diff_mode:
    description: Returns what it changed in diff mode.
    support: N/A
    details: It changes nothing.
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
requirements:
  - "pyroute2 >= 0.7.2 on the node, for O(reader=python) only"
  - "python-iptables on the node, for O(reader=python) only, and only when C(/proc/net/ip_tables_names) lists a table"
notes:
  - Without root the rules of netfilter and what other users' processes show are unknown. Devices and features are readable.
  - With O(reader=python) nothing is written through python-iptables, and a table that does not exist is not opened, because
    opening creates it (https://github.com/ldx/python-iptables/issues/298).
  - pyroute2 before 0.7.2 finds no VXLAN device by its kind, and pip offers Python 3.6 to 3.8 a release that does not import there;
    install C(pyroute2<0.8) on those.
seealso:
  - module: kubenet.vxlan_offload.offload
  - module: kubenet.vxlan_offload.netfilter_rule
  - module: kubenet.vxlan_offload.kernel_selftest
"""

EXAMPLES = r"""
- name: Collect everything
  kubenet.vxlan_offload.node_info:
  become: true
  register: collected

- name: Only devices and features, for which root is not needed
  kubenet.vxlan_offload.node_info:
    gather_subset: [kernel, vxlan, links]

- name: Look for a back-port in the kernel package's changelog
  kubenet.vxlan_offload.node_info:
    gather_subset: [kernel]
    changelog: true

- name: Try the running kernel when its name and number do not tell
  kubenet.vxlan_offload.node_info:
    kernel_selftest: auto
  become: true

- name: Read again on the evidence of the first reading
  kubenet.vxlan_offload.node_info:
    selftest: "{{ collected.node.kernel.selftest | default(omit, true) }}"
  become: true

- name: Collect from many nodes for one report
  kubenet.vxlan_offload.node_info:
    as_json: true
  become: true
  register: read

- name: The second collector, with the libraries on the node
  kubenet.vxlan_offload.node_info:
    reader: python
  become: true

- name: Facts from a transcript that was saved on the node by hand
  kubenet.vxlan_offload.node_info:
    transcript: transcripts/{{ inventory_hostname }}.txt
"""

RETURN = r"""
node:
  description:
    - The facts of the node, the input of the diagnosis.
    - Each part has its source, or in place of its content C(unknown) with the reason and how to get it.
  type: dict
  returned: success, unless O(as_json=true)
  sample:
    schema: 1
    collected: {reader: shell, complete: true, root: true, subset: [all]}
    kernel: {release: 5.4.0-42-generic, machine: x86_64, upstream: 5.4.44}
  contains:
    schema:
      description: Version of this shape.
      type: int
      returned: always
      sample: 1
    collected:
      description: By which reader, whether it came to its end, whether as root, and the parts that were asked for.
      type: dict
      returned: always
      sample: {reader: shell, complete: true, root: true, subset: [all]}
    kernel:
      description:
        - Release, version, machine, distribution, the upstream release it says it is built from, the changelog, and in C(selftest)
          what M(kubenet.vxlan_offload.kernel_selftest) saw, null when it was not run.
      type: dict
      returned: always
      sample: {release: 4.19.0-9-amd64, version: "#1 SMP Debian 4.19.118-2", machine: x86_64, upstream: 4.19.118}
    vxlan:
      description:
        - Every VXLAN device with its attributes, addresses, owner and features.
        - C(outer) is the address family of the tunnel itself. C(addresses_ipv6) has no link-local addresses.
        - C(routed) is whether an IPv4 route leads over it, in any table; null where that says nothing (a tunnel over IPv6,
          a port of a bridge, a flow-based device without routes). Multipath routes are not seen.
        - C(flow_checksum) is what the routes over a flow-based (C(external)) device ask for with each packet,
          V(udpcsum) as soon as one does; null when no route says it, as with eBPF and Open vSwitch.
      type: dict
      returned: always
      sample:
        source: ip -d link show type vxlan, ethtool -k
        devices:
          - name: vxlan.calico
            vni: 4096
            port: 4789
            checksum: udpcsum
            routed: true
            flow_checksum:
            features:
              tx-checksum-ip-generic: {active: true, requested: true, fixed: false}
    links:
      description: The devices below the tunnels and of the default route, with driver and features.
      type: dict
      returned: always
      sample: {source: "ethtool -i, ethtool -k, ip addr show", devices: [{name: eth0, driver: virtio_net, mtu: 1500}]}
    routes:
      description: The device of the default route, that of IPv6 too when a tunnel runs over it, and the way to the well-known Services.
      type: dict
      returned: always
      sample: {default_device: eth0, default_device_ipv6: null, lookups: [{destination: 10.96.0.10, device: eth0, source: 10.1.0.11}]}
    netfilter:
      description:
        - The rules that a packet of the node can reach, by address family, backend and table, as the node's tools print them.
        - Those of IPv6 are read when a tunnel runs over IPv6.
      type: dict
      returned: always
      sample:
        tables:
          - family: ipv4
            backend: nft
            table: nat
            state: read
            chains:
              POSTROUTING: ['-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING']
            unread: [KUBE-SERVICES]
    kube_proxy:
      description: Mode, version, masquerade bit and cluster CIDR, from its port 10249 or its process.
      type: dict
      returned: always
      sample: {running: true, mode: iptables, version: 1.17.5, masquerade_bit: 14, masquerade_all: false, cluster_cidr: 10.244.0.0/16}
    cni:
      description: The CNI plugins that are configured.
      type: dict
      returned: always
      sample: {names: [calico], calico_version: 3.13.3, flannel_version: "", flannel_network: "", flannel_ipv6_network: ""}
    services:
      description:
        - Addresses of the cluster's DNS and API Services, as the rules show them.
        - C(dns) is the one of IPv6 on a node that has no other; C(dns_ipv6) is known when a tunnel runs over IPv6.
      type: dict
      returned: always
      sample: {dns: 10.96.0.10, kubernetes: 10.96.0.1, dns_ipv6: null, kubernetes_ipv6: null}
    sysctl:
      description: Kernel settings that change how the failure shows.
      type: dict
      returned: always
      sample: {values: {net.core.txrehash: "1"}}
    counters:
      description: UDP packets that this node has dropped for a bad checksum.
      type: dict
      returned: always
      sample: {udp_in_csum_errors: 0}
    applied:
      description: What the workaround role has recorded on the node.
      type: dict
      returned: always
      sample: {record: null, units: []}
node_json:
  description: RV(node) as JSON.
  type: str
  returned: success, with O(as_json=true)
  sample: '{"schema":1,"kernel":{"release":"5.4.0-42-generic"}}'
"""

import re
import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import command
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import names, netfilter, node

try:
    import pyroute2

    PYROUTE2_ERROR = None
except Exception:  # pylint: disable=broad-except  # on too old a Python it raises TypeError, not ImportError
    pyroute2 = None
    PYROUTE2_ERROR = traceback.format_exc()

try:
    from importlib.util import find_spec

    IPTC_MISSING = find_spec("iptc") is None
except ImportError:
    IPTC_MISSING = True

PYROUTE2_SINCE = (0, 7, 2)
TIMEOUT_SECONDS = 30


def require_libraries(module):
    if pyroute2 is None:
        module.fail_json(
            msg=missing_required_lib("pyroute2 >= 0.7.2", reason="for reader: python"),
            exception=PYROUTE2_ERROR,
        )
    version = str(getattr(pyroute2, "__version__", ""))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < PYROUTE2_SINCE:
        module.fail_json(
            msg="pyroute2 %s is too old for reader: python: %s"
            % (version or "of unknown version", missing_required_lib("pyroute2 >= 0.7.2"))
        )
    if IPTC_MISSING and netfilter_wanted(module) and netfilter.needs_iptc():
        module.fail_json(
            msg=missing_required_lib("python-iptables", reason="to read the legacy tables of this node")
        )


def netfilter_wanted(module):
    return bool({"all", "netfilter"}.intersection(module.params["gather_subset"]))


def main():
    module = AnsibleModule(
        argument_spec={
            "reader": {"type": "str", "choices": ["shell", "python"], "default": "shell"},
            "gather_subset": {
                "type": "list",
                "elements": "str",
                "choices": ["all"] + list(names.SUBSETS),
                "default": ["all"],
            },
            "changelog": {"type": "bool", "default": False},
            "kernel_selftest": {"type": "str", "choices": ["never", "auto", "always"], "default": "never"},
            "selftest": {"type": "dict"},
            "transcript": {"type": "path"},
            "as_json": {"type": "bool", "default": False},  # done by the action, on the controller
        },
        supports_check_mode=True,
    )
    if module.params["reader"] != "python" or module.params["transcript"]:
        module.fail_json(
            msg="reader shell and transcript work on the controller: call the action kubenet.vxlan_offload.node_info"
        )
    require_libraries(module)
    facts = node.read(
        command.runner(TIMEOUT_SECONDS), module.params["gather_subset"], module.params["changelog"]
    )
    module.exit_json(changed=False, node=facts)


if __name__ == "__main__":
    main()
