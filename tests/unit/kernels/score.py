# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the table judges the kernels in tests/data/kernels: right, honestly unknown, missed, wrong.

    PYTHONPATH=(the folder that holds ansible_collections) python tests/unit/kernels/score.py
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status

DATA = Path(__file__).parents[2] / "data/kernels"


def cases(name: str) -> list[dict[str, str]]:
    """The rows of one file: release, version, signature; truth, why, source."""
    rows: list[dict[str, str]] = yaml.safe_load((DATA / f"{name}.yml").read_text(encoding="utf-8"))
    return rows


def kernel(case: dict[str, str]) -> dict[str, Any]:
    """A row as the kernel part of the node facts."""
    return {"release": case["release"], "version": case.get("version", ""), "version_signature": case.get("signature", "")}


def score(case: dict[str, str]) -> str:
    """missed: the truth is known, the table says unknown. wrong: it says what is not so, or more than anybody can know."""
    status = kernel_status(kernel(case))["zero_checksum"]
    if case["truth"] == "unknowable":
        return "honestly unknown" if status == "unknown" else "wrong"
    if status == case["truth"]:
        return "right"
    return "missed" if status == "unknown" else "wrong"


def counts() -> dict[str, int]:
    return dict(collections.Counter(score(case) for name in ("known", "wild") for case in cases(name)))


if __name__ == "__main__":
    print(", ".join(f"{number} {word}" for word, number in sorted(counts().items())))
