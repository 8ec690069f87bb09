# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule text to rules and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.nft_rules import parse_nft_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import (
    Match,
    Option,
    Rule,
    Target,
    parse_rule,
    print_rule,
    rule_arguments,
    rule_text,
)

from . import build as b

ALL_RULES = sorted(
    {text for path in b.RULES.glob("*.rules") for chains in b.saved(path.stem).values() for texts in chains.values() for text in texts}
)

PARSED = [
    ("-j ACCEPT", Rule((), (Target("ACCEPT"),))),
    ("-o eth0 -j ACCEPT", Rule((Match("", (Option("-o", ("eth0",)),)),), (Target("ACCEPT"),))),
    ("! -s 10.0.0.0/8 -g A", Rule((Match("", (Option("-s", ("10.0.0.0/8",), True),)),), (Target("A", goto=True),))),
    ("-s ! 10.0.0.0/8", Rule((Match("", (Option("-s", ("10.0.0.0/8",), True),)),))),
    (
        '-m comment --comment "a \\"b\\" -j C" -j D',
        Rule((Match("comment", (Option("--comment", ('a "b" -j C',)),)),), (Target("D"),)),
    ),
    (
        "-p udp --dport 53 -j NOTRACK",
        Rule(
            (Match("", (Option("-p", ("udp",)),)), Match("udp", (Option("--dport", ("53",)),))),
            (Target("NOTRACK"),),
        ),
    ),
    (
        "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL",
        Rule(
            (
                Match("addrtype", (Option("--src-type", ("LOCAL",), True), Option("--limit-iface-out"))),
                Match("addrtype", (Option("--src-type", ("LOCAL",)),)),
            )
        ),
    ),
    (
        "-m mark ! --mark 0x4000/0x4000 -j RETURN",
        Rule((Match("mark", (Option("--mark", ("0x4000/0x4000",), True),)),), (Target("RETURN"),)),
    ),
    (
        "-m set --match-set A dst,dst,src -j MASQUERADE --to-ports 1-2 --random-fully",
        Rule(
            (Match("set", (Option("--match-set", ("A", "dst,dst,src")),)),),
            (Target("MASQUERADE", (Option("--to-ports", ("1-2",)), Option("--random-fully"))),),
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), PARSED)
def test_parse(text: str, expected: Rule) -> None:
    assert parse_rule(text) == expected


BROKEN = ['-m comment --comment "open', "-j", "word", "-j A -j B", "-s 1.2.3.4 --orphan", "-m", "! !", "-p udp --comment"]


@pytest.mark.parametrize("text", BROKEN)
def test_broken_text_is_kept_and_said_to_be_broken(text: str) -> None:
    assert parse_rule(text) == Rule(broken=text)


@pytest.mark.parametrize("text", ALL_RULES)
def test_recorded_rules_print_as_they_were(text: str) -> None:
    assert print_rule(parse_rule(text)) == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text(alphabet='-!"\\ ajmspo4.', max_size=40))
def test_parsing_what_was_printed_gives_the_same_rule(text: str) -> None:
    rule = parse_rule(text)
    assert parse_rule(print_rule(rule)) == rule


WORDS = st.sampled_from(
    ["-p", "udp", "-m", "mark", "--mark", "0x4000/0x4000", "!", "-j", "-g", "MARK", "--set-xmark", "comment", "--comment", "a b", '"', "-4"]
)


@given(st.lists(WORDS, max_size=12))
def test_words_of_rules_in_any_order_are_read_back(words: list[str]) -> None:
    rule = parse_rule(" ".join(words))
    assert parse_rule(print_rule(rule)) == rule


@given(st.lists(st.text(alphabet="abc 10.'\"\\$%", min_size=1, max_size=8), max_size=5))
def test_arguments_survive_the_way_through_text(words: list[str]) -> None:
    assert rule_arguments(rule_text(words)) == words


NFT = [
    ("jump masquerading", "-j masquerading"),
    ("goto masquerading", "-g masquerading"),
    ("meta mark & 0x00004000 == 0x00000000 return", "-m mark --mark 0x0/0x4000 -j RETURN"),
    ("mark and 0x4000 == 0x0 return", "-m mark --mark 0x0/0x4000 -j RETURN"),
    ("meta mark & 0x00004000 != 0x00004000 return", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
    ("meta mark 0x4000 return", "-m mark --mark 0x4000/0xffffffff -j RETURN"),
    ("meta mark set meta mark ^ 0x00004000", "-j MARK --set-xmark 0x4000/0x0"),
    ("meta mark set mark xor 0x4000", "-j MARK --set-xmark 0x4000/0x0"),
    ("meta mark set meta mark | 0x00004000", "-j MARK --set-xmark 0x4000/0x4000"),
    ("mark set mark and 0xffffbfff", "-j MARK --set-xmark 0x0/0x4000"),
    ("meta mark set 0x00000000", "-j MARK --set-xmark 0x0/0xffffffff"),
    ("masquerade fully-random", "-j MASQUERADE --random-fully"),
    ("counter packets 3 bytes 4 masquerade", "-j MASQUERADE"),
    ('oifname "eth0" ip saddr != 10.0.0.0/8 accept comment "why"', "-o eth0 ! -s 10.0.0.0/8 -j ACCEPT"),
]


@pytest.mark.parametrize(("text", "iptables"), NFT)
def test_nft_text_gives_the_rule_of_the_iptables_text(text: str, iptables: str) -> None:
    assert parse_nft_rule(text) == parse_rule(iptables)


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from("meta mark set & ^ 0x4000 == jump masquerade return a".split()), max_size=9).map(" ".join)
)
def test_any_nft_text_is_read_or_kept(text: str) -> None:
    rule = parse_nft_rule(text)
    assert rule.broken in ("", text)
