# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What occurred is worth reading also where nothing failed: it stands in front of pytest's closing line."""

from __future__ import annotations

from typing import Any

import pytest

_SAID = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SAID] = []


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Any:
    """Keep a text for the end of the run."""
    return pytestconfig.stash[_SAID].append


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for text in config.stash[_SAID]:
        terminalreporter.write_line(text)
