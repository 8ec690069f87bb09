# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every cell of the matrix runs: each module of the collection, each filter, both readers. As plays, in Ansible's own form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
PREFIX = "kubenet.vxlan_offload."
READERS = ("shell", "python")


def _transaction() -> dict[str, Any]:
    """As the plan filter makes them."""
    rule = {"backend": "nft", "table": "raw", "chain": "OUTPUT", "rule": "-p udp -m udp --dport 4789 -j CT --notrack".split()}
    unit, wanted_by = "vxlan-offload-notrack.service", "multi-user.target"
    return {
        "record": {
            "schema": 1, "method": "notrack", "undo": [{"module": "netfilter_rule", "args": {**rule, "state": "absent"}}],
            "units": [unit], "links": ["%s.wants/%s" % (wanted_by, unit)],
        },
        "actions": [{"module": "netfilter_rule", "args": {**rule, "state": "present"}}],
        "units": [{"name": unit, "content": "[Service]\nType=oneshot\nExecStart=/bin/true\n", "wanted_by": [wanted_by]}],
    }  # fmt: skip


# (name, module, options, options that take it back)
CHANGING: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    (
        "offload",
        "offload",
        {"device": "vxlan.calico", "features": {"tx-checksum-ip-generic": False, "rx-gro": False}},
        {"features": {"tx-checksum-ip-generic": True, "rx-gro": True}},
    ),
    *(
        (
            "netfilter_rule " + backend,
            "netfilter_rule",
            {
                "backend": backend,
                "table": "mangle",
                "chain": "OUTPUT",
                "rule": "-p udp --dport 4789 -j MARK --set-xmark 0x0/0x4000".split(),
            },
            {"state": "absent"},
        )
        for backend in ("nft", "legacy")
    ),
    ("service_route", "service_route", {"destination": "10.96.0.0/12", "device": "vxlan.calico"}, {"state": "absent"}),
    ("transaction", "transaction", _transaction(), {"state": "absent"}),
)
READING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("service_probe", {"address": "10.96.0.10", "device": "vxlan.calico", "timeout": 1.5}),
    ("kernel_selftest", {}),
)
# Answered, because a pod is not masqueraded. On the other node, so that no outer source port is that of a translated flow.
POD, POD_OPTIONS = "service_probe of a pod", {"address": "10.244.1.2", "device": "vxlan.calico"}
STEPS = ("check", "run", "again", "undo")
# What a module does is up to the node's Python, how it gets there up to ansible-core: one controller for each Python does it all.
SHORT_STEPS = ("run", "undo")
CHANGES = {"check": True, "run": True, "again": False, "undo": True}
FACTS = "node_info %s"
FILTERS = "filters"
REPORT = "fleet_report"


def on_disk(kind: str) -> set[str]:
    return {path.stem for path in (PLUGINS / kind).glob("*.py") if path.stem != "__init__"}


def modules() -> set[str]:
    """Those that a cell runs."""
    return {"node_info", REPORT, *(module for _name, module, _do, _undo in CHANGING), *(module for module, _options in READING)}


def _filters() -> dict[str, str]:
    """Each filter on the facts of the node; sorted, so that what differs is found by its name."""
    facts, name = "{{ matrix_shell.node | %s%s }}", "{{ %s | %s%s }}"
    return {
        "diagnose": facts % (PREFIX, "diagnose"),
        "fleet": name % ("{'node': matrix_shell}", PREFIX, "fleet"),
        "kernel_status": name % ("matrix_shell.node.kernel", PREFIX, "kernel_status"),
        "kubespray_plan": name % ("{'kube_version': 'v1.17.5', 'kube_network_plugin': 'flannel'}", PREFIX, "kubespray_plan"),
        "plan": facts % (PREFIX, "plan('auto')"),
        "predict": name % ("{'kube_version': '1.30.4', 'network_plugin': 'calico', 'calico_version': '3.28.0'}", PREFIX, "predict"),
        "preflight": name % ("matrix_shell", PREFIX, "preflight({} | %skubespray_plan('2.31.0'))" % PREFIX),
        "preflight_stop": name % ("{'node': matrix_shell}", PREFIX, "preflight_stop(['affected'])"),
        "remedies": facts % (PREFIX, "remedies"),
    }


FILTER_CALLS = _filters()


def _task(name: str, module: str, options: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"name": name, PREFIX + module: options, **keywords}


def _changing(steps: Sequence[str]) -> list[dict[str, Any]]:
    tasks = []
    for name, module, options, undo in CHANGING:
        for step in steps:
            wanted = {**options, **undo} if step == "undo" else options
            tasks.append(_task("%s %s" % (name, step), module, wanted, check_mode=step == "check"))
    return tasks


def step_names(steps: Sequence[str]) -> list[str]:
    """Every task that runs on a node's Python, but for the facts; a change is the first."""
    return [task["name"] for task in _changing(steps)] + [module for module, _options in READING] + [POD]


def plays(folder: str, steps: Sequence[str]) -> list[dict[str, Any]]:
    """For the groups `readers` (all on one and the same node, so that their facts must be equal) and `changers` (a node each)."""
    facts = [_task(FACTS % reader, "node_info", {"reader": reader}, register="matrix_" + reader) for reader in READERS]
    judging = [
        {"name": FILTERS, "ansible.builtin.debug": {"msg": FILTER_CALLS}},
        _task(REPORT, REPORT, {"results": {"node": "{{ matrix_shell }}"}, "directory": folder}),
    ]
    reading = [_task(module, module, options) for module, options in READING]
    return [
        # ansible-core takes a host out of a play once it has refused its Python: the shell reader is first, and needs none.
        {"name": "Read", "hosts": "readers", "gather_facts": False, "tasks": [*facts, _task(POD, "service_probe", POD_OPTIONS)]},
        {"name": "Judge", "hosts": "readers[-1]", "gather_facts": False, "tasks": judging},
        {"name": "Change", "hosts": "changers", "gather_facts": False, "tasks": _changing(steps) + reading},
    ]
