# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the results of one controller's run to cells: what a node's Python can do under it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import cases

EVERYTHING, DIAGNOSE_ONLY, FAILS = "everything", "diagnose only", "fails"
# In the words of ansible-core 2.17 to 2.21, when it meets a Python that is too old for itself. A SyntaxError
# counts only in its own files and in the wrapper that it sends to python's standard input.
REFUSAL = re.compile(
    r"ansible-core requires a minimum of Python"
    r"|Ansible requires Python \d\.\d+ or newer on the target"
    r"|(?:/ansible/module_utils/|File \"<stdin>\", line \d+\s)(?:(?!File )[\s\S])*"
    r"SyntaxError: (?:future feature annotations is not defined|invalid syntax)"
)
# What is ansible-core's own, and differs by release: its bookkeeping. The rest of a result is ours.
NOT_OURS = ("invocation", "deprecations", "warnings", "exception")
# What differs from one run to the next on one and the same Python: how long it took, how often a question was sent again, and the
# port that the kernel chose with the checksum that follows from it (whether it is right is in outer_checksum, which is compared).
MEASURED = ("latencies_ms", "duration", "source_port", "value", "outer_packets", "outer_bad")
COUNTED = re.compile(r"[0-9]+ of [0-9]+ (?=VXLAN packets)")  # the same two counts in the words of a reason

Results = dict[str, dict[str, Any]]  # task name -> {"status", "result"}


def cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: cleaned(one) for key, one in value.items() if key not in MEASURED}
    if isinstance(value, str):
        return COUNTED.sub("", value)
    return [cleaned(one) for one in value] if isinstance(value, list) else value


def canonical(result: dict[str, Any]) -> str:
    """The bytes that must be equal in all cells."""
    ours = {key: value for key, value in result.items() if key not in NOT_OURS and not key.startswith("_ansible")}
    if ours.get("failed") is False:
        del ours["failed"]
    return json.dumps(cleaned(ours), sort_keys=True)


def facts(result: dict[str, Any], with_sources: bool = True) -> str:
    """The facts but for the reader's name; between readers also but for how each part was got."""
    node = dict(result["node"], collected={key: one for key, one in result["node"]["collected"].items() if key != "reader"})
    if not with_sources:
        node = {part: {key: one for key, one in value.items() if key != "source"} if isinstance(value, dict) else value
                for part, value in node.items()}  # fmt: skip
    return json.dumps(node, sort_keys=True)


def refused(one: dict[str, Any]) -> bool:
    """Whether ansible-core said that it does not run on this Python, before any code of ours."""
    said = " ".join(str(one["result"].get(key, "")) for key in ("msg", "module_stderr", "module_stdout"))
    return one["status"] == "failed" and bool(REFUSAL.search(said))


def _unequal(name: str, mine: str, theirs: str) -> str:
    place = next((number for number, (one, other) in enumerate(zip(mine, theirs)) if one != other), min(len(mine), len(theirs)))
    return "%s: ...%s... is ...%s... elsewhere" % (name, mine[max(0, place - 80) : place + 80], theirs[max(0, place - 80) : place + 80])


def _task_problems(names: list[str], seen: Results, reference: Results) -> list[str]:
    found = []
    for name in names:
        if name not in seen:
            found.append(name + " did not run")
        elif seen[name]["status"] != "ok":
            found.append("%s %s: %s" % (name, seen[name]["status"], json.dumps(seen[name]["result"])[:2000]))
        elif canonical(seen[name]["result"]) != canonical(reference[name]["result"]) and not name.startswith("node_info"):
            found.append(_unequal(name, canonical(seen[name]["result"]), canonical(reference[name]["result"])))
    return found


def problems(seen: Results, reference: Results, steps: Sequence[str]) -> list[str]:
    """What is not as it must be in a cell where everything runs; empty when all is well."""
    found = _task_problems([cases.FACTS % reader for reader in cases.READERS] + cases.step_names(steps), seen, reference)
    return found or _facts_problems(seen, reference) + (_law_problems(seen) if steps == cases.STEPS else [])


def _facts_problems(seen: Results, reference: Results) -> list[str]:
    found = []
    for reader in cases.READERS:
        name = cases.FACTS % reader
        mine, theirs = facts(seen[name]["result"]), facts(reference[name]["result"])
        if mine != theirs:
            found.append(_unequal(name, mine, theirs))
    shell, python = (facts(seen[cases.FACTS % reader]["result"], with_sources=False) for reader in cases.READERS)
    return found + ([_unequal("the readers", shell, python)] if shell != python else [])


def _law_problems(seen: Results) -> list[str]:
    """Check mode predicts the run, a second run changes nothing, undo leads back."""
    found = []
    for name, _module, _options, _undo in cases.CHANGING:
        step = {step: seen["%s %s" % (name, step)]["result"] for step in cases.STEPS}
        changed = {key: result["changed"] for key, result in step.items()}
        if changed != cases.CHANGES:
            found.append("%s: changed is %s" % (name, changed))
        if canonical(step["check"]) != canonical(step["run"]):
            found.append("%s: check mode predicted %s, the run did %s" % (name, step["check"], step["run"]))
        if (step["again"]["before"], step["undo"]["after"]) != (step["run"]["after"], step["run"]["before"]):
            found.append("%s: not taken back: %s, before %s" % (name, step["undo"]["after"], step["run"]["before"]))
    return found


def controller_problems(seen: Results, reference: Results) -> list[str]:
    """The same of what runs on the controller: each filter, and the report."""
    return _task_problems([cases.FILTERS, cases.REPORT], seen, reference)


def diagnoses(seen: Results, reference: Results) -> bool:
    """The reader that needs no Python works as everywhere else."""
    name = cases.FACTS % "shell"
    return name in seen and seen[name]["status"] == "ok" and facts(seen[name]["result"]) == facts(reference[name]["result"])


def word(seen: Results, reference: Results, steps: Sequence[str]) -> str:
    """What a cell is, by what happened in it and by nothing else."""
    first = [cases.FACTS % "python", cases.step_names(steps)[0]]
    if not problems(seen, reference, steps):
        return EVERYTHING
    if diagnoses(seen, reference) and all(name in seen and refused(seen[name]) for name in first):
        return DIAGNOSE_ONLY
    return FAILS


def words(results: dict[str, Results], expected: dict[str, Results], python: str, steps: Sequence[str]) -> dict[str, str]:
    """{python: word} of a controller's run; `expected` is the reference run, compared with that Python's cell of it.

    The filters and the report run once, on the last of the nodes (cases.plays); when they fail no cell is well.
    """
    last = list(results)[-1]
    if controller_problems(results[last], expected[last]):
        return dict.fromkeys(results, FAILS)
    return {version: word(seen, expected[python], steps) for version, seen in results.items()}
