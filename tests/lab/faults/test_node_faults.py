# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that fails while it is changed: full and read-only disks, a held lock, a device or a program that goes away, a rule that somebody
flushes, a connection that ends, a second run. All of it is real: mounts, flock, ip, iptables, signals."""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Iterator
from typing import Any, Callable

import document
import pytest
from harness import At, Node, finish, run, start

FAILS, TWO = "The node fails", "Two at once"
RECORDS, UNITS = "/var/lib/vxlan-offload", "/etc/systemd/system"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both")


@pytest.fixture
def node(lab: Any) -> Iterator[Node]:
    """As before, and left as before."""
    yield from clean(Node(lab, "pre_fix_kube_proxy_nft"))


@pytest.fixture
def legacy(lab: Any) -> Iterator[Node]:
    yield from clean(Node(lab, "pre_fix_kube_proxy_legacy"))


def clean(one: Node) -> Iterator[Node]:
    before = one.state()
    yield one
    one.revert()
    assert one.state() == before


def shell(node: Node, text: str) -> str:
    return str(node.lab.run(node.name, "sh", "-c", text))


def on(step: str, command: str) -> At:
    """Run a command in the node right before a step."""

    def at(_count: int, name: str) -> None:
        if name == step:
            os.system(command)

    return at


def ended(node: Node, before: str, after: str) -> str:
    """In one of the two, or a record that says begun with traffic as in one of the two."""
    state, record = node.state(), node.record()
    if state in (before, after):
        return "as before" if state == before else "as after"
    traffic = {before.split("== files")[0]: "before", after.split("== files")[0]: "after"}[state.split("== files")[0]]
    assert record is not None
    return "record says %s, traffic as %s" % (record["state"], traffic)


class Fault:
    """Both states of a node, and the fault between two commands."""

    def __init__(self, node: Node) -> None:
        self.node, self.before = node, node.state()
        node.apply()
        self.after = node.state()
        node.revert()

    def end(self, outcome: Any, reason: str) -> str:
        assert reason in outcome.error, outcome.error or outcome.result
        assert "\n" not in outcome.error
        return ended(self.node, self.before, self.after)

    def recovers(self) -> str:
        """The run after it finishes, and a revert leads to the state before."""
        done = self.node.apply()
        assert done.error == "" and self.node.state() == self.after, done.error
        undone = self.node.revert()
        assert undone.error == "" and self.node.state() == self.before, undone.error
        return "finishes; its revert as before"


FULL = "mkdir -p %(at)s && mount -t tmpfs -o size=%(size)s,mode=755 tmpfs %(at)s; dd if=/dev/zero of=%(at)s/full bs=4k 2>/dev/null; true"


def test_the_disk_of_the_record_is_full(node: Node) -> None:
    fault = Fault(node)
    shell(node, FULL % {"at": "/var/lib", "size": "16k"})
    outcome = node.apply()
    shell(node, "umount /var/lib")
    end = fault.end(outcome, "clear_mark was rolled back: cannot write /var/lib/vxlan-offload/record.json: No space left on device")
    assert end == "as before"
    document.add(FAILS, "no space for the record", end, "-", fault.recovers())


def test_the_disk_gets_full_after_the_record(node: Node) -> None:
    fault = Fault(node)
    shell(node, FULL % {"at": UNITS, "size": "16k"})
    outcome = node.apply()
    shell(node, "umount " + UNITS)
    end = fault.end(outcome, "clear_mark was rolled back: cannot write /etc/systemd/system/vxlan-offload-clear_mark.service: No space left")
    assert end == "as before"
    document.add(FAILS, "no space for the units", end, "-", fault.recovers())


def test_a_full_disk_does_not_keep_a_workaround(node: Node) -> None:
    fault = Fault(node)
    shell(node, "mkdir -p %s && mount -t tmpfs -o size=16k,mode=700 tmpfs %s" % (RECORDS, RECORDS))
    assert node.apply().error == ""
    shell(node, "dd if=/dev/zero of=%s/full bs=4k 2>/dev/null; true" % RECORDS)
    outcome = node.revert()
    assert outcome.error == "" and node.record() is None
    shell(node, "umount %s && rmdir %s" % (RECORDS, RECORDS))
    assert node.state() == fault.before
    document.add(FAILS, "no space at all while it is taken back", "-", "as before", fault.recovers())


READ_ONLY = "mkdir -p %(at)s; mount --bind %(at)s %(at)s && mount -o remount,bind,ro %(at)s"


@pytest.mark.parametrize("folder, rest", [(UNITS, "cannot write"), (RECORDS, "cannot write")])
def test_a_folder_is_read_only(node: Node, folder: str, rest: str) -> None:
    fault = Fault(node)
    shell(node, READ_ONLY % {"at": folder})
    outcome = node.apply()
    shell(node, "umount %s; rmdir %s 2>/dev/null; true" % (folder, RECORDS))
    applying = fault.end(outcome, "clear_mark was rolled back: %s %s" % (rest, folder))
    assert node.apply().error == ""
    shell(node, READ_ONLY % {"at": folder})
    outcome = node.revert()
    shell(node, "umount " + folder)
    reverting = fault.end(outcome, "nothing of clear_mark was taken back: %s cannot be written (read-only?)" % folder)
    assert (applying, reverting) == ("as before", "as after")
    document.add(FAILS, "%s is read-only" % folder, applying, reverting, fault.recovers())


def test_a_file_stands_where_the_record_belongs(node: Node) -> None:
    fault = Fault(node)
    shell(node, "echo other > " + RECORDS)
    outcome, undo = node.apply(), node.revert()
    assert (shell(node, "cat " + RECORDS), undo.error) == ("other\n", "")
    shell(node, "rm " + RECORDS)
    end = fault.end(outcome, "clear_mark was rolled back: cannot make the folder /var/lib/vxlan-offload")
    assert end == "as before"
    document.add(FAILS, "%s is a file" % RECORDS, end, "as before", fault.recovers())


def test_a_folder_stands_where_a_unit_belongs(node: Node) -> None:
    fault = Fault(node)
    unit = UNITS + "/vxlan-offload-clear_mark.service"
    shell(node, "mkdir " + unit)
    outcome = node.apply()
    shell(node, "rmdir " + unit)
    applying = fault.end(outcome, "cannot")
    assert node.apply().error == ""
    shell(node, "mv %s /run/kept; mkdir %s" % (unit, unit))
    outcome = node.revert()
    reverting = fault.end(outcome, "clear_mark was not taken back wholly: ")
    shell(node, "rmdir %s; mv /run/kept %s" % (unit, unit))
    assert (applying, reverting) == ("as before", "record says undoing, traffic as before")
    assert node.revert().error == "" and node.state() == fault.before
    document.add(FAILS, "a folder stands where the unit belongs", applying, reverting, fault.recovers())


# The xtables lock, which only the legacy backend has.


def short_wait(params: dict[str, Any]) -> dict[str, Any]:
    """Do not wait 30 s in a test: the actions' own `wait`."""
    params = copy.deepcopy(params)
    for action in params["actions"] + params["record"]["undo"]:
        action["args"]["wait"] = 1
    return params


HOLD = "(exec 9>/run/xtables.lock && flock -x 9 && exec sleep 60) >/dev/null 2>&1 & echo $!"


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def hold(node: Node) -> int:
    pid = int(shell(node, HOLD))
    until(lambda: not shell(node, "flock -n /run/xtables.lock echo free; true"))
    return pid


def let_go(node: Node, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    shell(node, "flock -w 10 /run/xtables.lock true")


def test_another_program_holds_the_xtables_lock(legacy: Node) -> None:
    fault = Fault(legacy)
    params = short_wait(legacy.planned())
    holder = hold(legacy)
    outcome = run(legacy.pid, params)
    let_go(legacy, holder)
    applying = fault.end(outcome, "nothing was changed for clear_mark: another program holds the xtables lock for 1 s")
    done = run(legacy.pid, params)
    assert done.error == ""
    after = legacy.state()
    holder = hold(legacy)
    outcome = legacy.revert()
    let_go(legacy, holder)
    assert "nothing of clear_mark was taken back: another program holds the xtables lock" in outcome.error
    assert applying == "as before" and legacy.state() == after
    assert legacy.revert().error == ""
    document.add(FAILS, "the xtables lock is held for longer than `wait` (legacy)", applying, "as after", fault.recovers())


def test_the_xtables_lock_is_taken_between_the_record_and_the_rule(legacy: Node) -> None:
    fault = Fault(legacy)
    params = short_wait(legacy.planned())
    outcome = run(legacy.pid, params, on("iptables-legacy -I", "flock -x /run/xtables.lock sleep 4 & sleep 0.3"))
    end = fault.end(outcome, "clear_mark failed: another program holds the xtables lock for 1 s")
    assert "and was not put back: another program holds the xtables lock" in outcome.error
    assert end == "record says begun, traffic as before"
    shell(legacy, "flock -x -w 10 /run/xtables.lock true")
    undone = legacy.revert()
    assert undone.error == "" and "began clear_mark on this node and did not end" in undone.warnings[0]
    assert legacy.state() == fault.before
    document.add(FAILS, "the same, from the record on: nothing can be put back", end, "-", fault.recovers())


# The device, the rule, the program


def test_the_device_goes_away_before_its_feature_is_set(lab: Any, node: Node) -> None:
    node.method = "tx_checksum_off"
    fault = Fault(node)
    # ENODEV for the ioctl: the device has another name by then. Its features cannot be put back, and need not be.
    gone = "test -e %s/record.json && ip link set vxlan.calico name gone0 2>/dev/null" % RECORDS
    outcome = run(node.pid, node.planned(), on("ioctl", gone))
    shell(node, "ip link set gone0 name vxlan.calico")
    end = fault.end(outcome, "tx_checksum_off was rolled back: there is no device vxlan.calico on this node")
    assert end == "as before"
    document.add(FAILS, "the device goes away between the record and the feature", end, "-", fault.recovers())


def test_without_the_right_to_change_features(node: Node) -> None:
    node.method = "tx_checksum_off"
    fault = Fault(node)
    params = node.planned()
    outcome = run(node.pid, params, drop_net_admin)
    reason = "changing the features of vxlan.calico needs root (CAP_NET_ADMIN)"
    applying = fault.end(outcome, "nothing was changed for tx_checksum_off: " + reason)
    assert node.apply().error == ""
    outcome = node.revert(drop_net_admin)
    reverting = fault.end(outcome, "nothing of tx_checksum_off was taken back: ")
    assert (applying, reverting) == ("as before", "as after")
    document.add(FAILS, "ethtool refuses (no CAP_NET_ADMIN)", applying, reverting, fault.recovers())


def drop_net_admin(count: int, _name: str) -> None:
    """At the first step, from this process's effective and permitted set: capset(2)."""
    if count != 1:
        return
    import ctypes
    import struct

    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    data = ctypes.create_string_buffer(24)
    assert libc.capget(header, data) == 0
    words = list(struct.unpack("=6I", data.raw))
    for place in (0, 1, 2):
        words[place] &= ~(1 << 12)
    data.raw = struct.pack("=6I", *words)
    assert libc.capset(header, data) == 0


def test_a_rule_is_flushed_under_our_hands(node: Node) -> None:
    fault = Fault(node)
    numbers: list[int] = []

    def flush(_count: int, name: str) -> None:
        if name == "iptables-nft -I":
            numbers.append(1)
        elif numbers:
            numbers.clear()
            os.system("iptables-nft -t mangle -F OUTPUT")

    rules = shell(node, "iptables-nft -t mangle -S OUTPUT | grep -v '^-P'; true")
    outcome = node.apply(flush)
    shell(node, "".join("iptables-nft -t mangle %s\n" % line for line in rules.splitlines()))
    end = fault.end(outcome, "clear_mark was rolled back: chain OUTPUT was changed by another program at the same time")
    assert end == "as before"
    assert node.apply().error == ""
    shell(node, "iptables-nft -t mangle -F OUTPUT")
    assert node.revert().error == ""
    shell(node, "".join("iptables-nft -t mangle %s\n" % line for line in rules.splitlines()))
    assert node.state() == fault.before
    document.add(FAILS, "the chain is flushed right after the rule was set", end, "as before", fault.recovers())


def test_iptables_goes_away_half_way(node: Node) -> None:
    fault = Fault(node)
    program = shell(node, "readlink -f /usr/sbin/iptables-nft").strip()
    outcome = node.apply(on("iptables-nft -I", "mount --bind /dev/null " + program))
    shell(node, "umount " + program)
    end = fault.end(outcome, "clear_mark failed: ")
    assert "and was not put back: " in outcome.error and end == "record says begun, traffic as before"
    undone = node.revert()
    assert undone.error == "" and node.state() == fault.before
    document.add(FAILS, "iptables goes away half way: nothing can be put back", end, "-", fault.recovers())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE])
def test_what_a_lost_connection_sends_does_not_stop_a_change(node: Node, number: signal.Signals) -> None:
    fault = Fault(node)
    outcome = node.apply(lambda count, _name: os.kill(os.getpid(), number) if count > 1 else None)
    assert outcome.error == "" and node.state() == fault.after
    undone = node.revert(lambda count, _name: os.kill(os.getpid(), number) if count > 1 else None)
    assert undone.error == "" and node.state() == fault.before
    document.add(FAILS, "%s before each step" % number.name, "as after", "as before", fault.recovers())


# Two at once


def pause(step: str, seconds: float) -> At:
    return lambda _count, name: time.sleep(seconds) if name == step else None


REFUSED = "another run has changed the record of this node since it was read: run again"


@pytest.mark.parametrize("other", ["clear_mark", "tx_checksum_off"])
def test_two_applies_at_once(node: Node, other: str) -> None:
    fault = Fault(node)
    first, second = node.planned(), node.planned(other)
    one = start(node.pid, first, pause("iptables-nft -I", 1))
    until(node.record)
    late = run(node.pid, second)
    early = finish(*one)
    assert (early.error, late.error) == ("", REFUSED)
    assert node.state() == fault.after
    kind = "the same method" if other == node.method else "another method"
    document.add(TWO, "two applies, %s" % kind, "the first as after, the second refused")


def test_an_apply_and_a_revert_at_once(node: Node) -> None:
    fault = Fault(node)
    one = start(node.pid, node.planned(), pause("iptables-nft -I", 1))
    until(node.record)
    late = node.revert()  # it has read the record that says begun
    early = finish(*one)
    assert (early.error, late.error) == ("", REFUSED)
    assert node.state() == fault.after
    document.add(TWO, "a revert while an apply is at work", "as after, the revert refused")


def test_two_reverts_at_once(node: Node) -> None:
    fault = Fault(node)
    node.apply()
    params = node.reverting()
    one = start(node.pid, params, pause("iptables-nft -D", 1))
    until(lambda: (node.record() or {}).get("state") == "undoing")
    late = run(node.pid, params)
    early = finish(*one)
    assert (early.error, late.error) == ("", REFUSED)
    assert node.state() == fault.before
    document.add(TWO, "two reverts", "as before, the second refused")


def test_another_method_does_not_take_over_what_was_begun(node: Node) -> None:
    before = node.state()
    run(node.pid, node.planned(), lambda _count, name: os.kill(os.getpid(), signal.SIGKILL) if name == "iptables-nft -I" else None)
    outcome = run(node.pid, {**node.planned("tx_checksum_off"), "found": node.record()})
    assert outcome.error == "clear_mark is recorded on this node: take it back before tx_checksum_off"
    assert node.revert().error == "" and node.state() == before


def test_a_run_that_does_not_end_is_waited_for_and_named(node: Node) -> None:
    one = start(node.pid, node.planned(), pause("iptables-nft -I", 3))
    until(node.record)
    late = run(node.pid, {**node.reverting(), "wait": 1})
    assert late.error == "another run has been changing this node for 1 s: run again when it has ended"
    assert finish(*one).error == ""
    document.add(TWO, "a run that works for longer than `wait`", "the second refused")


def test_the_iptables_of_a_killed_run_is_waited_for(legacy: Node) -> None:
    """It waits for the xtables lock and would set the rule after the next run has taken everything back."""
    fault = Fault(legacy)
    params = legacy.planned()

    def at(_count: int, name: str) -> None:
        if name == "iptables-legacy -I":
            os.system("flock -x /run/xtables.lock sleep 4 & sleep 0.3")
            # killed while the iptables that is about to start waits for that lock
            if os.fork() == 0:
                parent = os.getppid()
                time.sleep(0.7)
                os.kill(parent, signal.SIGKILL)
                os._exit(0)

    outcome = run(legacy.pid, params, at)
    assert outcome.killed and legacy.record()["state"] == "begun"
    assert legacy.rule_part() == fault.before.split("== files")[0]
    undone = legacy.revert()
    assert undone.error == "" and legacy.state() == fault.before
    time.sleep(0.5)
    assert legacy.state() == fault.before
    document.add(TWO, "a killed run's iptables still waits for the xtables lock, and a revert", "the revert waits for it; as before")
