# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a node as a terminal may get it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

# C0, DEL, C1, the marks that turn the direction of text, what has no width, halves of a pair, what is no character.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]+"
)
_LONGEST = 4000
_SHORT = 1000
DEEPEST = 32  # what we return ourselves has ten levels


def short(text: str) -> str:
    """A text that is not longer than a reader takes."""
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def printable(value: Any, depth: int = 0) -> Any:
    """The same value with every text safe for a terminal, and nothing in it that JSON or Ansible reads as something else.

    What is nested deeper than anything of ours is cut: it would cost every host of the report its stack. NaN and infinity are no JSON.
    """
    if isinstance(value, str):
        if len(value) <= _LONGEST and value.isprintable():
            return value
        return _CONTROL.sub(" ", value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "...")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {_key(key): printable(one, depth + 1) for key, one in value.items()}
    return [printable(one, depth + 1) for one in value] if isinstance(value, (list, tuple)) else value


def _key(key: Any) -> Any:
    """`__ansible_vault` and `__ansible_unsafe` as keys make the filter from_json of ansible-core take the value for one of its own."""
    found = printable(key)
    return found.lstrip("_") if isinstance(found, str) and found.startswith("__ansible_") else found
