# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kernel_selftest on the running kernel: with each tool, without what it needs, beside other users, and killed.

The kernel of the test machine is not known beforehand. What packets say is compared with a second way to send and
capture them: tcpdump.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
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
from network_namespace import MODULES, NOBODY, NetworkNamespace

ANSWERS = ("present", "absent")
NFT, IPTABLES_NFT, LEGACY = "/usr/sbin/nft", "/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi"


@pytest.fixture
def node():
    """A node as it is when the role looks at it: a VXLAN device on the usual port and a NAT rule of its own."""
    with NetworkNamespace(f"s-self-{os.getpid()}").made() as made:
        # duplicate address detection would change the listings meanwhile
        made.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        made.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        made.run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")  # an address of the test, too
        made.run("ip", "link", "set", "eth0", "up")
        made.run("ip", "link", "add", "vxlan.calico", "type", "vxlan", "id", "1", "dstport", "4789", "dev", "eth0")
        made.run("ip", "link", "set", "vxlan.calico", "up")
        made.run("nft", "add table ip kube-proxy; add chain ip kube-proxy post { type nat hook postrouting priority 100; }")
        yield made


def state(node):
    """What the module could leave behind in the node's own network."""
    commands = ["ip -d link", "ip addr", "ip neigh", "ip route show table all", "nft list ruleset", "cat /proc/net/ip_tables_names"]
    return {command: node.run(*command.split()) for command in commands}


def without(*programs):
    """A command prefix: the programs cannot be started."""
    hidden = " && ".join(f"mount --bind /dev/null {program}" for program in programs)
    return ["unshare", "-m", "sh", "-c", f'{hidden} && exec "$@"', "sh"]


def known(result):
    assert (result["zero_checksum"] in ANSWERS, result["lco_checksum"] in ANSWERS, result["reason"]) == (True, True, ""), result
    return result["zero_checksum"], result["lco_checksum"]


def unknown(result):
    assert (result["zero_checksum"], result["lco_checksum"], result["devices"]) == ("unknown", "unknown", []), result
    assert not result.get("failed") and not result["changed"] and "\n" not in result["reason"]
    return result["reason"]


CAPTURED = """
set -e
sysctl -qw net.ipv6.conf.all.disable_ipv6=1
unshare -n sleep 30 & other=$!
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
trap "kill $other" EXIT
in="nsenter -t $other -n"
ip link add va type veth peer name vb netns $other
ip addr add 10.99.0.1/24 dev va; ip link set va up
$in ip addr add 10.99.0.2/24 dev vb; $in ip link set vb up
ethtool -K va tx off > /dev/null
iptables-nft -t nat -A POSTROUTING -o va -p udp --dport 4789 -j MASQUERADE --to-ports 20000-20100
ip link add vx0 type vxlan id 42 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va $1
ip addr add 10.88.0.1/24 dev vx0; ip link set vx0 up; ip neigh add 10.88.0.2 lladdr 02:00:00:00:00:02 dev vx0
$in timeout 5 tcpdump -l -n -vv -c 1 -i vb udp dst port 4789 2> "$2" > "$2.out" & capture=$!
until grep -q listening "$2"; do sleep 0.02; done
echo hello > /dev/udp/10.88.0.2/7777
wait $capture
cat "$2.out"
"""


def seen_by_tcpdump(checksum, folder):
    command = ["unshare", "-n", "bash", "-c", CAPTURED, "bash", checksum, str(folder / checksum)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout
    right = "[no cksum]" if checksum == "noudpcsum" else "[udp sum ok]"
    outer = next(line for line in text.splitlines() if "10.99.0.2.4789" in line)
    assert right in outer or "bad udp cksum" in outer, text
    return "absent" if right in outer else "present"


def test_tcpdump_sees_the_same(node, tmp_path):
    assert known(node.module("kernel_selftest")) == (seen_by_tcpdump("noudpcsum", tmp_path), seen_by_tcpdump("udpcsum", tmp_path))


@pytest.mark.parametrize(("hidden", "used"), [([], "nft"), ([NFT, LEGACY], "iptables-nft"), ([NFT, IPTABLES_NFT], "iptables-legacy")])
def test_each_tool_gives_the_same_answer_and_leaves_the_node_as_it_was(node, hidden, used):
    first = node.module("kernel_selftest")
    before = state(node)
    result = node.module("kernel_selftest", before=without(*hidden) if hidden else ())
    assert known(result) == known(first)
    assert (result["nat"], result["changed"]) == (used, False)
    assert state(node) == before


def test_the_packets_are_what_they_must_be(node):
    limit = 30
    result = node.module("kernel_selftest", timeout=limit)
    assert [one["checksum"] for one in result["devices"]] == ["noudpcsum", "udpcsum"]
    assert [one["without_nat"]["outer_checksum"] for one in result["devices"]] == ["zero", "good"]
    assert all(20000 <= one["with_nat"]["source_port"] <= 20100 for one in result["devices"])
    assert result["kernel"] == os.uname().release
    assert 0 < result["duration"] < limit


def test_check_mode_gives_the_same_answer(node):
    assert known(node.module("kernel_selftest", check=True)) == known(node.module("kernel_selftest"))


def test_several_at_once(node):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _number: known(node.module("kernel_selftest")), range(4)))
    assert len(set(results)) == 1


def test_settings_that_cannot_be_written(node):
    """As in a container, where IPv6 cannot be turned off: neighbour discovery then is between the packets."""
    script = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"'
    known(node.module("kernel_selftest", before=["unshare", "-m", "sh", "-c", script, "sh"]))


CASES = [
    ("without_root", NOBODY, "needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW): run with become"),
    ("without_one_capability", ["setpriv", "--inh-caps", "-net_raw", "--bounding-set", "-net_raw"], "needs root (CAP_NET_RAW)"),
    ("without_ip", without("/usr/bin/ip", "/usr/sbin/ip"), "there is no ip command: install iproute2"),
    ("without_nat_tools", without(NFT, IPTABLES_NFT, LEGACY), "there is no program to add a NAT rule with: install nftables or iptables"),
]


@pytest.mark.parametrize(("before", "reason"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_unknown(node, before, reason):
    assert unknown(node.module("kernel_selftest", before=before)).startswith(reason)


def modular(folder):
    """The files of a kernel that could load what it needs and has not."""
    (folder / "modules").write_text("bridge 1 0 - Live 0x0\n")
    (folder / "modules.builtin").write_text("kernel/net/packet/af_packet.ko\nkernel/drivers/net/veth.ko\n")
    (folder / "modules.dep").write_text("kernel/drivers/net/vxlan/vxlan.ko.xz:\n")
    return str(folder)


READ = """
import json, sys
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import experiment, kernel_parts
texts = [open(sys.argv[1] + "/" + name).read() for name in ("modules", "modules.builtin", "modules.dep")]
experiment.read_parts = lambda _release: kernel_parts.parts_of(*texts, [])
experiment.child.in_child = lambda *_arguments: sys.exit("the kernel was asked for something")
print(json.dumps(experiment.selftest(False, 10)))
"""


def test_nothing_is_asked_of_the_kernel_that_would_load_a_module(node, tmp_path):
    """This machine's kernel may have no modules at all, so the files of another one are given."""
    result = json.loads(node.run(sys.executable, "-c", READ, modular(tmp_path)))
    assert result["reason"].startswith("vxlan is not loaded: to let the kernel load it set allow_module_load: true")


def test_a_timeout_that_makes_no_sense_is_refused(node):
    for seconds in (0, 0.5, 61):
        result = node.module("kernel_selftest", timeout=seconds)
        assert result["failed"] and result["msg"].startswith("timeout is")


HANGING_IP = """#!/bin/sh
echo $$ $(readlink /proc/self/ns/net) $(readlink /proc/$PPID/ns/net) > "{0}.new"
mv "{0}.new" "{0}"
exec sleep 300
"""


@pytest.fixture
def hanging(tmp_path):
    """A command prefix with which ip hangs when the namespaces are there, and the file that then names them."""
    program, told = tmp_path / "ip", tmp_path / "told"
    program.write_text(HANGING_IP.format(told))
    program.chmod(0o755)
    place = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    return ["unshare", "-m", "sh", "-c", f'mount --bind {program} {os.path.realpath(place)} && exec "$@"', "sh"], told


def wait_for(what, condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def alive(process):
    return os.path.exists(f"/proc/{process}")


def used(namespace):
    with contextlib.suppress(OSError):  # a process that ends meanwhile
        return namespace in [os.readlink(path) for path in glob.glob("/proc/[0-9]*/ns/net") if os.path.exists(path)]
    return True


def assert_nothing_is_left(told):
    process, *namespaces = told.read_text().split()
    assert namespaces[0] != os.readlink("/proc/self/ns/net")
    wait_for("the program that the test started still runs", lambda: not alive(process))
    for namespace in namespaces:
        wait_for("a process is still in the namespace of the test", lambda namespace=namespace: not used(namespace))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_it_leaves_nothing(hanging, how):
    before, told = hanging
    module = subprocess.Popen(
        [*before, sys.executable, "-m", MODULES + "kernel_selftest"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert module.stdin is not None
    module.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {}}).encode())
    module.stdin.close()
    wait_for("ip was not started", told.exists)
    module.send_signal(how)
    module.wait()
    assert_nothing_is_left(told)


def test_after_its_time_it_gives_up_and_leaves_nothing(node, hanging):
    """The time is long enough for ip to be started on a machine that is busy with something else."""
    before, told = hanging
    assert unknown(node.module("kernel_selftest", before=before, timeout=5)) == "the test took more than 5 s"
    assert_nothing_is_left(told)


DIRECT = """
import json
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.experiment import selftest
print(json.dumps(selftest(False, 10)))
"""


def test_without_the_module_around_it_the_answer_is_the_same(node):
    """The other Pythons of nodes: tests/lab/matrix."""
    assert known(json.loads(node.run(sys.executable, "-c", DIRECT))) == known(node.module("kernel_selftest"))


# In node_info and the role


@pytest.fixture(scope="module")
def lab(make_lab):
    return make_lab("pre_fix_kube_proxy", python=sys.executable)


@contextlib.contextmanager
def unknown_release():
    """What is started inside sees a release 2.6.N of this same kernel (personality(2), UNAME26), which no table can judge."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = libc.personality(0xFFFFFFFF)
    libc.personality(before | 0x0020000)
    try:
        yield
    finally:
        libc.personality(before)


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - kubenet.vxlan_offload.node_info:
        reader: "{{ reader | default('shell') }}"
        kernel_selftest: "{{ mode }}"
        selftest: "{{ before | default(omit) }}"
        transcript: "{{ transcript | default(omit) }}"
"""


def facts(lab, mode, folder, **variables):
    book = folder / "play.yml"
    book.write_text(PLAY)
    run = lab.playbook(str(book), variables={"mode": mode, **variables})
    assert run.returncode == 0, run.output
    (found,) = run.of(lab.nodes[0], "node_info")
    assert found["changed"] is False
    return found["node"]


@pytest.mark.parametrize("reader", ["shell", "python"])
def test_auto_tries_a_kernel_that_no_table_knows_and_no_other(lab, reader, tmp_path):
    assert facts(lab, "auto", tmp_path, reader=reader)["kernel"]["selftest"] is None
    with unknown_release():
        node = facts(lab, "auto", tmp_path, reader=reader)
    assert node["kernel"]["release"].startswith("2.6.")
    assert node["kernel"]["selftest"]["lco_checksum"] in ANSWERS
    assert node["kernel"]["selftest"]["source"] == "kernel_selftest"


@pytest.mark.parametrize("reader", ["shell", "python"])
def test_always_and_never(lab, reader, tmp_path):
    seen = facts(lab, "always", tmp_path, reader=reader)["kernel"]["selftest"]
    assert (seen["zero_checksum"] in ANSWERS, seen["lco_checksum"] in ANSWERS, seen["reason"]) == (True, True, "")
    with unknown_release():
        assert facts(lab, "never", tmp_path, reader=reader)["kernel"]["selftest"] is None


@pytest.mark.parametrize("mode", ["never", "always"])
def test_an_answer_of_before_is_taken_over(lab, mode, tmp_path):
    """One that this kernel would not give shows that nothing is tried again."""
    before = {"zero_checksum": "present", "lco_checksum": "absent", "reason": "", "source": "kernel_selftest"}
    assert facts(lab, mode, tmp_path, before=before)["kernel"]["selftest"] == before
    nonsense = facts(lab, mode, tmp_path, before={"zero_checksum": "yes"})["kernel"]["selftest"]
    assert (nonsense["zero_checksum"], nonsense["lco_checksum"]) == ("unknown", "unknown")


def test_a_transcript_is_never_tried(lab, tmp_path):
    text = lab.run(lab.nodes[0], "sh", str(Path(__file__).resolve().parents[2] / "plugins/plugin_utils/probe.sh"))
    (tmp_path / "node.txt").write_text(text)
    assert facts(lab, "always", tmp_path, transcript=str(tmp_path / "node.txt"))["kernel"]["selftest"] is None


def test_a_node_without_python_is_read_all_the_same(make_lab, tmp_path):
    bare = make_lab("pre_fix_kube_proxy", hide_python=True)
    selftest = facts(bare, "always", tmp_path)["kernel"]["selftest"]
    assert (selftest["zero_checksum"], selftest["lco_checksum"]) == ("unknown", "unknown")
    assert selftest["reason"].startswith("kernel_selftest did not run: ")


def report(lab, playbook, folder, **variables):
    run = lab.playbook(f"kubenet.vxlan_offload.{playbook}", variables={"vxlan_offload_report_dir": str(folder), **variables})
    assert run.returncode == 0, run.output
    return json.loads((folder / "fleet.json").read_text())["hosts"][lab.nodes[0]]


def test_the_role_tries_an_unknown_kernel_by_default_and_its_answer_decides(lab, tmp_path):
    with unknown_release():
        told, blind = report(lab, "diagnose", tmp_path), report(lab, "diagnose", tmp_path, diagnose_kernel_selftest="never")
    assert "seen on the running kernel by kernel_selftest" in told["devices"][0]["conditions"]["kernel_defect"]["evidence"]
    assert (told["status"], blind["status"]) == (report(lab, "diagnose", tmp_path)["status"], "unknown")


@pytest.mark.parametrize("playbook", ["diagnose", "verify"])
def test_always_outranks_the_tables(lab, playbook, tmp_path):
    found = report(lab, playbook, tmp_path, diagnose_kernel_selftest="always", vxlan_offload_fail_on=[])
    assert "seen on the running kernel by kernel_selftest" in found["devices"][0]["conditions"]["kernel_defect"]["evidence"]


def test_a_workaround_is_planned_on_the_same_evidence(make_lab, tmp_path):
    """On a kernel that no table knows, the role can plan, apply, compare and take back."""
    fresh = make_lab("pre_fix_kube_proxy", python=sys.executable)
    with unknown_release():
        applied = report(fresh, "apply", tmp_path)
        reverted = report(fresh, "revert", tmp_path)
    for found in (applied, reverted):
        assert "seen on the running kernel by kernel_selftest" in found["devices"][0]["conditions"]["kernel_defect"]["evidence"]
    assert (applied["status"], reverted["status"]) == ("mitigated", "affected")
