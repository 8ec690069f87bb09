# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe on real devices and rules: each test is a network and mount namespace of its own, gone with its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

REPOSITORY = Path(__file__).resolve().parents[2]
PROBE = REPOSITORY / "plugins" / "plugin_utils" / "probe.sh"
BACKENDS = ["nft", "legacy"]
ROOT = "needs root: run with become"
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups "

DEVICES = """
ip link set lo up
ip link add eth0 type veth peer name port
ip addr add 10.1.0.11/24 dev eth0
ip link set port up
ip link set eth0 up
ip route add default via 10.1.0.1 dev eth0
ip link add vxlan.calico type vxlan id 4096 dstport 4789 local 10.1.0.11 dev eth0 udpcsum
ip addr add 10.244.1.0/32 dev vxlan.calico
ip link set vxlan.calico up
"""
RULES = """*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "complete begin chain end 0" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
-A KUBE-SVC-TCOU7JCQXEZGVUNU ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ
-A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p udp -j DNAT --to-destination 10.244.2.5:53
COMMIT
*raw
-A OUTPUT -p udp -m udp --dport 4789 -j CT --notrack
COMMIT
"""


def node(script: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script in namespaces of its own."""
    return subprocess.run(["unshare", "-n", "-m", "sh", "-ec", DEVICES + script], capture_output=True, text=True, check=False, **options)


def load(backend: str, rules: str = RULES) -> str:
    return f"iptables-{backend}-restore <<'END'\n{rules}END\n"


def probe(script: str, shell: str = "dash") -> dict[str, Any]:
    done = node(f"{script}\n{shell} <{PROBE}\n")
    assert (done.returncode, done.stderr) == (0, "")
    return dict(parse(done.stdout))


def table(found: dict[str, Any], backend: str, name: str) -> dict[str, Any]:
    return next(one for one in found["netfilter"]["tables"] if (one["backend"], one["table"]) == (backend, name))


@pytest.mark.parametrize("shell", ["dash", "busybox sh", "bash", "env -i /bin/sh"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_there_is_found_by_every_shell(backend, shell):
    found = probe(load(backend), shell)
    assert found["collected"]["complete"] and found["collected"]["root"]
    nat = table(found, backend, "nat")
    assert nat["chains"]["KUBE-POSTROUTING"] == ["-m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully"]
    assert nat["chains"]["KUBE-MARK-MASQ"] == ["-j MARK --set-xmark 0x4000/0x4000"]
    assert nat["unread"] == ["KUBE-SEP-AAAAAAAAAAAAAAAA", "KUBE-SERVICES"]
    assert table(found, backend, "raw")["chains"]["OUTPUT"] == ["-p udp -m udp --dport 4789 -j CT --notrack"]
    assert found["services"]["dns"] == "10.96.0.10"
    assert found["routes"]["lookups"] == [{"destination": "10.96.0.10", "device": "eth0", "source": "10.1.0.11"}]
    device = found["vxlan"]["devices"][0]
    assert (device["name"], device["vni"], device["underlay"], device["checksum"]) == ("vxlan.calico", 4096, "eth0", "udpcsum")
    assert device["features"]["tx-checksum-ip-generic"] == {"active": True, "requested": True, "fixed": False}
    assert [one["name"] for one in found["links"]["devices"]] == ["eth0"]
    assert set(found["sysctl"]["values"].values()) >= {
        Path("/proc/sys/net/netfilter/nf_conntrack_udp_timeout").read_text(encoding="ascii").strip()
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_changes_nothing(backend):
    look = "cat /proc/net/ip_tables_names; iptables-nft-save | sed '/^#/d'; ip -d addr show; ip route; ls /tmp"
    script = f"{load(backend)}{{ {look}; }} >$1.a\ndash </mnt/probe.sh >/dev/null\n{{ {look}; }} >$1.b\ndiff $1.a $1.b"
    # The checkout itself may be below /tmp.
    done = node(f"mount -t tmpfs none /mnt\ncp {PROBE} /mnt/probe.sh\nmount -t tmpfs none /tmp\nset -- /mnt/x\n{script}")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_node_without_legacy_tables_gets_none():
    done = node(f"{load('nft')}dash <{PROBE} >/dev/null\ncat /proc/net/ip_tables_names")
    assert done.stdout == ""


@pytest.mark.parametrize("backend", BACKENDS)
def test_not_root(backend):
    found = probe(load(backend), NOBODY + "dash")
    assert not found["collected"]["root"] and found["collected"]["complete"]
    assert {(one["state"], one["reason"]) for one in found["netfilter"]["tables"]} == {("unknown", ROOT)}
    assert found["services"] == {"unknown": ROOT}
    assert found["vxlan"]["devices"][0]["features"]["tx-checksum-ip-generic"]["active"]


def only(*tools: str) -> str:
    """A node that has no other programs in the folders of the administrator's tools."""
    copies = "".join(f"cp -a /usr/sbin/{tool} /mnt/sbin/\n" for tool in tools)
    return f"mount -t tmpfs none /mnt\nmkdir /mnt/sbin\n{copies}mount --bind /mnt/sbin /usr/sbin\nmount --bind /mnt/sbin /sbin\n"


def test_a_node_without_iptables_nft_and_ethtool():
    found = probe(load("nft") + only("ip"))
    assert table(found, "nft", "nat")["state"] == "unknown"
    assert "install iptables" in table(found, "nft", "nat")["reason"]
    assert found["netfilter"]["nftables"]["state"] == "unknown"
    assert "ethtool" in found["vxlan"]["devices"][0]["features_unknown"]


def test_legacy_tables_without_a_tool_that_reads_them():
    found = probe(load("legacy") + only("ip", "iptables-nft", "xtables-nft-multi"))
    assert table(found, "legacy", "nat")["state"] == "unknown"
    assert "iptables-legacy-save" in table(found, "legacy", "nat")["reason"]
    assert table(found, "legacy", "mangle")["state"] == "absent"
    assert table(found, "nft", "nat")["state"] == "read"


def test_rules_that_iptables_cannot_print_are_unknown_not_missing():
    native = "nft add rule ip nat POSTROUTING ct state new counter masquerade fully-random\n"
    nat = table(probe(load("nft") + native), "nft", "nat")
    assert nat["state"] == "unknown" and "incompatible" in nat["reason"]


@pytest.mark.parametrize("word", ["-j", "-g"])
def test_a_comment_that_looks_like_a_jump_hides_none(word):
    """Found by the judge: the chain behind `-g` was not read."""
    met = '-A POSTROUTING -m comment --comment "a; -j ACCEPT -g b" %s MINE' % word
    rules = "*mangle\n:MINE - [0:0]\n%s\n-A MINE -j TTL --ttl-set 9\nCOMMIT\n" % met
    found = table(probe(load("nft", rules)), "nft", "mangle")
    assert (found["chains"]["MINE"], found["unread"]) == (["-j TTL --ttl-set 9"], [])


def test_large_chains_are_bounded_and_say_so():
    rules = "*filter\n:big - [0:0]\n-A OUTPUT -j big\n" + "-A big -s 192.0.2.1/32 -j DROP\n" * 2500 + "COMMIT\n"
    for backend in BACKENDS:
        found = table(probe(load(backend, rules)), backend, "filter")
        assert (len(found["chains"]["big"]), found["unread"]) == (2000, ["big"])


def test_kube_services_is_read_in_part_where_the_marker_may_be_there():
    names = [f"KUBE-SVC-{number:016d}" for number in range(60)]
    lines = "".join(f":{name} - [0:0]\n" for name in names)
    jumps = "".join(f"-A KUBE-SERVICES -d 10.96.1.{number}/32 -j {name}\n" for number, name in enumerate(names))
    first = "-A KUBE-SERVICES ! -s 10.244.0.0/16 -d 10.96.1.0/32 -j KUBE-MARK-MASQ\n"
    rules = f"*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n{lines}-A OUTPUT -j KUBE-SERVICES\n{first}{jumps}COMMIT\n"
    for backend in BACKENDS:
        nat = table(probe(load(backend, rules)), backend, "nat")
        assert len(nat["chains"]["KUBE-SERVICES"]) == 40
        assert "KUBE-SERVICES" in nat["unread"] and "KUBE-SVC-0000000000000001" in nat["unread"]


@pytest.mark.parametrize("name", ["$(reboot)", "a;reboot", "*", "`id`", "x'y", 'q"q'])
def test_a_device_name_is_only_a_name(name):
    found = probe('ip link add "$NAME" type vxlan id 7 dstport 4789 local 10.1.0.11 dev eth0\n'.replace("$NAME", name.translate(ESCAPED)))
    device = next(one for one in found["vxlan"]["devices"] if one["name"] == name)
    assert device["vni"] == 7 and device["features"]


ESCAPED = str.maketrans({letter: "\\" + letter for letter in '$`"\\'})


def fake_kube_proxy(prefix: str = "") -> str:
    """A program of that name, with a configuration file, in the node."""
    return (
        "mount -t tmpfs none /mnt\n"
        "printf 'mode: ipvs\\nclusterCIDR: 10.9.0.0/16\\niptables:\\n  masqueradeBit: 15\\nsecret: 1\\n' >/mnt/config.conf\n"
        "printf '#!/bin/sh\\nexec 1>&-\\nread -r _ </mnt/pipe\\n' >/mnt/kube-proxy\n"
        "mkfifo -m 666 /mnt/pipe\nchmod 755 /mnt/kube-proxy\n"
        f"{prefix}/mnt/kube-proxy --config=/mnt/config.conf & trap 'kill $!' EXIT\n"
        "until grep -qs kube-proxy /proc/$!/comm; do :; done\n"
    )


def test_kube_proxy_is_found_by_its_process_and_read_from_its_file():
    found = probe(fake_kube_proxy())["kube_proxy"]
    seen = (found["running"], found["mode"], found["masquerade_bit"], found["cluster_cidr"])
    assert seen == (True, "ipvs", 15, "10.9.0.0/16")


def test_a_process_of_another_user_does_not_pass_for_kube_proxy():
    assert probe(fake_kube_proxy(NOBODY))["kube_proxy"]["running"] is False


K3S = """
mount -t tmpfs none /mnt
printf '#!/bin/sh\\nexec 1>&-\\nread -r _ </mnt/pipe\\n' >/mnt/k3s-server
mkfifo /mnt/pipe
chmod 755 /mnt/k3s-server
/mnt/k3s-server server --token K10SECRET --node-name=kube-proxy-SECRET SECRET1 --kube-proxy-arg=SECRET2 --masquerade-all --etcd-key=SECRET3\
 --cluster-cidr=10.9.0.0/16 SECRET4 & trap 'kill $!' EXIT
until grep -qs k3s-server /proc/$!/comm; do :; done
"""


@pytest.mark.parametrize("shell", ["dash", "busybox sh"])
def test_of_a_process_only_the_asked_options_are_sent(shell):
    """k3s has its token among its arguments, and a configuration file may hold anything."""
    for start in (K3S, fake_kube_proxy()):
        sent = node(f"{start}{shell} <{PROBE}\n").stdout
        assert "secret" not in sent.lower()
        found = parse(sent)["kube_proxy"]
        assert (found["running"], found["cluster_cidr"]) == (True, "10.9.0.0/16")


def test_only_the_asked_parts_are_read():
    done = node(f"{{ echo subset=\"'counters sysctl'\"; cat {PROBE}; }} | dash")
    found = parse(done.stdout)
    assert found["counters"]["udp_in_csum_errors"] == 0
    assert "unknown" in found["vxlan"] and "begin vxlan" not in done.stdout


def ansible(collections: Path, *arguments: str, prefix: str = "") -> dict[str, Any]:
    tool = Path(sys.executable).with_name("ansible")
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_NOCOLOR": "1"}
    words = ["-i", "node,", "-c", "local", "all", "-o", "-m", "kubenet.vxlan_offload.node_info", "-e", "ansible_python_interpreter=/none"]
    command = " ".join(f"'{word}'" for word in (str(tool), *words, *arguments))
    done = node(f"{load('nft')}{prefix}{command}", env=settings)
    return dict(json.loads(done.stdout[done.stdout.index("=> ") + 3 :].splitlines()[0]))


def test_the_action_needs_no_python_on_the_node_and_works_in_check_mode(collections):
    answer = ansible(collections, "--check")
    assert answer["changed"] is False
    assert table(answer["node"], "nft", "nat")["state"] == "read"


def test_the_action_reads_a_saved_transcript_without_a_connection(collections):
    saved = REPOSITORY / "tests" / "data" / "transcripts" / "centos_7_flannel.txt"
    answer = ansible(collections, "-c", "ssh", "-a", f"transcript={saved}")
    assert answer["node"]["kernel"]["release"] == "3.10.0-1062.el7.x86_64"


def test_the_action_sends_the_probe_as_an_argument_where_su_needs_a_terminal(collections):
    answer = ansible(collections, "-b", "--become-method", "su", "--become-user", "nobody", "-e", '{"ansible_become_exe":"su -s /bin/sh"}')
    assert answer["node"]["collected"]["complete"] and not answer["node"]["collected"]["root"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("-a", "gather_subset=network"), "value of gather_subset must be one or more of"),
        (("-a", "transcript=/nowhere/node.txt"), "cannot read transcript /nowhere/node.txt: No such file or directory"),
        (("-a", "transcript=/etc/os-release"), "no probe transcript"),
        (("-e", "ansible_shell_executable=/bin/false"), "the probe did not run on the node"),
    ],
)
def test_the_action_says_in_one_line_what_to_do(collections, arguments, message):
    answer = ansible(collections, *arguments)
    assert answer["msg"].startswith(message) and "\n" not in answer["msg"]
