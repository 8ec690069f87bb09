# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes with a systemd of their own, each with its remedy: what they are, and how a test reaches them."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promises
import watching

from lab import agents, ruleset, systemd_node, traffic

BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}
TABLES = ("raw", "mangle", "filter", "nat")
# node: its remedy. The older kube-proxy (1.18.5) writes everything at each sync, the newer one (1.28.3) syncs partially.
OLDER, NEWER = "pre_fix_kube_proxy", "fixed_kube_proxy_calico_first"
REMEDIES = {
    OLDER + "_nft": "service_route",
    OLDER + "_legacy": "masquerade_without_random",
    NEWER + "_nft": "clear_mark",
    NEWER + "_legacy": "notrack",
    OLDER + "_nft_2": "underlay_accept",
    OLDER + "_legacy_2": "kube_postrouting_detached",
    NEWER + "_nft_2": "tx_checksum_off",
    NEWER + "_legacy_2": "kube_postrouting_detached",
}
# A firewall's service as firewalld's: it flushes everything when it starts and when it is loaded again.
FIREWALL = """[Unit]
Description=A firewall that takes its time
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sleep 0.5
ExecStart=/bin/sh /etc/lab-firewall.sh
ExecReload=/bin/sh /etc/lab-firewall.sh

[Install]
WantedBy=multi-user.target
"""
FLUSH = """for table in raw mangle filter nat; do
  {iptables} -w 30 -t $table -F && {iptables} -w 30 -t $table -X
done
"""


@dataclass
class Nodes:
    """Booted nodes, each with its remedy. `measured`: the worst outage by remedy and event."""

    lab: Any
    remedies: Mapping[str, str]
    saved: dict[str, str] = field(default_factory=dict)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def state(self) -> Any:
        return self.lab.state

    def each(self, act: Callable[[str], Any], over: dict[str, float]) -> None:
        """Do it on all nodes side by side; `over` gets the moment at which it was over on each."""

        def timed(node: str) -> None:
            act(node)
            over[node] = time.monotonic()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(timed, self.remedies))

    def run(self, node: str, *argv: str, check: bool = True) -> str:
        return str(self.lab.run(node, *argv, check=check))

    def iptables(self, node: str) -> str:
        return "iptables-" + self.state.nodes[node]["backend"]

    def packets(self) -> dict[str, dict[str, str]]:
        seen = traffic.ask(self.state, list(self.remedies))["nodes"]
        return {node: {kind: seen[node][kind]["result"] for kind in ("udp", "tcp")} for node in self.remedies}

    def playbook(self, name: str) -> Any:
        overlay = self.lab.scratch / "remedies.json"
        hosts = {node: {"workaround_method": method} for node, method in self.remedies.items()}
        overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        settings = {
            "vxlan_offload_report_dir": str(self.lab.scratch / "report"),
            "workaround_accept_risk": True,
            "workaround_service_cidr": "10.96.0.0/12",
        }
        run = self.lab.playbook("kubenet.vxlan_offload." + name, "-i", str(overlay), "--forks", "10", variables=settings)
        assert run.returncode == 0, run.output
        return run

    def agents(self, node: str) -> agents.Agents:
        return agents.of(self.state, node)

    def rules_again(self, node: str) -> None:
        """After a flush: the agents look at their rules, not at their routes."""
        found = self.agents(node)
        found.kubelet.start()
        found.kube_proxy.start()
        found.felix.refresh_rules()  # type: ignore[union-attr]

    def go_through(self, event: str, act: Callable[[str], Any]) -> dict[str, watching.Seen]:
        """The event on all nodes; then what packets say. Keeps the worst of each remedy."""
        longest = max(promises.promised(method, event) for method in self.remedies.values()) + 8.0
        since: dict[str, float] = {}
        stop = threading.Event()
        with ThreadPoolExecutor(1) as watcher:
            watched = watcher.submit(watching.watch, self.state, since, len(self.remedies), longest, stop)
            try:
                self.each(act, since)
            except BaseException:
                stop.set()
                raise
            seen = watched.result()
        for node, method in self.remedies.items():
            worst = self.measured.setdefault(method, {})
            worst[event] = max(worst.get(event, 0.0), seen[node].outage())
        return seen


def boot(state: Any, nodes: Iterable[str]) -> None:
    for node in nodes:
        systemd_node.power_on(state, node)
    for node in nodes:
        assert systemd_node.booted(state, node) == "running", failed_units(state, node)


def failed_units(state: Any, node: str) -> str:
    command = [*ruleset.enter(state.pid(node)), "systemctl", "--failed", "--no-legend", "--plain"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def put(state: Any, node: str, path: str, text: str) -> None:
    Path("/proc/%d/root%s" % (state.pid(node), path)).write_text(text, encoding="utf-8")
