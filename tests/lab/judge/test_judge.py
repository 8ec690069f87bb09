# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel as the judge: thousands of random rule sets, each loaded, tried with real packets and compared with the walk.

JUDGE_RULE_SETS (2,000) and JUDGE_SEED (6) change how many and which.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import judges
import pytest

RULE_SETS = int(os.environ.get("JUDGE_RULE_SETS", "2000"))
SEED = int(os.environ.get("JUDGE_SEED", "6"))


@pytest.fixture(scope="module")
def results(say: Callable[[str], None]) -> list[dict[str, Any]]:
    found = judges.judge(RULE_SETS, SEED)
    say("JUDGE_SEED=%d JUDGE_RULE_SETS=%d\n%s" % (SEED, RULE_SETS, judges.report(found)))
    return found


@pytest.fixture(scope="module")
def counts(results: list[dict[str, Any]]) -> Counter[str]:
    return judges.summed(results)


def _text(failure: dict[str, Any]) -> str:
    shrunk = failure.get("shrunk", {})
    lines = [*failure.get("error", "").splitlines()[:1], *shrunk.get("wrong", []), "for make judge-replay:", shrunk.get("rule_set", "")]
    return "\n".join(lines)


def test_the_kernel_never_does_otherwise_than_the_walk_said(results: list[dict[str, Any]]) -> None:
    failures = [one["failure"] for one in results if one["failure"]]
    assert not failures, "\n\n".join(_text(one) for one in failures)


def test_as_many_rule_sets_were_judged_as_asked(counts: Counter[str]) -> None:
    assert counts["judged"] >= RULE_SETS


def test_the_rule_sets_are_worth_judging(counts: Counter[str]) -> None:
    """A generator that only makes harmless, or only harmful rules proves nothing; nor does one whose packets are dropped."""
    for name in ("rule set that changes a source", "rule set that leaves a source"):
        assert judges.share(counts, name, of="rule set") >= 0.2, name
    assert counts["packets"] / counts["judged"] > 5


def test_the_walk_does_not_hide_behind_maybe(counts: Counter[str]) -> None:
    whole = sum(number for name, number in counts.items() if name.startswith(("certain", "maybe")))
    maybe = sum(number for name, number in counts.items() if name.startswith("maybe")) / whole
    assert maybe <= 0.4, "%.2f of the answers are maybe" % maybe
    assert counts["certain, the source changed"] / whole >= 0.1
    assert counts["certain, the source stayed"] / whole >= 0.2


def test_every_verdict_and_every_stand_occurred(counts: Counter[str]) -> None:
    for name in ("affected", "exposed", "mitigated", "unaffected"):
        assert counts["status " + name] >= 0.02 * counts["judged"], name
    for stand in ("nft", "legacy", "nft_then_legacy", "legacy_then_nft", "native_then_nft", "nft_then_native"):
        assert counts["stand " + stand] >= 0.02 * counts["judged"], stand


def test_the_real_probe_read_the_same_rules(counts: Counter[str]) -> None:
    """Where it did not, that is a failure of the first test; here it is that it was asked at all."""
    assert counts["probed"] >= counts["judged"] / 60
