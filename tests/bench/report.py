# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report of 10,000 saved nodes costs: `make bench-report`.

Facts are read from files, judged by fleet() as fleet_report does it, and written as fleet.json and as page. Memory is that of
this process and its largest child, measured at three sizes: it is to grow no faster than the number of hosts.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fleet_of
import pages
from measure import machine

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html import page


def saved(folder: Path) -> dict[str, Any]:
    """The saved facts of each host, as node_info with as_json returns them."""
    return {path.stem: {"node_json": path.read_text(encoding="utf-8")} for path in sorted(folder.glob("*.json"))}


def measure(folder: Path, out: Path) -> dict[str, float]:
    """Seconds of each part, megabytes of memory and of the files."""
    start, before = time.monotonic(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    report = fleet(saved(folder))
    diagnosed = time.monotonic()
    (out / "fleet.json").write_text(as_text(report), encoding="utf-8")
    written = time.monotonic()
    (out / "report.html").write_text(page(report), encoding="utf-8")
    done = time.monotonic()
    page_mb = (out / "report.html").stat().st_size / 1e6
    memory = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    cpu = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) - before
    return {
        "cpu_s": cpu, "diagnose_s": diagnosed - start, "fleet_json_s": written - diagnosed, "page_s": done - written, "all_s": done - start,
        "memory_mb": memory, "fleet_json_mb": (out / "fleet.json").stat().st_size / 1e6, "page_mb": page_mb,
    }  # fmt: skip


def opened(path: Path, repeats: int) -> float:
    """Median milliseconds until the page is loaded and its list is there."""
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for _turn in range(repeats):
            tab = browser.new_page()
            tab.goto(path.as_uri())
            taken.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            tab.close()
        browser.close()
    return statistics.median(taken)


def save(folder: Path, count: int) -> None:
    for name, facts in fleet_of.nodes(count):
        (folder / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")


def one_size(count: int) -> None:
    """One row; a process of its own, because memory that was used once is never given back."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "facts"), Path(name)
        folder.mkdir()
        save(folder, count)
        found = measure(folder, out)
        found["open_ms"] = opened(out / "report.html", 5)
    print("| %d | %.1f s | %.1f s | %.1f s | **%.1f s** | %.1f s | %.0f MB | %.1f MB | %.1f MB | %.0f ms |" % (
        count, found["diagnose_s"], found["fleet_json_s"], found["page_s"], found["all_s"], found["cpu_s"], found["memory_mb"],
        found["fleet_json_mb"], found["page_mb"], found["open_ms"]), flush=True)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default="2500,5000,10000")
    options.add_argument("--write", action="store_true", help="into docs/benchmark.md")
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        one_size(chosen.one)
        return
    lines = ["| hosts | diagnose | fleet.json | page | all | CPU | memory | fleet.json | page | opens |", "|---" * 10 + "|"]
    print("\n".join(lines), flush=True)
    for size in chosen.sizes.split(","):
        done = subprocess.run([sys.executable, __file__, "--one", size], check=True, stdout=subprocess.PIPE, text=True)
        lines.append(done.stdout.strip())
        print(lines[-1], flush=True)
    if chosen.write:
        pages.write("docs/benchmark.md", "report", "\n".join(["Measured on %s." % machine(), "", *lines]))


if __name__ == "__main__":
    main()
