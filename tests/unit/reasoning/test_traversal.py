# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One packet through chains: every outcome that the rules allow, always in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Address, Packet, network
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import BaseChain, walk_base

NODE, PODS, NEAR = network("10.1.0.11"), network("10.244.0.0/16"), network("10.0.0.0/8")
assert NODE and PODS and NEAR
OUTER = Packet(
    "outer", "any", "eth0", Address((NODE,)), Address((), (PODS,), near=(NEAR,)), "udp", 4789, True, True, True, ("vxlan.calico",)
)
BIT = 0x4000


def walk(chains: dict[str, list[str]], mark: int = BIT, table: str = "nat", prints: bool = True) -> set[tuple[str, int, object]]:
    """Outcomes as (end, mark, does NAT rewrite)."""
    parsed = {name: [(text, parse_rule(text)) for text in texts] for name, texts in chains.items()}
    base = BaseChain("nft", table, "POSTROUTING", parsed, frozenset(), prints)
    return {(end.kind, end.mark.value, end.nat.rewrites if end.nat else False) for end in walk_base(base, OUTER, BIT, {Mark(mark): ()})}


END = ("end", BIT, False)
ONE_CHAIN = [
    ([], {END}),
    (["-j ACCEPT", "-j MASQUERADE --random"], {END}),
    (["-j RETURN", "-j MASQUERADE --random"], {END}),
    (["-j MASQUERADE --random-fully"], {("nat", BIT, True)}),
    (["-j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-j MASQUERADE"], {("nat", BIT, False)}),
    (["-p udp -j MASQUERADE --to-ports 2000-3000"], {("nat", BIT, None)}),
    (["-p udp -j MASQUERADE --to-ports 1024-65535"], {("nat", BIT, False)}),
    (["-j SNAT --to-source 10.1.0.11"], {("nat", BIT, False)}),
    (["-j SNAT --to-source 10.1.0.11:1-1023"], {("nat", BIT, True)}),
    (["-j SNAT --to-source 10.1.0.12"], {("nat", BIT, True)}),
    (["-j SNAT --to-source 10.1.0.11-10.1.0.14"], {("nat", BIT, None)}),
    (["-j NETMAP --to 10.9.0.0/24"], {("nat", BIT, True)}),
    (["-j MARK --set-xmark 0x4000/0x0"], {("end", 0, False)}),
    (["-j MARK --set-xmark 0x0/0x4000"], {("end", 0, False)}),
    (["-j MARK --set-mark 0x1"], {("end", 1, False)}),
    (["-j MARK --or-mark 0x1"], {("end", BIT | 1, False)}),
    (["-j MARK --and-mark 0xffffbfff"], {("end", 0, False)}),
    (["-j MARK --xor-mark 0x4000"], {("end", 0, False)}),
    (["-j LOG --log-prefix \"a b\"", "-j MASQUERADE"], {("nat", BIT, False)}),
    (["-m statistic --mode random -j ACCEPT", "-j ACCEPT"], {END}),
    (["-m statistic --mode random -j MASQUERADE --random"], {("nat", BIT, True), END}),
    (["-o vxlan.calico -j MASQUERADE --random"], {END}),
    (["-o eth+ -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["! -o eth0 -j MASQUERADE --random"], {END}),
    (["-i eth0 -j MASQUERADE --random"], {END}),
    (["-d 10.244.0.0/16 -j MASQUERADE --random"], {END}),
    (["-d 10.0.0.0/8 -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["! -d 224.0.0.0/4 -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-d 192.168.7.0/24 -j MASQUERADE --random"], {("nat", BIT, True), END}),
    (["-p udp -m multiport --dports 53,4000:5000 -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-p udp -m multiport ! --dports 4789 -j MASQUERADE --random"], {END}),
    (["-m addrtype --dst-type LOCAL -j MASQUERADE --random"], {END}),
    (["-m addrtype ! --dst-type LOCAL -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-m conntrack --ctstate NEW -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-m policy --dir out --pol none -j MASQUERADE --random"], {("nat", BIT, True)}),
    (["-j CONNMARK --restore-mark", "-m mark --mark 0x4000/0x4000 -j MASQUERADE --random"], {("nat", BIT, True), ("end", 0, False)}),
    (["-j LOOP"], {END}),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), ONE_CHAIN)
def test_one_chain(texts: list[str], expected: set[tuple[str, int, object]]) -> None:
    assert walk({"POSTROUTING": texts, "LOOP": []}) == expected


def test_a_jump_comes_back_and_a_goto_does_not() -> None:
    jump = {"POSTROUTING": ["-j A", "-j MASQUERADE --random"], "A": ["-j RETURN"]}
    goto = {"POSTROUTING": ["-g A", "-j MASQUERADE --random"], "A": ["-j RETURN"]}
    assert (walk(jump), walk(goto)) == ({("nat", BIT, True)}, {END})


def test_notrack_in_raw_ends_the_walk() -> None:
    assert walk({"POSTROUTING": ["-p udp -m udp --dport 4789 -j CT --notrack"]}, table="raw") == {("notrack", BIT, False)}


def test_old_iptables_hides_the_random_flag() -> None:
    assert walk({"POSTROUTING": ["-j MASQUERADE"]}, prints=False) == {("nat", BIT, None)}


def test_chains_that_jump_in_a_circle_end() -> None:
    assert ("nat", BIT, None) in walk({"POSTROUTING": ["-j A"], "A": ["-j B"], "B": ["-j A"]})


def test_a_ladder_of_doubled_jumps_is_bounded() -> None:
    chains = {f"C{n}": [f"-j C{n + 1}", f"-j C{n + 1}"] for n in range(25)}
    assert walk({"POSTROUTING": ["-j C0"], **chains, "C25": []})


NAMES = ["POSTROUTING", "A", "B", "C"]
TEXTS = st.one_of(
    st.text(max_size=30),
    st.builds(
        "{} {}".format,
        st.sampled_from(
            ["", "-o eth0", "-p udp", "-m statistic", "-m mark --mark 0x4000/0x4000", "! -s 10.0.0.0/33", "-m set --match-set X"]
        ),
        st.sampled_from(
            ["-j A", "-g B", "-j C", "-j GONE", "-j RETURN", "-j MARK --set-xmark 0x4000/0x0", "-j MARK --junk", "-j CT", "-j SNAT"]
        ),
    ),
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(NAMES), st.lists(TEXTS, max_size=4), max_size=4))
def test_any_rules_give_at_least_one_outcome(chains: dict[str, list[str]]) -> None:
    assert walk({"POSTROUTING": [], **chains})
