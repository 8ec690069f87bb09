# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a rule in kube-proxy's nftables table, as the same Rule that iptables text gives.

Only what kube-proxy writes is understood (both spellings of old and new nft: `and` and `&`); the rest becomes
a rule with `broken` set, which the walk treats as "maybe".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import LONGEST_RULE, Match, Option, Rule, Target

_MARK = r"(?:meta )?mark"
_NUMBER = r"(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})"
_NOISE = re.compile(r'counter(?: packets \d+ bytes \d+)?|comment "[^"]*"|# handle \d+\Z')
_MASKED_MARK = re.compile(rf"{_MARK} (?:&|and) {_NUMBER} (==|!=) {_NUMBER}(?= |\Z)")
_PLAIN_MARK = re.compile(rf"{_MARK} (==|!=)? ?{_NUMBER}(?= |\Z)")
_SET_MARK = re.compile(rf"{_MARK} set (?:{_MARK} (\^|xor|\||or|&|and) )?{_NUMBER}(?= |\Z)")
_INTERFACE = re.compile(r'(oif|oifname|iif|iifname) (!= )?"([^"]+)"(?= |\Z)')
_ADDRESS = re.compile(r"ip6? (saddr|daddr) (!= )?([0-9a-f.:]+(?:/[0-9]+)?)(?= |\Z)")
_JUMP = re.compile(r"(jump|goto) ([A-Za-z0-9_./-]+)(?= |\Z)")
_NAT = re.compile(r"masquerade(?: to :[0-9-]+)?(?:[ ,](?:fully-random|random|persistent))*(?= |\Z)")
_VERDICT = re.compile(r"(return|accept|drop|continue)(?= |\Z)")


def _number(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(text)


def _mark_match(value: int, mask: int, negated: bool) -> Match:
    return Match("mark", (Option("--mark", (f"{value:#x}/{mask:#x}",), negated),))


def _set_mark(operator: Optional[str], number: int) -> Target:
    """`meta mark set ...` as iptables' --set-xmark value/mask: new = (old & ~mask) ^ value."""
    everything = 0xFFFFFFFF
    value, mask = {
        "^": (number, 0), "xor": (number, 0), "|": (number, number), "or": (number, number),
        "&": (0, everything & ~number), "and": (0, everything & ~number),
    }.get(operator or "", (number, everything))  # fmt: skip
    return Target("MARK", (Option("--set-xmark", (f"{value:#x}/{mask:#x}",)),))


def _read_match(text: str) -> tuple[Optional[Match], int]:
    """The match at the start of the text and its length."""
    found = _MASKED_MARK.match(text)
    if found:
        mask, sign, value = _number(found.group(1)), found.group(2), _number(found.group(3))
        return _mark_match(value, mask, sign == "!="), found.end()
    found = _PLAIN_MARK.match(text)
    if found:
        return _mark_match(_number(found.group(2)), 0xFFFFFFFF, found.group(1) == "!="), found.end()
    found = _INTERFACE.match(text)
    if found:
        name = "-o" if found.group(1).startswith("oif") else "-i"
        return Match("", (Option(name, (found.group(3).replace("*", "+"),), bool(found.group(2))),)), found.end()
    found = _ADDRESS.match(text)
    if found:
        name = "-s" if found.group(1) == "saddr" else "-d"
        return Match("", (Option(name, (found.group(3),), bool(found.group(2))),)), found.end()
    return None, 0


def _read_target(text: str) -> tuple[Optional[Target], int]:
    """The statement at the start of the text and its length."""
    found = _SET_MARK.match(text)
    if found:
        return _set_mark(found.group(1), _number(found.group(2))), found.end()
    found = _JUMP.match(text)
    if found:
        return Target(found.group(2), goto=found.group(1) == "goto"), found.end()
    found = _NAT.match(text)
    if found:
        flags = {"fully-random": "--random-fully", "random": "--random"}
        words = re.split(r"[ ,]", found.group(0))
        return Target("MASQUERADE", tuple(Option(flags[word]) for word in words if word in flags)), found.end()
    found = _VERDICT.match(text)
    if found:
        names = {"return": "RETURN", "accept": "ACCEPT", "drop": "DROP", "continue": "CONTINUE"}
        return Target(names[found.group(1)]), found.end()
    return None, 0


@lru_cache(maxsize=4096)
def parse_nft_rule(text: str) -> Rule:
    """Read one rule as `nft list chain` prints it."""
    if len(text) > LONGEST_RULE:
        return Rule(broken=text)
    rest = _NOISE.sub("", text).strip()
    matches: list[Match] = []
    targets: list[Target] = []
    while rest:
        target, length = _read_target(rest)
        if target is not None:
            targets.append(target)
        else:
            match, length = _read_match(rest)
            if match is None or targets:
                return Rule(broken=text)
            matches.append(match)
        rest = rest[length:].strip()
    return Rule(tuple(matches), tuple(targets))
