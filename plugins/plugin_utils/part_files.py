# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a part of a run left on disk: artifacts of ansible-runner, or a fleet.json.

What cannot be read is a part with a problem, never an exception: it came over a network, and half of it may be missing.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.parts import Part, part

# A result of 10,000 nodes with whole diagnoses is a tenth of this.
LARGEST = 512 * 2**20
_DEEPEST = 60
_EVENT = re.compile(r"([0-9]{1,9})-[0-9a-f-]{32,36}\.json\Z")


def _text(path: str) -> str:
    """Raises ValueError with one line."""
    name = os.path.basename(path)
    try:
        # A link could lead anywhere on the controller, and a pipe would wait for ever.
        mode = os.lstat(path)
        if not stat.S_ISREG(mode.st_mode):
            raise ValueError(f"{name} is no plain file")
        if mode.st_size > LARGEST:
            raise ValueError(f"{name} is larger than {LARGEST >> 20} MiB: publish verdicts only (vxlan_offload_artifact_detail=verdict)")
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text") from error


def _too_deep(value: Any, left: int = _DEEPEST) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    return left == 0 or any(_too_deep(one, left - 1) for one in (value.values() if isinstance(value, dict) else value))


def _json(path: str) -> dict[str, Any]:
    """Raises ValueError with one line."""
    text = _text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.path.basename(path)} is not JSON, or only a piece of it") from error
    if not isinstance(found, dict) or _too_deep(found):
        raise ValueError(f"{os.path.basename(path)} is not what was expected: a JSON object")
    return found


def _is_run(path: str) -> bool:
    return any(os.path.exists(os.path.join(path, name)) for name in ("rc", "status", "job_events"))


def _run_folder(path: str) -> str:
    """The folder of one run: `path` itself, or the only run in path/artifacts. Raises ValueError."""
    if not os.path.isdir(path):
        raise ValueError("neither a folder nor a file" if os.path.exists(path) else "nothing is there: did its run end?")
    above = os.path.join(path, "artifacts")
    for folder in (path, above):
        if _is_run(folder):
            return folder
    runs = sorted(one.path for one in os.scandir(above) if one.is_dir() and _is_run(one.path)) if os.path.isdir(above) else []
    if not runs:
        raise ValueError("no artifacts of ansible-runner in it: give artifacts/IDENT; if nothing came over its stream, run this part again")
    if len(runs) > 1:
        raise ValueError(f"several runs: {', '.join(os.path.basename(one) for one in runs[:5])}; name one, as artifacts/IDENT")
    return runs[0]


def _event_files(folder: str) -> list[str]:
    """The events of a run, the newest first. Raises ValueError when they are of more than one run."""
    events = os.path.join(folder, "job_events")
    if not os.path.isdir(events):
        return []
    found = sorted(((int(match[1]), name) for name in os.listdir(events) for match in [_EVENT.match(name)] if match), reverse=True)
    if len({number for number, _name in found}) < len(found):
        # A complete run of yesterday must not stand for the cut one of today.
        raise ValueError("the events of two runs are in one folder: give each run its own ident and run this part again")
    return [os.path.join(events, name) for _number, name in found]


def _stats(files: list[str]) -> Any:
    """The data of the event playbook_on_stats; None when there is none. Raises ValueError."""
    for path in files:
        event = _json(path)
        if event.get("event") == "playbook_on_stats":
            data = event.get("event_data")
            return data if isinstance(data, dict) else None
    return None


def _begun(files: list[str]) -> list[str]:
    """Hosts that events name, as far as they can be read. Plays on localhost are about the run, not about a node."""
    found = set()
    for path in files:
        try:
            data = _json(path).get("event_data")
        except ValueError:
            continue
        host = data.get("host") if isinstance(data, dict) else None
        if isinstance(host, str) and host not in ("", "localhost"):
            found.add(host)
    return sorted(found)


def _word(folder: str, name: str) -> Any:
    """The content of a file of one word; None when it is not there."""
    path = os.path.join(folder, name)
    return _text(path).strip() if os.path.lexists(path) else None


def _rc(folder: str) -> Any:
    text = _word(folder, "rc")
    if text is not None and not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError("its rc is no number")
    return None if text is None else int(text)


def _run_part(name: str, folder: str) -> Part:
    files: list[str] = []
    try:
        files = _event_files(folder)
        rc, status, stats = _rc(folder), _word(folder, "status"), _stats(files)
    except (ValueError, OSError) as error:
        return part(name, problem=str(error), begun=_begun(files))
    published = (stats or {}).get("artifact_data")
    artifacts = published if isinstance(published, Mapping) else {}
    begun = [] if rc == 0 and artifacts else _begun(files)
    return part(name, rc=rc, status=status, stats=stats, artifacts=artifacts, begun=begun)


def _names(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _report_part(name: str, path: str) -> Part:
    """A report is written in one step at the end of a run, so it stands for one that ended."""
    report = _json(path)
    summary, inner = report.get("summary"), report.get("parts")
    missing = _names(summary.get("not_checked")) if isinstance(summary, dict) else []
    ends = inner if isinstance(inner, dict) else {}
    cut = sorted(key for key, one in ends.items() if not isinstance(one, dict) or one.get("status") != "complete")
    problem = f"its part {cut[0]} is incomplete: give its parts instead of this report" if cut else ""
    return part(name, problem=problem, rc=0, stats={}, artifacts={"report": report}, missing=missing)


def read_part(path: str, name: str = "") -> Part:
    """One part: a folder of ansible-runner's artifacts, its private data folder with one run, or a fleet.json."""
    name, place = name or path, os.path.realpath(path)
    try:
        return _report_part(name, place) if os.path.isfile(place) else _run_part(name, _run_folder(place))
    except (ValueError, OSError) as error:
        return part(name, problem=str(error))


def read_parts(paths: Sequence[str]) -> list[Part]:
    """Each named by the end of its path where that tells them apart, else by the whole of it."""
    ends = [os.path.basename(os.path.normpath(path)) for path in paths]
    names = ends if len(set(ends)) == len(ends) else paths
    return [read_part(path, name) for path, name in zip(paths, names)]
