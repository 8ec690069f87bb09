# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""service_probe on real packets: two nodes behind a switch that completes checksums, a DNS server as the pod.

Built here and not by the fleet of lab/: each case breaks something else, so each gets two fresh namespaces (0.2 s).
The receiver's InCsumErrors are the judge of the sender's evidence.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "plugins" / "modules" / "service_probe.py"
SERVICE, POD = "10.96.0.10", "10.244.2.2"
MARKED = "-m mark --mark 0x4000/0x4000"
RANDOM = f"-A KUBE-POSTROUTING {MARKED} -j MASQUERADE --random-fully"
SERVICE_RULES = "".join(
    f"-A KUBE-SERVICES -d {SERVICE}/32 -p {protocol} -m {protocol} --dport 53 -j {target}\n"
    for protocol in ("udp", "tcp")
    for target in ("KUBE-MARK-MASQ", f"DNAT --to-destination {POD}:53")
)
RULES = """*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
{first}
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
{services}
{masquerade}
COMMIT
"""
# What kube-proxy writes since 1.18.6: unmarked packets are none of its business, and the mark is cleared.
FIXED = (
    "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
    "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n"
    "-A KUBE-POSTROUTING -j MASQUERADE --random-fully"
)


def run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr or done.stdout}"
    return done.stdout


class Pair:
    """Node 1 asks, node 2 has the pod; `switch` is the underlay."""

    def __init__(self) -> None:
        self.switch, self.asker, self.server = (f"f-{os.getpid()}-{part}" for part in ("sw", "1", "2"))
        self.dns: subprocess.Popen[bytes] | None = None

    def build(self, vxlan_options: str = "") -> None:
        for name in (self.switch, self.asker, self.server):
            run("ip", "netns", "add", name)
            self.sh(name, "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
        self.sh(self.switch, "ip link add br0 type bridge; ip addr add 10.1.0.254/24 dev br0; ip link set br0 up")
        for number, name in ((1, self.asker), (2, self.server)):
            run("ip", "-n", self.switch, "link", "add", f"p{number}", "type", "veth", "peer", "eth0", "netns", name)
            # the switch's side completes and verifies checksums, as a wire does; a plain veth would hide the failure
            self.sh(self.switch, f"ip link set p{number} master br0 up; ethtool -K p{number} tx off")
            self._tunnel(number, name, vxlan_options)
        self.sh(self.server, f"ip addr add {POD}/32 dev lo")
        self.start_dns()

    def _tunnel(self, number: int, name: str, options: str) -> None:
        peer = 3 - number
        self.sh(
            name,
            f"""set -e
            ip addr add 10.1.0.1{number}/24 dev eth0; ip link set eth0 up; ip route add default via 10.1.0.254
            ip link add vxlan.calico address 02:00:00:00:00:0{number} type vxlan id 4096 local 10.1.0.1{number} \
                dev eth0 dstport 4789 nolearning {options}
            ip addr add 10.244.{number}.0/32 dev vxlan.calico; ip link set vxlan.calico mtu 1450 up
            ip neigh add 10.244.{peer}.0 lladdr 02:00:00:00:00:0{peer} dev vxlan.calico
            bridge fdb add 02:00:00:00:00:0{peer} dev vxlan.calico dst 10.1.0.1{peer}
            ip route add 10.244.{peer}.0/24 via 10.244.{peer}.0 dev vxlan.calico onlink""",
        )

    def sh(self, namespace: str, script: str) -> str:
        return run("ip", "netns", "exec", namespace, "sh", "-c", script)

    def start_dns(self) -> None:
        options = f"-k -C /dev/null --no-resolv --no-hosts --bind-interfaces --listen-address={POD} --pid-file="
        argv = ["ip", "netns", "exec", self.server, "dnsmasq", *options.split(), "--address=/cluster.local/10.96.0.1"]
        self.dns = subprocess.Popen([*argv, "--user=root"])
        end = time.monotonic() + 10
        while f"{POD}:53" not in self.sh(self.server, "ss -lnt"):
            assert time.monotonic() < end, "dnsmasq does not listen"
            time.sleep(0.02)

    def rules(self, masquerade: str = RANDOM, first: str = "", backend: str = "nft", services: str = "") -> None:
        text = RULES.format(first=first, masquerade=masquerade, services=services or SERVICE_RULES)
        run("ip", "netns", "exec", self.asker, f"iptables-{backend}-restore", text=text)

    def csum_errors(self) -> int:
        lines = [line.split() for line in self.sh(self.server, "grep ^Udp: /proc/net/snmp").splitlines()]
        return int(dict(zip(lines[0], lines[1]))["InCsumErrors"])

    def probe(self, *prefix: str, **options: object) -> dict[str, object]:
        """The module as Ansible runs it on a node, without the transport. Its failure is a result too."""
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"address": SERVICE, **options}})
        argv = ["ip", "netns", "exec", self.asker, *prefix, sys.executable, str(MODULE)]
        done = subprocess.run(argv, input=arguments, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout)

    def destroy(self) -> None:
        if self.dns:
            self.dns.kill()
            self.dns.wait()
        for name in (self.switch, self.asker, self.server):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture
def pair():
    nodes = Pair()
    try:
        nodes.build()
        yield nodes
    finally:
        nodes.destroy()


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_masqueraded_tunnel_is_named_and_the_receiver_agrees(pair, backend):
    pair.rules(backend=backend)
    before = pair.csum_errors()
    result = pair.probe()
    assert (result["verdict"], result["udp"]["answered"]) == ("vxlan_checksum", 0), result
    assert result["tcp"]["first_syn_lost"]
    assert result["evidence"]["source_port_rewritten"] == "yes"
    assert result["evidence"]["outer_bad"] == pair.csum_errors() - before > 0


HEALTHY = {
    "fixed_kube_proxy": (FIXED, "true", "good", "no"),
    "masquerade_without_random": (f"-A KUBE-POSTROUTING {MARKED} -j MASQUERADE", "true", "good", "no"),
    "notrack": (RANDOM, "iptables-nft -t raw -A OUTPUT -p udp --dport 4789 -j CT --notrack", "good", "no"),
    "mark_cleared": (
        RANDOM,
        "iptables-nft -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-xmark 0/0x4000",
        "good",
        "no",
    ),
    "offload_off": (RANDOM, "ethtool -K vxlan.calico tx-checksum-ip-generic off", "good", "yes"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_it_works(pair, name):
    masquerade, command, checksum, rewritten = HEALTHY[name]
    pair.rules(masquerade)
    pair.sh(pair.asker, command)
    result = pair.probe()
    evidence = result["evidence"]
    assert (result["verdict"], evidence["outer_checksum"]) == ("works", checksum), result
    assert (evidence["source_port_rewritten"], evidence["outer_packets"], evidence["reason"]) == (rewritten, 6, "")
    assert evidence["backends"] == [f"{POD}:53"]
    assert pair.csum_errors() == 0


def test_a_device_without_checksums_has_zero_ones():
    nodes = Pair()
    try:
        nodes.build("noudpcsum")
        nodes.rules()
        result = nodes.probe()
        assert (result["verdict"], result["evidence"]["outer_checksum"]) == ("works", "zero"), result
    finally:
        nodes.destroy()


def test_only_tcp_is_hit_when_the_nic_has_no_offload(pair):
    pair.rules()
    pair.sh(pair.asker, "ethtool -K eth0 tx off")
    result = pair.probe()
    assert (result["verdict"], result["udp"]["answered"], result["tcp"]["first_syn_lost"]) == (
        "vxlan_checksum",
        3,
        True,
    )


def test_a_rewritten_address_is_as_bad_as_a_rewritten_port(pair):
    pair.sh(pair.asker, "ip addr add 10.1.0.21/24 dev eth0")
    pair.rules(first="-A POSTROUTING -p udp --dport 4789 -j SNAT --to-source 10.1.0.21")
    result = pair.probe(timeout=1.2)
    assert (result["verdict"], result["evidence"]["outer_bad"]) == ("vxlan_checksum", result["evidence"]["outer_packets"])


def test_a_server_that_hangs_is_down(pair):
    pair.rules(FIXED)
    pair.dns.send_signal(signal.SIGSTOP)
    result = pair.probe(timeout=0.5)
    assert (result["verdict"], result["tcp"]["connected"]) == ("dns_server_down", 3), result


def test_a_pod_that_is_gone_is_down(pair):
    pair.rules(FIXED)
    pair.sh(pair.server, f"ip addr del {POD}/32 dev lo")
    result = pair.probe(timeout=0.5)
    assert (result["verdict"], result["evidence"]["outer_checksum"]) == ("dns_server_down", "good"), result


def test_a_server_that_was_killed_refuses(pair):
    pair.rules(FIXED)
    pair.dns.kill()
    pair.dns.wait()
    assert pair.probe()["verdict"] == "refused"


def test_a_service_without_endpoints_refuses(pair):
    pair.sh(pair.asker, f"iptables-nft -A OUTPUT -d {SERVICE} -j REJECT --reject-with icmp-port-unreachable")
    result = pair.probe(timeout=0.5)
    assert (result["verdict"], result["udp"]["error"], result["tcp"]["error"]) == ("refused", "refused", "refused")


@pytest.mark.parametrize(
    "command",
    [
        "ip route del default",
        f"ip route add unreachable {SERVICE}",
        f"ip route add prohibit {SERVICE}",
        f"ip route add blackhole {SERVICE}",
    ],
)
def test_no_route(pair, command):
    pair.rules(FIXED)
    pair.sh(pair.asker, command)
    result = pair.probe(timeout=0.5)
    assert result["verdict"] == "no_route", result


def test_no_kube_proxy_at_all(pair):
    pair.sh(pair.switch, f"ip route add blackhole {SERVICE}; echo 1 > /proc/sys/net/ipv4/ip_forward")
    result = pair.probe(timeout=0.5)
    assert (result["verdict"], result["evidence"]["outer_packets"]) == ("unknown", 0), result


NOBODY = ("setpriv", "--reuid=65534", "--clear-groups")


@pytest.mark.parametrize(("masquerade", "verdict"), [(FIXED, "works"), (RANDOM, "unknown")])
def test_without_root_the_answers_still_count(pair, masquerade, verdict):
    pair.rules(masquerade)
    result = pair.probe(*NOBODY)
    assert (result["verdict"], result["evidence"]["outer_checksum"]) == (verdict, "unknown"), result
    assert "needs CAP_NET_RAW: run with become" in result["evidence"]["reason"]


def test_without_ctnetlink_the_text_table_tells_the_same(pair):
    pair.rules()
    result = pair.probe("capsh", "--drop=cap_net_admin", "--", "-c", 'exec "$@"', "sh")
    assert (result["verdict"], result["evidence"]["source_port_rewritten"]) == ("vxlan_checksum", "yes"), result
    assert result["evidence"]["source"] == "packets sent by eth0, /proc/net/nf_conntrack"


def test_a_drop_in_the_own_firewall_is_no_route(pair):
    pair.sh(pair.asker, f"iptables-nft -A OUTPUT -d {SERVICE} -p udp -j DROP")
    result = pair.probe(timeout=0.3)
    assert (result["verdict"], "dropped by this node's own firewall" in result["reason"]) == ("no_route", True), result


def test_each_probe_sees_its_own_packets_only(pair):
    pair.rules(FIXED)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _number: pair.probe(attempts=4), range(3)))
    assert [result["evidence"]["outer_packets"] for result in results] == [8, 8, 8]


def test_a_tunnel_that_is_bound_to_no_device_is_watched_on_all(pair):
    pair.rules()
    pair.sh(pair.asker, "ip link add flannel.1 type vxlan id 1 dstport 8472 local 10.1.0.11")
    result = pair.probe()
    assert (result["verdict"], result["evidence"]["source"]) == (
        "vxlan_checksum",
        "packets sent by any device, ctnetlink",
    ), result


def test_no_tunnel_no_evidence(pair):
    pair.sh(pair.asker, "ip link del vxlan.calico")
    pair.rules(FIXED)
    result = pair.probe(timeout=0.3)
    assert result["evidence"]["reason"] == "this node has no VXLAN device"


def test_it_changes_nothing_and_check_mode_does_the_same(pair):
    pair.rules(FIXED)
    # iptables-nft-save prints the time and the counters, and the probe's packets are counted
    state = "iptables-nft -t nat -S; ip route; ip -d link; cat /proc/net/packet | wc -l; ethtool -k vxlan.calico"
    before = pair.sh(pair.asker, state)
    results = [pair.probe(_ansible_check_mode=check) for check in (False, True)]
    assert [(result["changed"], result["verdict"]) for result in results] == [(False, "works")] * 2
    assert pair.sh(pair.asker, state) == before


def interpreters():
    """What nodes have: the Pythons of this machine, at least the one that runs the tests."""
    found = [sys.executable]
    for minor in ("6", "8", "13", "14"):
        # pyenv's shims on PATH do not run by themselves, so its builds come first
        builds = [str(path) for path in Path("/root/.pyenv/versions").glob(f"3.{minor}.*/bin/python")]
        found += [path for path in [*builds, shutil.which(f"python3.{minor}")] if path][:1]
    return found


DIRECT = """
import json, sys
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import command, dns_client, service_asker
server = dns_client.Server(sys.argv[1], 53, 1.3)
watch = service_asker.Watch(None, None, None)
print(json.dumps(service_asker.probe(server, "a.cluster.local", 3, watch, command.runner(10))))
"""


@pytest.mark.parametrize("python", interpreters())
def test_every_python_of_a_node_sees_the_same(pair, python):
    """Without ansible's own library, which no single release has for all of these Pythons."""
    pair.rules()
    result = json.loads(run("ip", "netns", "exec", pair.asker, python, "-c", DIRECT, SERVICE))
    evidence = result["evidence"]
    assert (result["verdict"], evidence["outer_bad"], evidence["source_port_rewritten"]) == ("vxlan_checksum", 6, "yes")


def test_fail_on(pair):
    pair.rules(FIXED)
    result = pair.probe(fail_on=["works", "unknown"])
    assert (result["failed"], result["msg"]) == (True, result["reason"])
    assert "failed" not in pair.probe(fail_on=["vxlan_checksum"])


BAD_INPUT = [
    ({"address": "10.96.0.300"}, "10.96.0.300"),
    ({"address": "kube-dns; reboot"}, "kube-dns; reboot"),
    ({"name": "a..b"}, "is no DNS name"),
    ({"device": "eth0"}, "device eth0 is no VXLAN device"),
    ({"device": "$(reboot)"}, "is no VXLAN device"),
    ({"port": 0}, "port is 0"),
    ({"attempts": 33}, "attempts is 33"),
    ({"timeout": 0}, "timeout is 0"),
    ({"vxlan_port": 65536}, "vxlan_port is 65536"),
    ({"fail_on": ["broken"]}, "fail_on"),
]


def test_bad_input_is_one_clear_error(pair):
    for options, words in BAD_INPUT:
        result = pair.probe(**options)
        assert result.get("failed"), options
        assert words in result["msg"], options


def test_an_unknown_underlay_leaves_the_evidence_unknown(pair):
    pair.rules(FIXED)
    result = pair.probe(underlay="nosuch0")
    assert (result["verdict"], result["evidence"]["outer_checksum"]) == ("works", "unknown")
    assert "nosuch0" in result["evidence"]["reason"]
