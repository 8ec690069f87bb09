# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders as `ansible-runner process` leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

UUID = "02fc0000-0001-5bb9-5881-00000000%04d"


def verdict(status: str) -> dict[str, Any]:
    return {"status": status, "tcp": "ok", "udp": "ok", "summary": "because", "action": "nothing to do"}


def artifact(**hosts: str) -> dict[str, Any]:
    return {"schema": 1, "kind": "diagnose", "hosts": {name: verdict(status) for name, status in hosts.items()}, "summary": {}}


def event(number: int, name: str, **data: Any) -> dict[str, Any]:
    return {"uuid": UUID % number, "counter": number, "event": name, "event_data": data}


def write_event(folder: Path, found: dict[str, Any]) -> Path:
    path = folder / "job_events" / ("%d-%s.json" % (found["counter"], found["uuid"]))
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def run_folder(folder: Path, rc: Optional[int] = 0, stats: bool = True, **hosts: str) -> Path:
    """A run that ended, or without rc and stats one that was cut."""
    (folder / "job_events").mkdir(parents=True)
    write_event(folder, event(1, "playbook_on_start"))
    for number, name in enumerate(["localhost", *hosts], 2):
        write_event(folder, event(number, "runner_on_ok", host=name))
    if stats:
        write_event(folder, event(100, "playbook_on_stats", artifact_data={"vxlan_offload_part": artifact(**hosts)}))
    if rc is not None:
        (folder / "rc").write_text(str(rc), encoding="utf-8")
        (folder / "status").write_text("failed" if rc else "successful", encoding="utf-8")
    return folder
