# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part left on disk, whole and in every way broken."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from run_folders import UUID, artifact, event, run_folder, write_event

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.part_files import LARGEST, read_part, read_parts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.parts import verdicts

WAYS = [
    ("artifacts/IDENT", "out/artifacts/x", "out/artifacts/x"),
    ("the private data folder", "out/artifacts/x", "out"),
    ("artifacts without an ident", "out/artifacts", "out"),
    ("a folder anywhere", "elsewhere", "elsewhere/"),
]


@pytest.mark.parametrize(("name", "place", "given"), WAYS, ids=[one[0] for one in WAYS])
def test_the_folder_of_a_run_is_found(name: str, place: str, given: str, tmp_path: Path) -> None:
    run_folder(tmp_path / place, a="affected", b="unaffected")
    found = read_part("%s/%s" % (tmp_path, given))
    assert {host: one["status"] for host, one in verdicts(found).items()} == {"a": "affected", "b": "unaffected"}
    assert (found["begun"], found["status"]) == ([], "successful")


def test_parts_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    assert [one["name"] for one in read_parts(["x/part-1", "x/part-2/"])] == ["part-1", "part-2"]
    assert [one["name"] for one in read_parts(["x/fleet.json", "y/fleet.json"])] == ["x/fleet.json", "y/fleet.json"]


def test_a_run_that_was_cut_names_the_hosts_it_had_begun(tmp_path: Path) -> None:
    found = read_part(str(run_folder(tmp_path / "cut", rc=None, stats=False, b="affected", a="unaffected")))
    assert (found["rc"], found["stats"], found["begun"]) == (None, None, ["a", "b"])


def test_a_failed_run_names_its_hosts_too(tmp_path: Path) -> None:
    found = read_part(str(run_folder(tmp_path / "failed", rc=2, a="affected")))
    assert (found["rc"], found["begun"]) == (2, ["a"])
    with pytest.raises(ValueError, match="return code 2"):
        verdicts(found)


def replace(name: str, text: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text, encoding="utf-8")

    return change


def link(name: str, target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return change


def pipe(folder: Path) -> None:
    (folder / "rc").unlink()
    os.mkfifo(folder / "rc")


def huge(folder: Path) -> None:
    os.truncate(folder / STATS, LARGEST + 1)


def another_run(folder: Path) -> None:
    write_event(folder, {**event(1, "playbook_on_start"), "uuid": UUID % 9999})


STATS = "job_events/100-%s.json" % (UUID % 100)
WHOLE = json.dumps(event(100, "playbook_on_stats", artifact_data={"x": artifact(a="unaffected")}))
BROKEN = [
    ("rc is a folder", lambda folder: ((folder / "rc").unlink(), (folder / "rc").mkdir()), "rc is no plain file"),
    ("rc is a pipe", pipe, "rc is no plain file"),
    ("rc leads elsewhere", link("rc", "/etc/hostname"), "rc is no plain file"),
    ("rc leads nowhere", link("rc", "/nowhere"), "rc is no plain file"),
    ("rc is empty", replace("rc", ""), "its rc is no number"),
    ("rc is a word", replace("rc", "0; reboot"), "its rc is no number"),
    ("rc is no text", replace("rc", b"\xff\xfe"), "rc is not UTF-8 text"),
    ("rc is not there", lambda folder: (folder / "rc").unlink(), "no return code"),
    ("rc is huge", replace("rc", "9" * 5000), "its rc is no number"),
    ("no events", lambda folder: [one.unlink() for one in (folder / "job_events").iterdir()], "no stats of the play"),
    ("no stats", lambda folder: (folder / STATS).unlink(), "no stats of the play"),
    ("stats were cut", replace(STATS, WHOLE[:-40]), "100-.*is not JSON, or only a piece of it"),
    ("stats are empty", replace(STATS, ""), "is not JSON"),
    ("stats are no object", replace(STATS, "[1]"), "is not what was expected"),
    ("stats have no data", replace(STATS, '{"event": "playbook_on_stats", "event_data": 3}'), "no stats of the play"),
    ("stats have no artifact", replace(STATS, json.dumps(event(100, "playbook_on_stats", artifact_data=[]))), "no result was published"),
    ("stats are deep", replace(STATS, '{"a":' * 500 + "1" + "}" * 500), "is not what was expected"),
    ("stats are bottomless", replace(STATS, "[" * 200000), "is not JSON"),
    ("stats are huge", huge, "is larger than 512 MiB"),
    ("stats lead elsewhere", link(STATS, "/etc/hostname"), "is no plain file"),
    ("an old run was there", another_run, "the events of two runs are in one folder"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "reason"), BROKEN, ids=[one[0] for one in BROKEN])
def test_a_broken_part_says_why_in_one_line(name: str, change: Callable[[Path], Any], reason: str, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "x", a="unaffected")
    verdicts(read_part(str(folder)))
    change(folder)
    with pytest.raises(ValueError, match=reason) as caught:
        verdicts(read_part(str(folder)))
    assert "\n" not in str(caught.value)


def several(folder: Path) -> None:
    run_folder(folder / "artifacts/a", a="unaffected")
    run_folder(folder / "artifacts/b", a="unaffected")


PLACES = [
    ("nothing", lambda folder: folder.rmdir(), "nothing is there"),
    ("an empty folder", lambda folder: None, "no artifacts of ansible-runner in it"),
    ("empty artifacts", lambda folder: (folder / "artifacts").mkdir(), "no artifacts of ansible-runner in it"),
    ("several runs", several, "several runs: a, b; name one"),
    ("a device", lambda folder: (folder.rmdir(), folder.symlink_to("/dev/zero")), "neither a folder nor a file"),
    ("a loop", lambda folder: (folder.rmdir(), folder.symlink_to(folder)), "nothing is there"),
    ("text", lambda folder: (folder.rmdir(), folder.write_text("x")), "is not JSON"),
    ("half a report", lambda folder: (folder.rmdir(), folder.write_text('{"schema": 1, "hosts": {"a"')), "is not JSON"),
    ("another's report", lambda folder: (folder.rmdir(), folder.write_text('{"hosts": {"a": 1}}')), "no result was published"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "reason"), PLACES, ids=[one[0] for one in PLACES])
def test_a_place_without_a_run_says_what_to_give(name: str, change: Callable[[Path], Any], reason: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    change(tmp_path / "x")
    with pytest.raises(ValueError, match=reason):
        verdicts(read_part(str(tmp_path / "x")))


def report(**more: Any) -> str:
    return json.dumps({**artifact(a="unaffected"), "lines": [], **more})


def test_a_report_is_a_part(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(report(summary={"not_checked": ["b", 3]}), encoding="utf-8")
    found = read_part(str(tmp_path / "fleet.json"))
    assert (list(verdicts(found)), found["missing"]) == (["a"], ["b"])


@pytest.mark.parametrize("end", [{"status": "incomplete"}, None, 3, {}], ids=str)
def test_a_report_with_an_incomplete_part_is_incomplete(end: Any, tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(report(parts={"one": {"status": "complete"}, "two": end}), encoding="utf-8")
    with pytest.raises(ValueError, match="its part two is incomplete"):
        verdicts(read_part(str(tmp_path / "fleet.json")))
