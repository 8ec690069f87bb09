# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of iptables rules as text for iptables-restore."""

from __future__ import annotations

import os
import subprocess

from .errors import LabError

BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}


class RuleSet:
    """Tables of chains of rules, in the order in which their owners wrote them."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[str]]] = {}

    def chain(self, table: str, name: str) -> list[str]:
        if table not in self.tables:
            self.tables[table] = {chain: [] for chain in BUILT_IN[table]}
        return self.tables[table].setdefault(name, [])

    def append(self, table: str, chain: str, *rules: str) -> None:
        self.chain(table, chain).extend(rules)

    def insert(self, table: str, chain: str, rule: str) -> None:
        self.chain(table, chain).insert(0, rule)

    def text(self) -> str:
        lines = []
        for table, chains in self.tables.items():
            lines.append("*" + table)
            for name in chains:
                lines.append(":%s %s [0:0]" % (name, "ACCEPT" if name in BUILT_IN[table] else "-"))
            for name, rules in chains.items():
                lines.extend("-A %s %s" % (name, rule) for rule in rules)
            lines.append("COMMIT")
        return "\n".join(lines) + "\n"


class Additions:
    """Rules to append to chains of one table that is loaded already; chains that do not exist are made."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.lines: list[str] = []
        self.chains: list[str] = []

    def append(self, chain: str, *rules: str) -> None:
        self.chains += [] if chain in self.chains else [chain]
        self.lines.extend("-A %s %s" % (chain, rule) for rule in rules)

    def load(self, pid: int, backend: str) -> None:
        # Naming a chain would flush it, so only the new ones are named.
        listed = subprocess.run(
            [*enter(pid), "iptables-" + backend, "-w", "30", "-t", self.table, "-S"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        made = [":%s - [0:0]" % chain for chain in self.chains if "-N %s\n" % chain not in listed]
        text = "\n".join(["*" + self.table, *made, *self.lines, "COMMIT", ""])
        _feed(pid, ["iptables-%s-restore" % backend, "-w", "30", "--noflush"], text)


def enter(pid: int) -> list[str]:
    """Command prefix that runs something as the node would. One that has booted a systemd has a /proc of its own processes."""
    own = os.stat("/proc/%d/ns/pid" % pid).st_ino != os.stat("/proc/self/ns/pid").st_ino
    return ["nsenter", "--target", str(pid), "--net", "--mount", "--uts", *(["--pid", "--ipc"] if own else []), "--"]


def restore(pid: int, backend: str, rules: RuleSet, program: str = "iptables") -> None:
    """Load all of it in one transaction, in the node."""
    _feed(pid, ["%s-%s-restore" % (program, backend), "-w", "30"], rules.text())


def load_nft(pid: int, text: str) -> None:
    _feed(pid, ["nft", "-f", "-"], text)


def _feed(pid: int, command: list[str], text: str) -> None:
    done = subprocess.run(enter(pid) + command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LabError("%s failed: %s" % (" ".join(command), done.stdout.strip()))
