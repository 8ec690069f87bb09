# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the probe over one connection and parses its transcript. No Python on the node, nothing written there."""

from __future__ import annotations

import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.record import deeper
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import facts_input, selftest, transcript, transcript_frames
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import SUBSETS
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import DEEPEST, printable

ARGUMENTS: dict[str, Any] = {
    "reader": {"type": "str", "choices": ["shell", "python"], "default": "shell"},
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": list(SUBSETS),
        "default": ["all"],
    },
    "changelog": {"type": "bool", "default": False},
    "kernel_selftest": {"type": "str", "choices": list(selftest.MODES), "default": "never"},
    "selftest": {"type": "dict"},
    "transcript": {"type": "path"},
    "as_json": {"type": "bool", "default": False},
}
RETURNED = ("changed", "failed", "unreachable", "msg", "node", "rc", "exception", "module_stdout", "module_stderr", "warnings")
HEADER = "vxlan-offload-probe "
PROBE = Path(transcript.__file__).with_name("probe.sh")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    # Nothing connects before the probe does: a saved transcript needs no node.
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(ARGUMENTS)
        if options["reader"] == "python" and not options["transcript"]:
            answer = self._python(options, task_vars)
        else:
            answer = self._shell(options)
        if deeper(answer.get("node"), DEEPEST):
            reason = "what the node returned is nested deeper than an answer of node_info: read it with reader shell"
            answer = {"changed": False, "failed": True, "msg": reason}
        if isinstance(answer.get("node"), dict):
            node = self._with_selftest(dict(facts_input.checked(answer.pop("node"))), options, task_vars)
            answer.update({"node_json": json.dumps(node, separators=(",", ":"))} if options["as_json"] else {"node": node})
        return {**result, **answer}

    def _shell(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            text = self._saved(options["transcript"]) if options["transcript"] else self._collect(options)
            return {"changed": False, "node": transcript.parse(text)}
        except (AnsibleActionFail, ValueError) as error:
            # Returned, not raised: failed_when does not see what is raised, and a node that cannot be read is a line of the report.
            return {"changed": False, "failed": True, "msg": printable(str(error))}

    def _with_selftest(self, node: dict[str, Any], options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """In the same task: a second one would cost every host its time, also where nothing is to be tried."""
        if options["selftest"]:
            return selftest.added(node, selftest.answer(options["selftest"]))
        if options["transcript"] or not selftest.wanted(node, options["kernel_selftest"]):
            return selftest.added(node, None)
        try:
            name = "kubenet.vxlan_offload.kernel_selftest"
            found = self._execute_module(module_name=name, module_args={}, task_vars=task_vars)
        except AnsibleError as error:  # no interpreter, no folder that can be written, a connection that broke
            found = {"msg": str(error)}
        return selftest.added(node, selftest.answer(found))

    def _saved(self, path: str) -> str:
        found = self._loader.path_dwim(path)
        try:
            # A pipe would wait for ever, and a device never ends.
            if not stat.S_ISREG(os.stat(found).st_mode):
                raise AnsibleActionFail(f"cannot read transcript {path}: it is no plain file")
            with open(found, encoding="utf-8", errors="replace") as stream:
                return stream.read(transcript_frames.LARGEST + 1)
        except OSError as error:
            raise AnsibleActionFail(f"cannot read transcript {path}: {error.strerror}; it is looked for on the controller") from None

    def _python(self, options: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = {key: options[key] for key in ("reader", "gather_subset", "changelog")}
        answer: dict[str, Any] = self._execute_module(
            module_name="kubenet.vxlan_offload.node_info",
            module_args=arguments,
            task_vars=task_vars,
        )
        # The node wrote this. Of ansible_facts, add_host and the like in a result ansible-core makes variables and hosts.
        return {key: answer[key] if key == "node" else printable(answer[key]) for key in RETURNED if key in answer}

    def _collect(self, options: dict[str, Any]) -> str:
        if self._connection.transport in ("winrm", "psrp", "network_cli", "netconf", "httpapi"):
            raise AnsibleActionFail(f"connection {self._connection.transport} has no POSIX shell: node_info is for Linux nodes")
        answer = self._send(script(options))
        if HEADER not in answer["stdout"]:
            raise AnsibleActionFail(_no_answer(answer))
        return str(answer["stdout"])

    def _send(self, text: str) -> dict[str, Any]:
        """By standard input: no quoting by the login shell, nothing in the process list or sudo's log.

        As an argument only where that cannot be: a connection without pipelining, become that needs a terminal (su).
        """
        executable = self._play_context.executable or "/bin/sh"
        become = self._connection.become
        terminal = bool(become) and (become.require_tty or become.name.split(".")[-1] == "su")
        answer: dict[str, Any] = {"stdout": "", "stderr": ""}
        if getattr(self._connection, "has_pipelining", False) and not terminal:
            answer = self._low_level_execute_command("exec /bin/sh", in_data=text.encode(), executable=executable)
            if HEADER in answer["stdout"] or "tty" not in answer["stderr"] + answer["stdout"]:
                return answer  # sudo's requiretty says "you must have a tty"
        return self._low_level_execute_command(f"exec /bin/sh -c {shlex.quote(text)}", executable=executable)


def script(options: dict[str, Any]) -> str:
    """The probe with its settings before it. Values are from closed lists, so they need no quoting beyond the quotes."""
    subset = " ".join(options["gather_subset"])
    changelog = int(options["changelog"])
    lines = (line.lstrip("\t") for line in PROBE.read_text(encoding="utf-8").splitlines())
    # Comments and indentation are for readers, not for the wire.
    return "\n".join([f"subset='{subset}' changelog={changelog}", *(line for line in lines if not line.startswith("#")), ""])


def _no_answer(answer: dict[str, Any]) -> str:
    lines = (answer["stderr"] or answer["stdout"]).strip().splitlines()
    code = answer.get("rc", "?")
    said = lines[-1].strip()[:300] if lines else f"it printed nothing, return code {code}"
    return f"the probe did not run on the node: {said}; check that `ansible -m raw -a id` works with the same become settings"
