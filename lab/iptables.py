# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iptables as Kubernetes' own wrapper calls it (pkg/util/iptables): the same commands, flags and order.

A node's rules are changed by many programs side by side, so the calls of each stand-in go through the same kernel interface and
wait for the same xtables lock as the real ones do.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import LabError
from .ruleset import BUILT_IN, enter

WAIT = ("-w", "5", "-W", "100000")  # since iptables 1.6.2
_NOT_THERE = 1


@dataclass(frozen=True)
class Iptables:
    """One backend of one node. `backend`: nft or legacy."""

    pid: int
    backend: str

    def _run(self, *words: str) -> int:
        program = "iptables-" + self.backend
        done = subprocess.run(
            [*enter(self.pid), program, *WAIT, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode not in (0, _NOT_THERE):
            raise LabError("%s %s failed: %s" % (program, " ".join(words), done.stdout.strip()))
        return done.returncode

    def ensure_chain(self, table: str, chain: str) -> None:
        """-N, where 1 means that the chain is there already."""
        self._run("-N", chain, "-t", table)

    def has_chain(self, table: str, chain: str) -> bool:
        return self._run("-S", chain, "-t", table) == 0

    def has_rule(self, table: str, chain: str, rule: str) -> bool:
        return self._run("-C", chain, "-t", table, *shlex.split(rule)) == 0

    def ensure_rule(self, table: str, chain: str, rule: str, prepend: bool) -> bool:
        """-C, then -I or -A: a rule that is anywhere in the chain is left where it is. True when it was written."""
        if self.has_rule(table, chain, rule):
            return False
        if self._run("-I" if prepend else "-A", chain, "-t", table, *shlex.split(rule)) != 0:
            raise LabError("cannot add to %s in %s: %s" % (chain, table, rule))
        return True

    def delete_rule(self, table: str, chain: str, rule: str) -> None:
        """-C, then -D."""
        if self.has_rule(table, chain, rule):
            self._run("-D", chain, "-t", table, *shlex.split(rule))

    def save(self, table: str) -> dict[str, list[str]]:
        """iptables-save: each chain and its rules, without -A CHAIN."""
        command = [*enter(self.pid), "iptables-%s-save" % self.backend, "-t", table]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        chains: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            if line.startswith(":"):
                chains[line[1:].split(" ", 1)[0]] = []
            elif line.startswith("-A "):
                _append, chain, rule = line.split(" ", 2)
                chains.setdefault(chain, []).append(rule)
        return chains

    def restore(self, text: str, *flags: str) -> None:
        """iptables-restore --noflush: a chain that is named in a line with : is flushed, all others stay as they are."""
        program = "iptables-%s-restore" % self.backend
        command = [*enter(self.pid), program, *flags]
        done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise LabError("%s failed: %s" % (program, done.stdout.strip()))


def transaction(table: str, chains: dict[str, Sequence[str]], delete: Sequence[str] = ()) -> str:
    """Input for restore(): these chains are flushed and written anew, those of `delete` are flushed and removed."""
    lines = ["*" + table, *(":%s - [0:0]" % chain for chain in [*chains, *delete])]
    for chain, rules in chains.items():
        lines.extend("-A %s %s" % (chain, rule) for rule in rules)
    return "\n".join([*lines, *("-X " + chain for chain in delete), "COMMIT", ""])


def seen_tables(iptables: Iptables) -> dict[str, dict[str, list[str]]]:
    """What iptables-save shows of all tables. A built-in chain without rules is the same as one that is not there."""
    kept = {}
    for table, built_in in BUILT_IN.items():
        chains = {chain: rules for chain, rules in iptables.save(table).items() if rules or chain not in built_in}
        if chains:
            kept[table] = chains
    return kept
