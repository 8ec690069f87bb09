# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own code on one lab node without ansible-playbook, whose start costs seconds in a guest.

The probe is sent as the action plugin sends it, and the modules' run() changes the node, in a child that has entered it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.action import node_info
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import transcript

from .. import namespaces as ns
from ..errors import LabError
from ..ruleset import enter

MODULES = "ansible_collections.kubenet.vxlan_offload.plugins.modules."
# What AnsibleModule would fill in.
DEFAULTS: dict[str, dict[str, Any]] = {
    "netfilter_rule": {"family": "ipv4", "position": None, "wait": 30},
    "offload": {"require_vxlan": True},
    "service_route": {},
}


def facts(pid: int) -> dict[str, Any]:
    """The node's facts, by the probe."""
    text = node_info.script({"gather_subset": ["all"], "changelog": False})
    done = subprocess.run([*enter(pid), "/bin/sh"], input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return dict(transcript.parse(done.stdout))


def act(pid: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Actions of a plan, or their inverse, on the node."""
    if not actions:
        return
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        code = 1
        try:
            _enter(pid)
            for action in actions:
                _run(action)
            code = 0
        except BaseException as error:  # whatever it is, the parent must hear of it and the child must end
            os.write(write_end, str(error).encode()[:4000])
        os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8", errors="replace") as stream:
        said = stream.read()
    if os.waitpid(child, 0)[1] != 0:
        raise LabError("%s: %s" % (json.dumps(list(actions)), said))


def _enter(pid: int) -> None:
    kinds = (("net", ns.CLONE_NEWNET), ("mnt", ns.CLONE_NEWNS))
    # All are opened first: after the second one /proc is the node's.
    for descriptor, kind in [(os.open("/proc/%d/ns/%s" % (pid, name), os.O_RDONLY), kind) for name, kind in kinds]:
        ns.setns(descriptor, kind)


def _run(action: Mapping[str, Any]) -> None:
    module = importlib.import_module(MODULES + action["module"])
    params = {**DEFAULTS[action["module"]], **action["args"]}
    module.run(SimpleNamespace(params=params, check_mode=False, warn=lambda _text: None))
