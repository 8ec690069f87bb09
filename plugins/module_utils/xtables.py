# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask and change one iptables program; an error is never mistaken for an answer (pure but for run)."""

import os
import re
from typing import List, NamedTuple, Optional, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import (
    NOT_FOUND,
    TIMED_OUT,
    Result,
    Run,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import (
    NodeError,
    one_line,
)

LOCK = re.compile(r"holding the xtables lock|temporarily unavailable.*lock", re.I | re.S)
NO_CHAIN = "No chain/target/match by that name"
NO_RULE = "does a matching rule exist"
INCOMPATIBLE = re.compile(r"is incompatible, use 'nft' tool")

# every table of the packet's way out has this chain
PROBE_CHAIN = "OUTPUT"

Tool = NamedTuple("Tool", [("path", str), ("backend", str), ("version", Tuple[int, ...])])
Table = NamedTuple("Table", [("tool", Tool), ("name", str), ("wait", int), ("run", Run)])


def waiting(tool, seconds):  # type: (Tool, int) -> List[str]
    """Arguments to wait for the lock: -w came in 1.4.20, its number in 1.6.0 (iptables git history)."""
    if tool.version >= (1, 6, 0):
        return ["-w", str(seconds)]
    return ["-w"] if tool.version >= (1, 4, 20) else []


def call(table, arguments):  # type: (Table, List[str]) -> Result
    """Run the tool on the table. Raises NodeError when the lock is not to be had."""
    argv = [table.tool.path] + waiting(table.tool, table.wait) + ["-t", table.name] + arguments
    code, out, err = table.run(argv)
    if code == TIMED_OUT or (code == 4 and LOCK.search(err)):
        raise NodeError(
            "another program holds the xtables lock for %d s: run again, or find it with fuser /run/xtables.lock"
            % table.wait
        )
    if code == NOT_FOUND:
        raise NodeError("%s is not there: install the iptables package" % table.tool.path)
    return code, out, err


def failure(table, what, result):  # type: (Table, str, Result) -> NodeError
    """An error of the tool as one line."""
    code, out, err = result
    return NodeError(
        "%s -t %s: %s failed with return code %d: %s"
        % (table.tool.path, table.name, what, code, one_line(err or out) or "no message")
    )


def parse_rules(chain, out):  # type: (str, str) -> Optional[List[str]]
    """The rules that -S CHAIN printed; None when the output does not begin with the chain itself."""
    head = ("-P %s " % chain, "-N %s" % chain)
    if not any(line.startswith(head) for line in out.splitlines()):
        return None
    prefix = "-A %s" % chain
    return [
        line[len(prefix) :].strip()
        for line in out.splitlines()
        if line == prefix or line.startswith(prefix + " ")
    ]


def _chain_is_missing(table, chain):  # type: (Table, str) -> bool
    """iptables-nft 1.8.9 says "incompatible" for a missing chain too; a jump to it tells them apart."""
    code, _out, err = call(table, ["-C", PROBE_CHAIN, "-j", chain])
    return code == 2 and ("does not exist" in err or "Couldn't load target" in err)


def rules_of(table, chain):  # type: (Table, str) -> Optional[List[str]]
    """The rules of a chain as printed, without "-A CHAIN"; None when there is no such chain."""
    result = call(table, ["-S", chain])
    code, out, err = result
    if INCOMPATIBLE.search(out + err):
        if _chain_is_missing(table, chain):
            return None
        family = "ip6" if os.path.basename(table.tool.path).startswith("ip6") else "ip"
        raise NodeError(
            "chain %s of table %s has rules that %stables cannot show: remove what nft(8) added, see nft list chain %s %s %s"
            % (chain, table.name, family, family, table.name, chain)
        )
    if code == 1 and NO_CHAIN in err:
        return None
    rules = parse_rules(chain, out) if code == 0 else None
    if rules is None:
        raise failure(table, "-S %s" % chain, result)
    return rules


def has_rule(table, chain, rule):  # type: (Table, str, List[str]) -> bool
    """Whether the rule is in the chain, by the tool's own comparison."""
    result = call(table, ["-C", chain] + rule)
    code, _out, err = result
    if code == 0:
        return True
    if code == 1 and (NO_RULE in err or NO_CHAIN in err):
        return False
    raise failure(table, "looking for the rule in chain %s" % chain, result)


def change(table, arguments):  # type: (Table, List[str]) -> None
    """Run one -I or -D."""
    result = call(table, arguments)
    if result[0] != 0:
        raise failure(table, " ".join(arguments[:2]), result)
