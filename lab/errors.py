# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that the command line turns into one line."""

from __future__ import annotations


class LabError(Exception):
    """Something a user can act on; the text is one line, lower case."""
