# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Framing: what belongs to which section, whatever the node prints, and a transcript that ends anywhere."""

from __future__ import annotations

import re

import pytest
from transcripts import NAMES, NONCE, facts, recorded, section, transcript

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import NodeFacts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import frames

PARTS = set(NodeFacts.__annotations__) - {"schema", "collected"}


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_transcript_says_so(name):
    assert parse(recorded(name))["collected"]["complete"]


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_cut_at_any_line_is_never_complete_and_no_part_differs_from_the_whole_one(name):
    whole = parse(recorded(name))
    lines = recorded(name).splitlines(keepends=True)
    for end in range(1, len(lines)):
        cut = parse("".join(lines[:end]))
        assert not cut["collected"]["complete"]
        different = {part for part in PARTS if cut[part] != whole[part]}
        assert all(set(cut[part]) == {"unknown"} for part in different), (end, different)


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_cut_inside_a_line_is_never_complete(name):
    text = recorded(name).rstrip("\n")
    for end in range(len(text) - 200, len(text)):
        assert not parse(text[:end])["collected"]["complete"]


@pytest.mark.parametrize("text", ["", "\n", "sh: syntax error\n", "vxlan-offload-probe\n", "vxlan-offload-probe 1 \n", '{"schema": 1}'])
def test_what_is_no_transcript_is_refused_with_the_way_to_get_one(text):
    with pytest.raises(ValueError, match=r"no probe transcript.*sudo sh < probe\.sh > node\.txt"):
        parse(text)


def test_a_transcript_of_another_version_is_refused():
    with pytest.raises(ValueError, match="probe version 2"):
        parse(transcript().replace("probe 1", "probe 2"))


@pytest.mark.parametrize(
    "line",
    [
        "begin end complete",
        "complete",
        "00000000-2222-4333-8444-555555555555 complete",
        "00000000-2222-4333-8444-555555555555 end uname 0",
        f" {NONCE} complete",
        "vxlan-offload-probe 1 00000000-2222-4333-8444-555555555555",
    ],
)
def test_what_a_node_prints_cannot_pass_for_a_frame(line):
    found = frames(transcript(section("uname", line, "6.1.0 #1 SMP x86_64"), section("sysctl")))
    assert [(one.name, one.lines) for one in found.sections[1:]] == [("uname", (line, "6.1.0 #1 SMP x86_64")), ("sysctl", ())]
    assert found.complete


def test_a_rule_comment_with_frame_words_is_only_a_comment():
    rule = '-A POSTROUTING -m comment --comment "complete begin chain end 0" -j ACCEPT'
    chains = [("nat", "OUTPUT"), ("nat", "POSTROUTING")]
    sections = [
        section(f"chain nft {table} {chain}", f"-P {chain} ACCEPT", *([rule] if chain == "POSTROUTING" else [])) for table, chain in chains
    ]
    nat = facts(section("printers", "nft iptables-nft iptables v1.8.9 (nf_tables)", "nf_tables"), *sections)["netfilter"]["tables"][3]
    assert nat["chains"]["POSTROUTING"] == [rule.replace("-A POSTROUTING ", "")]


def test_a_terminal_and_a_login_banner_change_nothing():
    name = NAMES[0]
    text = "Welcome to node 7\r\n\r\n" + recorded(name).replace("\n", "\r\n") + "Connection closed.\r\n"
    assert parse(text) == parse(recorded(name))


def test_a_section_that_never_ends_is_not_whole():
    text = re.sub(rf"{NONCE} end uname 0\n", "", transcript(section("uname", "6.1.0 #1 SMP x86_64"), section("release")))
    assert parse(text)["kernel"] == {"unknown": "transcript ends inside uname: collect it again"}


def test_what_was_not_asked_for_is_unknown_and_says_how_to_ask():
    found = facts(section("uname", "6.1.0 #1 SMP x86_64"), section("release"), subset="kernel")
    assert found["kernel"]["release"] == "6.1.0"
    assert found["cni"] == {"unknown": "not asked for: add cni to gather_subset"}
    assert found["services"] == {"unknown": "not asked for: add netfilter to gather_subset"}


def test_the_settings_of_the_probe_are_in_the_facts():
    found = facts(section("uname", "6.1.0 #1 SMP x86_64"), uid=65534, subset="kernel links")
    assert found["collected"] == {"reader": "shell", "complete": True, "root": False, "subset": ["kernel", "links"]}
