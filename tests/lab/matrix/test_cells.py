# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module and filter under every ansible-core and every Python of a node, on nodes of the lab: equal byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import cases
import cells
import controller_run
import pytest
import versions

REFERENCE = versions.BY_NAME["2.19-py3.11"]
REFERENCE_PYTHON = "3.11"
PYTHONS = controller_run.pythons()


@pytest.fixture(scope="module")
def run(make_lab: Any, folder: Path, outcome: dict[str, Any]) -> Callable[[versions.Controller], Any]:
    """A controller's run over all Pythons, once; the first is the reference."""
    lab = controller_run.build(make_lab, PYTHONS)
    done: dict[str, Any] = {}

    def once(controller: versions.Controller) -> Any:
        if controller.name not in done:
            done[controller.name] = controller_run.run(lab, controller, PYTHONS, folder)
            expected = once(REFERENCE)[0]
            outcome["cells"][controller.name] = cells.words(done[controller.name][0], expected, REFERENCE_PYTHON, controller.steps)
        return done[controller.name]

    return once


@pytest.fixture
def reference(run: Callable[[versions.Controller], Any]) -> cells.Results:
    return run(REFERENCE)[0][REFERENCE_PYTHON]


def test_no_module_and_no_filter_is_forgotten() -> None:
    assert cases.on_disk("modules") == cases.modules()
    assert cases.on_disk("filter") == set(cases.FILTER_CALLS)


def test_the_reference_is_right(reference: cells.Results) -> None:
    """Equal cells could be equally wrong: this node fails, and its kernel and its facts can be known."""
    for reader in cases.READERS:
        assert reference[cases.FACTS % reader]["result"]["node"]["collected"]["complete"] is True
    asked = {name: reference[name]["result"] for name in (cases.POD, "service_probe")}
    assert {name: one["verdict"] for name, one in asked.items()} == {cases.POD: "works", "service_probe": "vxlan_checksum"}
    assert [(one["udp"]["answered"], one["tcp"]["answered"]) for one in asked.values()] == [(3, 3), (0, 0)]
    selftest = reference["kernel_selftest"]["result"]
    assert {selftest["zero_checksum"], selftest["lco_checksum"]} <= {"present", "absent"}


@pytest.mark.parametrize("task", [cases.FILTERS, cases.REPORT])
def test_no_cell_is_well_when_the_controllers_side_fails(task: str, run: Any) -> None:
    results = run(REFERENCE)[0]
    last = {**results[PYTHONS[-1]], task: {"status": "failed", "result": {"failed": True}}}
    found = cells.words({**results, PYTHONS[-1]: last}, results, REFERENCE_PYTHON, REFERENCE.steps)
    assert found == dict.fromkeys(PYTHONS, cells.FAILS)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("controller", versions.CONTROLLERS, ids=lambda one: one.name)
def test_a_cell(controller: versions.Controller, python: str, run: Any, reference: cells.Results) -> None:
    results, output = run(controller)
    seen = results[python]
    if controller.serves(python):
        assert cells.problems(seen, reference, controller.steps) == [], output[-3000:]
        return
    # ansible-core itself refuses, before any code of ours runs; the reader that needs no Python still reads.
    assert cells.word(seen, reference, controller.steps) == cells.DIAGNOSE_ONLY, json.dumps(
        {name: seen[name] for name in seen if name != cases.FACTS % "shell"}
    )


@pytest.mark.parametrize("controller", versions.CONTROLLERS, ids=lambda one: one.name)
def test_the_controllers_side(controller: versions.Controller, run: Any, reference: cells.Results) -> None:
    """The filters and the report: the same text from each ansible-core on each of its Pythons."""
    host = PYTHONS[-1]
    expected = run(REFERENCE)[0][host]
    seen = run(controller)[0][host]
    assert cells.controller_problems(seen, expected) == []
    assert seen[cases.FILTERS]["result"]["msg"]["diagnose"]["status"] in ("affected", "exposed")


@pytest.mark.parametrize("controller", versions.CONTROLLERS, ids=lambda one: one.name)
def test_nothing_that_we_use_is_deprecated(controller: versions.Controller, run: Any) -> None:
    notes = [
        (task, note)
        for results in run(controller)[0].values()
        for task, one in results.items()
        for note in one["result"].get("deprecations") or []
    ]
    assert notes == []
