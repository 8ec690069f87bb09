# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests in inside/ are for the guests: test_guests.py runs them there."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("KERNEL_LAB") else ["inside"]
