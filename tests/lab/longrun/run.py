# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run itself: apply, traffic with everything that happens to a node, the playbook again, revert. What it saw is judged by the tests."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resources
import story
import units_run
from stream import Stream
from windows import Windows, place

from lab import addresses, agents, traffic
from lab.kube_proxy_sync import KubeProxySync
from lab.services import Service

NEW = Service("default/come-and-go:http", "10.99.0.1", 80, "tcp", ("10.244.9.9:8080",))
TRACKED = 30  # seconds for which connection tracking remembers a flow
SAMPLE = 5.0  # seconds between two looks at conntrack
CIDR = "10.96.0.0/12"


@dataclass(frozen=True)
class Options:
    """`tell` is called with what to print meanwhile."""

    seconds: float
    seed: int
    tell: Callable[[str], None]


class LongRun:
    """One run on a lab of 20 nodes and a control."""

    def __init__(self, lab: Any, methods: Mapping[str, str], control: str, directory: Path, options: Options) -> None:
        self.lab = lab
        self.control = control
        self.seconds = options.seconds
        self.seed = options.seed
        self.tell = options.tell
        self.nodes = list(methods)
        self.windows = Windows()
        self.happened: Counter[str] = Counter()
        self.erased = 0
        self.took: list[str] = []
        self.conntrack: list[tuple[float, dict[str, int]]] = []
        self.changed_again: list[str] = []
        self.agents = {node: agents.of(lab.state, node) for node in self.nodes}
        self.variables = {
            "vxlan_offload_report_dir": str(directory),
            "workaround_accept_risk": True,
            "workaround_service_cidr": CIDR,
        }
        overlay = directory / "methods.json"
        hosts = {node: {"workaround_method": method} for node, method in methods.items()}
        overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        self.arguments = ("-i", str(overlay), "--forks", "10", "--limit")
        for node in lab.nodes:
            resources.shorten_timeouts(lab.state.pid(node), TRACKED)
        self._run()

    def playbook(self, name: str, nodes: Sequence[str]) -> Any:
        start = time.monotonic()
        done = self.lab.playbook("kubenet.vxlan_offload." + name, *self.arguments, ",".join(nodes), variables=self.variables)
        self._took("%s on %d" % (name, len(nodes)), start)
        return done

    def _took(self, what: str, start: float) -> None:
        self.took.append("%s %.0f" % (what, time.monotonic() - start))
        self.tell("%s: %.0f s" % (what, time.monotonic() - start))

    def _run(self) -> None:
        for one in self.agents.values():
            one.kubelet.start()  # a node in nftables mode comes without kubelet's rules
            self._sync_all(one)
        self.before = self._look()
        self.apply = self.playbook("apply", self.nodes)
        if self.apply.returncode != 0:
            return
        self.applied = self._look()
        self.controller_before = self._controller()
        for node in self.lab.nodes:
            with resources.network_of(self.lab.state.pid(node)):
                traffic.flush_conntrack()
        units = [unit for node in self.nodes for unit in units_run.units_of(node, self.lab.state.pid(node))]
        self.by_node = {node: [unit for unit in units if unit.node == node] for node in self.nodes}
        self.systemd = units_run.Systemd(units, self.windows)
        self.stream = Stream([traffic.Question(node, self.lab.state.pid(node), addresses.DNS_SERVICE) for node in self.lab.nodes])
        self.tell("queries from %d nodes" % len(self.lab.nodes))
        self.started = time.monotonic()
        self.systemd.start()
        self.stream.start()
        try:
            self._events()
            self.tell("%d events" % sum(self.happened.values()))
            self._wait_for_windows()
            time.sleep(2)  # queries of a fleet in which nothing happens
            self._sample()
        finally:
            self.stream.end()
            self.systemd.end()
        self.ended = time.monotonic()
        self._settle()
        self.treated = self._look()
        self.controller_after = self._controller()
        self.revert = self.playbook("revert", self.nodes)
        self.after = self._look()
        self._wait_for_conntrack()

    def _events(self) -> None:
        """One after the other; the clock of the plan stands still while the playbook runs."""
        events = story.plan(self.seconds, self.nodes, self.seed)
        again = story.reapplies(self.seconds)
        stood_still = 0.0
        sampled = 0.0
        while events or again:
            now = time.monotonic() - self.started - stood_still
            if now >= sampled:
                self._sample()
                sampled = now + SAMPLE
            if again and again[0] <= now:
                again.pop(0)
                paused = time.monotonic()
                self._apply_again()
                stood_still += time.monotonic() - paused
            elif events and events[0].at <= now:
                one = events.pop(0)
                self._happen(one.kind, one.node)
            elif now >= self.seconds:
                break
            else:
                due = min([one.at for one in events[:1]] + again[:1])
                time.sleep(max(0.0, min(due - now, SAMPLE)))

    def _happen(self, kind: str, node: str) -> None:
        self.happened[kind] += 1
        one = self.agents[node]
        if kind == "kube-proxy sync":
            self._sync(node)
        elif kind == "CNI refresh":
            one.refresh_cni()
            if one.felix and one.scenario.tx_checksum_off:
                one.felix.keep_offload_off()
        elif kind == "device made again":
            bound = [unit.name for unit in self.by_node[node] if unit.device]
            began = time.monotonic()
            self.windows.open(node, kind, ["agent", *bound], began)
            one.recreate_tunnel()
            self.windows.close(node, "agent", time.monotonic(), time.monotonic())
        else:
            with self._erasing(node):
                one.kube_proxy.start()
            one.kubelet.start()
            one.refresh_cni()

    def _sync(self, node: str) -> None:
        """A Service comes with one sync and goes with the next."""
        proxy = self.agents[node].kube_proxy
        if NEW in proxy.services:
            proxy.services.remove(NEW)
        else:
            proxy.services.append(NEW)
        with self._erasing(node):
            if isinstance(proxy, KubeProxySync):
                proxy.partial([NEW] if NEW in proxy.services else [])
            else:
                proxy.full()

    @contextlib.contextmanager
    def _erasing(self, node: str) -> Iterator[None]:
        """Every sync writes KUBE-POSTROUTING anew; a rule of ours in there is gone until the timer comes after it."""
        kept = [unit.name for unit in self.by_node[node] if unit.in_kube_chain]
        began = time.monotonic()
        if kept:
            self.erased += 1
            self.windows.open(node, "erased by a sync", kept, began)
        yield
        if kept:  # once more: a timer may have come while the sync was under way, and before it erased anything
            self.windows.open(node, "erased by a sync", kept, began)

    def _wait_for_windows(self) -> None:
        deadline = time.monotonic() + 30
        while self.windows.still_open() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _apply_again(self) -> None:
        """Where all is in force. A short run does not wait for that, it leaves such a node out."""
        if self.seconds >= story.SHORT:
            self._wait_for_windows()
        broken = {one.node for one in self.windows.still_open()}
        nodes = [node for node in story.again_on(self.nodes, self.seconds, self.happened["apply again"]) if node not in broken]
        self.happened["apply again"] += 1
        run = self.playbook("apply", nodes)
        if run.returncode != 0:
            self.changed_again.append(run.output[-2000:])
        self.changed_again += ["%s: %s" % (one["host"], one["task"]) for one in run.results if one["result"].get("changed")]

    def _settle(self) -> None:
        """Without queries: the last full syncs, then whatever a timer would keep, so that the fleet can be compared with what it was."""
        for node in self.nodes:
            one = self.agents[node]
            if NEW in one.kube_proxy.services:
                one.kube_proxy.services.remove(NEW)
            self._sync_all(one)
            for unit in self.by_node[node]:
                if unit.in_kube_chain:
                    self.systemd.start_unit(unit)
        self.tell("settled")

    @staticmethod
    def _sync_all(one: agents.Agents) -> None:
        """What a node comes to by itself: each agent has put its own in place and in its order."""
        one.kube_proxy.full()
        one.kubelet.sync()
        one.refresh_cni()

    def _sample(self) -> None:
        found = {node: resources.conntrack_entries(self.lab.state.pid(node)) for node in self.nodes}
        self.conntrack.append((time.monotonic() - self.started, found))

    def _wait_for_conntrack(self) -> None:
        """Until the longest of its time-outs is over; a node's own answers to revert's questions are among them."""
        self.idle = {}
        deadline = time.monotonic() + TRACKED + 15
        while time.monotonic() < deadline:
            self.idle = {node: resources.conntrack_entries(self.lab.state.pid(node)) for node in self.nodes}
            if not any(self.idle.values()):
                return
            time.sleep(1)

    def _look(self) -> dict[str, dict[str, Any]]:
        start = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            found = dict(zip(self.nodes, pool.map(lambda node: resources.look(self.lab, node), self.nodes)))
        self._took("look", start)
        return found

    def _controller(self) -> dict[str, int]:
        return resources.of_controller(self.lab.scratch, Path(os.environ["TMPDIR"]))

    def lost(self) -> Counter[str]:
        """Losses by where they fell; the control is not among them."""
        return Counter(place(one, self.windows.all) for one in self.stream.lost if one.node != self.control)

    def table(self) -> list[str]:
        """For the end of the test run."""
        sent = Counter(dict.fromkeys(("udp", "tcp"), 0))
        for (node, kind), count in self.stream.sent.items():
            sent[kind] += count if node != self.control else 0
        lost = self.lost()
        longest = {
            kind: max((one.length for one in self.windows.all if one.kind == kind), default=0.0)
            for kind in ("device made again", "erased by a sync")
        }
        lines = ["long run: %d nodes, %.0f s with queries, seed %d" % (len(self.nodes), self.ended - self.started, self.seed)]
        lines.append("  %-28s %s" % ("seconds of the playbooks", ", ".join(self.took)))
        lines += ["  %-28s %6d" % (kind, count) for kind, count in sorted(self.happened.items())]
        lines += ["  %-28s %6d" % ("units: " + kind, count) for kind, count in sorted(self.systemd.runs.items())]
        lines.append("  %-28s udp %d, tcp %d" % ("queries sent", sent["udp"], sent["tcp"]))
        for kind, seconds in longest.items():
            number = sum(one.kind == kind for one in self.windows.all)
            lines.append("  lost: %-22s %6d in %d windows, longest %.2f s" % (kind, lost[kind], number, seconds))
        lines.append("  lost: %-22s %6d" % ("in the 30 s after one", lost["tail"]))
        lines.append("  lost: %-22s %6d" % ("outside", lost["outside"]))
        most = max(sum(seen.values()) for _at, seen in self.conntrack)
        lines.append(
            "  %-28s most %d on one node, %d on all; %d when idle"
            % ("conntrack entries", self.most_conntrack(), most, sum(self.idle.values()))
        )
        looks = [self.before, self.applied, self.treated, self.after]
        for name in (*resources.COUNTED, "processes"):
            values = [sum(resources.counts(seen)[name] for seen in found.values()) for found in looks]
            lines.append("  %-28s %6d before, %d applied, %d at the end, %d reverted" % (name, *values))
        for name, value in self.controller_before.items():
            lines.append("  controller: %-16s %6d before, %d after" % (name, value, self.controller_after[name]))
        lines.append("  %-28s %6d, each with at most %d MiB of memory" % ("commands of units", self.systemd.commands, units_run.MEMORY_MIB))
        return lines

    def most_conntrack(self) -> int:
        return max(max(seen.values()) for _at, seen in self.conntrack)
