# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write fleet.json and what is made of it, and print one line per host. Runs on the controller only."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import Fleet, counts, fleet, published
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text, write_atomically
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_formats import FILES, render
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

ARGUMENTS: dict[str, t.Any] = {
    "results": {"type": "dict", "required": True},
    "probes": {"type": "dict", "default": {}},
    "directory": {"type": "path", "default": "./vxlan-offload-report"},
    "fail_on": {"type": "list", "elements": "str", "default": [], "choices": list(STATUSES)},
    "expected": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "list", "elements": "str"},
    "kind": {"type": "str", "default": "diagnose"},
    "artifact": {"type": "str", "default": ""},
    "artifact_detail": {"type": "str", "default": "verdict", "choices": ["verdict", "diagnosis"]},
    "formats": {"type": "list", "elements": "str", "default": [], "choices": list(FILES)},
}
VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(argument_spec=ARGUMENTS)
        if not args["results"]:
            raise AnsibleActionFail("no host was checked: look at the inventory, --limit and vxlan_offload_hosts")
        if args["artifact"] and not re.fullmatch(VARIABLE, args["artifact"]):
            raise AnsibleActionFail(f"artifact {args['artifact']!r} is no name of a variable: letters, digits and _ only")
        try:
            report = fleet(args["results"], args["probes"], args["expected"])
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        paths = self._write(args["directory"], report, args["formats"])
        path = paths["json"]
        lines = [*counts(report["summary"]), *self._lines(report, args["hosts"])]
        for line in [*lines, *(f"report: {one}" for one in paths.values())]:
            self._display.display(line)
        result = {**self._result(report, path, args["fail_on"]), "paths": paths}
        if args["artifact"]:
            data = {args["artifact"]: published(report, args["kind"], args["artifact_detail"])}
            # What ansible.builtin.set_stats returns.
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        return result

    def _lines(self, report: Fleet, wanted: list[str] | None) -> list[str]:
        """Those of the wanted hosts: fleet() gives one line for each host, in the order of its hosts."""
        chosen = set(report["hosts"] if wanted is None else wanted)
        return [line for name, line in zip(report["hosts"], report["lines"]) if name in chosen]

    def _write(self, directory: str, report: Fleet, formats: list[str]) -> dict[str, str]:
        """The path of each format. fleet.json comes first: the others can be made again from it."""
        folder = os.path.abspath(directory)
        paths = {"json": os.path.join(folder, "fleet.json"), **{name: os.path.join(folder, FILES[name]) for name in formats}}
        made = time.time()
        path = paths["json"]
        try:
            os.makedirs(folder, exist_ok=True)
            for name, path in paths.items():
                text = as_text(report) if name == "json" else render(name, report, made)
                write_atomically(path, text)
        except OSError as error:
            raise AnsibleActionFail(f"cannot write {path}: {error.strerror}; set vxlan_offload_report_dir") from error
        except ValueError as error:
            raise AnsibleActionFail(f"cannot make {path}: {error}") from error
        return paths

    def _result(self, report: Fleet, path: str, fail_on: list[str]) -> dict[str, t.Any]:
        found = sorted(name for name, verdict in report["hosts"].items() if verdict["status"] in fail_on)
        result: dict[str, t.Any] = {"changed": False, "path": path, "summary": report["summary"], "lines": report["lines"]}
        if found:
            names = ", ".join(found[:20])
            result.update(failed=True, msg=f"{len(found)} of {len(report['hosts'])} hosts are {' or '.join(fail_on)}: {names}")
        return result
