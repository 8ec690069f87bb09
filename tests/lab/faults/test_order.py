# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a change reaches the disk, seen by strace: a lost power cannot be tried here, what it would find can be told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import Node

from lab import ruleset  # isort: skip  # conftest.py finds it

CALLS = "openat,open,fsync,rename,symlink,execve"
MODULE = "ansible_collections.kubenet.vxlan_offload.plugins.modules.transaction"


def traced(node: Node, params: dict[str, Any], log: Path) -> list[str]:
    """The calls of the module and of its children, in order, each as one line of strace without its process."""
    assert shutil.which("strace"), "no strace: lab/packages.sh tests/lab/faults/packages.txt"
    strace = ["strace", "-f", "-qq", "-s", "200", "-o", str(log), "-e", "trace=" + CALLS]
    command = [*ruleset.enter(node.pid), *strace, sys.executable, "-m", MODULE]
    done = subprocess.run(
        command, input=json.dumps({"ANSIBLE_MODULE_ARGS": params}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return [line.partition(" ")[2].strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]


def first(calls: list[str], pattern: str, start: int = 0) -> int:
    """The place of the next call that fits."""
    return next(place for place in range(start, len(calls)) if re.search(pattern, calls[place]))


def written(calls: list[str], name: str, start: int = 0) -> int:
    """Where a file is there for good: written beside, synced, renamed, and its folder synced."""
    opened = first(calls, r'open.*/\.%s\.new".*O_CREAT' % re.escape(name), start)
    handle = calls[opened].rpartition("= ")[2]
    synced = first(calls, r"^fsync\(%s\)" % handle, opened)
    renamed = first(calls, r'^rename\("[^"]*/\.%s\.new", "[^"]*/%s"\) += 0' % (re.escape(name), re.escape(name)), synced)
    folder = first(calls, "open.*O_DIRECTORY", renamed)
    return first(calls, r"^fsync\(%s\)" % calls[folder].rpartition("= ")[2], folder)


def test_the_record_is_on_the_disk_before_the_first_change_and_says_applied_after_the_last(make_lab: Any, tmp_path: Path) -> None:
    # On the machine's own /tmp, which the node shares: what strace writes must be read here.
    lab = make_lab("pre_fix_kube_proxy")
    node = Node(lab, lab.nodes[0])
    before = node.state()
    calls = traced(node, node.planned(), tmp_path / "strace.log")
    begun = written(calls, "record.json")
    changed = first(calls, r'^execve\(.*"-I", "OUTPUT"')
    unit = written(calls, "vxlan-offload-clear_mark.service")
    enabled = first(calls, r"^symlink\(", unit)
    applied = written(calls, "record.json", enabled)
    assert begun < changed < unit < enabled < applied
    assert node.revert().error == "" and node.state() == before
