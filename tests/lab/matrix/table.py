# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the README, from what a run found out: table.py RESULTS README writes it between the two markers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cells
import versions

BEGIN, END = "<!-- matrix:begin -->", "<!-- matrix:end -->"
PYTHONS = (*versions.NODE_PYTHONS, *versions.OPTIONAL_NODE_PYTHONS)

Rows = list[list[str]]


def rows(outcome: dict[str, Any]) -> Rows:
    found = [["ansible-core", "on Python", *PYTHONS, "roles applied and reverted on"]]
    for controller in versions.CONTROLLERS:
        words = outcome["cells"][controller.name]
        roles = ", ".join(outcome["roles"].get(controller.name, []))
        found.append([controller.line, controller.python, *(words.get(python, cells.MISSING) for python in PYTHONS), roles])
    return found


def text(table: Rows) -> str:
    lines = ["| %s |" % " | ".join(row) for row in table]
    lines.insert(1, "|" + "---|" * len(table[0]))
    return "\n".join(lines)


def committed(readme: str) -> Rows:
    """The table that the README has now."""
    lines = readme.split(BEGIN)[1].split(END)[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for number, line in enumerate(lines) if number != 1]


def differences(ours: Rows, theirs: Rows) -> list[str]:
    """Where two tables say different things. A Python that one of the machines does not have says nothing."""
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return ["another number of rows or columns"]
    return [
        "ansible-core %s, %s: %r here, %r in the README" % (row[0], head, one, other)
        for row, other_row in zip(ours, theirs)
        for head, one, other in zip(ours[0], row, other_row)
        if one != other and cells.MISSING not in (one, other)
    ]


def write(results: Path, readme: Path) -> None:
    old = readme.read_text(encoding="utf-8")
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    table = text(rows(json.loads(results.read_text(encoding="utf-8"))))
    readme.write_text("%s%s\n%s\n%s%s" % (before, BEGIN, table, END, after), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
