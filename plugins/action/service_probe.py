# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run service_probe on the node, and take of its answer what the module documents.

A node may answer whatever it likes, and the answers of all hosts meet in one task of the report: one that ansible-core cannot pass on
would cost every host its report.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable

RETURNED = (
    "changed", "failed", "unreachable", "msg", "verdict", "reason", "udp", "tcp", "evidence", "rc", "exception", "module_stdout",
    "module_stderr", "warnings",
)  # fmt: skip


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        answer = self._execute_module(task_vars=task_vars)
        return {**result, **{key: printable(answer[key]) for key in RETURNED if key in answer}}
