# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: the failure in it is real, and nothing of it stays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

import pytest

from lab import holder, removal, rules_cni, scenarios, services, state, topology  # isort: skip  # conftest.py finds it
from lab.errors import LabError  # isort: skip

REPOSITORY = Path(__file__).resolve().parents[2]
PAIRS = [(scenario.name, backend) for scenario, backend in scenarios.variants(scenarios.on_this_kernel(), "both")]
LAB = [sys.executable, "-m", "lab"]


def _lab(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAB, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False, **options)


def _name(purpose: str) -> str:
    return "test-%d-%s" % (os.getpid(), purpose)


@pytest.fixture(scope="module")
def seen(fleet):
    """What packets did on every node, asked once and at the same time."""
    return fleet.ask()


# The failure


@pytest.mark.parametrize(("scenario", "backend"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_what_happens_to_packets_is_what_is_known_of_the_scenario(seen, scenario, backend):
    node = seen["nodes"]["%s_%s" % (scenario, backend)]
    known = scenarios.get(scenario)
    assert (node["udp"]["result"], node["tcp"]["result"]) == (known.udp, known.tcp)


def test_the_receiver_counts_each_wrong_outer_checksum(make_lab):
    lab = make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")
    assert lab.ask("pre_fix_kube_proxy_nft")["in_csum_errors"] >= 4  # three queries and a SYN
    assert lab.ask("fixed_kube_proxy_nft")["in_csum_errors"] == 0


def test_asking_twice_gives_the_same_answer(make_lab):
    lab = make_lab("pre_fix_kube_proxy", "offload_off")
    first, second = lab.ask(), lab.ask()
    for node in lab.nodes:
        for kind in ("udp", "tcp"):
            assert first["nodes"][node][kind]["result"] == second["nodes"][node][kind]["result"]


def test_a_dead_dns_server_is_no_wrong_checksum(make_lab):
    lab = make_lab("fixed_kube_proxy")
    holder.end([lab.state.servers["dns"]["pid"]])
    result = lab.ask()
    assert result["nodes"]["fixed_kube_proxy_nft"]["udp"]["result"] == "broken"
    assert result["in_csum_errors"] == 0


def test_each_node_has_a_default_route_over_a_device_with_the_offload_of_a_real_nic(fleet):
    for node in fleet.nodes:
        for family in fleet.state.nodes[node]["families"]:
            assert " dev eth0" in fleet.run(node, "ip", "-" + family[-1], "route", "show", "default")
        wanted = "off" if "eth0_tx_off" in node else "on"
        assert "tx-checksum-ip-generic: %s" % wanted in fleet.run(node, "ethtool", "-k", "eth0")


def test_the_device_has_the_checksum_mode_that_its_scenario_says(fleet):
    assert " udpcsum" in fleet.run("pre_fix_kube_proxy_nft", "ip", "-d", "link", "show", "vxlan.calico")
    assert " noudpcsum" in fleet.run("noudpcsum_nft", "ip", "-d", "link", "show", "vxlan.calico")
    assert fleet.run("no_vxlan_nft", "ip", "link", "show", "type", "vxlan") == ""


# The rules


def test_chain_and_comment_names_are_those_of_real_clusters():
    assert [service.chain() for service in services.all_of(0)] == [
        "KUBE-SVC-TCOU7JCQXEZGVUNU",
        "KUBE-SVC-ERIFXISQEP7F7OF4",
        "KUBE-SVC-NPX46M4PTMTKRN6Y",
    ]
    assert "cali:O3lYWMrLQYEMJtB5" in rules_cni._felix("POSTROUTING", ["--jump cali-POSTROUTING"])[0]


def test_calico_stands_first_until_3_28_1_and_kube_proxy_after_it(fleet):
    def order(node):
        rules = fleet.run(node, "iptables-nft", "-t", "nat", "-S", "POSTROUTING")
        return re.findall(r"-j (\S+)", rules)

    assert order("fixed_kube_proxy_calico_first_nft") == ["cali-POSTROUTING", "KUBE-POSTROUTING"]
    assert order("calico_3_28_2_nft") == ["KUBE-POSTROUTING", "cali-POSTROUTING"]


def test_a_legacy_node_has_nothing_in_nft_and_an_nft_node_nothing_in_legacy(fleet):
    assert fleet.run("pre_fix_kube_proxy_nft", "cat", "/proc/net/ip_tables_names") == ""
    assert "nat" in fleet.run("pre_fix_kube_proxy_legacy", "cat", "/proc/net/ip_tables_names").split()
    assert fleet.run("pre_fix_kube_proxy_legacy", "nft", "list", "tables") == ""


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_more_services_are_eleven_rules_each(make_lab, backend):
    def count(number):
        lab = make_lab("fixed_kube_proxy", backend=backend, services=number)
        return lab.run(lab.nodes[0], "iptables-%s-save" % backend, "-t", "nat").count("\n-A ")

    assert count(200) - count(0) == 200 * 11


def test_interfaces_of_more_pods(make_lab):
    lab = make_lab("fixed_kube_proxy", interfaces=20)
    assert lab.run(lab.nodes[0], "ls", "/sys/class/net").split() == [
        *sorted("cali%011x" % (n + 1) for n in range(20)),
        "eth0",
        "lo",
        "vxlan.calico",
    ]


def test_the_status_port_of_kube_proxy_answers(fleet):
    assert fleet.run("nft_kube_proxy_nft", "curl", "-s", "http://127.0.0.1:10249/proxyMode") == "nftables"
    config = json.loads(fleet.run("custom_masquerade_bit_nft", "curl", "-s", "http://127.0.0.1:10249/configz"))
    assert config["kubeproxy.config.k8s.io"]["iptables"]["masqueradeBit"] == 27


# The nodes


def test_what_a_node_writes_stays_in_it(make_lab):
    writer, other = (lab := make_lab("fixed_kube_proxy", backend="both")).nodes
    for folder in ("/etc", "/var/lib", "/run"):
        path = "%s/vxlan-offload-test-%d" % (folder, os.getpid())
        lab.run(writer, "touch", path)
        assert not os.path.exists(path)
        assert lab.run(other, "ls", path, check=False).startswith("ls: cannot access")


def test_a_node_cannot_reach_sockets_in_the_run_of_the_host(fleet):
    """systemctl and dbus-send in a node would otherwise command the host."""
    with open("/run/vxlan-offload-test-%d" % os.getpid(), "w", encoding="ascii") as host_file:
        try:
            assert host_file.name[5:] not in fleet.run("no_vxlan_nft", "ls", "-A", "/run").split()
            assert "systemd" not in fleet.run("no_vxlan_nft", "ls", "-A", "/run").split()
        finally:
            os.unlink(host_file.name)


def test_no_python_can_be_found_when_asked_for(make_lab):
    lab = make_lab("pre_fix_kube_proxy", hide_python=True)
    assert lab.run(lab.nodes[0], "sh", "-c", "command -v python3 python; true") == ""
    assert lab.run(lab.nodes[0], "sh", "-c", "/usr/bin/python3 -V", check=False).strip().endswith("Permission denied")
    assert lab.verdict(lab.nodes[0]) == {"udp": "broken", "tcp": "broken"}


@pytest.mark.parametrize("pipelining", ["True", "False"])
def test_modules_run_inside_the_node(make_lab, pipelining):
    lab = make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")
    done = lab.ansible("nodes", "-m", "command", "-a", "hostname", environment={"ANSIBLE_PIPELINING": pipelining})
    assert done.returncode == 0, done.output
    assert {node: done.of(node, "command")[0]["stdout"] for node in lab.nodes} == {node: node.replace("_", "-") for node in lab.nodes}


def test_files_that_ansible_copies_arrive_in_the_node(make_lab):
    lab = make_lab("fixed_kube_proxy")
    done = lab.ansible("nodes", "-m", "copy", "-a", "content=hello dest=/etc/vxlan-offload-copied")
    assert done.returncode == 0, done.output
    assert lab.run(lab.nodes[0], "cat", "/etc/vxlan-offload-copied") == "hello"
    assert not os.path.exists("/etc/vxlan-offload-copied")


def test_the_shell_of_a_node_that_is_gone_refuses(make_lab):
    lab = make_lab("fixed_kube_proxy")
    holder.end([lab.state.pid(lab.nodes[0])])
    done = lab.ansible("nodes", "-m", "command", "-a", "hostname")
    assert done.returncode != 0
    assert "is not running" in done.output


# Removal


def _remains(name: str, token: str, inodes: set[int]) -> dict[str, list[Any]]:
    """Everything that a lab could leave on the machine."""
    return {
        "processes": sorted(holder.find_marked("vxlan-offload-lab/%s/%s/" % (name, token))) + sorted(holder.members(inodes)),
        "files": [path for path in (state.path_of(name), os.path.join(state.ROOT, name)) if os.path.lexists(path)],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "/%s/" % name in line],
    }


NOTHING = {"processes": [], "files": [], "mounts": []}


def _host_links() -> str:
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def test_removal_leaves_nothing():
    name, links = _name("removal"), _host_links()
    lab = topology.up(name, topology.Options())
    inodes = {node["holder"]["netns"] for node in lab.nodes.values()}
    assert _remains(name, lab.data["token"], inodes) != NOTHING
    assert removal.down(name)
    assert _remains(name, lab.data["token"], inodes) == NOTHING
    assert _host_links() == links
    assert not removal.down(name)


def test_what_still_runs_in_a_node_goes_with_it(make_lab):
    lab = make_lab("fixed_kube_proxy")
    left = subprocess.Popen(["nsenter", "--target", str(lab.state.pid(lab.nodes[0])), "--net", "--mount", "sleep", "600"])
    while holder.netns_inode(left.pid) != lab.state.nodes[lab.nodes[0]]["holder"]["netns"]:
        time.sleep(0.01)
    removal.down(lab.state.name)
    assert holder.start_time(left.pid) is None


def test_two_labs_side_by_side(make_lab):
    one, other = make_lab("pre_fix_kube_proxy"), make_lab("fixed_kube_proxy")
    removal.down(one.state.name)
    assert other.verdict("fixed_kube_proxy_nft") == {"udp": "ok", "tcp": "ok"}


def _read_state(name: str) -> Optional[state.State]:
    try:
        return state.load(name)
    except LabError:
        return None  # being written


def _building(name: str, holders: int) -> tuple[subprocess.Popen[bytes], state.State]:
    """An `up` in the middle of its work."""
    build = subprocess.Popen([*LAB, "up", "--name", name, "--nodes", "60"], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    while build.poll() is None:
        lab = _read_state(name)
        if lab and sum(bool(node["holder"]) for node in lab.nodes.values()) >= holders:
            return build, lab
    raise AssertionError("up was done before it could be interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("holders", [1, 30, 63])
def test_an_interrupted_build_leaves_nothing(number, holders):
    name = _name("interrupted")
    build, lab = _building(name, holders)
    build.send_signal(number)
    assert build.wait(timeout=30) == 128 + number
    inodes = {node["holder"]["netns"] for node in lab.nodes.values() if node["holder"]}
    assert _remains(name, lab.data["token"], inodes) == NOTHING


def test_a_killed_build_is_removed_by_down():
    name = _name("killed")
    build, lab = _building(name, 20)
    build.kill()
    build.wait()
    assert "incomplete" in _lab("status", "--name", name).stdout
    assert removal.down(name)
    assert _remains(name, lab.data["token"], set()) == NOTHING


def test_a_lab_that_is_being_built_is_not_removed_under_its_builder():
    name = _name("building")
    build, _state = _building(name, 5)
    build.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(LabError, match="is being built by process %d" % build.pid):
            removal.down(name)
    finally:
        build.send_signal(signal.SIGCONT)
        build.send_signal(signal.SIGTERM)
        build.wait()


def test_a_build_that_fails_half_way_leaves_nothing(tmp_path):
    broken = tmp_path / "iptables-nft-restore"
    broken.write_text("#!/bin/sh\necho 'line 7 failed' >&2\nexit 2\n")
    broken.chmod(0o755)
    name = _name("failing")
    done = _lab("up", "--name", name, env={**os.environ, "PATH": "%s:%s" % (tmp_path, os.environ["PATH"])})
    assert (done.returncode, done.stderr) == (1, "lab: iptables-nft-restore -w 30 failed: line 7 failed\n")
    assert _remains(name, "", set()) == NOTHING


# What is not the lab's


def test_a_name_that_is_taken_is_refused_and_the_lab_survives(make_lab):
    lab = make_lab("fixed_kube_proxy")
    done = _lab("up", "--name", lab.state.name)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert lab.verdict("fixed_kube_proxy_nft") == {"udp": "ok", "tcp": "ok"}


@pytest.mark.parametrize("name", ["../etc", "", "A", "a/b", "-x", "a" * 40, "a\n"])
def test_a_bad_name_is_refused(name):
    with pytest.raises(LabError, match="bad lab name"):
        removal.down(name)


def test_a_foreign_folder_is_not_touched():
    name = _name("folder")
    folder = Path(state.ROOT, name)
    folder.mkdir(parents=True)
    try:
        with pytest.raises(LabError, match="not touching it"):
            topology.up(name, topology.Options())
        assert not removal.down(name)
        assert folder.is_dir()
    finally:
        folder.rmdir()


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"schema": 1, "name": "other", "token": "x"}'])
def test_a_foreign_state_file_is_not_touched(content):
    path = Path(state.path_of(_name("foreign")))
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    try:
        with pytest.raises(LabError, match="not touching it"):
            removal.down(_name("foreign"))
        assert path.read_text() == content
    finally:
        path.unlink()


def test_a_process_that_only_has_the_recorded_pid_is_not_killed():
    name = _name("reused")
    lab = topology.up(name, topology.Options(scenarios=("fixed_kube_proxy",)))
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        holder.end([lab.pid("fixed_kube_proxy_nft")])
        lab.nodes["fixed_kube_proxy_nft"]["holder"]["pid"] = stranger.pid
        lab.save()
        removal.down(name)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_without_root_one_line_says_what_to_do():
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-m", "lab", "up"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "lab: the lab needs root: run it with sudo\n")


def test_missing_tools_are_named_in_one_line(tmp_path):
    for tool in ("ip", "nsenter", "ethtool"):
        (tmp_path / tool).symlink_to("/bin/true")
    done = _lab("up", "--name", _name("tools"), env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stderr) == (1, "lab: missing tools: apt-get install dnsmasq-base iptables nftables\n")


@pytest.mark.parametrize("arguments", [("--scenario", "nonsense"), ("--nodes", "246"), ("--nodes", "-1")])
def test_what_cannot_be_built_is_refused_before_anything_exists(arguments):
    name = _name("options")
    done = _lab("up", "--name", name, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert _remains(name, "", set()) == NOTHING
