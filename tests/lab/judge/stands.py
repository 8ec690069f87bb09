# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that rule sets are loaded on one after the other, and the transcript of it that the probe would print.

Running the probe for each rule set would cost 75 ms. Its sections about the node itself are kept, those about rules are made of
iptables-save, which prints the same text as `iptables -S`; now and then the real probe must agree (`probed`).
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any

from ground import Ground, Node, build_node, run_in
from rule_sets import BACKENDS, RuleSet, Tables, restore_text
from sight import Eyes, Seen

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from lab import addresses as ip
from lab.namespaces import network_of
from lab.offload import ETHTOOL_STXCSUM, SIOCETHTOOL
from lab.ruleset import BUILT_IN

PROBE = (Path(__file__).resolve().parents[3] / "plugins/plugin_utils/probe.sh").read_text(encoding="utf-8")
TABLES = ("raw", "mangle", "filter", "nat")
_NATIVE_CHAINS = ("nat-postrouting", "masquerading", "mark-for-masquerade", "nat-output")
# iptables-legacy takes one lock for the whole machine. Each worker has namespaces of its own; so it has a lock of its own, without a name.
_LOCK = tempfile.TemporaryFile()  # noqa: SIM115


class Stand:
    """A node of one backend or of two; see rule_sets.STANDS."""

    def __init__(self, ground: Ground, kind: str, device: str, place: int) -> None:
        self.kind = kind
        self.node: Node = build_node(ground, device, place)
        self.eyes = Eyes(ground, self.node)
        # The chains that are loaded, by backend and table, without the built-in ones.
        self._loaded: dict[str, dict[str, list[str]]] = {"nft": {}, "legacy": {}}
        self._offload = True
        self._register()
        self._head, self._tail = self._frame()

    def close(self) -> None:
        self.eyes.close()

    def run(self, *command: str, text: str = "") -> str:
        return run_in(self.node.pid, *command, text=text, lock="/proc/%d/fd/%d" % (os.getpid(), _LOCK.fileno()))

    def _register(self) -> None:
        """nat's chains of both backends, the one that the kernel shall ask first last (and so does legacy's stay for good)."""
        if "native" in self.kind:
            return
        for backend in reversed(BACKENDS[self.kind]):
            self._restore(backend, {table: {} for table in TABLES})

    def _restore(self, backend: str, tables: Tables) -> None:
        """These tables, and what an earlier rule set left in others is emptied."""
        wanted = {**{table: {} for table in self._loaded[backend]}, **tables}
        before = self._loaded[backend]
        if (self.kind, backend) == ("legacy_then_nft", "nft") and before:
            # iptables-nft-restore registers a table's chains anew, `-X` those that are empty; what is registered last is asked first.
            emptied = {
                table: ["-F", *("-X " + name for name in chains if name not in wanted.get(table, {}))] for table, chains in before.items()
            }
            text = re.sub(r"(?m)^\*(.*)$", lambda found: "\n".join([found[0], *emptied.get(found[1], [])]), restore_text(wanted))
            self.run("iptables-nft-restore", "-w", "30", "--noflush", text=text)
        else:
            self.run("iptables-%s-restore" % backend, "-w", "30", text=restore_text(wanted))
        own = {table: [name for name in chains if name not in BUILT_IN[table]] for table, chains in wanted.items()}
        # What is empty need not be emptied again; legacy's tables cost nothing and nft's first ones hold the order.
        keep = backend == "legacy" or self.kind == "legacy_then_nft"
        self._loaded[backend] = {table: names for table, names in own.items() if keep or table in tables}

    def load(self, rule_set: RuleSet) -> None:
        """Put it in place of the one before."""
        self._set_offload(rule_set.offload)
        native = "table ip kube-proxy\ndelete table ip kube-proxy\n" + rule_set.native
        if self.kind == "nft_then_native":
            # The table that is registered last is asked first.
            self.run("nft", "-f", "-", text="table ip nat\ndelete table ip nat\n" + native)
        for backend in BACKENDS[self.kind]:
            self._restore(backend, rule_set.rules[backend])
        if self.kind == "native_then_nft":
            self.run("nft", "-f", "-", text=native)

    def _set_offload(self, on: bool) -> None:
        if on == self._offload:
            return
        request = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, int(on)))
        with network_of(self.node.pid), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            fcntl.ioctl(channel, SIOCETHTOOL, struct.pack("16sP", self.node.tunnel.name.encode(), request.buffer_info()[0]))
        self._offload = on

    def look(self) -> dict[str, Seen | None]:
        return self.eyes.look()

    def _frame(self) -> tuple[str, str]:
        """The real transcript of this node: all before the rules, and what follows them."""
        text = self.run("sh", text=PROBE)
        mark = self._word = text.splitlines()[0].split()[-1]
        sections = re.split(r"(?m)^(?=%s (?:begin|complete))" % re.escape(mark), text)
        kept = [one for one in sections if not re.match(r"\S+ (begin (chain|legacy|lookup)|complete)", one)]
        route = self.run("ip", "route", "get", ip.DNS_SERVICE)
        return "".join(kept), self._section("lookup " + ip.DNS_SERVICE, route) + "%s complete\n" % mark

    def _section(self, name: str, text: str, code: int = 0) -> str:
        return "%s begin %s\n%s\n%s end %s %d\n" % (self._word, name, text.rstrip("\n"), self._word, name.split(" ")[0], code)

    def facts(self) -> dict[str, Any]:
        """What the probe and the transcript's parser make of the rules that are loaded now."""
        backends = BACKENDS[self.kind]
        rules = [self._nft() if "nft" in backends else self._nft_chains({}), *([self._legacy()] if "legacy" in backends else [])]
        text = self._head + "".join(rules) + self._native() + self._tail
        found: dict[str, Any] = dict(parse(text))
        feature = found["vxlan"]["devices"][0]["features"]["tx-checksum-ip-generic"]
        feature.update(active=self._offload, requested=self._offload)
        return found

    def probed(self) -> dict[str, Any]:
        """The same by the real probe."""
        return dict(parse(self.run("sh", text="subset='netfilter vxlan routes'\n" + PROBE)))

    def _legacy(self) -> str:
        text = self.run("iptables-legacy-save")
        return self._section("legacy", text + "#rc 0")

    def _nft(self) -> str:
        tables: dict[str, dict[str, list[str]]] = {}
        current: dict[str, list[str]] = {}
        for line in self.run("iptables-nft-save").splitlines():
            if line.startswith("*"):
                current = tables.setdefault(line[1:], {})
            elif line.startswith(":"):
                name, policy = line[1:].split(" ")[:2]
                current[name] = ["-N " + name if policy == "-" else "-P %s %s" % (name, policy)]
            elif line.startswith("-A "):
                current[line.split(" ")[1]].append(line)
        return self._nft_chains(tables)

    def _nft_chains(self, tables: dict[str, dict[str, list[str]]]) -> str:
        roots = {
            "raw": ["OUTPUT"],
            "mangle": ["OUTPUT", "POSTROUTING"],
            "filter": ["OUTPUT"],
            "nat": ["OUTPUT", "POSTROUTING", "PREROUTING"],
        }
        sections = []
        for table, names in roots.items():
            chains = {**{name: ["-P %s ACCEPT" % name] for name in names}, **tables.get(table, {})}
            sections += [self._section("chain nft %s %s" % (table, name), "\n".join(lines)) for name, lines in chains.items()]
        return "".join(sections)

    def _native(self) -> str:
        if "native" not in self.kind:
            return self._section("chain nftables kube-proxy nat-postrouting", "Error: No such file or directory", 1)
        listed = self.run("nft", "list", "table", "ip", "kube-proxy")
        chains = {name: "\tchain %s {%s\t}" % (name, body) for name, body in re.findall(r"(?ms)^\tchain (\S+) \{(.*?)^\t\}", listed)}
        return "".join(
            self._section("chain nftables kube-proxy " + name, "table ip kube-proxy {\n%s\n}" % chains[name]) for name in _NATIVE_CHAINS
        )


class Stands:
    """The stands of one worker, made when the first rule set asks for them."""

    def __init__(self) -> None:
        self._ground = Ground()
        self._stands: dict[tuple[str, str], Stand] = {}

    def __enter__(self) -> Stands:
        self._ground.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for stand in self._stands.values():
            stand.close()
        self._ground.__exit__(*error)

    def of(self, rule_set: RuleSet) -> Stand:
        key = (rule_set.stand, rule_set.device)
        if key not in self._stands:
            self._stands[key] = Stand(self._ground, *key, 20 + len(self._stands))
        return self._stands[key]
