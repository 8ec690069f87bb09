# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a fleet to one report and one exit code."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.parts import exit_code, merge_parts, part, part_lines


def verdict(status: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "tcp": "ok", "udp": "ok", "summary": "because", "action": "nothing to do", **more}


def result(**hosts: Any) -> dict[str, Any]:
    """What a part publishes; a host is given by its status or its whole verdict."""
    found = {name: verdict(one) if isinstance(one, str) else one for name, one in hosts.items()}
    return {"vxlan_offload_part": {"schema": 1, "kind": "diagnose", "hosts": found, "summary": {}}}


def renamed(name: str, **hosts: Any) -> dict[str, Any]:
    """The same under another name."""
    return {name: result(**hosts)["vxlan_offload_part"]}


def done(name: str, **hosts: Any) -> Any:
    return part(name, rc=0, status="successful", stats={}, artifacts=result(**hosts))


ONE = done("one", a="unaffected", c="mitigated")
TWO = done("two", b="affected", d="exposed")
CLEAN = done("two", b="unaffected", d="mitigated")


def test_two_parts_are_as_one_controller() -> None:
    statuses = ("unaffected", "affected", "mitigated", "exposed")
    whole = fleet({name: {"diagnosis": verdict(status)} for name, status in zip("abcd", statuses)})
    merged = merge_parts([ONE, TWO])
    assert {key: merged[key] for key in whole} == whole
    assert list(merged["hosts"]) == list(whole["hosts"])
    assert merged["parts"] == {name: {"status": "complete", "reason": "", "hosts": 2} for name in ("one", "two")}


def test_the_order_of_parts_changes_nothing() -> None:
    first, second = merge_parts([ONE, TWO], "abcd"), merge_parts([TWO, ONE], "abcd")
    assert {**first, "parts": 0} == {**second, "parts": 0}


CUT = [
    ("nothing came", part("x", begun=["b"]), "no return code: its stream was cut or it has not ended; run this part again"),
    ("events came", part("x", stats={}, artifacts=result(b="unaffected")), "no return code"),
    ("a play failed", {**CLEAN, "rc": 2, "status": "failed"}, "return code 2: a play failed"),
    ("unreachable", {**CLEAN, "rc": 4}, "return code 4"),
    ("it was cancelled", {**CLEAN, "status": "canceled"}, "its status is canceled"),
    ("no stats", {**CLEAN, "stats": None}, "no stats of the play"),
    ("no result", {**CLEAN, "artifacts": {}}, "no result was published: set vxlan_offload_artifact"),
    ("another's artifact", {**CLEAN, "artifacts": {"other": {"hosts": 3}, "text": "x"}}, "no result was published"),
    ("a newer version", {**CLEAN, "artifacts": {"x": {"schema": 2, "hosts": {"b": 1}}}}, "its result has not schema 1"),
    ("a strange schema", {**CLEAN, "artifacts": {"x": {"schema": [1], "hosts": {"b": 1}}}}, "its result has not schema 1"),
    ("no host", {**CLEAN, "artifacts": result()}, "no host is in its result"),
    ("two names print as one", {**CLEAN, "artifacts": result(**{"b\x07": "exposed", "b ": "mitigated"})}, "two of its hosts have one name"),
    ("two results", {**CLEAN, "artifacts": {**result(b="exposed"), **renamed("again", b="exposed")}}, "several results"),
    ("it could not be read", part("x", problem="rc is no plain file"), "rc is no plain file"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cut", "reason"), CUT, ids=[one[0] for one in CUT])
def test_a_part_that_is_not_surely_complete_does_not_count(name: str, cut: Any, reason: str) -> None:
    merged = merge_parts([ONE, {**cut, "name": "cut", "begun": ["b"]}])
    end = merged["parts"]["cut"]
    assert (end["status"], end["hosts"]) == ("incomplete", 0)
    assert end["reason"].startswith(reason)
    assert sorted(merged["hosts"]) == ["a", "c"]
    # Nobody said which hosts there are, and still the one that was begun is not forgotten.
    assert (merged["summary"]["expected"], merged["summary"]["not_checked"]) == (3, ["b"])
    assert exit_code(merged) == 3


def test_the_other_parts_of_a_cut_run_keep_their_verdicts() -> None:
    whole, cut = merge_parts([ONE, TWO]), merge_parts([ONE, {**TWO, "rc": None}])
    assert cut["hosts"] == {name: whole["hosts"][name] for name in ("a", "c")}


BAD_VERDICTS = [
    None, 7, {}, {"status": "unaffected"}, verdict("clean"), verdict(""),
    {**verdict("affected"), "summary": 3}, {**verdict("affected"), "status": ["affected"]},
    verdict("affected", defects=5), verdict("affected", defects=[[]]), verdict("mitigated", mitigations=[3]),
    verdict("affected", probe=[1]),
    verdict("affected", probe={"verdict": {}}),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_VERDICTS, ids=str)
def test_what_is_no_verdict_makes_its_part_incomplete(bad: Any) -> None:
    merged = merge_parts([ONE, done("bad", b="unaffected", e=bad)])
    assert merged["parts"]["bad"]["reason"].startswith("no verdict for e in its result")
    assert exit_code(merged) == 3


CODES = [
    ("all fine", [ONE, CLEAN], "abcd", ["affected"], 0),
    ("nobody said who is expected", [ONE, CLEAN], "", ["affected"], 0),
    ("affected", [ONE, TWO], "abcd", ["affected"], 2),
    ("exposed is asked for", [ONE, done("two", b="exposed")], "", ["exposed"], 2),
    ("exposed is not asked for", [ONE, done("two", b="exposed")], "", ["affected"], 0),
    ("nothing is asked for", [ONE, TWO], "", [], 0),
    ("an expected host is missing", [ONE, CLEAN], "abcde", ["affected"], 3),
    ("missing outranks affected", [ONE, TWO], "abcde", ["affected"], 3),
    ("unknown is never clean", [ONE, done("two", b="unknown")], "abc", [], 3),
    ("unknown outranks affected", [done("one", a="affected", b="unknown")], "", ["affected"], 3),
    ("a report that left a host out", [ONE, {**CLEAN, "missing": ["e"]}], "", ["affected"], 3),
    ("no part", [], "", ["affected"], 3),
]


@pytest.mark.parametrize(("name", "given", "expected", "fail_on", "code"), CODES, ids=[one[0] for one in CODES])
def test_the_exit_code(name: str, given: Any, expected: str, fail_on: list[str], code: int) -> None:
    assert exit_code(merge_parts(given, expected), fail_on) == code


def test_a_host_in_two_parts_has_the_worse_verdict() -> None:
    for parts in ([ONE, done("late", a="affected")], [done("late", a="affected"), ONE]):
        merged = merge_parts(parts)
        assert merged["hosts"]["a"]["status"] == "affected"
        assert merged["duplicates"] == {"a": [one["name"] for one in parts]}
        assert merged["summary"]["hosts"] == 2
    assert part_lines(merged) == ["part late: 1 host", "part one: 2 hosts", "a is in late and one: the worse verdict counts"]


def test_a_host_of_a_cut_part_that_another_part_checked_is_checked() -> None:
    merged = merge_parts([ONE, part("cut", begun=["a", "b"])])
    assert merged["summary"]["not_checked"] == ["b"]


def test_a_host_that_nobody_expected_is_named() -> None:
    merged = merge_parts([ONE, CLEAN], "abc")
    assert merged["unexpected"] == ["d"]
    assert part_lines(merged)[-1] == "seen, but not expected: d"
    assert exit_code(merged) == 0


def test_a_part_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="part one is given twice"):
        merge_parts([ONE, ONE])


def test_one_of_several_results_can_be_named() -> None:
    both = {**ONE, "artifacts": {**renamed("before", a="affected"), **renamed("after", a="mitigated")}}
    assert merge_parts([both], artifact="after")["hosts"]["a"]["status"] == "mitigated"
    assert merge_parts([both], artifact="none")["parts"]["one"]["reason"].startswith("no result named none was published")


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def test_what_a_part_says_cannot_drive_the_terminal() -> None:
    bad = "x\x1b[2J\r\n\u202e"
    given = [
        done("p\x07" + bad, **{"a" + bad: verdict("affected", summary=bad)}),
        {**done("q"), "artifacts": {**renamed(bad, a="affected"), **renamed("z", a="affected")}},
        {**done("r"), "artifacts": result(**{"b" + bad: None})},
        {**ONE, "name": "s", "status": bad},
        part("t", problem=bad, begun=[bad]),
    ]
    merged = merge_parts(given, [bad])
    assert all(text.isprintable() for text in texts(merged) + part_lines(merged))
    assert [one["status"] for one in merged["parts"].values()] == ["complete"] + ["incomplete"] * 4
