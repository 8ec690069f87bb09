# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: measure, print tables, and with --write put them into docs/benchmark.md between their marks."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import costs
import fleet
import measure
import one_node
import pages
import streams

# name: (head of the table, its rows)
TABLES: dict[str, tuple[str, Callable[[Path, int], Iterator[str]]]] = {
    "node": (one_node.HEAD, one_node.rows),
    "fleet": (fleet.HEAD, fleet.rows),
    "apply": (fleet.APPLY_HEAD, fleet.apply_rows),
    "stream": (streams.HEAD, streams.rows),
    "costs": (costs.HEAD, costs.rows),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5, help="rounds that count (default: %(default)s)")
    options.add_argument("--only", action="append", choices=sorted(TABLES), help="repeatable; default: all tables")
    options.add_argument("--write", action="store_true", help="into docs/benchmark.md")
    chosen = options.parse_args()
    os.environ.setdefault("ANSIBLE_PIPELINING", "True")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.only or TABLES:
            head, rows = TABLES[name]
            lines = ["Measured on %s." % measure.machine(), "", head]
            print("\n".join(lines), flush=True)
            for row in rows(Path(folder), chosen.repeats):
                print(row, flush=True)
                lines.append(row)
            if chosen.write:
                pages.write("docs/benchmark.md", name, "\n".join(lines))


if __name__ == "__main__":
    main()
