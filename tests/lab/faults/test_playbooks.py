# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed or the connection is lost, at every remote call of apply and revert; and records that no run of this version
has written.

The connection of a node is cut by its shell: it enters the node for so many calls and then for none. On the node that is the same as a
controller that was killed after that call. One playbook run covers all calls: each node has a number of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import document
import kubectl_of_felix
import pytest
from harness import Node

LOST, DAMAGED = "The controller or the connection is lost", "The record is damaged"
CUT = """#!/bin/sh
# Call number {calls} is the last one that reaches the node.
count=$(($(cat {count}) + 1))
echo $count > {count}
[ $count -le {calls} ] || {{ echo "connection lost" >&2; exit 255; }}
exec {shell} "$@"
"""
# The calls of an apply: read, transaction, systemd, read, probe; of a revert: read, systemd, transaction, systemd, read.
CALLS = {"apply": 5, "revert": 5}
FORKS = ("--forks", "8")


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both", nodes=6)


def playbook(lab: Any, name: str, report: Path, *arguments: str) -> Any:
    return lab.playbook("kubenet.vxlan_offload." + name, *FORKS, *arguments, variables={"vxlan_offload_report_dir": str(report)})


def cut(lab: Any, folder: Path, calls: dict[str, int]) -> tuple[str, str]:
    """An inventory beside the lab's, in which the connection of each node ends after its number of calls."""
    hosts = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    shells = {}
    for name, number in calls.items():
        shell, count = folder / ("%s-%d" % (name, number)), folder / ("%s-%d.count" % (name, number))
        count.write_text("0")
        text = CUT.format(calls=number, count=count, shell=hosts[name]["ansible_shell_executable"])
        shell.write_text(text, encoding="utf-8")
        shell.chmod(0o755)
        shells[name] = {"ansible_shell_executable": str(shell)}
    path = folder / "cut.json"
    path.write_text(json.dumps({"all": {"hosts": shells}}), encoding="utf-8")
    return "-i", str(path)


def states(lab: Any) -> dict[str, str]:
    return {name: Node(lab, name).state() for name in lab.nodes}


def words(state: str, before: str, after: str) -> str:
    assert state in (before, after), "between"
    return "as before" if state == before else "as after"


def changed_anything(run: Any, nodes: list[str]) -> list[str]:
    return [node for node in nodes if run.changed(node)]


def test_the_connection_is_lost_after_each_call(lab: Any, tmp_path: Path) -> None:
    """Never between: what changes a node is one call."""
    before = states(lab)
    numbers = dict(zip(lab.nodes, range(CALLS["apply"] + 1)))
    assert len(numbers) == CALLS["apply"] + 1
    run = playbook(lab, "apply", tmp_path, *cut(lab, tmp_path, numbers))
    assert run.returncode != 0
    lost = states(lab)
    done = playbook(lab, "apply", tmp_path)
    assert done.returncode == 0, done.output
    after = states(lab)
    ends = {number: words(lost[node], before[node], after[node]) for node, number in numbers.items()}
    # The third call comes after the change.
    assert list(ends.values()) == ["as before"] * 2 + ["as after"] * 4
    assert changed_anything(done, lab.nodes) == [node for node, number in numbers.items() if number < 2]
    assert all(Node(lab, node).state() != before[node] for node in lab.nodes)
    for first, last, state in ((0, 1, "as before"), (2, CALLS["apply"], "as after")):
        document.add(LOST, "lost after call %d to %d of an apply" % (first, last), state, "as after", "as before")

    numbers = dict(zip(lab.nodes, range(CALLS["revert"] + 1)))
    run = playbook(lab, "revert", tmp_path, *cut(lab, tmp_path, numbers))
    lost = states(lab)
    ends = {number: words(lost[node], before[node], after[node]) for node, number in numbers.items()}
    assert list(ends.values()) == ["as after"] * 3 + ["as before"] * 3
    again = playbook(lab, "apply", tmp_path)
    assert again.returncode == 0 and states(lab) == after, again.output
    for first, last, state in ((0, 2, "as after"), (3, CALLS["revert"], "as before")):
        document.add(LOST, "lost after call %d to %d of a revert" % (first, last), state, "as after", "as before")
    undone = playbook(lab, "revert", tmp_path)
    assert undone.returncode == 0, undone.output
    assert states(lab) == before


def processes(home: str) -> dict[int, str]:
    """Command lines of a run of ansible with this ANSIBLE_HOME: it is in the environment of its workers, which have sessions of their own,
    and of what they start in a node."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if b"ANSIBLE_HOME=" + home.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def kill(home: str, program: str) -> None:
    """The run and all of its workers; what is under way on a node goes on to its end."""
    end = time.monotonic() + 60
    while left := processes(home):
        assert time.monotonic() < end, left
        for pid, command in left.items():
            if program in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def killed_at_the_first_record(lab: Any, tmp_path: Path, *words: str) -> None:
    program = str(Path(sys.executable).parent / "ansible-playbook")
    home = str(tmp_path / "home")
    settings = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(lab.collections), "ANSIBLE_HOME": home, "ANSIBLE_PIPELINING": "True"}
    running = subprocess.Popen(
        [program, "-i", lab.inventory, "--forks", "2", "kubenet.vxlan_offload.apply", *words],
        cwd=tmp_path, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not any(Node(lab, name).record() for name in lab.nodes):
            assert time.monotonic() < end and running.poll() is None
            time.sleep(0.01)
    finally:
        running.kill()
        running.wait()
        kill(home, program)


def test_an_override_of_felix_is_killed_behind_its_record(make_lab: Any, tmp_path: Path) -> None:
    """It changes the cluster outside of the one call that changes the node."""
    lab = make_lab("fixed_kube_proxy_calico_first")
    (node,) = lab.nodes
    lab.run(node, "sh", "-c", "printf MASQFullyRandom=false > " + kubectl_of_felix.STORE)
    words = ["-e", json.dumps({"workaround_method": "felix_override", "workaround_kubectl": kubectl_of_felix.write(tmp_path)})]
    before = states(lab)
    for following in ("apply", "revert"):
        killed_at_the_first_record(lab, tmp_path, *words)
        assert Node(lab, node).record()["method"] == "felix_override"
        run = playbook(lab, following, tmp_path, *words)
        assert run.returncode == 0, run.output
        done = following == "apply"
        assert lab.verdict(node) == dict.fromkeys(("udp", "tcp"), "ok" if done else "broken")
        assert ("ChecksumOffloadBroken=true" in lab.run(node, "cat", kubectl_of_felix.STORE)) is done
        assert not done or playbook(lab, "revert", tmp_path, *words).returncode == 0
        assert lab.run(node, "cat", kubectl_of_felix.STORE) == "MASQFullyRandom=false" and states(lab) == before
    document.add(LOST, "SIGKILL at the record of felix_override", "as before, as after, or begun", "as after", "as before")


def test_the_controller_is_killed(lab: Any, tmp_path: Path) -> None:
    """SIGKILL to ansible-playbook and all of its workers, as soon as the first node has a record."""
    before = states(lab)
    killed_at_the_first_record(lab, tmp_path)
    found = {name: Node(lab, name).record() for name in lab.nodes}
    assert any(found.values()) and not all(found.values()), "killed on the way"
    begun = [name for name, record in found.items() if record and record["state"] != "applied"]
    done = playbook(lab, "apply", tmp_path)
    assert done.returncode == 0, done.output
    after = states(lab)
    for name in begun:
        (step,) = done.of(name, "transaction")
        assert "did not end, this run finishes it" in step["interrupted"] and step["interrupted"] in " ".join(done.output.split())
    undone = playbook(lab, "revert", tmp_path)
    assert undone.returncode == 0, undone.output
    assert states(lab) == before
    assert playbook(lab, "apply", tmp_path).returncode == 0 and states(lab) == after
    assert playbook(lab, "revert", tmp_path).returncode == 0 and states(lab) == before
    what = "SIGKILL to ansible-playbook and its workers at the first record"
    document.add(LOST, what, "as before, as after, or begun", "as after", "as before")


RECORDS = {
    "empty": ("", "is empty: look at it"),
    "half of it": (None, "is no JSON: look at it"),
    "zeros": ("\\0" * 64, "is empty: look at it"),
    "not JSON": ("rm -rf /", "is no JSON: look at it"),
    "of a newer version": ('{"schema": 2, "method": "clear_mark"}', "was written by a newer version (schema 2): use that one"),
    "without an undo": ('{"schema": 1, "method": "clear_mark"}', "is no record of a workaround (undo): look at it"),
}


def test_a_damaged_record_is_told_and_nothing_is_changed(lab: Any, tmp_path: Path) -> None:
    before = states(lab)
    assert playbook(lab, "apply", tmp_path).returncode == 0
    damaged = dict(zip(lab.nodes, RECORDS))
    assert len(damaged) == len(RECORDS)
    whole = {}
    for name, kind in damaged.items():
        path = "/proc/%d/root/var/lib/vxlan-offload/record.json" % lab.state.pid(name)
        with open(path, encoding="utf-8") as stream:
            whole[name] = stream.read()
        text = RECORDS[kind][0]
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(whole[name][: len(whole[name]) // 2] if text is None else text.replace("\\0", "\0"))
    left = states(lab)
    for book in ("apply", "revert"):
        run = playbook(lab, book, tmp_path)
        assert run.returncode == 2
        for name, kind in damaged.items():
            said = [str(one["result"].get("msg")) for one in run.results if one["host"] == name and one["status"] == "failed"]
            assert "cannot tell what was applied: /var/lib/vxlan-offload/record.json " + RECORDS[kind][1] in said[0], said
        assert states(lab) == left
    for kind in RECORDS:
        document.add(DAMAGED, kind, "refused with the reason, as it was")
    for name, text in whole.items():
        with open("/proc/%d/root/var/lib/vxlan-offload/record.json" % lab.state.pid(name), "w", encoding="utf-8") as stream:
            stream.write(text)
    assert playbook(lab, "revert", tmp_path).returncode == 0
    assert states(lab) == before
