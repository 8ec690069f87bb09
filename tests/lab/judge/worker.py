# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge some rule sets in this process: hypothesis makes them, loads them into the kernel one by one, and shrinks what fails.

worker.py SEED COUNT [BROKEN]    as JSON what was seen: counts, seconds, the shrunk failure. BROKEN: see broken_walks.py.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[3])]

import broken_walks  # noqa: E402
from comparison import Judgment, compare  # noqa: E402
from generator import rule_sets  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from rule_sets import RuleSet  # noqa: E402
from stands import Stand, Stands  # noqa: E402

# One rule set in so many is read by the real probe as well.
PROBED_EVERY = 40
PROBED = ("netfilter", "services")
# A kernel may draw the port that the packet had, one time in 64,511; a packet may be lost on a busy machine. What is wrong is wrong again.
TRIES = 3


@dataclass
class Tally:
    """What one worker saw, before any shrinking."""

    counts: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    probed: int = 0
    again: int = 0
    seconds: float = 0.0

    def add(self, rule_set: RuleSet, judged: Judgment) -> None:
        self.judged += 1
        self.counts["stand " + rule_set.stand] += 1
        self.counts["status " + judged.status] += 1
        self.counts["rewrite " + judged.holds] += 1
        self.counts["packets"] += judged.seen
        changed = any(True in truths for truths in judged.truths.values())
        self.counts["rule set that %s a source" % ("changes" if changed else "leaves")] += 1
        for client, truths in judged.truths.items():
            answer = {True: "certain", False: "certain", None: "maybe"}[judged.answers[client]]
            for truth in truths:
                self.counts["%s, the source %s" % (answer, "changed" if truth else "stayed")] += 1


class Wrong(AssertionError):
    """The kernel did otherwise than the walk said."""


def judge_one(stand: Stand, rule_set: RuleSet, tally: Tally | None = None) -> Judgment:
    """Load, look, compare; what is wrong is looked at again before it is called so."""
    stand.load(rule_set)
    facts = stand.facts()
    judged = compare(rule_set, facts, stand.look())
    for _try in range(TRIES - 1):
        if not judged.wrong:
            break
        if tally:
            tally.again += 1
        judged = compare(rule_set, facts, stand.look())
    if tally and tally.judged % PROBED_EVERY == 0:
        tally.probed += 1
        judged.wrong += _unlike_the_probe(stand, facts)
    return judged


def _unlike_the_probe(stand: Stand, facts: dict[str, Any]) -> list[str]:
    """What the real probe reads otherwise, each time that it is asked: on a busy machine one of its commands may be too late."""
    differ: list[str] = []
    for _try in range(TRIES):
        probed = stand.probed()
        lines = [json.dumps([facts[part], probed[part]], indent=0, sort_keys=True) for part in PROBED if facts[part] != probed[part]]
        differ = ["the probe reads otherwise than what was judged: " + text for text in lines]
        if not differ:
            break
    return differ


def run(number: int, count: int, broken: str = "") -> dict[str, Any]:
    """COUNT rule sets, or fewer when one fails."""
    tally = Tally()
    failure: dict[str, Any] = {}
    started = time.monotonic()
    with broken_walks.broken(broken), Stands() as stands:

        @seed(number)
        @settings(
            max_examples=count, deadline=None, database=None, print_blob=False, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if broken else [Phase.generate, Phase.shrink], report_multiple_bugs=False,
        )  # fmt: skip
        @given(rule_sets())
        def law(rule_set: RuleSet) -> None:
            judged = judge_one(stands.of(rule_set), rule_set, None if failure else tally)
            if not failure:
                tally.add(rule_set, judged)
            if judged.wrong:
                failure.setdefault("first_after", tally.judged)
                failure.setdefault("first", {"rule_set": rule_set.as_json(), "wrong": judged.wrong})
                failure["shrunk"] = {"rule_set": rule_set.as_json(), "wrong": judged.wrong}
                raise Wrong("\n".join([*judged.wrong, rule_set.as_json()]))

        try:
            law()
        except Exception as error:  # also hypothesis' own, for example of a failure that did not come again
            failure["error"] = "%s: %s" % (type(error).__name__, str(error)[:20000])
    tally.seconds = time.monotonic() - started
    return {
        "seed": number, "judged": tally.judged, "probed": tally.probed, "again": tally.again, "seconds": round(tally.seconds, 1),
        "counts": dict(tally.counts), "failure": failure,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
