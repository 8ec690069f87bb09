# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder have seen is what docs/faults.md says. Last: by its name, after all others."""

from __future__ import annotations

import document


def test_the_page_is_what_was_seen() -> None:
    if document.wanted():
        document.write()
    else:
        assert set(document.ROWS) == set(document.COLUMNS), "run all of tests/lab/faults"
    assert document.written() == document.text(), "run make faults-table"
