# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user without rights on a lab node, with exactly the capabilities that a test gives it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ansible

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import transcript

REPOSITORY = Path(__file__).resolve().parents[3]
PROBE = (REPOSITORY / "plugins/plugin_utils/probe.sh").read_text(encoding="utf-8")
MODULES = "ansible_collections.kubenet.vxlan_offload.plugins.modules."
# The Python of a node; that of the tests is in a folder that another user may not enter.
PYTHON = "/usr/bin/python3"
NAME, UID, HOME = "vxlan", "4242", "/var/lib/vxlan-user"


def add(lab: Any, node: str) -> None:
    """In the node's own /etc and /var/lib."""
    lab.run(node, "install", "-d", "-o", UID, "-g", UID, HOME)
    account = {"passwd": f"{NAME}:x:{UID}:{UID}::{HOME}:/bin/sh", "group": f"{NAME}:x:{UID}:", "shadow": f"{NAME}:*:19000::::::"}
    for path, line in account.items():
        lab.run(node, "sh", "-c", 'echo "$0" >> "/etc/$1"', line, path)


def only(capabilities: Iterable[str], uid: str = UID) -> list[str]:
    """setpriv: this user, and of root's capabilities these alone, for it and all that it starts."""
    given = "".join(",+" + name for name in capabilities)
    sets = ["--inh-caps=-all" + given, "--ambient-caps=-all" + given, "--bounding-set=-all" + given]
    return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", *sets]


def enter(lab: Any, node: str, prefix: list[str]) -> list[str]:
    return ["nsenter", "--target", str(lab.state.pid(node)), "--net", "--mount", "--uts", "--", *prefix]


def probe(lab: Any, node: str, prefix: list[str], shell: Iterable[str] = ("/bin/sh",)) -> dict[str, Any]:
    """The node's facts as the probe finds them behind this prefix."""
    done = subprocess.run(enter(lab, node, [*prefix, *shell]), input=PROBE, capture_output=True, text=True, check=False)
    facts: dict[str, Any] = transcript.parse(done.stdout)  # type: ignore[assignment]
    assert facts["collected"]["complete"], done.stderr
    return facts


@contextlib.contextmanager
def readable_tree() -> Iterator[Path]:
    """The collection's plugins and Ansible's half for nodes, where every user may read them; pytest's own folder is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="vxlan-offload-"))
    try:
        shutil.copytree(Path(ansible.__file__).parent / "module_utils", folder / "ansible/module_utils")
        (folder / "ansible/__init__.py").touch()
        plugins = folder / "ansible_collections/kubenet/vxlan_offload/plugins"
        shutil.copytree(REPOSITORY / "plugins", plugins, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        shutil.rmtree(folder)


def module(lab: Any, node: str, tree: Path, prefix: list[str], name: str, arguments: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """One run of a module on the node as Ansible does it, without the packing."""
    asked = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}})
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        enter(lab, node, [*prefix, PYTHON, "-m", MODULES + name]), input=asked, capture_output=True, text=True, check=False,
        env=environment, cwd="/",
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout or "{}")
    assert result, done.stderr
    return result


def inventory(lab: Any, path: Path, hosts: dict[str, tuple[str, list[str], dict[str, Any]]]) -> str:
    """Hosts NAME: (node, prefix, variables): the lab's own connection, whose shell runs behind the prefix."""
    known = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    found = {}
    for number, (name, (node, prefix, variables)) in enumerate(hosts.items()):
        script = Path(known[node]["ansible_shell_executable"]).read_text(encoding="utf-8")
        shell = path.with_name("%s-%d.sh" % (path.stem, number))
        shell.write_text(script.replace('/bin/sh "$@"', " ".join(prefix) + ' /bin/sh "$@"'), encoding="utf-8")
        shell.chmod(0o755)
        found[name] = {**known[node], "ansible_shell_executable": str(shell), "ansible_python_interpreter": PYTHON, **variables}
    path.write_text(json.dumps({"all": {"hosts": found}}), encoding="utf-8")
    return str(path)


def state(lab: Any, node: str) -> str:
    """Everything that a remedy changes, by other tools than ours."""
    script = r"""
for tool in iptables-nft-save ip6tables-nft-save; do $tool 2>/dev/null; done
for table in $(cat /proc/net/ip_tables_names); do iptables-legacy-save -t "$table"; done
ethtool -k vxlan.calico; ip -4 route show table all
ls -lR /etc/systemd/system /var/lib/vxlan-offload 2>/dev/null | grep vxlan-offload
cat /var/lib/vxlan-offload/* 2>/dev/null || true"""
    lines = lab.run(node, "sh", "-c", script).splitlines()
    # Without counters, times, and an empty table: a legacy table stays once a rule was in it.
    empty = re.compile(r"#|\*|COMMIT$|:[A-Z]+ ACCEPT ")
    return "\n".join(line.split(" [")[0] for line in lines if not empty.match(line))
