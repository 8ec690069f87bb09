# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubespray's own files: which release lies in a folder. Reads there and nowhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Optional, TypedDict

# Where the tags from 2.10 on have kubespray's default kube_version; since 2.28 it is an expression and not read.
DEFAULTS = (
    "roles/kubespray-defaults/defaults/main.yaml",
    "roles/kubespray-defaults/defaults/main/main.yml",
    "roles/kubespray_defaults/defaults/main/main.yml",
)
_KUBE = re.compile(r"^kube_version: *[\"']?v?(\d+\.\d+\.\d+)[\"']? *$", re.M)


class Tree(TypedDict):
    """`version`: as galaxy.yml or MANIFEST.json has it. Both versions are empty when they are not there."""

    path: str
    version: str
    kube_version: str


def look(folder: str) -> Optional[Tree]:
    """What of kubespray lies in a folder; None when it is no kubespray."""
    root = Path(folder)
    version = _galaxy(_text(root / "galaxy.yml")) or _manifest(_text(root / "MANIFEST.json"))
    found = (_KUBE.search(_text(root / name)) for name in DEFAULTS)
    kube = next((match[1] for match in found if match), "")
    return {"path": str(root), "version": version, "kube_version": kube} if version or kube else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _galaxy(text: str) -> str:
    """galaxy.yml as kubespray writes it: one key a line."""
    keys = dict(re.findall(r"^(name|version): *[\"']?([^\s\"'#]+)", text, re.M))
    return keys.get("version", "") if keys.get("name") == "kubespray" else ""


def _manifest(text: str) -> str:
    try:
        found = json.loads(text or "{}").get("collection_info") or {}
        return str(found.get("version") or "") if found.get("name") == "kubespray" else ""
    except (ValueError, AttributeError):
        return ""
