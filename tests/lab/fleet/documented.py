# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of docs/distributed.md, and a home folder in which the collection is installed where they expect it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/distributed.md"


def block(title: str) -> str:
    """The block below `<!-- run by tests/lab/fleet/TITLE -->`."""
    (found,) = re.findall(r"<!-- run by tests/lab/fleet/%s -->\n```sh\n(.*?)```" % re.escape(title), PAGE.read_text(encoding="utf-8"), re.S)
    return str(found)


def home(folder: Path) -> Path:
    """A copy of what a user installs, at ~/.ansible."""
    place = folder / ".ansible/collections/ansible_collections/kubenet/vxlan_offload"
    for name in ("docs", "examples", "meta", "playbooks", "plugins", "roles", "scripts"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
