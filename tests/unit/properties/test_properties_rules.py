# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule text of iptables and nft, real and mutated: each is read, or is a rule that may do anything. And both readers of rule text agree."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hostile import WORDS, mutated, tried, words
from hypothesis import given
from hypothesis import strategies as st
from reasoning import build as b
from transcripts import NAMES, recorded

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import rule_text as node_rule_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import number
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.nft_rules import parse_nft_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import rewrite
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule, print_rule, shown_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import Section
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_tables import listed, saved, select, target

SAVES = [path.read_text(encoding="utf-8") for path in sorted(b.RULES.glob("*.rules"))]
RULES = sorted({line.split(" ", 2)[2] for text in SAVES for line in text.splitlines() if line.startswith("-A ") and line.count(" ") > 1})
NFT = sorted(
    {
        line.strip()
        for name in NAMES
        if name.startswith(("nft_kube", "ipv6_nft"))
        for line in recorded(name).splitlines()
        if re.match(r"\t+(meta|oif|ip|jump|mark|masq)", line)
    }
)


@tried(200)
@given(st.one_of(mutated(RULES), st.lists(words, max_size=6).map(" ".join)))
def test_a_rule_of_iptables(text: str) -> None:
    rule = parse_rule(text)
    assert rule.broken == text or parse_rule(print_rule(rule)) == rule
    target(text)
    assert len(shown_text(text)) <= 1000
    if not rule.broken:
        assert parse_rule(shown_text(text)).targets == rule.targets or len(text) > 1000
    assert isinstance(node_rule_text.split(text), list)


@tried(150)
@given(st.one_of(mutated(NFT), words))
def test_a_rule_of_nft(text: str) -> None:
    rule = parse_nft_rule(text)
    assert rule.broken == text or not rule.broken


@tried(60)
@given(mutated(SAVES))
def test_iptables_save_is_whole_or_not_read(text: str) -> None:
    section = Section("legacy", "", tuple(text.split("\n")), 0, False)
    for table in ("raw", "mangle", "filter", "nat"):
        chains = saved(section, table)
        if chains is not None and {"OUTPUT", "POSTROUTING"} <= set(chains):
            found = select("legacy", table, chains, set())
            assert all(isinstance(rule, str) for rules in found["chains"].values() for rule in rules)


@tried(60)
@given(st.lists(st.one_of(st.sampled_from(RULES), mutated(RULES, 2), words), max_size=8))
def test_listed_rules_are_those_of_the_chain_or_none(rules: list[str]) -> None:
    lines = ["-P POSTROUTING ACCEPT", *(f"-A POSTROUTING {rule}" for rule in rules)]
    found, _whole = listed("POSTROUTING", Section("chain", "", tuple("\n".join(lines).split("\n")), 0, False))
    assert found is None or len(found) >= len([rule for rule in rules if "\n" not in rule])


@tried(60)
@given(st.lists(mutated(RULES, 2), min_size=1, max_size=6), st.sampled_from(["nat", "mangle", "raw", "filter"]))
def test_a_walk_through_broken_rules_ends_in_an_answer(rules: list[str], table: str) -> None:
    tables = b.saved("kube_1_17_before_fix")
    chain = "POSTROUTING" if table == "nat" else "OUTPUT"
    tables.setdefault(table, {}).setdefault(chain, [])[:0] = rules
    facts = b.facts(netfilter=b.netfilter(tables))
    assert rewrite(facts, facts["vxlan"]["devices"][0]).holds in ("yes", "no", "maybe", "unknown")


@pytest.mark.parametrize("text", [*WORDS, "0X10", "077", " 1", "1 ", "+1", "0x_1"])
def test_a_number_is_what_iptables_takes_for_one(text: str) -> None:
    assert (number(text) is not None) == bool(re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", text))


SECRET = "hunter2"
COMMENTS = [
    f'-m comment --comment {SECRET} -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully',
    f'-m comment --comment "pass \\"{SECRET}\\" x" -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully',
    f'-m mark --mark 0x4000/0x4000 -m comment --comment "{SECRET}" -j MASQUERADE --random-fully',
    f'-m comment --comment "{SECRET}',
]  # fmt: skip


@pytest.mark.parametrize("rule", COMMENTS)
def test_comments_of_rules_are_in_no_report(rule: str) -> None:
    tables = b.saved("kube_1_17_before_fix")
    for chain in ("POSTROUTING", "KUBE-POSTROUTING", "OUTPUT"):
        tables["nat"][chain].insert(0, rule)
    tables.setdefault("mangle", {})["OUTPUT"] = [rule.replace("MASQUERADE --random-fully", "MARK --set-xmark 0x0/0x4000")]
    results: dict[str, Any] = {"node": {"node": b.facts(netfilter=b.netfilter(tables))}}
    from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet

    assert SECRET in str(results) and SECRET not in str(fleet(results))
