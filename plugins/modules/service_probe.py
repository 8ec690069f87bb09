#!/usr/bin/python
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: service_probe
short_description: Ask a DNS Service from the node over UDP and TCP and tell why it does not answer
version_added: 1.0.0
author: kubenet authors (@kubenet)
description:
  - Asks a Service address for a DNS name, over UDP and over TCP, each time with a new socket, as C(nslookup NAME
    ADDRESS) and C(nslookup -vc NAME ADDRESS) do.
  - While it asks, it looks at the node's own outgoing VXLAN packets and tells whether their source port was
    rewritten and whether their UDP checksum is right. This tells wrong VXLAN checksums from a DNS server that is
    down, a missing route and a refusal.
  - Changes nothing on the node. It adds no rule and loads no kernel module. It does send DNS queries, in check mode
    too.
options:
  address:
    description:
      - The address of the Service, IPv4 or IPv6, for example V(10.96.0.10). Not every cluster's DNS is at V(.10).
    type: str
    required: true
  port:
    description: The port of the Service.
    type: int
    default: 53
  name:
    description: The name to ask for. Any answer counts, also that the name does not exist.
    type: str
    default: kubernetes.default.svc.cluster.local
  attempts:
    description: How many questions are asked over each protocol, V(1) to V(32). All are asked at the same time.
    type: int
    default: 3
  timeout:
    description:
      - Seconds to wait for an answer, more than V(0) and at most V(60).
      - Must be well above V(1) to see a TCP connection that works after its first packet was lost.
    type: float
    default: 2
  device:
    description:
      - The VXLAN device, for example V(vxlan.calico) or V(flannel.1). By default all VXLAN devices are watched.
    type: str
  vxlan_port:
    description: UDP port of VXLAN. By default it is read from C(ip -d link).
    type: int
  underlay:
    description:
      - The device that sends the VXLAN packets. By default the one that the VXLAN device is bound to.
        When it is bound to none, or the devices to different ones, all devices are watched.
    type: str
  evidence:
    description:
      - Whether to watch the outgoing packets. Needs C(CAP_NET_RAW) for the packets and C(CAP_NET_ADMIN) for
        connection tracking. Without them RV(evidence) says V(unknown) with the reason and everything else still
        works.
    type: bool
    default: true
  fail_on:
    description: Fail the task with the reason when the verdict is one of these. By default no verdict is a failure.
    type: list
    elements: str
    choices: [works, vxlan_checksum, dns_server_down, refused, no_route, lossy, unknown]
    default: []
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without it.
    support: full
    details: Nothing on the node is ever changed. The DNS queries are sent in check mode as well.
  diff_mode:
    description: Returns what it changed, or would change in C(check_mode), when in diff mode.
    support: none
    details: There is never a difference to show.
extends_documentation_fragment:
  - kubenet.vxlan_offload.node_module
notes:
  - Takes well below 100 ms when all questions are answered, and O(timeout) seconds when one is not.
  - Why new sockets. Only the first packet of a connection carries the mark of kube-proxy, so a second question on
    the same socket says nothing (kernel, nat chains see the first packet of a connection only, see iptables(8)).
  - Why TCP's first packet. A SYN is repeated after 1 s (RFC 6298), and the kernel then gives the tunnel another
    source port when C(net.core.txrehash=1) (C(sk_rethink_txhash) in net/ipv4/tcp_timer.c), so TCP recovers and UDP
    does not.
  - Why the sender can judge a checksum that is not complete yet. The kernel tells a packet socket where the NIC
    will store it (C(PACKET_VNET_HDR), packet(7)), and the outer checksum must be right for the completed packet
    (Documentation/networking/checksum-offloads.rst, local checksum offload).
  - The final proof is at the receiver, C(InCsumErrors) in C(/proc/net/snmp).
  - Reads the connection tracking table through ctnetlink, or C(/proc/net/nf_conntrack) where ctnetlink is not loaded.
  - Runs on CPython 3.6 and later with nothing installed. Uses C(ip) of iproute2.
seealso:
  - name: Kubernetes issue 88986
    description: The failure that this module tells from others.
    link: https://github.com/kubernetes/kubernetes/issues/88986
"""

EXAMPLES = r"""
- name: Ask the cluster's DNS from this node
  kubenet.vxlan_offload.service_probe:
    address: 10.96.0.10
  become: true

- name: Fail when the tunnel's checksums are the cause
  kubenet.vxlan_offload.service_probe:
    address: 10.233.0.3
    device: vxlan.calico
    attempts: 5
    fail_on: [vxlan_checksum]
  become: true

- name: Ask without root and without looking at packets
  kubenet.vxlan_offload.service_probe:
    address: 10.96.0.10
    evidence: false
"""

RETURN = r"""
verdict:
  description:
    - V(works), V(vxlan_checksum) (outgoing VXLAN packets have a wrong UDP checksum and answers are missing),
      V(dns_server_down) (the questions left intact and nobody answered), V(refused), V(no_route), V(lossy) (some
      answers are missing) or V(unknown).
  type: str
  returned: always
  sample: vxlan_checksum
reason:
  description: One line that says why, and what to do or to check.
  type: str
  returned: always
  sample: >-
    UDP answered 0 of 3, TCP 3 of 3, TCP's first SYN was lost: 6 of 9 VXLAN packets left with a wrong UDP checksum
    after NAT rewrote them, the receiver drops them; apply the workaround role
udp:
  description: What happened over UDP.
  type: dict
  returned: always
  contains:
    asked:
      description: How many questions were asked.
      type: int
      returned: always
      sample: 3
    answered:
      description: How many of them got a DNS answer.
      type: int
      returned: always
      sample: 0
    latencies_ms:
      description: For each answer, the milliseconds from the start until it was complete.
      type: list
      elements: float
      returned: always
      sample: []
    error:
      description:
        - Why the first of the unanswered questions failed, V(none), V(timeout), V(refused), V(no_route) or
          V(bad_answer).
      type: str
      returned: always
      sample: timeout
    detail:
      description: The same in the words of the kernel.
      type: str
      returned: always
      sample: no answer in time
    rcodes:
      description: The DNS response codes of the answers.
      type: list
      elements: str
      returned: always
      sample: [NOERROR]
tcp:
  description: What happened over TCP, with the keys of RV(udp) and those listed here.
  type: dict
  returned: always
  contains:
    connected:
      description: How many connections were made.
      type: int
      returned: always
      sample: 3
    first_syn_lost:
      description: Whether a connection took 0.9 s or longer, so that its first packet was lost.
      type: bool
      returned: always
      sample: true
  sample:
    asked: 3
    answered: 3
    latencies_ms: [1041.2, 1041.9, 1042.3]
    error: none
    detail: ""
    rcodes: [NOERROR]
    connected: 3
    first_syn_lost: true
evidence:
  description: What the node's own outgoing packets show.
  type: dict
  returned: always
  contains:
    outer_packets:
      description: How many VXLAN packets with a question or a first TCP packet of this probe were seen.
      type: int
      returned: always
      sample: 9
    outer_bad:
      description: How many of them have a wrong outer UDP checksum.
      type: int
      returned: always
      sample: 6
    source_port_rewritten:
      description:
        - Whether connection tracking shows that NAT rewrote the port or an address of one of them, V(yes), V(no) or
          V(unknown).
      type: str
      returned: always
      sample: "yes"
    outer_checksum:
      description:
        - V(bad) when at least one is wrong, V(good), V(zero) (no checksum, correct for a C(noudpcsum) device) or
          V(unknown).
      type: str
      returned: always
      sample: bad
    backends:
      description: The pods that the Service address was translated to.
      type: list
      elements: str
      returned: always
      sample: ["10.244.2.2:53"]
    source:
      description: Where this was read.
      type: str
      returned: always
      sample: packets sent by eth0, ctnetlink
    reason:
      description: Why something is V(unknown). Empty otherwise.
      type: str
      returned: always
      sample: ""
"""

import ipaddress
import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import runner
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import Server, build_query
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_verdict import VERDICTS
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.service_asker import Watch, probe

ARGUMENTS = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 53},
    "name": {"type": "str", "default": "kubernetes.default.svc.cluster.local"},
    "attempts": {"type": "int", "default": 3},
    "timeout": {"type": "float", "default": 2},
    "device": {"type": "str"},
    "vxlan_port": {"type": "int"},
    "underlay": {"type": "str"},
    "evidence": {"type": "bool", "default": True},
    "fail_on": {"type": "list", "elements": "str", "choices": list(VERDICTS), "default": []},
}

DEVICE = re.compile(r"[^\s/:\0]{1,15}\Z")  # dev_valid_name in net/core/dev.c


def service_address(text):
    """The address, as the kernel takes it; ValueError for what can be no Service's."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    # A zone (::1%lo) is a word of Python 3.9 and later, and no part of a Service's address.
    if address is None or "%" in text or address.is_multicast or address.is_unspecified:
        raise ValueError("address %r is no IP address of a Service: see kubectl get service" % text)
    return str(address)


def check(params):
    """Raise ValueError for input that can never work, but for the address."""
    for option in ("device", "underlay"):
        if params[option] is not None and not DEVICE.match(params[option]):
            raise ValueError("%s %r is no name of a device: see ip link" % (option, params[option]))
    build_query(0, params["name"])
    limits = [("port", 1, 65535), ("attempts", 1, 32), ("timeout", 0.01, 60), ("vxlan_port", 1, 65535)]
    for option, least, most in limits:
        value = params[option]
        if value is not None and not least <= value <= most:
            raise ValueError("%s is %s: give a number from %s to %s" % (option, value, least, most))


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    watch = Watch(params["device"], params["vxlan_port"], params["underlay"]) if params["evidence"] else None
    try:
        server = Server(service_address(params["address"]), params["port"], params["timeout"])
        check(params)
        result = probe(server, params["name"], params["attempts"], watch, runner(10))
    except (ValueError, OSError) as problem:
        module.fail_json(msg=str(problem))
    if result["verdict"] in params["fail_on"]:
        module.fail_json(msg=result["reason"], **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
