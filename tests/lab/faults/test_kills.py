# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL before every step of an apply and of a revert, with each kind of change.

Nobody is left to put anything back: the node is as before, or as after, or has a record that says begun. The next run finishes it, and
the next revert leads to exactly the state before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import document
import pytest
from harness import Node, kill_at, run

KEEPER = (Path(__file__).resolve().parents[3] / "roles/workaround/files/ensure-rule.sh").read_text(encoding="utf-8")
SECTION = "Killed on the way"
# scenario, backend, method; the first one is killed at each step, the others around each step that changes something
CASES = (
    ("pre_fix_kube_proxy", "nft", "clear_mark"),
    ("pre_fix_kube_proxy", "legacy", "notrack"),
    ("pre_fix_kube_proxy", "nft", "tx_checksum_off"),
    ("pre_fix_kube_proxy", "legacy", "service_route"),
    ("pre_fix_kube_proxy", "nft", "masquerade_without_random"),
    ("pre_fix_kube_proxy", "legacy", "kube_postrouting_detached"),
    ("pre_fix_kube_proxy", "nft", "underlay_accept"),
    ("pre_fix_kube_proxy", "legacy", "rx_tx_offload_off"),
)
READS = ("-V", "-S", "-C", "-N", "-A", "show")


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both", nodes=len(CASES))


@pytest.fixture(params=CASES, ids=lambda case: "%s-%s" % (case[2], case[1]))
def node(request: Any, lab: Any) -> Node:
    place = CASES.index(request.param)
    return Node(lab, lab.nodes[place], request.param[2], KEEPER)


def points(node: Node, events: list[str]) -> list[int]:
    """The numbers of the steps to be killed at."""
    writes = [number for number, name in enumerate(events, 1) if not name.endswith(READS)]
    if node.name == node.lab.nodes[0]:
        return list(range(1, len(events) + 1))
    return sorted({*writes, *(number + 1 for number in writes if number < len(events))})


def seen(node: Node, before: str, after: str) -> str:
    """What a killed run has left. Anything else than the words below fails the test."""
    state, record = node.state(), node.record()
    if state == before:
        return "as before"
    if state == after:
        return "as after"
    traffic = {before.split("== files")[0]: "as before", after.split("== files")[0]: "as after"}
    now = traffic[state.split("== files")[0]]
    if record is None:
        # An empty folder, or one with what was written beside the record.
        added = [line.split(" ")[0] for line in state.splitlines() if line.startswith("/") and line not in before.splitlines()]
        assert now == "as before" and all(path.startswith("/var/lib/vxlan-offload") for path in added), added
        return "as before, and the folder of the record"
    if record["state"] == "applied":
        assert now == "as after"
        return "as after"
    return "%s, traffic %s" % (record["state"], now)


def collapsed(marks: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Steps in a row that end alike: first to last."""
    rows: list[list[str]] = []
    for name, state in marks:
        if rows and rows[-1][2] == state:
            rows[-1][1] = name
        else:
            rows.append([name, name, state])
    return [("`%s`" % first if first == last else "`%s` to `%s`" % (first, last), state) for first, last, state in rows]


def told(outcome: Any, record: Optional[dict[str, Any]]) -> None:
    """The next run says what it found."""
    if record and record["state"] != "applied":
        began = {"begun": "began %s", "undoing": "began to take %s back"}[record["state"]] % record["method"]
        assert outcome.warnings == outcome.warnings[:1] and began in outcome.warnings[0], outcome.warnings
        assert outcome.result["interrupted"] == outcome.warnings[0]
    else:
        assert outcome.warnings == []


def reverted(node: Node, before: str) -> str:
    record = node.record()
    outcome = node.revert()
    assert outcome.error == "", outcome.error
    told(outcome, record)
    assert node.state() == before
    return "as before"


def applied(node: Node, after: str) -> str:
    record = node.record()
    outcome = node.apply()
    assert outcome.error == "", outcome.error
    told(outcome, record)
    assert node.state() == after
    return "as after"


def rounds(node: Node, before: str, after: str, killed: Callable[[], str], step: str, marks: list[tuple[str, str]]) -> None:
    """Kill and recover: by the next revert and by the next apply. Where the step before ended alike, one of the two in turns."""
    ways = [lambda: reverted(node, before), lambda: applied(node, after)]
    ways = ways[:: -1 if len(marks) % 2 else 1]
    state = killed()
    ways[0]()
    reverted(node, before)
    if not marks or marks[-1][1] != state:
        assert killed() == state
        ways[1]()
        reverted(node, before)
    marks.append((step, state))


def test_apply_is_killed_before_each_step(node: Node) -> None:
    before = node.state()
    whole = node.apply()
    after = node.state()
    assert whole.error == "" and after != before
    again = node.apply()
    assert (again.error, again.result["changed"]) == ("", False)
    assert reverted(node, before)
    params = node.planned()
    marks: list[tuple[str, str]] = []
    for number in points(node, whole.events):

        def killed(number: int = number) -> str:
            outcome = run(node.pid, params, kill_at(number))
            assert outcome.killed and outcome.events == whole.events[:number]
            return seen(node, before, after)

        rounds(node, before, after, killed, whole.events[number - 1], marks)
    for steps, state in collapsed(marks):
        document.add(SECTION, "apply %s" % node.method, steps, state, "as after", "as before")
    assert {state for _name, state in marks} >= {"as before", "begun, traffic as before", "begun, traffic as after"}


def test_revert_is_killed_before_each_step(node: Node) -> None:
    before = node.state()
    node.apply()
    after = node.state()
    whole = node.revert()
    assert whole.error == "" and node.state() == before
    params = node.planned()
    marks: list[tuple[str, str]] = []
    for number in points(node, whole.events):

        def killed(number: int = number) -> str:
            assert run(node.pid, params).error == "" and node.state() == after
            outcome = node.revert(kill_at(number))
            assert outcome.killed and outcome.events == whole.events[:number]
            return seen(node, before, after)

        rounds(node, before, after, killed, whole.events[number - 1], marks)
    for steps, state in collapsed(marks):
        document.add(SECTION, "revert %s" % node.method, steps, state, "as after", "as before")
    assert {state for _name, state in marks} >= {"as after", "undoing, traffic as after", "undoing, traffic as before"}


@pytest.fixture(scope="module")
def dual_stack(make_lab: Any) -> Node:
    found = make_lab("dual_stack_pre_fix", backend="nft")
    return Node(found, found.nodes[0], "clear_mark", KEEPER)


@pytest.mark.parametrize("again", ["apply", "revert"])
@pytest.mark.parametrize("way", ["apply", "revert"])
def test_a_node_of_two_families_is_killed_on_the_way(dual_stack: Node, way: str, again: str) -> None:
    """Its rules are one for each family, so a killed run may have made one of them: the next run finishes both or takes both back."""
    node = dual_stack
    before, planned = node.state(), node.planned()
    run(node.pid, planned)
    after = node.state()
    if way == "apply":
        reverted(node, before)
    whole = run(node.pid, planned) if way == "apply" else node.revert()
    assert whole.error == ""
    reverted(node, before)
    words = {before.split("== files", maxsplit=1)[0]: "before", after.split("== files", maxsplit=1)[0]: "after"}
    kinds = set()
    for number in [number for number, name in enumerate(whole.events, 1) if name.startswith(("iptables", "ip6tables"))]:
        if way == "revert":
            run(node.pid, planned)
        outcome = run(node.pid, planned, kill_at(number)) if way == "apply" else node.revert(kill_at(number))
        assert outcome.killed
        kinds.add(words.get(node.rule_part(), "one of two"))
        assert (node.record() or {}).get("state") in (None, "begun", "undoing", "applied")
        applied(node, after) if again == "apply" else reverted(node, before)
        reverted(node, before)
    assert kinds == {"before", "after", "one of two"}
    word = {"apply": "as after", "revert": "as before"}[again]
    document.add(SECTION, "%s clear_mark, both families" % way, "each `iptables` and `ip6tables`", "as before, as after, or one family",
                 word if again == "apply" else "-", word if again == "revert" else "-")  # fmt: skip
