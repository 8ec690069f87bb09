# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster DNS from every node ten times a second, each time from a fresh socket, and says when it was lost last."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import addresses as ip
from lab import traffic
from lab.namespaces import network_of

INTERVAL = 0.1
PATIENCE = 1.0  # an answer takes a millisecond; a machine under load gets the rest
ALONE = 1.0  # a loss so long after the one before it is none of the outage
CALM = 2.5  # so long without a loss: in force


@dataclass
class Seen:
    """Of one node. Times are seconds after its event."""

    since: float
    lost: list[float] = field(default_factory=list)
    answered: int = 0

    def outage(self) -> float:
        """Until which moment queries were lost; 0 when none was."""
        times = self._outage()
        return times[-1] + INTERVAL if times else 0.0

    def strays(self) -> int:
        """Losses afterwards, each alone: for 30 s connection tracking remembers the rewritten port of an outer flow that began in the
        outage, and a new query may come upon the same outer source port."""
        return len(self.lost) - len(self._outage())

    def _outage(self) -> list[float]:
        times = sorted(self.lost)
        while len(times) > 1 and times[-1] - times[-2] > ALONE:
            times.pop()
        return times


def watch(lab: Any, since: Mapping[str, float], count: int, longest: float, stop: threading.Event) -> dict[str, Seen]:
    """Until every node has answered everything for a while, or `longest` seconds after the last event, or `stop`.

    `since` is filled meanwhile by others: when each of the `count` nodes' event was over, and it is asked from then on.
    """
    seen: dict[str, Seen] = {}
    next_round = time.monotonic()
    with selectors.DefaultSelector() as selector:
        try:
            while not stop.is_set():
                now = time.monotonic()
                over = len(seen) == count and _is_over(seen, now, longest)
                if now >= next_round and not over:
                    for name, when in list(since.items()):
                        seen.setdefault(name, Seen(when))
                    _ask(lab, selector, seen, now)
                    next_round = max(next_round + INTERVAL, now)
                _collect(selector, seen, min(max(next_round - time.monotonic(), 0.0), INTERVAL))
                if over and not selector.get_map():
                    break
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()
    return seen


def _is_over(seen: Mapping[str, Seen], now: float, longest: float) -> bool:
    """Every node calm for long enough, the one whose event was last included."""
    calm = all(now - one.since - max(one.lost, default=0.0) > CALM + PATIENCE for one in seen.values())
    return calm or now - max(one.since for one in seen.values()) > longest


def _ask(lab: Any, selector: selectors.BaseSelector, seen: Mapping[str, Seen], now: float) -> None:
    for name in seen:
        with network_of(lab.pid(name)):
            channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            channel.connect((ip.DNS_SERVICE, 53))
            question = traffic.query(channel.getsockname()[1])
            channel.send(question)
        except OSError:
            channel.close()
            seen[name].lost.append(now - seen[name].since)
            continue
        selector.register(channel, selectors.EVENT_READ, (name, now, question))


def _collect(selector: selectors.BaseSelector, seen: Mapping[str, Seen], timeout: float) -> None:
    ready = selector.select(timeout) if selector.get_map() else time.sleep(timeout) or []
    for key, _events in ready:
        name, sent, question = key.data
        try:
            good = traffic.answered(question, key.fileobj.recv(4096))
        except OSError:
            good = False
        _finish(selector, seen, key, good)
    late = [key for key in selector.get_map().values() if time.monotonic() - key.data[1] > PATIENCE]
    for key in late:
        _finish(selector, seen, key, False)


def _finish(selector: selectors.BaseSelector, seen: Mapping[str, Seen], key: selectors.SelectorKey, good: bool) -> None:
    name, sent, _question = key.data
    selector.unregister(key.fileobj)
    key.fileobj.close()
    if good:
        seen[name].answered += 1
    else:
        seen[name].lost.append(sent - seen[name].since)
