# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command on a terminal of its own, and a run of diagnose on one for the callback progress."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TRANSCRIPTS = Path(__file__).resolve().parents[1] / "data/transcripts"
NAME = "kubenet.vxlan_offload.progress"
NOT_A_TERMINALS = ("NO_COLOR", "ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR", "COLUMNS")


def ten_hosts(binaries: Path, report: Path) -> list[str]:
    """Ten hosts from transcripts, one after the other, so that the output is the same each time."""
    playbook = [str(binaries / "ansible-playbook"), "-i", "localhost,", "--forks", "1", "kubenet.vxlan_offload.diagnose"]
    return [*playbook, "-e", f"vxlan_offload_transcripts={TRANSCRIPTS}", "-e", f"vxlan_offload_report_dir={report}"]


def as_of_a_user(collections: Path, home: Path) -> dict[str, str]:
    """The environment of a user's terminal: CI turns colours off."""
    return {
        **{name: value for name, value in os.environ.items() if name not in NOT_A_TERMINALS},
        "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_HOME": str(home), "TERM": "xterm",
        "VXLAN_OFFLOAD_PROGRESS_REFRESH": "0",
    }  # fmt: skip


def on_terminal(command: Sequence[str], environment: Mapping[str, str], columns: int = 100, stdout: Any = None) -> str:
    """What a terminal of this width gets; stdout may go elsewhere."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, stdin=slave, stdout=stdout or slave, stderr=slave, env=environment)
    os.close(slave)
    found = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            break
        if not piece:
            break
        found += piece
    os.close(master)
    assert process.wait() == 0, found
    return found.decode()


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
