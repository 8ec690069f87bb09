# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service of ansible-pull as systemd runs it: with all that it confines, it can still do what it is for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from booted import BROKEN, CURED, put

from lab import mounts, systemd_node

ROOT = Path(__file__).resolve().parents[3]
NAME = "kubenet-vxlan-offload"


@pytest.fixture(scope="module")
def node(make_booted: Any) -> Any:
    """A node that fails, with the files of examples/pull and a repository; and the lab."""
    lab = make_booted("pre_fix_kube_proxy")
    (name,) = lab.nodes
    systemd_node.start_agents(lab.state, name)
    repository = Path(mounts.remote_tmp(lab.state.node_directory(name))) / "repository"
    collection = repository / "collections/ansible_collections/kubenet/vxlan_offload"
    for part in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "examples/pull/local.yml", repository)
    who = ["-c", "user.name=ops", "-c", "user.email=ops@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "What each node runs"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    _install_ansible(lab, name)
    path = "PATH=/opt/ansible:%s/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" % systemd_node.ENVIRONMENT
    put(lab.state, name, "/etc/default/" + NAME, "REPOSITORY=file://%s\n%s" % (repository, path))
    for kind in ("service", "timer"):
        text = (ROOT / "examples/pull" / ("%s.%s" % (NAME, kind))).read_text(encoding="utf-8")
        put(lab.state, name, "/etc/systemd/system/%s.%s" % (NAME, kind), text)
    lab.run(name, "systemctl", "daemon-reload")
    return lab, name


def _install_ansible(lab: Any, node: str) -> None:
    """The programs of this environment, for the place at which the node sees it."""
    lab.run(node, "mkdir", "-p", "/opt/ansible")
    for program in ("ansible", "ansible-playbook", "ansible-pull"):
        text = (Path(sys.prefix) / "bin" / program).read_text(encoding="utf-8")
        put(lab.state, node, "/opt/ansible/" + program, "#!%s/bin/python3\n%s" % (systemd_node.ENVIRONMENT, text.partition("\n")[2]))
        lab.run(node, "chmod", "755", "/opt/ansible/" + program)


def test_the_confined_service_cures_the_node_and_its_timer_runs(node: Any) -> None:
    lab, name = node
    assert lab.verdict(name) == BROKEN
    lab.run(name, "systemctl", "start", NAME + ".service", check=False)
    journal = lab.run(name, "journalctl", "--no-pager", "-q", "-o", "cat", "-u", NAME + ".service", check=False)
    assert lab.run(name, "systemctl", "show", "-P", "Result", NAME + ".service").strip() == "success", journal
    assert lab.verdict(name) == CURED
    # What it has started is out of its sandbox: the workaround's own timer.
    assert lab.run(name, "systemctl", "is-active", "vxlan-offload-clear_mark.timer").strip() == "active"
    lab.run(name, "systemctl", "enable", "--now", NAME + ".timer")
    assert "kubenet-vxlan-offload.service" in lab.run(name, "systemctl", "list-timers", "--no-legend", "--no-pager", NAME + ".timer")


def test_the_service_is_confined(node: Any) -> None:
    """The judge of the test above can say no: in the same sandbox /usr and /etc cannot be written, and the units' folder can."""
    lab, name = node
    kept = ("ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths", "NoNewPrivileges")
    shown = lab.run(name, "systemctl", "show", *(word for one in kept for word in ("-p", one)), NAME + ".service").splitlines()
    settings = [word for line in shown for word in ("-p", line)]
    run = ["systemd-run", "--wait", "--pipe", "--quiet", *settings, "touch"]
    for path, allowed in (("/etc/x", False), ("/usr/x", False), ("/root/x", False), ("/etc/systemd/system/x", True)):
        seen = lab.run(name, *run, path, check=False)
        assert ("Read-only file system" not in seen) == allowed, (path, seen)
