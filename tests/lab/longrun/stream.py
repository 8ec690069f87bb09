# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries to the DNS Service without a pause: from each node, over UDP and over TCP, each with a fresh socket."""

from __future__ import annotations

import selectors
import threading
import time
from collections import Counter
from collections.abc import Sequence

from windows import Loss

from lab import traffic
from lab.namespaces import network_of

PERIOD = 1.0  # seconds between two questions of a node, of each kind
# As long as a resolver waits. A corrupted packet is never answered, however long; a busy machine may need a while.
PATIENCE = 5.0


class Stream(threading.Thread):
    """`lost` has what was not answered, `sent` how many were asked by node and kind."""

    def __init__(self, questions: Sequence[traffic.Question]) -> None:
        super().__init__(name="queries")
        self.questions = questions
        self.sent: Counter[tuple[str, str]] = Counter()
        self.lost: list[Loss] = []
        self.error: BaseException | None = None
        self._ending = threading.Event()

    def end(self) -> None:
        """Asks no more, waits for what is under way."""
        self._ending.set()
        self.join()
        if self.error:
            raise self.error

    def run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                self._ask(selector)
        except BaseException as error:  # told by end(), in the thread of the test
            self.error = error

    def _ask(self, selector: selectors.BaseSelector) -> None:
        due = time.monotonic()
        turn = 0
        while not self._ending.is_set() or selector.get_map():
            now = time.monotonic()
            if not self._ending.is_set() and now >= due:
                self._open(selector, self.questions[turn % len(self.questions)])
                turn += 1
                # A machine that stood still is no reason for a flood.
                due = max(due + PERIOD / len(self.questions), now - PERIOD)
            for key, _seen in selector.select(0.01 if self._ending.is_set() else max(0.0, min(0.2, due - time.monotonic()))):
                probe: traffic.Probe = key.data
                if traffic.advance(probe):
                    selector.modify(probe.channel, selectors.EVENT_READ, probe)
                else:
                    self._finish(selector, probe)
            now = time.monotonic()
            for probe in [key.data for key in selector.get_map().values() if key.data.deadline <= now]:
                self._finish(selector, probe)

    def _open(self, selector: selectors.BaseSelector, question: traffic.Question) -> None:
        with network_of(question.pid):
            probes = [traffic.start(question, kind, PATIENCE) for kind in ("udp", "tcp")]
        for probe in probes:
            self.sent[probe.node, probe.kind] += 1
            selector.register(probe.channel, traffic.events(probe), probe)

    def _finish(self, selector: selectors.BaseSelector, probe: traffic.Probe) -> None:
        selector.unregister(probe.channel)
        probe.channel.close()
        if not probe.ok or probe.lost_syn:
            self.lost.append(Loss(probe.node, probe.kind, probe.started))
