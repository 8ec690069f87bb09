# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties are tried with the same examples each time, as those of properties/hostile.py, so that CI is red or green for a reason.

HOSTILE_EXAMPLES=2000 tries that many, new ones each time: for who changes a parser.
"""

from __future__ import annotations

import os

from hypothesis import settings

_WANTED = int(os.environ.get("HOSTILE_EXAMPLES", "0"))
settings.register_profile("same", derandomize=not _WANTED, database=None, deadline=None, max_examples=_WANTED or 200)
settings.load_profile("same")
