# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing versions with packaging.

It is imported on the first call: ansible-core always brings it, but ansible-test's import test runs without.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version


@lru_cache(maxsize=1024)
def version(text: str) -> Version:
    """Parse a version; its ValueError says which text is none."""
    from packaging.version import Version

    return Version(text)


def within(number: Version, span: str) -> bool:
    """Whether a version is in a specifier such as ``>=3.19.2,<3.24.6``; an empty one contains nothing."""
    from packaging.specifiers import SpecifierSet

    return bool(span) and number in SpecifierSet(span)
