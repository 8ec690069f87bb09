# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state modules on real devices, rules and routes, in network namespaces of their own.

What a module says is compared with what ethtool, iptables and ip say, never with itself. Needs root.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from network_namespace import BACKENDS, NOBODY, NetworkNamespace

CHECKSUM = "tx-checksum-ip-generic"


class Node(NetworkNamespace):
    """What the tools say is there."""

    def rules(self, backend, table, chain):
        listing = self.run(f"iptables-{backend}", "-t", table, "-S", chain).splitlines()
        return [line.split(" ", 2)[2] for line in listing if line.startswith("-A")]

    def requested(self, device):
        """{feature: requested} as ethtool prints it, without the fixed ones and the sums."""
        found = {}
        for line in self.run("ethtool", "-k", device).splitlines():
            match = re.match(r"\s*(\S+): (on|off)( \[requested (on|off)\])?$", line)
            if match:
                found[match[1]] = (match[4] or match[2]) == "on"
        return found


@pytest.fixture
def node():
    with Node(f"b-state-{os.getpid()}").made() as made:
        made.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        for device in ("eth0", "peer0"):
            made.run("ip", "link", "set", device, "up")
        made.run("ip", "link", "add", "vxlan.calico", "type", "vxlan", "id", "4096", "dstport", "4789", "dev", "eth0")
        made.run("ip", "link", "set", "vxlan.calico", "up")
        yield made


def check_then_run_then_again(node, name, **arguments):
    """The law of every state module. Returns the result of the run."""
    predicted = node.module(name, check=True, **arguments)
    done = node.module(name, **arguments)
    assert predicted == done
    again = node.module(name, **arguments)
    assert again["changed"] is False
    assert again["before"] == again["after"] == done["after"]
    return done


# offload


@pytest.mark.parametrize("feature", [CHECKSUM, "tx-scatter-gather", "tx-tcp-segmentation", "rx-gro", "tx-nocache-copy"])
def test_a_feature_can_be_turned_and_turned_back_as_predicted(node, feature):
    before = node.requested("vxlan.calico")
    old = node.module("offload", device="vxlan.calico", features={})["before"][feature]["requested"]
    done = check_then_run_then_again(node, "offload", device="vxlan.calico", features={feature: not old})
    assert done["changed"] is True
    assert node.requested("vxlan.calico") != before
    node.module("offload", device="vxlan.calico", features={feature: old})
    assert node.requested("vxlan.calico") == before


def test_checksum_off_leaves_what_depends_on_it_requested(node):
    before = node.requested("vxlan.calico")
    done = check_then_run_then_again(node, "offload", device="vxlan.calico", features={CHECKSUM: False})
    assert done["after"]["tx-tcp-segmentation"] == {"requested": True, "active": False, "fixed": False}
    assert f"{CHECKSUM}: off" in node.run("ethtool", "-k", "vxlan.calico")
    check_then_run_then_again(node, "offload", device="vxlan.calico", features={CHECKSUM: True})
    assert node.requested("vxlan.calico") == before


def test_what_another_program_requested_stays(node):
    node.run("ethtool", "-K", "vxlan.calico", "gro", "off")
    node.module("offload", device="vxlan.calico", features={CHECKSUM: False})
    assert "generic-receive-offload: off" in node.run("ethtool", "-k", "vxlan.calico")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"device": "nope", "features": {CHECKSUM: False}}, "there is no device nope"),
        ({"device": "vxlan.calico;id", "features": {CHECKSUM: False}}, "there is no device"),
        ({"device": "$(touch /tmp/b-no)", "features": {CHECKSUM: False}}, "there is no device"),
        ({"device": "eth0", "features": {CHECKSUM: False}}, "is no VXLAN device"),
        ({"device": "vxlan.calico", "features": {"tx-nope": False}}, "has no feature tx-nope"),
        ({"device": "vxlan.calico", "features": {"tx-checksumming": False}}, "has no feature tx-checksumming"),
        ({"device": "vxlan.calico", "features": {"loopback": True, CHECKSUM: False}}, "is fixed"),
        ({"device": "vxlan.calico", "features": {CHECKSUM: "maybe"}}, "must be true or false"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_offload_refuses_in_one_line_and_changes_nothing(node, arguments, reason, check):
    before = node.requested("vxlan.calico"), node.requested("eth0")
    refused(node.module("offload", check=check, **arguments), reason)
    assert (node.requested("vxlan.calico"), node.requested("eth0")) == before


def test_another_kind_of_device_on_request(node):
    done = node.module("offload", device="eth0", features={CHECKSUM: False}, require_vxlan=False)
    assert done["changed"] is True


# netfilter_rule

MARK = {"table": "mangle", "chain": "OUTPUT"}
SPELLINGS = [
    (["-p", "udp", "--dport", "4789", "-j", "MARK", "--xor-mark", "0x4000"], "nat OUTPUT xor"),
    (["-p", "udp", "--dport", "4789", "-j", "MARK", "--set-xmark", "0x0/0x4000"], "clear mark"),
    (["!", "-s", "10.244.0.0/16", "-m", "comment", "--comment", "it's a \"test\" $x", "-j", "ACCEPT"], "comment"),
    (["-m", "mark", "!", "--mark", "0x4000/0x4000", "-j", "RETURN"], "negation"),
    (["-d", "10.0.0.1", "-o", "eth+", "-j", "ACCEPT"], "address"),
    (["-j", "LOCAL-CHAIN"], "chain"),
]


def snapshot(node, backend, chain="OUTPUT", table="mangle"):
    return node.rules(backend, table, chain)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rule", [rule for rule, _name in SPELLINGS], ids=[name for _rule, name in SPELLINGS])
def test_a_rule_is_put_moved_and_removed(node, backend, rule):
    for text in (["-N", "LOCAL-CHAIN"], ["-A", "OUTPUT", "-j", "CONNMARK", "--save-mark"], ["-A", "OUTPUT", "-p", "tcp", "-j", "ACCEPT"]):
        node.run(f"iptables-{backend}", "-t", "mangle", *text)
    before = snapshot(node, backend)
    first = check_then_run_then_again(node, "netfilter_rule", backend=backend, rule=rule, **MARK)
    assert first["position"] == 1
    for position in (3, 1, 2):
        moved = check_then_run_then_again(node, "netfilter_rule", backend=backend, rule=rule, position=position, **MARK)
        assert moved["position"] == position
        assert moved["after"] == snapshot(node, backend)
        assert len(moved["after"]) == len(before) + 1
    node.run(f"iptables-{backend}", "-t", "mangle", "-A", "OUTPUT", *rule)
    gone = check_then_run_then_again(node, "netfilter_rule", backend=backend, rule=rule, state="absent", **MARK)
    assert gone["position"] is None
    assert snapshot(node, backend) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_fully_is_not_mistaken(node, backend):
    plain = ["-j", "MASQUERADE"]
    node.run(f"iptables-{backend}", "-t", "nat", "-A", "POSTROUTING", *plain, "--random-fully")
    nat = {"backend": backend, "table": "nat", "chain": "POSTROUTING"}
    assert node.module("netfilter_rule", rule=plain, state="absent", **nat)["changed"] is False
    check_then_run_then_again(node, "netfilter_rule", rule=[*plain, "--random-fully"], position=1, **nat)
    check_then_run_then_again(node, "netfilter_rule", rule=plain, position=1, **nat)
    assert snapshot(node, backend, "POSTROUTING", "nat") == ["-j MASQUERADE", "-j MASQUERADE --random-fully"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_missing_chain(node, backend):
    node.run(f"iptables-{backend}", "-t", "mangle", "-S", "OUTPUT")
    arguments = {"backend": backend, "table": "mangle", "chain": "NOPE", "rule": ["-j", "ACCEPT"]}
    refused(node.module("netfilter_rule", **arguments), "there is no chain NOPE")
    assert node.module("netfilter_rule", state="absent", **arguments)["changed"] is False


def test_looking_for_a_legacy_rule_creates_no_table(node):
    rule = {"backend": "legacy", "rule": ["-j", "ACCEPT"], **MARK}
    assert node.module("netfilter_rule", state="absent", **rule)["changed"] is False
    assert node.module("netfilter_rule", check=True, **rule)["changed"] is True
    assert node.module("netfilter_rule", backend="auto", rule=["-j", "ACCEPT"], **MARK)["backend"] == "nft"
    assert node.legacy_tables() == []
    assert check_then_run_then_again(node, "netfilter_rule", **rule)["changed"] is True
    assert node.legacy_tables() == ["mangle"]


def test_auto_takes_the_backend_where_the_rules_are(node):
    node.run("iptables-legacy", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "-j", "ACCEPT")
    done = check_then_run_then_again(node, "netfilter_rule", rule=["-j", "ACCEPT"], **MARK)
    assert done["backend"] == "legacy"
    assert snapshot(node, "nft") == []


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("check", [True, False])
def test_a_held_lock_is_an_error_and_not_absence(node, tmp_path, state, check):
    rule = ["-j", "ACCEPT"]
    node.run("iptables-legacy", "-t", "mangle", "-A", "OUTPUT", *rule)
    lock = tmp_path / "xtables.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = node.module(
            "netfilter_rule", backend="legacy", rule=rule, state=state, wait=1, check=check,
            environment={"XTABLES_LOCKFILE": str(lock)}, **MARK,
        )  # fmt: skip
    refused(result, "another program holds the xtables lock for 1 s: run again")
    assert snapshot(node, "legacy") == ["-j ACCEPT"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_chain_that_iptables_cannot_show_is_refused(node, state):
    node.run("iptables-nft", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "-j", "ACCEPT")
    node.run("nft", "add", "rule", "ip", "mangle", "OUTPUT", "ct", "mark", "set", "meta", "mark")
    before = node.run("nft", "list", "chain", "ip", "mangle", "OUTPUT")
    refused(node.module("netfilter_rule", backend="nft", rule=["-j", "ACCEPT"], state=state, **MARK), "iptables cannot show")
    assert node.run("nft", "list", "chain", "ip", "mangle", "OUTPUT") == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"rule": ["-j", "ACCEPT"], "chain": "OUT;PUT"}, "chain name"),
        ({"rule": ["-j", "ACCEPT", "-F"]}, "-F is no part of a rule"),
        ({"rule": ["-o", "$(touch /tmp/b-no)", "-j", "ACCEPT"]}, "needs an interface name"),
        ({"rule": ["-j", "MARK", "--set-xmark", "bit14"]}, "needs a mark"),
        ({"rule": ["-j", "NOPE"]}, "NOPE"),
        ({"rule": ["-m", "nope", "-j", "ACCEPT"]}, "nope"),
        ({"rule": ["-j", "ACCEPT"], "position": 9}, "position 9 is not possible"),
        ({"rule": ["-j", "ACCEPT"], "position": 0}, "counted from 1"),
        ({"rule": ["-j", "ACCEPT"], "wait": 0}, "1 to 3600 seconds"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_netfilter_rule_refuses_in_one_line_and_changes_nothing(node, backend, arguments, reason, check):
    node.run(f"iptables-{backend}", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "-j", "ACCEPT")
    refused(node.module("netfilter_rule", check=check, **{"backend": backend, **MARK, **arguments}), reason)
    assert snapshot(node, backend) == ["-p tcp -j ACCEPT"]


# service_route


def test_a_route_is_put_and_removed(node):
    arguments = {"destination": "10.96.0.0/12", "device": "vxlan.calico"}
    done = check_then_run_then_again(node, "service_route", **arguments)
    assert done["after"] == ["10.96.0.0/12 dev vxlan.calico scope link"]
    assert "dev vxlan.calico" in node.run("ip", "-4", "route", "get", "10.96.0.10")
    gone = check_then_run_then_again(node, "service_route", state="absent", **arguments)
    assert gone["after"] == []
    assert node.run("ip", "-4", "route", "show", "10.96.0.0/12") == ""


def test_another_route_to_the_same_network_is_left_alone(node):
    node.run("ip", "-4", "route", "add", "10.96.0.0/12", "dev", "eth0")
    arguments = {"destination": "10.96.0.0/12", "device": "vxlan.calico"}
    refused(node.module("service_route", **arguments), "another route for 10.96.0.0/12 already: 10.96.0.0/12 dev eth0")
    assert node.module("service_route", state="absent", **arguments)["changed"] is False
    assert "dev eth0" in node.run("ip", "-4", "route", "show", "10.96.0.0/12")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"device": "nope"}, "there is no device nope"),
        ({"device": "a b;id"}, "there is no device"),
        ({"destination": "10.96.0.0/33"}, "is no network"),
        ({"destination": "10.96.0.0/12;id"}, "is no network"),
        ({"destination": "0.0.0.0/0"}, "default route"),
        ({"destination": "fd00::1/64"}, "host bits"),
    ],
)
def test_service_route_refuses_in_one_line(node, arguments, reason):
    before = node.run("ip", "route")
    refused(node.module("service_route", **{"destination": "10.96.0.0/12", "device": "vxlan.calico", **arguments}), reason)
    assert node.run("ip", "route") == before


def test_a_device_that_is_down(node):
    node.run("ip", "link", "set", "vxlan.calico", "down")
    for check in (True, False):
        refused(node.module("service_route", check=check, destination="10.96.0.0/12", device="vxlan.calico"), "is down")


# all three


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("offload", {"device": "vxlan.calico", "features": {CHECKSUM: False}}),
        ("netfilter_rule", {"rule": ["-j", "ACCEPT"], **MARK}),
        ("service_route", {"destination": "10.96.0.0/12", "device": "vxlan.calico"}),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_without_root(node, name, arguments, check):
    refused(node.module(name, before=NOBODY, check=check, **arguments), "needs root")
    assert node.module(name, check=True, **arguments)["changed"] is True


# the folders of the tools, emptied for one process and its children
WITHOUT_TOOLS = "for folder in /usr/sbin /usr/local/sbin /usr/bin; do mount --bind $0 $folder || exit 1; done; exec $@"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("netfilter_rule", {"rule": ["-j", "ACCEPT"], **MARK}),
        ("service_route", {"destination": "10.96.0.0/12", "device": "lo"}),
    ],
)
def test_without_the_tools(node, name, arguments, tmp_path):
    python = os.path.realpath(sys.executable)
    shutil.copy(python, tmp_path)  # it may itself be in a folder that is hidden
    hide = ["unshare", "-m", "sh", "-c", WITHOUT_TOOLS, str(tmp_path)]
    result = node.module(
        name, before=hide, python=python,
        environment={"PYTHONPATH": os.pathsep.join(sys.path)}, **arguments,
    )  # fmt: skip
    refused(result, "install")


def interpreters():
    """What nodes have: the Pythons of this machine, at least the one that runs the tests."""
    found = [sys.executable]
    for minor in ("6", "8", "13", "14"):
        # pyenv's shims on PATH do not run by themselves, so its builds come first
        builds = sorted(str(path) for path in Path("/root/.pyenv/versions").glob(f"3.{minor}.*/bin/python"))
        found += [path for path in [*builds, shutil.which(f"python3.{minor}")] if path][:1]
    return found


DIRECT = """
import json
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import (
    backends, command, ethtool, features, route, rtnetlink, rule_state, xtables)
run = command.runner(30)
answer = {"kind": rtnetlink.read_link("vxlan.calico").kind}
before = ethtool.read("vxlan.calico")
changes = features.plan("vxlan.calico", before, {"tx-checksum-ip-generic": False})
answer["predicted"] = ethtool.set_requested("vxlan.calico", changes) == features.predict(before, changes)
answer["reverted"] = ethtool.set_requested("vxlan.calico", {"tx-checksum-ip-generic": True}) == before
request = rule_state.Request("OUTPUT", ["-p", "udp", "--dport", "4789", "-j", "MARK", "--xor-mark", "0x4000"], 1, "present")
tool = backends.tools("ipv4", run, command.which)["nft"]
table = xtables.Table(tool, "mangle", 5, run)
done = rule_state.apply(table, request, rule_state.examine(table, request, True))
answer["rules"] = done.after
answer["again"] = rule_state.examine(table, request, True).commands
wanted = route.Wanted(route.destination("10.96.0.0/12"), "vxlan.calico", "present")
answer["routes"] = route.apply("ip", run, wanted, route.plan(route.read("ip", run, wanted.destination), wanted))
print(json.dumps(answer))
"""


@pytest.mark.parametrize("python", interpreters())
def test_every_python_of_a_node_does_the_same(node, python):
    """Without ansible's own library, which no single release has for all of these Pythons."""
    assert json.loads(node.run(python, "-c", DIRECT)) == {
        "kind": "vxlan",
        "predicted": True,
        "reverted": True,
        "rules": ["-p udp -m udp --dport 4789 -j MARK --set-xmark 0x4000/0x0"],
        "again": [],
        "routes": ["10.96.0.0/12 dev vxlan.calico scope link"],
    }


def test_a_playbook_with_all_three(node, tmp_path):
    """The modules as Ansible packs and sends them: applied twice, then undone."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        textwrap.dedent("""
        - hosts: localhost
          gather_facts: false
          tasks:
            - kubenet.vxlan_offload.offload: {device: vxlan.calico, features: {tx-checksum-ip-generic: "{{ not on }}"}}
            - kubenet.vxlan_offload.netfilter_rule:
                table: mangle
                chain: OUTPUT
                rule: [-p, udp, --dport, 4789, -j, MARK, --set-xmark, 0x0/0x4000]
                state: "{{ on | ternary('present', 'absent') }}"
            - kubenet.vxlan_offload.service_route:
                destination: 10.96.0.0/12
                device: vxlan.calico
                state: "{{ on | ternary('present', 'absent') }}"
        """)
    )
    before = node.requested("vxlan.calico")
    for on, changed in ((True, 3), (True, 0), (False, 3), (False, 0)):
        out = node.run(
            os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", "localhost,", "-c", "local", str(playbook),
            "-e", json.dumps({"on": on, "ansible_python_interpreter": sys.executable}),
        )  # fmt: skip
        assert f"changed={changed} " in out, out
    assert node.requested("vxlan.calico") == before
    assert snapshot(node, "nft") == []


def refused(result, reason):
    assert result.get("failed") is True, result
    assert re.search(re.escape(reason), result["msg"]), result["msg"]
    assert "\n" not in result["msg"]
    assert "Traceback" not in json.dumps(result)
