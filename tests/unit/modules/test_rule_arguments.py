# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What netfilter_rule passes on to iptables, and what it refuses before anything runs."""

from __future__ import annotations

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import rule_arguments
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

GOOD = [
    "-p udp --dport 4789 -j MARK --set-xmark 0x0/0x4000",
    "! -s 10.0.0.0/8,192.168.0.0/16 ! -o eth+ -j MASQUERADE --random-fully",
    "-p tcp -m multiport --dports 80,443:445 -j CT --notrack",
    "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-m comment --comment --modprobe -j ACCEPT",
    "-m policy --pol ipsec --dir out -j ACCEPT",
    "-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
    "--src=10.0.0.1 -g KUBE-POSTROUTING",
    "-m addrtype ! --src-type LOCAL --limit-iface-out -m owner --uid-owner 0 -j LOG --log-level 4",
]
BAD = [
    ("", "rule is empty"),
    ("-j ACCEPT -F", "-F is no part of a rule"),
    ("-t nat -j ACCEPT", "-t is no part"),
    ("-tnat -j ACCEPT", "-tnat is no part"),
    ("-j ACCEPT --modprobe=/tmp/x", "--modprobe=/tmp/x is no part"),
    ("-j ACCEPT --modpr /tmp/x", "--modpr is no part"),
    ("-j ACCEPT --flush", "--flush is no part"),
    ("-i eth0;id -j ACCEPT", "needs an interface name"),
    ("-o $(id) -j ACCEPT", "needs an interface name"),
    ("-s 10.0.0.0/33 -j ACCEPT", "needs an address or CIDR"),
    ("-d example.org -j ACCEPT", "needs an address or CIDR"),
    ("-p udp --dport 70000 -j ACCEPT", "needs a port"),
    ("-p udp --dport 4789x -j ACCEPT", "needs a port"),
    ("-m mark --mark 0x4000/0x1ffffffff -j ACCEPT", "needs a mark"),
    ("-j MARK --set-xmark bit14", "needs a mark"),
    ("-j MARK --set-xmark=bit14", "needs a mark"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_plain_rule_passes_unchanged(text):
    assert rule_arguments.rule(text.split()) == text.split()


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_everything_else_is_refused_in_one_line(text, reason):
    with pytest.raises(NodeError, match=reason.replace("$", "\\$")) as caught:
        rule_arguments.rule(text.split())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["a\nb", "a\0b", "a\ud800", ""])
def test_what_no_argument_can_be_is_refused(word):
    with pytest.raises(NodeError, match="line break, NUL or half a character"):
        rule_arguments.rule(["-m", "comment", "--comment", word, "-j", "ACCEPT"])


@pytest.mark.parametrize("name", ["OUTPUT", "KUBE-SVC-TCOU7JCQXEZGVUNU", "cali-POSTROUTING", "a.b:c"])
def test_chain_names(name):
    assert rule_arguments.chain_name(name) == name


@pytest.mark.parametrize("name", ["", "-F", "a b", "a;id", "$(id)", "x" * 29, "a\n", "!a"])
def test_bad_chain_names(name):
    with pytest.raises(NodeError, match="chain name"):
        rule_arguments.chain_name(name)
