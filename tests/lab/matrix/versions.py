# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ansible-core on which Python manages which Pythons of nodes. The one place with the versions of the matrix.

`oldest_node` is the oldest Python that ansible-core itself accepts on a node (`_PY_MIN` in its module_utils/basic.py; its
porting guides say the same): 3.5 for 2.15, 3.6 for 2.16, 3.7 for 2.17, 3.8 for 2.18 and 2.19, 3.9 for 2.20 and 2.21.
"""

from __future__ import annotations

from dataclasses import dataclass

import cases

NODE_PYTHONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
# Tested where there is one. A machine without it says so in the table.
OPTIONAL_NODE_PYTHONS = ("3.14",)


@dataclass(frozen=True)
class Controller:
    release: str
    python: str
    oldest_node: str
    steps: tuple[str, ...] = cases.SHORT_STEPS

    @property
    def line(self) -> str:
        return self.release.rsplit(".", 1)[0]

    @property
    def name(self) -> str:
        return "%s-py%s" % (self.line, self.python)

    def serves(self, python: str) -> bool:
        return number(python) >= number(self.oldest_node)


CONTROLLERS = (
    Controller("2.15.13", "3.9", "3.5"),  # what AWX's stock execution environment has
    Controller("2.15.13", "3.11", "3.5"),
    Controller("2.16.19", "3.11", "3.6", cases.STEPS),
    Controller("2.17.14", "3.11", "3.7"),
    Controller("2.18.19", "3.11", "3.8"),
    Controller("2.19.14", "3.11", "3.8", cases.STEPS),
    Controller("2.20.10", "3.12", "3.9"),
    Controller("2.21.5", "3.13", "3.9", cases.STEPS),
)
BY_NAME = {controller.name: controller for controller in CONTROLLERS}


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
