# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each claim of docs/security.md names a test that is there, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import effort, facts_input, rules, transcript_frames, traversal

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", PAGE)))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_row_of_what_a_node_cannot_do_names_one() -> None:
    rows = PAGE.partition("## What it cannot do")[2].partition("## ")[0].strip().splitlines()[2:]
    assert len(rows) > 8 and all("::test_" in row for row in rows)


def test_the_limits_are_those_of_the_code() -> None:
    lines = f"lines of {transcript_frames.LONGEST_LINE:,} characters, {transcript_frames.MOST_SECTIONS:,} sections"
    assert f"{transcript_frames.LARGEST >> 20} MiB, {lines}" in PAGE
    assert f"| {rules.LONGEST_RULE:,} characters, {rules.MOST_MATCHES} matches;" in PAGE
    assert (
        f"| {effort.MOST:,}; " in PAGE
        and f"| VXLAN devices | {facts_input.MOST_DEVICES} |" in PAGE
        and f", {traversal.MAX_TRACE} |" in PAGE
    )
