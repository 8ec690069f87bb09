# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds small transcripts, so that a test shows only what it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

NONCE = "11111111-2222-4333-8444-555555555555"
TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"
NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.txt"))


def recorded(name: str) -> str:
    return (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")


def section(title: str, *lines: str, code: int = 0) -> str:
    return "\n".join([f"{NONCE} begin {title}", *lines, f"{NONCE} end {title} {code}"])


def transcript(*sections: str, uid: int = 0, subset: str = "all", complete: bool = True) -> str:
    settings = section("self", f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}", f"subset {subset}", "changelog 0")
    return "\n".join([f"vxlan-offload-probe 1 {NONCE}", settings, *sections, *([f"{NONCE} complete"] if complete else []), ""])


def facts(*sections: str, **options: Any) -> dict[str, Any]:
    return dict(parse(transcript(*sections, **options)))
