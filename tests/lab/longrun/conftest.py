# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a long run, at the end of what pytest prints."""

from __future__ import annotations

from typing import Any

import pytest

pytest.long_run_table = pytest.StashKey[list[str]]()  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash.get(pytest.long_run_table, []):  # type: ignore[attr-defined]
        terminalreporter.write_line(line)
