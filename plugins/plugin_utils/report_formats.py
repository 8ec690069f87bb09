# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that are written beside fleet.json, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_junit import junit
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_markdown import markdown
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_textfile import textfile

# The file of each format.
FILES = {"html": "report.html", "junit": "junit.xml", "markdown": "report.md", "textfile": "vxlan_offload.prom"}


def render(name: str, report: Mapping[str, Any], made: float, before: Optional[Mapping[str, Any]] = None) -> str:
    """The report in one of FILES' formats. `made`: when it was made, seconds since the epoch. `before`: an earlier report, for html.

    Raises ValueError when `report` is no fleet report.
    """
    if name == "html":
        # Only here: the page is most of what there is to import.
        from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html import page

        return str(page(report, before))
    if name == "junit":
        return junit(report)
    return markdown(report) if name == "markdown" else textfile(report, made)
