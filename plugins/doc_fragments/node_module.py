# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that run on a node have in common; STATE: what those of them that change it have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Systems that the module runs on.
    platforms: linux
    support: full
"""

    STATE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the change that it would make, without making it.
    support: full
  diff_mode:
    description: Returns what it changed, or would change in C(check_mode), when in diff mode.
    support: full
"""
