# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of any size from recorded nodes: each transcript again and again, with addresses and a name of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

TRANSCRIPTS = Path(__file__).resolve().parents[1] / "data" / "transcripts"


def recorded() -> dict[str, str]:
    """The facts of each recorded node, as JSON."""
    paths = sorted(TRANSCRIPTS.glob("*.txt"))
    return {path.stem: json.dumps(parse(path.read_text(encoding="utf-8"))) for path in paths}


def nodes(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, facts) of so many nodes; no two have the same addresses."""
    texts = list(recorded().values())
    for number in range(count):
        block, at = divmod(number, 250)
        text = texts[number % len(texts)].replace("10.1.0.", f"10.{100 + block}.{at}.").replace("10.244.0.", f"10.244.{at}.")
        yield f"worker-{number:05d}.example", json.loads(text)
