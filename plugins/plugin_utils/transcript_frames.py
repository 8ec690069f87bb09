# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Framing of a probe transcript: which section has which lines and which return code.

Every frame line starts with a random word of the first line, so that nothing that a node prints can pass for a frame.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEADER = re.compile(r"vxlan-offload-probe ([0-9]{1,9}) ([0-9a-zA-Z-]{8,64})$")
NUMBER = re.compile("[0-9]{1,9}")
# The probe cuts its sections: a node with everything sends less than a tenth of this. Lines of tools have some 10,000 characters at most.
LARGEST = 16 << 20
LONGEST_LINE = 65_536
# Chains of four tables, two backends and two families, and three sections for each device that is judged.
MOST_SECTIONS = 4000
NEEDS_ROOT = re.compile(r"permission denied|not permitted|must be root", re.IGNORECASE)
# sections by the program that fills them, and its package
PROGRAMS = {
    **dict.fromkeys(("vxlan", "addr", "default", "lookup"), ("ip", "iproute2")),
    **dict.fromkeys(("features", "driver"), ("ethtool", "ethtool")),
    "chain": ("iptables or nft", "iptables"),
}


def said(text: str) -> str:
    """What a program of the node said, as a part of a reason: one line, not longer than a reader takes."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."


class Section(NamedTuple):
    name: str
    args: str
    lines: tuple[str, ...]
    code: int | None  # None: the transcript ends inside this section
    cut: bool  # the probe stopped at its size limit: the last line may be half a line

    @property
    def ok(self) -> bool:
        return self.code == 0

    def reason(self) -> str:
        """Why this section has no usable content, and what to do."""
        if self.code is None:
            return f"transcript ends inside {self.name}: collect it again"
        program, package = PROGRAMS.get(self.name, (self.name, self.name))
        if self.code == 127:
            return f"{program} is not on the node: install {package}"
        if self.code == 126:  # the shell says "Permission denied" to root too
            return f"{program} cannot be executed on the node: look at its file mode, or install {package} again"
        text = next((line for line in self.lines if line.strip() and line[0] != "#"), "")
        if NEEDS_ROOT.search(text):
            return "needs root: run with become"
        return said(text) or f"{self.name} ended with return code {self.code}"


class Transcript(NamedTuple):
    sections: tuple[Section, ...]
    complete: bool

    def find(self, name: str, args: str | None = None) -> Section | None:
        for section in self.sections:
            if section.name == name and args in (None, section.args):
                return section
        return None

    def all(self, name: str) -> list[Section]:
        return [section for section in self.sections if section.name == name]

    def missing(self, name: str) -> str:
        """The reason for a section that is not there."""
        if not self.complete:
            return f"transcript ends before {name}: collect it again"
        return f"the probe has no section {name}: collect again with the probe.sh of this version"


def frames(text: str) -> Transcript:
    """Split a transcript into sections. ValueError: this is none, or one of another version, or larger than any node's."""
    lines = _lines(text)
    start, nonce = _header(lines)
    sections: list[Section] = []
    current: _Open | None = None
    for line in lines[start:]:
        words = line.split(" ")
        if words[0] != nonce:
            if current:
                current.lines.append(line)
            continue
        verb = words[1] if len(words) > 1 else ""
        if verb == "complete":
            return Transcript((*sections, *_unfinished(current)), current is None)
        if verb == "begin" and len(words) > 2:
            sections += _unfinished(current)
            _not_too_many(sections)
            current = _Open(words[2], " ".join(words[3:]))
        elif verb == "cut":
            if current:
                current.cut = True
        elif verb == "end" and current and NUMBER.fullmatch(words[-1]):
            sections.append(current.close(int(words[-1])))
            current = None
    return Transcript((*sections, *_unfinished(current)), False)


class _Open:
    def __init__(self, name: str, args: str) -> None:
        self.name = name
        self.args = args
        self.lines: list[str] = []
        self.cut = False

    def close(self, code: int | None) -> Section:
        return Section(self.name, self.args, tuple(self.lines), code, self.cut)


def _not_too_many(sections: list[Section]) -> None:
    """A section is looked for by its name: the time that takes grows with the square of their number."""
    if len(sections) > MOST_SECTIONS:
        raise ValueError(f"the transcript has more than {MOST_SECTIONS:,} sections, no node's has: collect it again with probe.sh")


def _lines(text: str) -> list[str]:
    """Raises ValueError for what no node prints: it would take the controller's time and memory."""
    if len(text) > LARGEST:
        raise ValueError(f"the transcript has more than {LARGEST >> 20} MiB, no node's has: collect it again with probe.sh")
    lines = [line[:-1] if line.endswith("\r") else line for line in text.split("\n")]
    if max(map(len, lines)) > LONGEST_LINE:
        raise ValueError(f"the transcript has a line of more than {LONGEST_LINE:,} characters, no tool prints that: collect it again")
    return lines


def _unfinished(current: _Open | None) -> list[Section]:
    return [current.close(None)] if current else []


def _header(lines: list[str]) -> tuple[int, str]:
    for number, line in enumerate(lines):
        match = HEADER.match(line)
        if match and match[1] != "1":
            raise ValueError(
                f"transcript of probe version {match[1]}, this collection reads version 1: use probe.sh and collection of the same release"
            )
        if match:
            return number + 1, match[2]
    raise ValueError("no probe transcript: no line 'vxlan-offload-probe 1 ...'; collect one with: sudo sh < probe.sh > node.txt")
