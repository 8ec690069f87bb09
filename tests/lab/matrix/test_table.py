# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's table says what this run found out. Named so that it runs last: it needs what the other tests found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import table
import test_roles
import versions

README = Path(__file__).resolve().parents[3] / "README.md"


def test_a_python_that_only_one_machine_has_says_nothing() -> None:
    def made(word: str, *more: str) -> table.Rows:
        words = dict.fromkeys([*versions.NODE_PYTHONS, *more], word)
        return table.rows({"cells": dict.fromkeys(versions.BY_NAME, words), "roles": {}})

    without, with_it = made("everything"), made("everything", *versions.OPTIONAL_NODE_PYTHONS)
    assert table.committed(table.BEGIN + "\n" + table.text(without) + "\n" + table.END) == without
    assert table.differences(without, with_it) == table.differences(with_it, without) == []
    assert len(table.differences(made("fails"), with_it)) == len(versions.NODE_PYTHONS) * len(versions.CONTROLLERS)
    assert table.differences(without[:-1], without) == ["other rows or columns"]


def test_the_readme_has_the_table_of_this_run(folder: Path, outcome: dict[str, Any]) -> None:
    assert set(outcome["cells"]) == set(versions.BY_NAME), "the table needs a run of everything: make test-matrix"
    assert set(outcome["roles"]) == set(test_roles.LEGS)
    (folder / "results.json").write_text(json.dumps(outcome, indent=1), encoding="utf-8")
    found = table.differences(table.rows(outcome), table.committed(README.read_text(encoding="utf-8")))
    assert found == [], "run make matrix-table and commit the README"
