# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iperf3 from a node to the pod: one TCP stream through the tunnel."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import Any

from . import addresses as ip
from .errors import LabError
from .ruleset import enter
from .state import State


def measure(lab: State, node: str, seconds: int = 2) -> dict[str, Any]:
    """Returns {"gbit_per_s", "retransmits", "seconds"}."""
    if shutil.which("iperf3") is None:
        raise LabError("missing tools: apt-get install iperf3")
    serve = ["iperf3", "--server", "--one-off", "--bind", ip.DNS_POD]
    server = subprocess.Popen(enter(lab.pid("dns-pod")) + serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        report = _ask(enter(lab.pid(node)) + ["iperf3", "--client", ip.DNS_POD, "--time", str(seconds), "--json"])
    finally:
        server.kill()
        server.wait()
    sent = report["end"]["sum_sent"]
    received = report["end"]["sum_received"]["bits_per_second"]
    return {"gbit_per_s": round(received / 1e9, 2), "retransmits": sent["retransmits"], "seconds": seconds}


def _ask(command: list[str]) -> dict[str, Any]:
    """Repeated for a moment while the server is not listening yet."""
    deadline = time.monotonic() + 5
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report: dict[str, Any] = json.loads(done.stdout or "{}")
        if "error" not in report and report.get("end"):  # iperf3 3.12 exits with 0 when it could not connect
            return report
        if "refused" not in report.get("error", "") or time.monotonic() > deadline:
            raise LabError("iperf3: %s" % (report.get("error") or done.stderr.strip()))
        time.sleep(0.05)
