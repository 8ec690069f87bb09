# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m lab.kernel.table FILE MODE: every rule shape and remedy on the running kernel, with packets as the judge.

Each cell is a node of its own: what works before, what the verdict is, what works with the remedy, and after it was taken back.
The verdicts are made with the answer of kernel_selftest: by its name every table calls a kernel that was patched to have a defect
fixed. Remedies are tried where something is broken, on devices with the checksum MODE.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import experiment
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import selftest
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan

from .. import clients, removal, topology
from ..state import State
from . import node

NAME = "kernel-table"
SHAPES = (
    "pre_fix_kube_proxy",
    "fixed_kube_proxy",
    "fixed_kube_proxy_calico_first",
    "masquerade_all",
    "flannel_0_20_1",
    "pre_fix_without_random_fully",
)
REMEDIES = (
    "tx_checksum_off",
    "rx_tx_offload_off",
    "service_route",
    "kube_postrouting_detached",
    "underlay_accept",
    "masquerade_without_random",
    "clear_mark",
    "notrack",
)
MODES = {"udpcsum": "", "noudpcsum": "_noudpcsum"}
SERVICE_CIDR = "10.96.0.0/12"
SELFTEST_SECONDS = 60
Paths = dict[str, dict[str, str]]


def measure(answer: Mapping[str, Any], remedies_on: str) -> list[dict[str, Any]]:
    """One row for each checksum mode and shape, and for each remedy where something is broken."""
    rows: list[dict[str, Any]] = []
    for mode, suffix in MODES.items():
        shapes = [shape + suffix for shape in SHAPES]
        untouched = _rows(mode, shapes, [""], answer)
        broken = [row["scenario"] for row in untouched if _lost(row["before"]) and mode == remedies_on]
        rows += untouched + (_rows(mode, broken, REMEDIES, answer) if broken else [])
    return rows


def _everything(remedies_on: str) -> dict[str, Any]:
    found = experiment.selftest(False, SELFTEST_SECONDS)
    return {"release": os.uname().release, "selftest": found, "rows": measure(selftest.answer(found), remedies_on)}


def _lost(paths: Paths) -> list[str]:
    return [name for name, seen in paths.items() if set(seen.values()) != {"ok"}]


def _rows(mode: str, shapes: Sequence[str], remedies: Sequence[str], answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    cells = [(shape, remedy) for remedy in remedies for shape in shapes]
    lab = topology.up(NAME, topology.Options(scenarios=tuple(shapes), backend="nft", nodes=len(cells), kube_proxy_api=False))
    try:
        clients.add(lab)
        return _judge(lab, mode, dict(zip(lab.scenario_nodes(), cells)), answer)
    finally:
        removal.down(NAME)


def _judge(lab: State, mode: str, cells: Mapping[str, tuple[str, str]], answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    before = clients.measure(lab)
    rows, plans = {}, {}
    for name, (shape, remedy) in cells.items():
        known = _facts(lab, name, answer)
        rows[name] = {"checksum": mode, "scenario": shape, "remedy": remedy, "before": before[name], "verdict": _verdict(known)}
        rows[name]["features_off"] = _features_off(known)
        if remedy:
            plans[name] = found = plan(known, remedy, True, SERVICE_CIDR)
            rows[name].update(refused=found["refused"], simulated=found["simulated"])
            node.act(lab.pid(name), found["actions"])
    if plans:
        _with_remedies(lab, rows, plans, answer)
    return list(rows.values())


def _with_remedies(lab: State, rows: dict[str, dict[str, Any]], plans: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    after = clients.measure(lab)
    for name, found in plans.items():
        known = _facts(lab, name, answer)
        rows[name].update(after=after[name], verdict_after=_verdict(known), features_off=_features_off(known))
        node.act(lab.pid(name), found["undo"])
    reverted = clients.measure(lab)
    for name in plans:
        rows[name]["reverted"] = reverted[name]


def _facts(lab: State, name: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    known = node.facts(lab.pid(name))
    known["kernel"]["selftest"] = dict(answer)
    return known


def _verdict(known: Mapping[str, Any]) -> dict[str, str]:
    found = diagnose(known)
    return {key: str(found[key]) for key in ("status", "udp", "tcp")}


def _features_off(known: Mapping[str, Any]) -> list[str]:
    (device,) = known["vxlan"]["devices"]
    return sorted(name for name, state in device["features"].items() if not state["active"] and not state["fixed"])


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as stream:
        json.dump(_everything(sys.argv[2]), stream, indent=1, sort_keys=True)
