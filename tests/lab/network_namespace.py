# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace of one test, in which tools and modules run; no lab around it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

MODULES = "ansible_collections.kubenet.vxlan_offload.plugins.modules."
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
BACKENDS = ["nft", "legacy"]


class NetworkNamespace:
    def __init__(self, name):
        self.name = name

    def run(self, *argv, check=True, **options):
        command = ["ip", "netns", "exec", self.name, *argv]
        return subprocess.run(command, check=check, capture_output=True, text=True, **options).stdout

    def module(self, name, python=sys.executable, before=(), check=False, environment=None, **arguments):
        """One run of a module as Ansible does it, without the packing."""
        arguments["_ansible_check_mode"] = check
        out = self.run(
            *before, python, "-m", MODULES + name, check=False,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), env={**os.environ, **(environment or {})},
        )  # fmt: skip
        result = json.loads(out)
        result.pop("invocation", None)
        return result

    def legacy_tables(self):
        return self.run("cat", "/proc/net/ip_tables_names").split()

    @contextlib.contextmanager
    def made(self):
        """Itself, there for the time of the block."""
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            yield self
        finally:
            subprocess.run(["ip", "netns", "del", self.name], check=True)
