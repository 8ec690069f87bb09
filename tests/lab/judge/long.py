# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The long run: long.py COUNT [SEED [SECONDS]].

In pieces, so that a failure is known when it comes. Ends with the piece that has one, or before SECONDS are over.
"""

from __future__ import annotations

import sys
import time

import judges

PIECE = 2000


def main(count: int, seed: int = 6, seconds: float = float("inf")) -> int:
    started, results = time.monotonic(), []
    longest = 0.0
    done = 0
    while done < count and time.monotonic() - started + 1.2 * longest < seconds:
        begun = time.monotonic()
        found = judges.judge(min(PIECE, count - done), seed)
        longest = max(longest, time.monotonic() - begun)
        seed += judges.WORKERS
        results += found
        done = sum(one["judged"] for one in results)
        print("%d rule sets in %.0f s, next seed %d" % (done, time.monotonic() - started, seed), flush=True)
        failures = [one["failure"] for one in found if one["failure"]]
        for failure in failures:
            print("%s\nshrunk:\n%s" % (failure.get("error"), failure.get("shrunk", {}).get("rule_set")))
        if failures:
            return 1
    print(judges.report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
