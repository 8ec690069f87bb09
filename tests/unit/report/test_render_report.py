# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/render_report.py as a user calls it: by another Python process, without any path to the collection or to Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import format_reports
import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/render_report.py"


def call(*arguments: str, given: str = "", folder: Any = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", str(SCRIPT), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=folder, env={"PATH": os.environ["PATH"]})


@pytest.fixture()
def path(tmp_path: Path) -> str:
    found = tmp_path / "fleet.json"
    found.write_text(json.dumps(format_reports.report()), encoding="utf-8")
    return str(found)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("junit", "<?xml version="),
        ("markdown", "# VXLAN checksum offload: 7 hosts"),
        ("textfile", "# HELP vxlan_offload_"),
        ("json", "{\n"),
    ],
)
def test_a_format_goes_to_stdout(name: str, begins: str, path: str) -> None:
    done = call("--format", name, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begins) and done.stdout.endswith("\n")


def test_a_pipe_and_a_file_are_the_same(path: str, tmp_path: Path) -> None:
    out = tmp_path / "out.md"
    assert call("--format", "markdown", "--output", str(out), path).stdout == ""
    assert call("--format", "markdown", "-", given=Path(path).read_text(encoding="utf-8")).stdout == out.read_text(encoding="utf-8")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["fleet.json", "out.md"]


def test_the_report_has_a_default_place(tmp_path: Path, path: str) -> None:
    (tmp_path / "vxlan-offload-report").mkdir()
    os.rename(path, tmp_path / "vxlan-offload-report/fleet.json")
    assert call("--format", "markdown", folder=tmp_path).returncode == 0


def test_the_time_of_the_metrics_is_that_of_the_file(path: str) -> None:
    os.utime(path, (1000, 1000))
    assert "vxlan_offload_report_timestamp_seconds 1000\n" in call("--format", "textfile", path).stdout


@pytest.mark.parametrize(("host", "code"), [("good", 0), ("lost", 1), ("soon", 1), ("gone", 2)])
def test_npd_exits_as_node_problem_detector_wants(host: str, code: int, path: str) -> None:
    done = call("--format", "npd", "--host", host, path)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.count("\n") == 1 and len(done.stdout) <= 81


def test_npd_does_not_believe_an_old_report(path: str) -> None:
    os.utime(path, (time.time() - 7200,) * 2)
    done = call("--format", "npd", "--host", "good", "--max-age", "3600", path)
    assert (done.returncode, done.stdout) == (2, "vxlan_offload: the report is 2.0 h old\n")


def test_npd_without_a_report_is_unknown_and_says_so_on_stdout(tmp_path: Path) -> None:
    done = call("--format", "npd", "fleet.json", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "vxlan_offload: fleet.json: No such file or directory\n")


WRONG_CALLS = [
    [],
    ["--format", "pdf"],
    ["--format", "junit", "--fail-on", "bad"],
    ["--format", "npd", "--max-age", "-1"],
    ["--format", "npd", "--max-age", "nan"],
    ["--format", "markdown", "--before", "x"],
    ["--format", "junit", "--host", "x"],
    ["--format", "textfile", "--max-age", "5"],
]


@pytest.mark.parametrize("arguments", WRONG_CALLS)
def test_a_wrong_call_is_told_and_exits_with_2(arguments: list[str], path: str) -> None:
    done = call(*arguments, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr and "Traceback" not in done.stderr


BROKEN = [
    "",
    "{",
    "[]",
    "null",
    '{"schema": 1}',
    "[" * 100_000,
    '{"schema": 1, "hosts": {"a": {}}}',
    '{"schema": 1, "hosts": {}, "summary": 3}',
    "\ufeff{}",
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["junit", "markdown", "textfile", "npd", "json"])
def test_a_broken_report_is_one_line(name: str, text: str) -> None:
    done = call("--format", name, "-", given=text)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and (done.stdout + done.stderr).count("\n") == 1


def test_bytes_that_are_no_text_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_bytes(b'{"schema": "\xff\xfe"}')
    done = call("--format", "markdown", "fleet.json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "render_report.py: fleet.json is not UTF-8 text\n")


@pytest.mark.parametrize("target", ["absent/out.md", "."])
def test_a_place_that_cannot_be_written_is_one_line(target: str, path: str, tmp_path: Path) -> None:
    done = call("--format", "markdown", "--output", target, path, folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", format_reports.HOSTILE)
def test_hostile_text_leaves_no_trace_on_a_terminal(text: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(json.dumps(format_reports.spiked(text)), encoding="utf-8")
    done = call("--format", "markdown", "fleet.json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not set(done.stdout) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x2028]))


def test_a_reader_that_goes_away_is_no_error(path: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} {SCRIPT} --format json {path} | head -1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
