# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded answers of iptables, and what they may be taken for. An error is never "absent"."""

from __future__ import annotations

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import backends, xtables
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

NO_RULE = "iptables: Bad rule (does a matching rule exist in that chain?).\n"
NO_NAME = "iptables: No chain/target/match by that name.\n"
LOCKED = "Another app is currently holding the xtables lock. Stopped waiting after 1s.\n"
LOCKED_1_4 = "Another app is currently holding the xtables lock. Perhaps you want to use the -w option?\n"
DENIED = "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n"
INCOMPATIBLE = "iptables v1.8.9 (nf_tables): chain `OUTPUT' in table `mangle' is incompatible, use 'nft' tool.\n"
NOT_PARSED = "Error: meta sreg key not supported\niptables v1.8.9 (nf_tables): Parsing nftables rule failed\n"
NO_JUMP = "iptables v1.8.9 (nf_tables): Chain 'NOPE' does not exist\n"
TOOL = xtables.Tool("iptables-nft", "nft", (1, 8, 9))


def table(*answers):
    """A table whose tool gives these answers in turn."""
    left = list(answers)
    return xtables.Table(TOOL, "mangle", 30, lambda argv: left.pop(0))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [((0, "", ""), True), ((1, "", NO_RULE), False), ((1, "", NO_NAME), False)],
)
def test_only_three_answers_tell_whether_the_rule_is_there(answer, expected):
    assert xtables.has_rule(table(answer), "OUTPUT", ["-j", "ACCEPT"]) is expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((4, "", LOCKED), "holds the xtables lock for 30 s: run again"),
        ((4, "", LOCKED_1_4), "holds the xtables lock"),
        ((124, "", "no answer"), "holds the xtables lock"),
        ((4, "", DENIED), "you must be root"),
        ((3, "", NOT_PARSED), "Parsing nftables rule failed"),
        ((2, "", NO_JUMP), "Chain 'NOPE' does not exist"),
        ((1, "", "something new"), "something new"),
        ((127, "", "not found"), "install the iptables package"),
    ],
)
def test_everything_else_is_an_error_of_one_line(answer, reason):
    with pytest.raises(NodeError, match=reason) as caught:
        xtables.has_rule(table(answer), "OUTPUT", ["-j", "ACCEPT"])
    assert "\n" not in str(caught.value)


def test_rules_are_the_text_after_the_chain():
    out = "-P OUTPUT ACCEPT\n-A OUTPUT -j A\n-A OUTPUT\n"
    assert xtables.rules_of(table((0, out, "")), "OUTPUT") == ["-j A", ""]


def test_a_missing_chain_of_nft_is_told_from_an_incompatible_one():
    assert xtables.rules_of(table((1, "", INCOMPATIBLE), (2, "", NO_JUMP)), "NOPE") is None
    with pytest.raises(NodeError, match="nft list chain"):
        xtables.rules_of(table((1, "", INCOMPATIBLE), (1, "", NO_RULE)), "OUTPUT")


@pytest.mark.parametrize(
    ("path", "command"),
    [("/usr/sbin/iptables-nft", "nft list chain ip mangle OUTPUT"), ("/usr/sbin/ip6tables-nft", "nft list chain ip6 mangle OUTPUT")],
)
def test_an_incompatible_chain_is_shown_in_the_family_of_the_tool(path, command):
    found = table((1, "", INCOMPATIBLE), (1, "", NO_RULE))
    with pytest.raises(NodeError, match=command + "$"):
        xtables.rules_of(found._replace(tool=TOOL._replace(path=path)), "OUTPUT")


@pytest.mark.parametrize("out", ["", "-A OUTPUT -j A\n", "# Table `mangle' is incompatible, use 'nft' tool.\n"])
def test_a_listing_without_its_head_is_no_listing(out):
    with pytest.raises(NodeError):
        xtables.rules_of(table((0, out, ""), (1, "", NO_RULE)), "OUTPUT")


@pytest.mark.parametrize(
    ("version", "expected"),
    [((1, 8, 9), ["-w", "30"]), ((1, 6, 0), ["-w", "30"]), ((1, 4, 21), ["-w"]), ((1, 4, 7), [])],
)
def test_waiting_is_asked_for_as_the_version_can(version, expected):
    assert xtables.waiting(TOOL._replace(version=version), 30) == expected


@pytest.mark.parametrize(
    ("text", "backend", "version"),
    [
        ("iptables v1.8.9 (nf_tables)", "nft", (1, 8, 9)),
        ("iptables v1.8.9 (legacy)", "legacy", (1, 8, 9)),
        ("iptables v1.4.21", "legacy", (1, 4, 21)),
    ],
)
def test_versions(text, backend, version):
    tool = backends.parse_version("iptables", text)
    assert (tool.backend, tool.version) == (backend, version)


def chosen(wanted, listings, legacy_exists=True, default="nft"):
    tools = {name: xtables.Tool(name, name, (1, 8, 9)) for name in listings}
    tools["default"] = tools[default]
    return backends.choose(
        tools, wanted, "OUTPUT", legacy_exists,
        lambda tool: xtables.Table(tool, "mangle", 1, lambda argv: (0, "-P OUTPUT ACCEPT\n" + listings[tool.backend], "")),
    ).backend  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("the only one with rules", ("auto", {"nft": "", "legacy": "-A OUTPUT -j A\n"}), "legacy"),
        ("the default when both have rules", ("auto", {"nft": "-A OUTPUT -j A\n", "legacy": "-A OUTPUT -j A\n"}), "nft"),
        ("the default when none has", ("auto", {"nft": "", "legacy": ""}, False, "legacy"), "legacy"),
        ("the only one that is installed", ("auto", {"nft": ""}), "nft"),
        ("what was asked for", ("legacy", {"nft": "-A OUTPUT -j A\n", "legacy": ""}), "legacy"),
    ],
)
def test_backend(name, arguments, expected):
    assert chosen(*arguments) == expected


def test_a_backend_that_is_not_installed_is_an_error():
    with pytest.raises(NodeError, match="no iptables program for the legacy backend"):
        chosen("legacy", {"nft": ""})
    with pytest.raises(NodeError, match="install the iptables package"):
        backends.choose({}, "auto", "OUTPUT", False, lambda tool: None)
