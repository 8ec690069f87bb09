# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in the distribution's Chromium: what is clicked here is what a user clicks."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html import page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))
sys.path.insert(0, str(ROOT / "tests" / "unit" / "reasoning"))

import build  # noqa: E402
import fleet_of  # noqa: E402

FLAGS = (
    "--no-sandbox --headless --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
).split()
SCREENSHOTS = ROOT / ".venv" / "report" / "screenshots"
AXE = ROOT / ".venv" / "report" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("calico_first_fixed", "clear_mark_calico_first", "maybe_statistic", "kube_1_30_fixed", "calico_3_29", "cali_only")


def small_report() -> dict[str, Any]:
    """Every status, recorded nodes and rule sets, two nodes that cannot be reached and one that was not asked."""
    results: dict[str, Any] = {name: {"node": json.loads(text)} for name, text in fleet_of.recorded().items()}
    results.update({f"rules-{name}": {"node": build.facts(name)} for name in RULES})
    results["dead-1"] = {"unreachable": True, "msg": "Failed to connect to the host via ssh: dead-1"}
    results["dead-2"] = {"unreachable": True, "msg": "Failed to connect to the host via ssh: dead-2"}
    # As a reader of fleet.json has it.
    return dict(json.loads(json.dumps(fleet(results, expected=[*results, "lost-1"]))))


@pytest.fixture(scope="session")
def report() -> dict[str, Any]:
    return small_report()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no chromium: run lab/packages.sh tests/report/packages.txt"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


class Opened:
    """A page that was opened, with everything that went wrong in it."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.errors: list[str] = []
        self.requests: list[str] = []
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda request: self.requests.append(request.url))

    def names(self) -> list[str]:
        """The nodes in the list, from top to bottom."""
        return self.tab.locator("#rows .open").all_text_contents()

    def found(self) -> str:
        return self.tab.locator("#found").inner_text()

    def picture_of(self, name: str, full: bool = True) -> None:
        """A screenshot for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=str(SCREENSHOTS / f"{name}.png"), full_page=full)


Opener = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens the page of a report: opened(report, before=None, address="", **context options)."""
    contexts = []

    def opener(report: Any, before: Any = None, address: str = "", **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(page(report, before), encoding="utf-8")
        found = Opened(context.new_page())
        found.tab.goto(path.as_uri() + address)
        return found

    yield opener
    for context in contexts:
        context.close()
