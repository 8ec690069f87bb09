# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The python reader against the shell reader, and against what iptables prints."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from network_namespace import BACKENDS, NOBODY, NetworkNamespace

RULES = r"""
-t nat -N KUBE-POSTROUTING
-t nat -N KUBE-SERVICES
-t nat -N KUBE-MARK-MASQ
-t nat -N KUBE-SVC-TCOU7JCQXEZGVUNU
-t nat -N KUBE-SEP-AAA
-t nat -N cali-POSTROUTING
-t nat -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-t nat -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-t nat -A POSTROUTING -m comment --comment "cali:O3lYWMrLQYEMJtB5" -j cali-POSTROUTING
-t nat -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-t nat -A cali-POSTROUTING ! -s 10.244.0.0/16 -o vxlan.calico -m addrtype ! --src-type LOCAL --limit-iface-out\
 -m addrtype --src-type LOCAL -j MASQUERADE --random-fully
-t nat -A cali-POSTROUTING -p 47 ! -d 1.2.3.4 -g KUBE-POSTROUTING
-t nat -A cali-POSTROUTING ! -o ve+ ! -p icmp -s 10.0.0.0/255.0.255.0 -j RETURN
-t nat -A cali-POSTROUTING -p tcp -m multiport --dports 80,443:445 -m conntrack --ctstate NEW,RELATED\
 -j SNAT --to-source 10.1.0.11:1024-2048 --random
-t nat -A cali-POSTROUTING -m statistic --mode random --probability 0.5 -j RETURN
-t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-t nat -A KUBE-POSTROUTING -m comment --comment "it's $x" -j MASQUERADE --random-fully
-t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-t nat -A KUBE-SVC-TCOU7JCQXEZGVUNU ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp --dport 53 -j KUBE-MARK-MASQ
-t nat -A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-AAA
-t raw -A OUTPUT -p udp --dport 4789 -j CT --notrack
-t raw -A OUTPUT -p udp --dport 4790 -j NOTRACK
-t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-xmark 0/0x4000
-t mangle -A POSTROUTING -m state --state NEW -j ACCEPT
-t filter -A OUTPUT -m limit --limit 5/min -j LOG --log-prefix "a b"
-t filter -A OUTPUT -p tcp --tcp-flags SYN,RST SYN -m owner --uid-owner 0 -j REJECT
"""


class Namespace(NetworkNamespace):
    def load(self, backend, rules=RULES):
        for line in rules.replace("\\\n", "").strip().splitlines():
            self.run("sh", "-c", f"iptables-{backend} -w 5 " + line.replace("$", "\\$"))

    def reader(self, *before, **arguments):
        return self.module("node_info", before=before, reader="python", **arguments)

    def printed(self, backend, table):
        """Rules by chain as the tool itself prints them."""
        found = {}
        for line in self.run(f"iptables-{backend}", "-t", table, "-S").splitlines():
            verb, chain, *rest = line.split(" ", 2)
            if verb == "-A":
                found.setdefault(chain, []).append("".join(rest))
            elif verb != "#":
                found.setdefault(chain, [])
        return found


@pytest.fixture
def namespace():
    with Namespace(f"b-reader-{os.getpid()}").made() as made:
        for line in (
            "link add eth0 type veth peer name peer0",
            "link set eth0 up",
            "link set peer0 up",
            "addr add 10.1.0.11/24 dev eth0",
            "route add default via 10.1.0.1",
            "link add vxlan.calico type vxlan id 4096 dstport 4789 local 10.1.0.11 dev eth0",
            "link set vxlan.calico up",
            "addr add 10.244.1.0/32 dev vxlan.calico",
            "link add flannel.1 type vxlan id 1 dstport 8472 local 10.1.0.11 dev eth0 noudpcsum",
            "link add other6 type vxlan id 9 dstport 8472 local fd00::1 udp6zerocsumtx",
            "link add external type vxlan external dstport 8473",
        ):
            made.run("ip", *line.split())
        made.run("ethtool", "-K", "vxlan.calico", "tx-checksum-ip-generic", "off")
        yield made


def differences(shell, python, path=""):
    """What the readers disagree on, as lines. How a part was got ("source" of a part) may differ."""
    if isinstance(shell, dict) and isinstance(python, dict):
        lookup = "destination" in shell
        keys = [key for key in sorted({*shell, *python}) if key != "reader" and (key != "source" or lookup)]
        pairs = [(key, shell.get(key, "nothing"), python.get(key, "nothing")) for key in keys]
    elif isinstance(shell, list) and isinstance(python, list) and len(shell) == len(python):
        pairs = [(number, one, other) for number, (one, other) in enumerate(zip(shell, python))]
    else:
        return [] if shell == python else [f"{path}: shell {shell!r}, python {python!r}"]
    return [line for key, one, other in pairs for line in differences(one, other, f"{path}.{key}")]


def shell_reader(namespace):
    from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import transcript

    return transcript.parse(namespace.run("sh", input=Path(transcript.__file__).with_name("probe.sh").read_text()))


@pytest.mark.parametrize("backends", [[], ["nft"], ["legacy"], ["nft", "legacy"]], ids=["no rules", "nft", "legacy", "both"])
def test_both_readers_agree(namespace, backends):
    for backend in backends:
        namespace.load(backend)
    assert differences(shell_reader(namespace), namespace.reader()["node"]) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_rules_are_rendered_as_iptables_prints_them(namespace, backend):
    namespace.load(backend, RULES + "-t filter -A OUTPUT")
    node = namespace.reader(gather_subset=["netfilter"])["node"]
    read = {table["table"]: table for table in node["netfilter"]["tables"] if (table["family"], table["backend"]) == ("ipv4", backend)}
    for name in ("raw", "mangle", "filter", "nat"):
        printed = namespace.printed(backend, name)
        assert read[name]["state"] == "read"
        assert read[name]["chains"] == {chain: printed[chain] for chain in read[name]["chains"]}
    assert read["nat"]["unread"] == ["KUBE-SEP-AAA", "KUBE-SERVICES"]
    assert node["services"]["dns"] == "10.96.0.10"


def without_time(saved):
    """A saved table without dates and counters."""
    return re.sub(r"(?m)^#.*\n|\[\d+:\d+\]", "", saved)


def test_reading_creates_no_legacy_table(namespace):
    namespace.run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    before = namespace.run("iptables-legacy-save", "-t", "nat")
    tables = namespace.reader(gather_subset=["netfilter"])["node"]["netfilter"]["tables"]
    assert namespace.legacy_tables() == ["nat"]
    states = {table["table"]: table["state"] for table in tables if (table["family"], table["backend"]) == ("ipv4", "legacy")}
    assert states == {"raw": "absent", "mangle": "absent", "filter": "absent", "nat": "read"}
    after = namespace.run("iptables-legacy-save", "-t", "nat")
    assert without_time(after) == without_time(before)


def test_without_root_the_rules_are_unknown_and_the_devices_are_not(namespace):
    node = namespace.reader(*NOBODY)["node"]
    assert {(t["state"], t["reason"]) for t in node["netfilter"]["tables"]} == {("unknown", "needs root: run with become")}
    assert [device["name"] for device in node["vxlan"]["devices"]] == ["external", "flannel.1", "other6", "vxlan.calico"]
    assert node["kube_proxy"] == {"unknown": node["kube_proxy"]["unknown"]}
    assert node["collected"]["root"] is False


def test_what_was_not_asked_for_tells_how_to_get_it(namespace):
    node = namespace.reader(gather_subset=["kernel"])["node"]
    assert node["kernel"]["release"] == os.uname().release
    assert node["vxlan"] == {"unknown": "not asked for: add vxlan to gather_subset"}
    assert node["services"] == {"unknown": "not asked for: add netfilter to gather_subset"}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"pyroute2.py": "raise ImportError('gone')"}, r"pyroute2 >= 0\.7\.2"),
        ({"pyroute2.py": "raise TypeError(\"'type' object is not subscriptable\")"}, r"pyroute2 >= 0\.7\.2"),
        ({"pyroute2/__init__.py": "__version__ = '0.5.9'"}, r"pyroute2 0\.5\.9 is too old.*pyroute2 >= 0\.7\.2"),
    ],
    ids=["not installed", "not for this Python", "too old"],
)
def test_a_missing_library_is_named_with_its_version(namespace, tmp_path, files, reason):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = namespace.reader(environment={"PYTHONPATH": path})
    assert result["failed"] is True
    assert re.search(reason, result["msg"])


def test_every_scenario_of_the_lab(fleet):
    """One run over the fleet with each reader; where LAB_SHORT is set, over a node of each scenario."""
    one_each = list({fleet.state.nodes[node]["scenario"]: node for node in fleet.nodes}.values())
    nodes = one_each if os.environ.get("LAB_SHORT") else fleet.nodes
    facts = {}
    for reader in ("shell", "python"):
        done = fleet.ansible(
            ",".join(nodes), "-m", "kubenet.vxlan_offload.node_info", "-a", json.dumps({"reader": reader}),
            variables={"ansible_python_interpreter": sys.executable},
        )  # fmt: skip
        assert done.returncode == 0, done.output[-2000:]
        facts[reader] = {node: done.of(node, "node_info")[-1]["node"] for node in nodes}
    found = {node: differences(facts["shell"][node], facts["python"][node]) for node in nodes}
    assert {node: lines for node, lines in found.items() if lines} == {}
