# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge one rule set again, and say everything: replay.py FILE, with what a failure has printed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[3])]

from comparison import compare, walked_ways  # noqa: E402
from rule_sets import from_json  # noqa: E402
from stands import Stands  # noqa: E402


def main(path: str) -> int:
    rule_set = from_json(Path(path).read_text(encoding="utf-8"))
    with Stands() as stands:
        stand = stands.of(rule_set)
        stand.load(rule_set)
        seen, facts = stand.look(), stand.facts()
    judged = compare(rule_set, facts, seen)
    print("verdict %s, rewrite %s" % (judged.status, judged.holds))
    for name, one in seen.items():
        print("kernel: %s %s" % (name, one or "sent no tunnel packet"))
    for client, (answer, ways) in walked_ways(facts, rule_set.stand).items():
        print("walk: %s %s" % (client, {True: "surely rewritten", False: "surely not", None: "maybe"}[answer]))
        for way in ways:
            print("  way: %s, rewritten %s, mark %#x/%#x" % (way.end.kind, way.rewrites, way.end.mark.value, way.end.mark.unknown))
            for step in way.trace:
                print("    %s -> %s, mark %#x" % (step, step.effect, step.mark.value))
    for line in judged.wrong or ["nothing is wrong"]:
        print(line)
    return 1 if judged.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
