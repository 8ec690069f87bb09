# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much work the rules of one node may cause on the controller.

Each walk has a limit of its own, but a node can have many devices, and each remedy and each mitigation is walked again. The work is
counted, not timed: a busy controller gives the same verdict as an idle one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# One unit is one rule held against one packet, 2 to 40 us. The nodes of tests/data need less than 1,000 in all.
MOST = 500_000


class TooMuch(ValueError):
    """The rules of this node take too long to walk."""


class _Effort:
    left = MOST
    counted = False


def spend(amount: int = 1) -> None:
    """Count some work. Raises TooMuch when a node has used up what it may."""
    _Effort.left -= amount
    if _Effort.left < 0 and _Effort.counted:
        raise TooMuch(f"its rules need more than {MOST:,} comparisons: no ordinary rule set does, look at the node with iptables-save")


@contextmanager
def of_one_node() -> Iterator[None]:
    """What is done inside is for one node. Inside of another one it counts as a part of that."""
    if _Effort.counted:
        yield
        return
    _Effort.left, _Effort.counted = MOST, True
    try:
        yield
    finally:
        _Effort.counted = False
