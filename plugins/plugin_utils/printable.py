# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a node as a terminal may get it."""

from __future__ import annotations

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


def short(text: str) -> str:
    """A text that is not longer than a reader takes."""
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def printable(value: Any) -> Any:
    """The same value with every text safe for a terminal."""
    if isinstance(value, str):
        if len(value) <= _LONGEST and value.isprintable():
            return value
        return _CONTROL.sub(" ", value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "...")
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, Mapping):
        return {printable(key): printable(one) for key, one in value.items()}
    return [printable(one) for one in value] if isinstance(value, (list, tuple)) else value
