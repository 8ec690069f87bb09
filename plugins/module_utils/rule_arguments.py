# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what a user passes on to iptables, before anything is run (pure)."""

import ipaddress
import re
from typing import Callable, Dict, List, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

CHAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,27}\Z")
INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}\+?\Z")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})\Z")
PORT = re.compile(r"[0-9]{1,5}\Z")
UNUSABLE = re.compile("[\0\n\r\ud800-\udfff]")
# the short options that belong to a rule; all others are commands or choose another table
RULE_OPTIONS = frozenset("psdjgiofm")
# commands and options of the whole program; --modprobe would even run a program of the caller's choice
PROGRAM_OPTIONS = (
    "append check delete delete-chain exact flush help insert line-numbers list list-rules modprobe "
    "new-chain numeric policy rename-chain replace table verbose version wait wait-interval zero"
).split()
# complete names of match options that getopt_long would otherwise take as an abbreviation of the above
MATCH_OPTIONS = frozenset(["pol"])


def _interface(value):  # type: (str) -> bool
    return bool(INTERFACE.match(value))


def _addresses(value):  # type: (str) -> bool
    for part in value.split(","):
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            return False
    return True


def _ports(value):  # type: (str) -> bool
    for part in value.split(","):
        ends = part.split(":")
        if len(ends) > 2 or not all(PORT.match(end) and int(end) <= 65535 for end in ends):
            return False
    return True


def _mark(value):  # type: (str) -> bool
    parts = value.split("/")
    return len(parts) <= 2 and all(
        NUMBER.match(part) and int(part, 0 if "x" in part.lower() else 10) < 1 << 32
        for part in parts
    )


KINDS = [
    (_interface, "an interface name", "-i -o --in-interface --out-interface"),
    (_addresses, "an address or CIDR", "-s -d --source --src --destination --dst"),
    (
        _ports,
        "a port or a range such as 1000:2000",
        "--dport --sport --destination-port --source-port --dports --sports --ports",
    ),
    (_mark, "a mark such as 0x4000/0x4000", "--mark --set-mark --set-xmark --xor-mark --or-mark --and-mark"),
]
CHECKS = {
    option: (check, expected) for check, expected, options in KINDS for option in options.split()
}  # type: Dict[str, Tuple[Callable[[str], bool], str]]


def chain_name(value):  # type: (str) -> str
    """The name of a chain: libxtables takes 28 characters."""
    if not CHAIN.match(value):
        raise NodeError(
            "chain name %r is not valid: up to 28 letters, digits, and _ . : - are" % value
        )
    return value


def _is_program_option(word):  # type: (str) -> bool
    if word.startswith("--"):
        name = word[2:].split("=")[0]
        return name not in MATCH_OPTIONS and any(
            option.startswith(name) for option in PROGRAM_OPTIONS
        )
    return len(word) != 2 or word[1] not in RULE_OPTIONS


def _check_value(option, value):  # type: (str, str) -> None
    check, expected = CHECKS[option]
    if not check(value):
        raise NodeError("rule: %s needs %s, not %r" % (option, expected, value))


def rule(words):  # type: (List[str]) -> List[str]
    """The rule's arguments, unchanged. Raises NodeError for what is no plain rule."""
    if not words:
        raise NodeError("rule is empty: give the arguments that follow the chain, such as -j ACCEPT")
    free = False  # the word is the text of a comment or a log prefix, which may look like an option
    option = ""
    for word in words:
        if UNUSABLE.search(word) or not word:
            raise NodeError("rule: the argument %r is empty, or has a line break, NUL or half a character" % word)
        if free:
            free = False
            continue
        if word.startswith("-") and word != "-":
            if _is_program_option(word):
                raise NodeError(
                    "rule: %s is no part of a rule: give matches and a target, each option and value an item"
                    % word
                )
            option, _equals, value = word.partition("=")
            if option in CHECKS and value:
                _check_value(option, value)
            free = word in ("--comment", "--log-prefix", "--nflog-prefix")
        elif word != "!":
            if option in CHECKS:
                _check_value(option, word)
            option = ""
    return words
