# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/kernels.md is what page.py writes."""

from __future__ import annotations

from pathlib import Path

import page


def test_the_page_is_written_from_the_table():
    written = Path(__file__).parents[3] / "docs/kernels.md"
    assert written.read_text(encoding="utf-8") == page.page(), "write it again: tests/unit/kernels/page.py > docs/kernels.md"
