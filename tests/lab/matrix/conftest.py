# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments of the matrix and what its tests find out, for the table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import environments


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the environments are; made here when make did not."""
    place = os.environ.get("MATRIX_ENVIRONMENTS")
    assert place, "MATRIX_ENVIRONMENTS names no folder: run make test-matrix"
    problems = environments.make_all(Path(place))
    assert not problems, "\n".join(problems)
    return Path(place)


@pytest.fixture(scope="session")
def outcome() -> dict[str, Any]:
    """{"cells": {controller: {python: word}}, "roles": {controller: [python]}}: what the table is made of."""
    return {"cells": {}, "roles": {}}
