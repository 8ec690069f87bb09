# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs to measure on, entered directly or over ssh."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import inventory, removal, ruleset, topology  # noqa: E402

BIN = Path(sys.executable).parent
NAME = "vxlan-offload-bench"
_SSH = (
    "-o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
)
_SSHD = """HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp internal-sftp
"""


@contextmanager
def lab(**options: Any) -> Iterator[Any]:
    removal.down(NAME)
    try:
        yield topology.up(NAME, topology.Options(**options))
    finally:
        removal.down(NAME)


def hosts(built: Any) -> str:
    return str(inventory.inventory_path(built))


@contextmanager
def ssh_hosts(built: Any) -> Iterator[str]:
    """An inventory whose nodes are reached by OpenSSH, with a server of its own inside each node's namespaces.

    What stands for the wire is the pipe of ProxyCommand. Connections are kept open, as a user does who follows the documentation.
    """
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    with tempfile.TemporaryDirectory(prefix="bench-ssh-") as name:
        folder = Path(name)
        for key in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        (folder / "sshd_config").write_text(_SSHD.format(folder=folder), encoding="utf-8")
        os.makedirs("/run/sshd", exist_ok=True)  # privilege separation
        known = json.loads(Path(hosts(built)).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
        made = {}
        for node, variables in known.items():
            # Not this machine's bash: it reads root's .bashrc for each command, which may start half a development environment.
            shell = ["sed", "-i", "/^root:/s#[^:]*$#/bin/sh#", "/etc/passwd"]
            subprocess.run([*ruleset.enter(built.pid(node)), *shell], check=True)
            # The lab hides the host's /run from a node; sshd looks for its folder there.
            enter = "nsenter --target %d --net --mount --uts -- sh -c 'mkdir -p /run/sshd; exec %s -i -f %s'" % (
                built.pid(node), server, folder / "sshd_config")  # fmt: skip
            made[node] = {
                "ansible_connection": "ssh",
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(folder / "user_key"),
                "ansible_ssh_args": _SSH,
                "ansible_ssh_common_args": '-o ProxyCommand="%s"' % enter,
                "ansible_python_interpreter": variables["ansible_python_interpreter"],
            }
        path = folder / "hosts.json"
        path.write_text(json.dumps({"all": {"hosts": made}}), encoding="utf-8")
        os.environ["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(folder / "cp")
        try:
            yield str(path)
        finally:
            subprocess.run(["pkill", "-f", str(folder / "cp")], check=False)
