# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the scripts beside it: makes this collection importable under its name, wherever it is, installed or a checkout of any name."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def find_collection() -> None:
    """After this, ansible_collections.kubenet.vxlan_offload is the collection that this script belongs to. Needs no Ansible."""
    for name, path in (("", []), (".kubenet", []), (".kubenet.vxlan_offload", [str(ROOT)])):
        package = types.ModuleType("ansible_collections" + name)
        package.__path__ = path
        sys.modules[package.__name__] = package
