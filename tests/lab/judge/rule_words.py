# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that random rules are made of: matches and targets, as text for iptables-restore.

In braces: {bit} the masquerade mark, {node} the node's address, {own} its pod CIDR, {tunnel} the VXLAN device and {port} its UDP
port. The first of a list is what a failure is shrunk to.
"""

from __future__ import annotations

NOTHING = ""

# A rule has at most one of each group. Port matches belong to a protocol.
PROTOCOLS = (
    NOTHING, "-p udp", "-p tcp", "! -p tcp", "! -p udp", "-p icmp", "! -p icmp", "-p udp -m udp --dport {port}",
    "-p udp -m udp ! --dport {port}", "-p udp -m udp --dport 4000:9000", "-p udp -m udp --dport 53", "-p udp -m udp --sport 1024:65535",
    "-p udp -m udp --sport 0:65535", "-p udp -m udp --sport 1:40000", "-p udp -m udp ! --sport 53", "-p tcp -m tcp --dport 53",
    "-p tcp -m tcp ! --dport 22", "-p tcp -m tcp --tcp-flags SYN,RST,ACK SYN", "-p udp -m multiport --dports 53,{port}",
    "-p udp -m multiport --dports 8000:9000,4000:5000", "-p udp -m multiport ! --dports {port},53", "-p tcp -m multiport --dports 53,443",
    "-p udp -m multiport --ports {port}", "-p udp -m multiport --sports 1024:65535",
)  # fmt: skip
INTERFACES = (
    NOTHING, "-o eth0", "! -o eth0", "-o {tunnel}", "! -o {tunnel}", "-o eth+", "-o cali+", "! -o cali+", "-o lo", "! -o lo", "-o nic7",
    "! -o docker0",
)  # fmt: skip
SOURCES = (
    NOTHING, "-s {node}/32", "! -s {node}/32", "-s 10.244.0.0/16", "! -s 10.244.0.0/16", "-s {own}", "! -s {own}", "-s 10.1.0.0/16",
    "-s 10.0.0.0/8", "! -s 10.0.0.0/8", "-s 192.168.0.0/16", "! -s 127.0.0.0/8", "-s 10.1.1.1/32",
    "-s 0.0.0.11/0.0.0.255", "! -s 0.0.0.11/0.0.0.255",
)  # fmt: skip
DESTINATIONS = (
    NOTHING, "-d 10.244.0.0/16", "! -d 10.244.0.0/16", "-d {own}", "! -d {own}", "-d 10.1.0.0/16", "! -d 10.1.0.0/16", "-d 10.0.0.0/8",
    "-d 10.96.0.10/32", "! -d 10.96.0.0/12", "! -d 224.0.0.0/4", "-d 169.254.0.0/16", "! -d 127.0.0.0/8", "-d 10.244.1.0/24",
    "-d 10.1.1.1/32", "! -d 192.168.0.0/16",
)  # fmt: skip
MARKS = (
    NOTHING, "-m mark --mark {bit}/{bit}", "-m mark ! --mark {bit}/{bit}", "-m mark --mark 0x0/{bit}", "-m mark --mark {bit}",
    "-m mark ! --mark {bit}", "-m mark --mark 0x0", "-m mark ! --mark 0x0", "-m mark --mark 0x10000/0x10000",
    "-m mark ! --mark 0x10000/0x10000", "-m mark --mark 0x1/0x1", "-m mark --mark 0x0/0xf0001", "-m mark --mark 0x10001/0x10001",
    "-m mark ! --mark 0x0/0xffffffff", "-m mark --mark 0x20000/0xf0000",
)  # fmt: skip
STATES = (
    NOTHING, "-m conntrack --ctstate NEW", "-m conntrack ! --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED",
    "-m conntrack ! --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate DNAT", "-m conntrack ! --ctstate DNAT",
    "-m conntrack --ctstate INVALID", "-m conntrack --ctstate INVALID,UNTRACKED", "-m conntrack ! --ctstate INVALID",
    "-m conntrack --ctstate SNAT", "-m conntrack ! --ctstate SNAT", "-m state --state NEW,RELATED",
    "-m state --state RELATED,ESTABLISHED", "-m conntrack --ctstate NEW,DNAT", "-m conntrack ! --ctstate NEW,ESTABLISHED",
)  # fmt: skip
TYPES = (
    NOTHING, "-m addrtype --src-type LOCAL", "-m addrtype ! --src-type LOCAL", "-m addrtype --dst-type LOCAL",
    "-m addrtype ! --dst-type LOCAL", "-m addrtype --src-type UNICAST", "-m addrtype --dst-type UNICAST",
    "-m addrtype ! --src-type LOCAL --limit-iface-out", "-m addrtype --src-type LOCAL --limit-iface-out",
    "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL", "-m addrtype --src-type LOCAL --dst-type UNICAST",
    "-m addrtype ! --src-type UNICAST,LOCAL", "-m addrtype --dst-type MULTICAST,BROADCAST",
    "-m addrtype --src-type LOCAL,UNICAST ! --dst-type LOCAL", "-m addrtype --src-type UNICAST --limit-iface-out",
    "-m addrtype --src-type LOCAL,MULTICAST --limit-iface-out",
)  # fmt: skip
OTHERS = (
    NOTHING, '-m comment --comment "a rule; -j ACCEPT \\"quoted\\""', "-m comment --comment plain", "-m policy --dir out --pol none",
    "-m physdev --physdev-is-bridged", "-m physdev ! --physdev-is-bridged", "-f", "! -f",
)  # fmt: skip
SETS = (
    NOTHING, "-m set --match-set cali40all-ipam-pools dst", "-m set ! --match-set cali40all-ipam-pools dst",
    "-m set --match-set cali40all-ipam-pools src", "-m set ! --match-set cali40masq-ipam-pools src",
    "-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst",
    "-m set --match-set cali40masq-ipam-pools src -m set --match-set cali40all-ipam-pools dst",
    "-m set ! --match-set KUBE-LOOP-BACK dst,dst,src",
    "-m set --match-set KUBE-LOOP-BACK dst,dst,src", "-m set --match-set blocked src",
)  # fmt: skip
# What the walk cannot know; now and then, or everything would be "maybe".
DOUBTFUL = (
    "-m statistic --mode random --probability 0.5", "-m owner --uid-owner 0", "-m owner ! --uid-owner 0", "-m length --length 0:80",
    "-m ttl --ttl-eq 64", "-m pkttype --pkt-type unicast", "-m connmark --mark 0x0/0x1", "-m u32 --u32 0x0=0x0", "-m tos --tos 0x00/0xff",
    "-m limit --limit 1/sec", "-m iprange --src-range 10.0.0.0-10.1.255.255", "-m cpu --cpu 0", "-m realm --realm 0x0",
)  # fmt: skip

# What changes the mark, allowed in every table.
MARKING = (
    "-j MARK --set-xmark 0x0/{bit}", "-j MARK --set-xmark {bit}/{bit}", "-j MARK --set-xmark {bit}/0x0",
    "-j MARK --set-xmark 0x10000/0x10000", "-j MARK --set-xmark 0x0/0xf0000", "-j MARK --set-mark 0x1", "-j MARK --set-mark 0x0/0xf0001",
    "-j MARK --or-mark 0x10001", "-j MARK --and-mark 0xfffeffff", "-j MARK --xor-mark 0x1", "-j MARK --set-xmark 0x0/0xffffffff",
    "-j MARK --or-mark {bit}", "-j MARK --set-mark {bit}/0x1", "-j MARK --set-xmark 0x3/0x1",
)  # fmt: skip
PASSING = ("-j ACCEPT", "-j RETURN")
QUIET = ('-j LOG --log-prefix "judge "', "-j NFLOG --nflog-group 7", NOTHING)
UNTRACKING = ("-j CT --notrack", "-j NOTRACK", "-j CT --ctevents new")
QUEUES = ("-j NFQUEUE --queue-num 7 --queue-bypass",)
STOPPING = ("-j DROP",)
MANGLING = (
    "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", "-j TOS --set-tos 0x10/0x3f", "-j DSCP --set-dscp 0x0a",
    "-j CLASSIFY --set-class 0001:0001", "-j TTL --ttl-set 60", "-j CHECKSUM --checksum-fill",
)  # fmt: skip
NAT = (
    "-j MASQUERADE --random-fully", "-j MASQUERADE --random", "-j MASQUERADE", "-j SNAT --to-source {node}",
    "-j SNAT --to-source {node} --random-fully", "-j SNAT --to-source 10.1.1.250",
)  # fmt: skip
NAT_OF_PORTS = (
    "-j MASQUERADE --to-ports 2000-3000", "-j MASQUERADE --to-ports 1024-65535", "-j SNAT --to-source {node}:1024-65535",
    "-j SNAT --to-source {node}:20000-20100", "-j SNAT --to-source 10.1.1.240-10.1.1.250", "-j SNAT --to-source {node}-{node}",
    "-j NETMAP --to 10.1.1.250/32", "-j NETMAP --to 10.1.0.0/16", "-j MASQUERADE --to-ports 10000-65535",
)  # fmt: skip
