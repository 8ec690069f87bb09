# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published of a report comes back as an extra variable of the next job, and Ansible resolves the templates of those."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet, inert, published


@pytest.mark.parametrize(
    "text, safe",
    [
        ("{{ lookup('pipe', 'id') }}", "{ { lookup('pipe', 'id') }}"),
        ("{%- set x %}{# y", "{ %- set x %}{ # y"),
        ("{{{{", "{ { { {"),
        ("{'a': {}}", "{'a': {}}"),
        ("", ""),
    ],
)
def test_no_text_is_a_template(text: str, safe: str) -> None:
    assert inert({"kept": [text, 1, None]}) == {"kept": [safe, 1, None]}
    assert inert(inert(text)) == inert(text)


@pytest.mark.parametrize("detail", ["verdict", "diagnosis"])
def test_words_of_a_node_are_published_inert(detail: str) -> None:
    """The file keeps them as they were: nothing resolves templates in it."""
    report = fleet({"node1": {"failed": True, "msg": "sh: {{ 7 * 7 }}: not found"}})
    hosts: dict[str, Any] = published(report, "diagnose", detail)["hosts"]
    assert "{{" in report["hosts"]["node1"]["summary"]
    assert "{ { 7 * 7 }}" in hosts["node1"]["summary"] and "{{" not in str(hosts)
