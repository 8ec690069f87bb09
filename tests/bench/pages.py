# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that were measured, between their marks in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _marks(name: str) -> str:
    return "(<!-- bench:%s -->\n).*?(<!-- /bench:%s -->)" % (name, name)


def write(path: str, name: str, text: str) -> None:
    """Replace what is between the marks of a table."""
    page = (ROOT / path).read_text(encoding="utf-8")
    changed, count = re.subn(_marks(name), lambda found: found[1] + "\n" + text + "\n\n" + found[2], page, flags=re.S)
    if count != 1:
        raise SystemExit("%s has no place for the table %s" % (path, name))
    (ROOT / path).write_text(changed, encoding="utf-8")
