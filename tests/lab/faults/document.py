# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/faults.md: what the tests of this folder have seen, in their order."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"
COLUMNS = {
    "Killed on the way": ("what", "killed before", "the node is then", "next apply", "next revert"),
    "The node fails": ("fault", "apply", "revert", "the run after it"),
    "Two at once": ("what", "ended"),
    "The record is damaged": ("record.json", "apply and revert"),
    "The controller or the connection is lost": ("what", "the node is then", "next apply", "next revert"),
}
ROWS: dict[str, list[tuple[str, ...]]] = {}


def add(section: str, *cells: str) -> None:
    assert len(cells) == len(COLUMNS[section]), cells
    rows = ROWS.setdefault(section, [])
    if cells not in rows:
        rows.append(cells)


def section_text(section: str) -> str:
    columns = COLUMNS[section]
    lines = ["| " + " | ".join(cells) + " |" for cells in [columns, ("---",) * len(columns), *ROWS[section]]]
    return "## %s\n\n%s" % (section, "\n".join(lines))


def text() -> str:
    """The tables; of what was not tried in this run, those that the page has."""
    known = {"## " + part.partition("\n")[0]: "## " + part.strip() for part in ("\n" + written()).split("\n## ")[1:]}
    return "\n\n".join(section_text(one) if one in ROWS else known.get("## " + one, "## %s" % one) for one in COLUMNS)


def written() -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    head, _begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    # The tables begin with a heading: an empty line around them.
    PAGE.write_text("%s%s\n\n%s\n\n%s%s" % (head, BEGIN, text(), END, rest.partition(END)[2]), encoding="utf-8")


def wanted() -> bool:
    """Whether this run is to write the page."""
    return bool(os.environ.get("FAULTS_WRITE"))
