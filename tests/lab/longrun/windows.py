# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The windows in which queries may be lost, as docs/long-run.md promises them, and which loss fell into which."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Seconds: udev and systemd start the unit of a device; a timer has 15 s, an accuracy of 1 s, and its run.
PROMISED = {"device made again": 2.0, "erased by a sync": 17.0}
# An outer flow that began in a window keeps its translation until connection tracking forgets it (nf_conntrack_udp_timeout).
TAIL = 30.0
_BEFORE = 0.25  # a query that was on its way when the window opened


@dataclass
class Window:
    """From `start` until everybody in `pending` has done their part; `end` is None before that."""

    node: str
    kind: str
    start: float
    pending: set[str] = field(default_factory=set)
    end: float | None = None
    again: float = 0.0  # the last time that it was broken

    @property
    def length(self) -> float:
        return float("inf") if self.end is None else self.end - self.start


@dataclass(frozen=True)
class Loss:
    """A query that was not answered, or a connection whose first SYN was not."""

    node: str
    kind: str
    at: float


class Windows:
    """Opened by who does something to a node, closed by what puts it right."""

    def __init__(self) -> None:
        self.all: list[Window] = []
        self._lock = threading.Lock()

    def open(self, node: str, kind: str, pending: Iterable[str], start: float) -> None:
        """Nothing new where such a window is open already: the earlier start counts. Who has begun before this call does not close it."""
        now = time.monotonic()
        with self._lock:
            for one in self.all:
                if one.node == node and one.kind == kind and one.end is None:
                    one.pending.update(pending)
                    one.again = now
                    return
            self.all.append(Window(node, kind, start, set(pending), again=now))

    def close(self, node: str, who: str, began: float, now: float) -> None:
        """`who` has put its part right. What began before the last breakage may not have seen it."""
        with self._lock:
            for one in self.all:
                if one.node == node and one.end is None and one.again <= began:
                    one.pending.discard(who)
                    one.end = None if one.pending else now

    def still_open(self) -> list[Window]:
        with self._lock:
            return [one for one in self.all if one.end is None]


def place(loss: Loss, windows: Sequence[Window]) -> str:
    """The kind of the window that it fell into, `tail` for the 30 s after one, `outside` otherwise."""
    own = [one for one in windows if one.node == loss.node]
    for one in own:
        if one.start - _BEFORE <= loss.at and (one.end is None or loss.at <= one.end):
            return one.kind
    return "tail" if any(one.end is not None and one.end < loss.at <= one.end + TAIL for one in own) else "outside"
