# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the module `transaction` in a lab node, killed where a test says.

The module's own run() works in a forked child that has entered the node: what it does there is what Ansible has done, without 0.5 s for
starting Python. Where it may be killed is told by Python's audit events (sys.addaudithook): before each file that is written, renamed or
removed, each program that is started, each ioctl. Nothing of the code is replaced; the kill is a real SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Callable, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.modules import transaction
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan

from lab import namespaces as ns  # isort: skip  # conftest.py finds it
from lab.kernel import node as readings  # isort: skip

DEFAULTS = {"state": "present", "record": None, "actions": [], "units": [], "keeper": "", "found": None, "wait": 30}
SERVICE_CIDR = "10.96.0.0/12"
IPTABLES_FLAGS = ("-I", "-D", "-S", "-C", "-A", "-N", "-V")


@dataclass
class Outcome:
    """How a run ended. `events`: what it was about to do, in order, as far as it came."""

    killed: bool
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def label(event: str, arguments: Any) -> str:
    """What a step is, empty for one that changes nothing anywhere."""
    if event == "subprocess.Popen":
        words = [str(word) for word in arguments[1]]
        flag = next((word for word in words if word in IPTABLES_FLAGS), "")
        if os.path.basename(words[0]) == "ip":
            flag = words[3]
        return "%s %s" % (os.path.basename(words[0]), flag)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return "" if arguments[0] == os.devnull else "write %s" % os.path.basename(arguments[0])
    if event in ("os.rename", "os.symlink"):
        return "%s %s" % (event[3:], os.path.basename(arguments[1]))
    if event in ("os.mkdir", "os.rmdir", "os.remove"):
        return "%s %s" % (event[3:], os.path.basename(arguments[0]))
    return {"fcntl.ioctl": "ioctl", "fcntl.flock": "lock"}.get(event, "")


def enter(pid: int) -> None:
    kinds = (("net", ns.CLONE_NEWNET), ("mnt", ns.CLONE_NEWNS), ("uts", ns.CLONE_NEWUTS))
    # All are opened first: after the mount namespace /proc is the node's.
    for descriptor, kind in [(os.open("/proc/%d/ns/%s" % (pid, name), os.O_RDONLY), kind) for name, kind in kinds]:
        ns.setns(descriptor, kind)
        os.close(descriptor)


At = Callable[[int, str], None]


def start(pid: int, params: Mapping[str, Any], at: Optional[At] = None, check: bool = False) -> tuple[int, int]:
    """Begin a run: (its process, where it tells what happens). `at` is called in it before each step with its number and label."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        return child, read_end
    code = 1
    try:
        os.close(read_end)
        _child(pid, params, at, check, write_end)
        code = 0
    finally:
        os._exit(code)


def _child(pid: int, params: Mapping[str, Any], at: Optional[At], check: bool, told: int) -> None:
    os.setpgid(0, 0)
    enter(pid)
    count = 0

    def say(kind: str, value: Any) -> None:
        os.write(told, (json.dumps([kind, value]) + "\n").encode())

    def hook(event: str, arguments: Any) -> None:
        nonlocal count
        name = label(event, arguments)
        if name:
            say("event", name)
            count += 1
            if at:
                at(count, name)

    sys.addaudithook(hook)
    module = SimpleNamespace(params={**DEFAULTS, **params}, check_mode=check, warn=lambda text: say("warning", text))
    try:
        say("result", transaction.run(module))
    except NodeError as error:
        say("error", str(error))


def finish(child: int, read_end: int) -> Outcome:
    with os.fdopen(read_end, encoding="utf-8") as stream:
        lines = [json.loads(line) for line in stream]
    status = os.waitpid(child, 0)[1]
    outcome = Outcome(killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)
    for kind, value in lines:
        if kind == "event":
            outcome.events.append(value)
        elif kind == "warning":
            outcome.warnings.append(value)
        else:
            setattr(outcome, kind, value)
    assert outcome.killed or outcome.result or outcome.error, "the run ended with status %d and no answer" % status
    return outcome


def run(pid: int, params: Mapping[str, Any], at: Optional[At] = None, check: bool = False) -> Outcome:
    return finish(*start(pid, params, at, check))


def kill_at(number: int) -> At:
    def at(count: int, _name: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


@dataclass
class Node:
    """A node of a lab, and what the role would hand to the module."""

    lab: Any
    name: str
    method: str = "clear_mark"
    keeper: str = ""

    @property
    def pid(self) -> int:
        return int(self.lab.state.pid(self.name))

    def planned(self, method: str = "") -> dict[str, Any]:
        """Parameters of an apply, as the role makes them from a reading of the node."""
        known = readings.facts(self.pid)
        found = plan(known, method or self.method, True, SERVICE_CIDR)
        assert not found["refused"], found["refused"]
        keeper = self.keeper if any("ensure-rule.sh" in unit["content"] for unit in found["units"]) else ""
        wanted = {key: found[key] for key in ("record", "actions", "units")}
        return {**wanted, "keeper": keeper, "found": known["applied"]["record"] or {}}

    def record(self) -> Any:
        """What is in the file, without asking the collection."""
        try:
            with open("/proc/%d/root/var/lib/vxlan-offload/record.json" % self.pid, encoding="utf-8") as stream:
                return json.load(stream)
        except OSError:
            return None

    def reverting(self) -> dict[str, Any]:
        return {"state": "absent", "found": self.record() or {}}

    def apply(self, at: Optional[At] = None, **more: Any) -> Outcome:
        return run(self.pid, {**self.planned(), **more}, at)

    def revert(self, at: Optional[At] = None) -> Outcome:
        return run(self.pid, self.reverting(), at)

    def state(self) -> str:
        """Everything that a workaround may touch: rules, features, routes, each file of ours and beside it, read by other tools."""
        return str(self.lab.run(self.name, "sh", "-c", LOOK))

    def rule_part(self) -> str:
        """That of it which traffic sees."""
        return self.state().split("== files", maxsplit=1)[0]


LOOK = r"""
for b in iptables-nft iptables-legacy ip6tables-nft; do $b-save; done 2>/dev/null | grep '^-A'
ethtool -k vxlan.calico
ip -4 route show table main
echo == files
find /etc/systemd/system /var/lib/vxlan-offload /var/lib/.vxlan* -printf '%p %y %m %l\n' 2>/dev/null | sort
cat /etc/systemd/system/vxlan-offload-* /var/lib/vxlan-offload/* 2>/dev/null
true
"""
