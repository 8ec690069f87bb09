# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a rule's match hold for a packet: true, false or maybe (None)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Address, Packet, Tri, network
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import Match, Option, Rule

ALL_BITS = 0xFFFFFFFF
# No more digits than the kernel's 64 bits have: int() alone takes thousands, and spaces and underlines among them.
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})\Z")
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp"}


@dataclass(frozen=True)
class Mark:
    """A packet's mark; bits in `unknown` can be either. And what rules have done to its connection tracking, for rules behind them.

    `tracking`: "untracked" (NOTRACK), "template" (CT with another option: NOTRACK does nothing any more, and raw sees NEW; xt_CT.c),
    "dnat" (a new destination), or nothing.
    """

    value: int = 0
    unknown: int = 0
    tracking: str = ""

    @property
    def bits(self) -> tuple[int, int]:
        """The mark alone."""
        return self.value, self.unknown

    def set(self, value: int, mask: int) -> Mark:
        """iptables' --set-xmark value/mask: new = (old & ~mask) ^ value."""
        unknown = self.unknown & ~mask & ALL_BITS
        return Mark(((self.value & ~mask) ^ value) & ALL_BITS & ~unknown, unknown, self.tracking)

    def equals(self, value: int, mask: int) -> Tri:
        """Whether mark & mask == value."""
        if value & ~mask:
            return False
        if (self.value ^ value) & mask & ~self.unknown:
            return False
        return None if self.unknown & mask else True

    def holding(self, value: int, mask: int) -> Mark:
        """The same mark when `equals(value, mask)` is known to hold."""
        return Mark((self.value & ~mask) | (value & mask), self.unknown & ~mask, self.tracking)

    def anything(self) -> Mark:
        """Any mark, on the same packet."""
        return Mark(0, ALL_BITS, self.tracking)


def negate(answer: Tri, negated: bool) -> Tri:
    """The answer, turned round when the option has an exclamation mark."""
    return answer if answer is None or not negated else not answer


def all_of(answers: Iterable[Tri]) -> Tri:
    """True when all are true, False when one is false, otherwise maybe."""
    result: Tri = True
    for answer in answers:
        if answer is False:
            return False
        result = None if answer is None else result
    return result


def number(text: str) -> Optional[int]:
    """A hexadecimal, octal or decimal number as iptables reads it, or None."""
    if not _NUMBER.match(text):
        return None
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text, 10)


def mark_and_mask(text: str) -> Optional[tuple[int, int]]:
    """`value[/mask]` as two numbers, or None."""
    value, slash, mask = text.partition("/")
    numbers = number(value), number(mask) if slash else ALL_BITS
    return None if numbers[0] is None or numbers[1] is None else (numbers[0], numbers[1])


def _protocol(packet: Packet, option: Option) -> Tri:
    wanted = _PROTOCOLS.get(option.value.lower(), option.value.lower())
    if wanted in ("all", "0"):
        return True
    if packet.protocol:
        return packet.protocol == wanted
    return None if wanted in ("tcp", "udp") else False


def _interface(name: str, others: tuple[str, ...], wanted: str) -> Tri:
    if wanted.endswith("+"):
        return name.startswith(wanted[:-1]) if name else None
    if name:
        return name == wanted
    return False if wanted in others else None


def _address(address: Address, text: str) -> Tri:
    answers = []
    for part in text.split(","):
        wanted = network(part)
        answers.append(None if wanted is None else address.within(wanted))
    if True in answers:
        return True
    return None if None in answers else False


def port_in(port: Optional[int], text: str) -> Tri:
    """Whether a port is in `53`, `1:1023` or a comma list of those."""
    if port is None:
        return True if text in ("0:65535", "1:65535") else None
    for part in text.split(","):
        low, colon, high = part.partition(":")
        first, last = number(low or "0"), number(high or "65535") if colon else number(low)
        if first is None or last is None:
            return None
        if first <= port <= last:
            return True
    return False


def _source_port(text: str) -> Tri:
    """The kernel takes the outer source port from the ephemeral range and applications do so for the inner."""
    return True if text in ("0:65535", "1:65535", "1024:65535") else None


def _basic(packet: Packet, option: Option) -> Tri:
    tests: dict[str, Callable[[], Tri]] = {
        "-p": lambda: _protocol(packet, option),
        "-s": lambda: _address(packet.source, option.value),
        "-d": lambda: _address(packet.destination, option.value),
        "-o": lambda: _interface(packet.out_interface, packet.other_interfaces, option.value),
        "-i": lambda: _in_interface(packet, option.value),
        "-f": lambda: False,
    }
    test = tests.get(option.name)
    return True if test is None else negate(test(), option.negated)


def _in_interface(packet: Packet, wanted: str) -> Tri:
    """The node's own packet came in by no interface; in POSTROUTING since Linux 5.7 the tunnel packet has the VXLAN device."""
    if packet.kind == "outer":
        return None if any(_interface(name, (), wanted) for name in packet.other_interfaces) else False
    return False if packet.source_is_local else None


def _ports(packet: Packet, option: Option) -> Tri:
    if option.name in ("--dport", "--dports", "--destination-port", "--destination-ports"):
        return port_in(packet.destination_port, option.value)
    if option.name in ("--sport", "--sports", "--source-port", "--source-ports"):
        return _source_port(option.value)
    return None


def _addrtype(packet: Packet, match: Match) -> Tri:
    names = {option.name for option in match.options}
    if "--limit-iface-in" in names:
        return None
    limited = "--limit-iface-out" in names
    answers: list[Tri] = []
    for option in match.options:
        types = option.value.upper().split(",")
        if option.name == "--src-type":
            answers.append(negate(_source_type(packet, types, limited), option.negated))
        elif option.name == "--dst-type":
            # Both packets go to another node.
            answers.append(negate("UNICAST" in types, option.negated))
    return all_of(answers) if answers else None


def _source_type(packet: Packet, types: list[str], limited: bool) -> Tri:
    """A local address of another device is UNICAST where the device counts (inet_dev_addr_type)."""
    local = packet.source_on_out_interface if limited and packet.source_is_local else packet.source_is_local
    if local is None:
        return ("LOCAL" in types) if ("LOCAL" in types) == ("UNICAST" in types) else None
    return ("LOCAL" if local else "UNICAST") in types


def _set(packet: Packet, option: Option) -> Tri:
    """Sets whose meaning is known by their name; node addresses are taken to be outside all IP pools, those of VXLAN devices inside."""
    name = option.value
    direction = option.values[1] if len(option.values) > 1 else ""
    if re.match(r"KUBE-(6-)?LOOP-BACK\Z", name):
        return False  # a pod that reaches itself through its Service never leaves the node
    if not re.match(r"cali[46][0-9a-z]*(all|masq)-ipam", name) or direction not in ("src", "dst"):
        return None
    if packet.kind == "outer":
        return False
    if direction == "dst":
        return not packet.asks_service
    return packet.source_on_out_interface if packet.source_is_local else True


def _conntrack(packet: Packet, mark: Mark, option: Option) -> Tri:
    states = option.value.upper().split(",")
    if option.name not in ("--ctstate", "--state"):
        return None
    state = _state(packet, mark)
    if state in states:  # NEW: nat is asked for the first packet of a flow only
        return True
    if state in ("INVALID", "UNTRACKED"):
        return False
    if "DNAT" in states and packet.translated:
        return True
    return None if "SNAT" in states or "DNAT" in states and mark.tracking == "dnat" else False


def _state(packet: Packet, mark: Mark) -> str:
    if mark.tracking == "untracked":
        return "UNTRACKED"
    return "NEW" if mark.tracking == "template" and packet.state == "INVALID" else packet.state


def _policy(match: Match) -> Tri:
    wanted = next((option.value for option in match.options if option.name == "--pol"), "")
    return True if wanted == "none" else None


def _mark(mark: Mark, option: Option) -> Tri:
    wanted = mark_and_mask(option.value)
    return None if option.name != "--mark" or wanted is None else mark.equals(*wanted)


def evaluate_match(match: Match, packet: Packet, mark: Mark) -> Tri:
    """One match of a rule against the packet and its present mark."""
    if match.module == "comment":
        return True
    if match.module == "addrtype":
        return _addrtype(packet, match)
    if match.module == "policy":
        return _policy(match)
    tests: dict[str, Callable[[Option], Tri]] = {
        "": lambda option: _basic(packet, option),
        "mark": lambda option: negate(_mark(mark, option), option.negated),
        "udp": lambda option: negate(_ports(packet, option), option.negated),
        "tcp": lambda option: negate(_ports(packet, option), option.negated),
        "multiport": lambda option: negate(_ports(packet, option), option.negated),
        "set": lambda option: negate(_set(packet, option), option.negated),
        "conntrack": lambda option: negate(_conntrack(packet, mark, option), option.negated),
        "state": lambda option: negate(_conntrack(packet, mark, option), option.negated),
        "physdev": lambda option: negate(False if "bridged" in option.name else None, option.negated),
    }
    test = tests.get(match.module)
    if test is None:
        return None
    if match.module in ("udp", "tcp") and packet.protocol and packet.protocol != match.module:
        return False
    return all_of(test(option) for option in match.options)


def evaluate(rule: Rule, packet: Packet, mark: Mark) -> Tri:
    """Whether all matches of the rule hold."""
    if rule.broken:
        return None
    return all_of(evaluate_match(match, packet, mark) for match in rule.matches)


def refined(rule: Rule, packet: Packet, mark: Mark) -> tuple[Mark, Mark]:
    """The mark when a "maybe" rule matched, and when it did not.

    Only a rule whose single doubt is one mark match says something about the bits.
    """
    doubts = [m for m in rule.matches if evaluate_match(m, packet, mark) is None]
    if len(doubts) != 1 or doubts[0].module != "mark" or len(doubts[0].options) != 1:
        return mark, mark
    option = doubts[0].options[0]
    wanted = mark_and_mask(option.value)
    if option.name != "--mark" or wanted is None:
        return mark, mark
    value, mask = wanted
    holding = mark.holding(value, mask)
    single = bin(mask).count("1") == 1
    other = mark.holding(value ^ mask, mask) if single else mark
    return (other, holding) if option.negated else (holding, other)
