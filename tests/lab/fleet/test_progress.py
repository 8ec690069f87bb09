# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback progress on a real terminal, and where there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import on_terminal

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "data/transcripts"
NAME = "kubenet.vxlan_offload.progress"
NOT_A_TERMINALS = ("NO_COLOR", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR", "COLUMNS")
ERASE = "\r\x1b[K"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ten hosts from transcripts, one after the other, so that the output is the same each time."""
    report = tmp_path_factory.mktemp("report")
    playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "--forks", "1", "kubenet.vxlan_offload.diagnose"]
    return [*playbook, "-e", f"vxlan_offload_transcripts={TRANSCRIPTS}", "-e", f"vxlan_offload_report_dir={report}"]


@pytest.fixture(scope="module")
def environment(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        # As a user's terminal: CI turns colours off.
        **{name: value for name, value in os.environ.items() if name not in NOT_A_TERMINALS},
        "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_HOME": str(tmp_path_factory.mktemp("home")), "TERM": "xterm",
        "VXLAN_OFFLOAD_PROGRESS_REFRESH": "0",
    }  # fmt: skip


def screen(text: str) -> list[str]:
    """The rows that are left: carriage return, erase to the end of the row, colours."""
    rows, at = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
        if piece == "\r":
            at = 0
        elif piece == "\n":
            rows.append("")
        elif piece == "\x1b[K":
            rows[-1] = rows[-1][:at]
        elif not piece.startswith("\x1b"):
            rows[-1] = rows[-1][:at] + piece + rows[-1][at + len(piece) :]
            at += len(piece)
    return rows


def shown(text: str) -> list[str]:
    """Every text that the line had."""
    return re.findall(r"\r\x1b\[K([^\r\n\x1b]+)(?=\r\x1b\[K)", text)


@pytest.fixture(scope="module")
def plain(command: list[str], environment: dict[str, str]) -> str:
    return on_terminal(command, environment)


@pytest.fixture(scope="module")
def seen(command: list[str], environment: dict[str, str]) -> str:
    return on_terminal(command, {**environment, "ANSIBLE_CALLBACKS_ENABLED": NAME})


def test_it_is_opt_in(plain: str) -> None:
    assert ERASE not in plain and "now: " not in plain


def test_the_output_of_the_playbook_is_left_as_it_is_and_the_summary_follows(plain: str, seen: str) -> None:
    before = screen(plain)[:-1]
    after = screen(seen)[:-1]
    assert after[: len(before)] == before
    summary = after[len(before) :]
    assert summary[0] == "10 hosts: 6 affected, 3 exposed, 1 unknown"
    heads = [line.split(",")[0] for line in summary[1:] if not line.startswith(" ")]
    assert heads == ["AFFECTED  3 hosts", "AFFECTED  2 hosts", "AFFECTED  1 host", *["EXPOSED  1 host"] * 3, "UNKNOWN  1 host"]
    assert "    -> apply clear_mark; later upgrade Calico" in summary and "    -> run with become: true" in summary


def test_the_line_counts_the_hosts_that_were_read(seen: str) -> None:
    counted = [int(number) for number in re.findall(r"Diagnose the nodes: read (\d+) of 10", seen)]
    assert counted == sorted(counted) and set(counted) == set(range(11))
    assert "now: kubenet.vxlan_offload.diagnose : Read the node" in seen
    assert re.search(r"Diagnose the nodes: read \d+ of 10: (of \d+ judged )?\d+ (affected|exposed)", seen)


@pytest.mark.parametrize("columns", [1, 12, 40])
def test_the_line_is_not_wider_than_the_terminal(columns: int, command: list[str], environment: dict[str, str]) -> None:
    text = on_terminal(command, {**environment, "ANSIBLE_CALLBACKS_ENABLED": NAME, "NO_COLOR": "1"}, columns)
    lines = shown(text)
    assert all(len(line) < columns for line in lines) and (lines or columns == 1)
    assert "10 hosts: 6 affected, 3 exposed, 1 unknown\r\nAFFECTED  3 hosts" in text


def test_colours_can_be_turned_off(seen: str, command: list[str], environment: dict[str, str]) -> None:
    text = on_terminal(command, {**environment, "ANSIBLE_CALLBACKS_ENABLED": NAME, "NO_COLOR": "1"})
    assert "\x1b[31mAFFECTED\x1b[0m" in seen and "\x1b[31m" not in text.rsplit(ERASE, 1)[1]


def test_a_dumb_terminal_gets_the_summary_only(command: list[str], environment: dict[str, str]) -> None:
    text = on_terminal(command, {**environment, "ANSIBLE_CALLBACKS_ENABLED": NAME, "TERM": "dumb"})
    assert ERASE not in text and "now: " not in text
    assert "AFFECTED  3 hosts, lco_checksum\r\n" in text


def test_output_into_a_file_has_nothing_of_it(command: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    quiet = {**environment, "ANSIBLE_NOCOLOR": "1"}
    expected = subprocess.run(command, env=quiet, capture_output=True, text=True, check=True).stdout
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        text = on_terminal(command, {**quiet, "ANSIBLE_CALLBACKS_ENABLED": NAME}, stdout=log)
    assert (tmp_path / "log").read_text(encoding="utf-8") == expected
    assert "read 10 of 10" in text and "AFFECTED  3 hosts" in text and "PLAY RECAP" not in text


def test_without_a_terminal_nothing_is_printed(command: list[str], environment: dict[str, str]) -> None:
    plain = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    done = subprocess.run(command, env={**environment, "ANSIBLE_CALLBACKS_ENABLED": NAME}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)
