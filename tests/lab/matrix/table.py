# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the README, from what a run found out: table.py RESULTS README writes it between the two markers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import versions

BEGIN, END = "<!-- matrix:begin -->", "<!-- matrix:end -->"

Rows = list[list[str]]


def rows(outcome: dict[str, Any]) -> Rows:
    """Without a column for an optional Python that this machine does not have."""
    tried = {python for words in outcome["cells"].values() for python in words}
    pythons = [*versions.NODE_PYTHONS, *(one for one in versions.OPTIONAL_NODE_PYTHONS if one in tried)]
    found = [["ansible-core", "on Python", *pythons, "roles applied and reverted on"]]
    for controller in versions.CONTROLLERS:
        words = outcome["cells"][controller.name]
        roles = ", ".join(outcome["roles"].get(controller.name, []))
        found.append([controller.line, controller.python, *(words[python] for python in pythons), roles])
    return found


def text(table: Rows) -> str:
    lines = ["| %s |" % " | ".join(row) for row in table]
    lines.insert(1, "|" + "---|" * len(table[0]))
    missing = [one for one in versions.OPTIONAL_NODE_PYTHONS if one not in table[0]]
    if missing:
        lines += ["", "Not on the machine of this run, so not tried on nodes: Python %s." % ", ".join(missing)]
    return "\n".join(lines)


def committed(readme: str) -> Rows:
    """The table that the README has now."""
    lines = [line for line in readme.split(BEGIN)[1].split(END)[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for number, line in enumerate(lines) if number != 1]


def differences(ours: Rows, theirs: Rows) -> list[str]:
    """Where two tables say different things. A Python that one of the machines does not have says nothing."""
    one_sided = {head for head in versions.OPTIONAL_NODE_PYTHONS if (head in ours[0]) != (head in theirs[0])}
    (here, readme) = ([[cell for head, cell in zip(table[0], row) if head not in one_sided] for row in table] for table in (ours, theirs))
    if [len(row) for row in here] != [len(row) for row in readme] or here[0] != readme[0]:
        return ["other rows or columns"]
    return [
        "ansible-core %s, %s: %r here, %r in the README" % (row[0], head, one, other)
        for row, other_row in zip(here, readme)
        for head, one, other in zip(here[0], row, other_row)
        if one != other
    ]


def write(results: Path, readme: Path) -> None:
    old = readme.read_text(encoding="utf-8")
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    table = text(rows(json.loads(results.read_text(encoding="utf-8"))))
    readme.write_text("%s%s\n%s\n%s%s" % (before, BEGIN, table, END, after), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
