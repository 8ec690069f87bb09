# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyboard, contrast, semantics: axe-core finds nothing, and everything can be done without a mouse."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import AXE
from playwright.sync_api import expect

NODES = ("", "rules-calico_first_fixed", "rules-clear_mark_calico_first", "not_root")


def violations(tab: Any) -> list[str]:
    assert AXE.exists(), "no axe-core: run make test-report, which puts it into .venv/report"
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(opened: Any, report: Any, scheme: str, name: str) -> None:
    page = opened(report, before=report, address=f"#node={name}" if name else "", color_scheme=scheme)
    assert violations(page.tab) == []


def test_axe_finds_no_violation_in_a_narrow_window(opened: Any, report: Any) -> None:
    page = opened(report, before=report, address="#node=not_root&q=not_root", viewport={"width": 390, "height": 800})
    assert violations(page.tab) == []


def focused(tab: Any) -> str:
    return str(tab.evaluate("document.activeElement.id || document.activeElement.textContent"))


def tab_to(tab: Any, wanted: str) -> None:
    for _press in range(200):
        if focused(tab) == wanted:
            return
        tab.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by the Tab key")


def test_a_node_is_found_opened_and_closed_by_keys_alone(opened: Any, report: Any) -> None:
    page = opened(report)
    tab = page.tab
    tab.keyboard.press("Tab")
    assert focused(tab) == "Skip to the nodes"
    tab.keyboard.press("Enter")
    tab_to(tab, "search")
    tab.keyboard.type("clear_mark_calico")
    expect(tab.locator("#rows .open")).to_have_count(1)
    tab_to(tab, "rules-clear_mark_calico_first")
    tab.keyboard.press("Enter")
    assert tab.locator(".node").is_visible() and focused(tab) == "rules-clear_mark_calico_first"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.classList.contains('picture')")
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Enter")
    assert tab.locator(".node").count() == 0 and focused(tab) == "rules-clear_mark_calico_first"


def test_a_column_is_sorted_by_keys_alone(opened: Any, report: Any) -> None:
    tab = opened(report).tab
    tab.locator("#search").focus()
    tab_to(tab, "Kernel")
    tab.keyboard.press("Space")
    assert tab.locator('th[data-column="kernel"]').get_attribute("aria-sort") == "ascending"
    assert focused(tab).startswith("Kernel")


def test_the_list_is_a_table_with_named_rows_and_columns(opened: Any, report: Any) -> None:
    tab = opened(report, address="#q=not_root").tab
    assert tab.get_by_role("columnheader", name="Status").count() >= 1
    assert tab.get_by_role("rowheader", name="not_root").count() == 1
    assert tab.get_by_role("status").first.inner_text().startswith("1 to 1 of 1")
