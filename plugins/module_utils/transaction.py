# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node from one state to another in one step: the record first, then the change, then what keeps it; or all of it taken back.

The caller holds the lock of node_lock.py. A process that is killed on the way leaves a record that says so, and with
it everything that the next run needs to finish or to take back.
"""

import json
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import (
    changes,
    durable,
    record,
    unit_files,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

Record = Dict[str, Any]
Action = Dict[str, Any]
Warn = Callable[[str], None]
Request = NamedTuple(
    "Request",
    [
        ("record", Record),  # as planned, without what only the node knows
        ("actions", List[Action]),
        ("units", unit_files.Wanted),
        ("found", Optional[Record]),  # the record that the plan was made from, empty for none; None when that is not told
    ],
)
# what the node itself adds to a planned record
OWN_KEYS = ("state", "folders")


def read():  # type: () -> Optional[Record]
    """The node's record; None when there is none."""
    text = durable.read(record.PATH)
    if text is None:
        return None
    try:
        return record.parse(text)
    except ValueError as error:
        raise NodeError("cannot tell what was applied: %s" % error) from None


def text_of(content):  # type: (Optional[Record]) -> str
    return json.dumps(content, indent=1, sort_keys=True) + "\n" if content else ""


def _write(content):  # type: (Record) -> None
    durable.make_folder(record.DIRECTORY, 0o700)
    durable.write(record.PATH, text_of(content), 0o600)


def _forget():  # type: () -> None
    """The record goes last: as long as it is there, taking back can be run again."""
    durable.remove(unit_files.KEEPER)
    durable.remove(record.PATH)
    durable.remove_folder(record.DIRECTORY)


def _require_found(current, found):  # type: (Optional[Record], Optional[Record]) -> None
    """What was planned on another state must not be done on this one."""
    if found is not None and current != (found or None):
        raise NodeError("another run has changed the record of this node since it was read: run again")


def _interrupted(current):  # type: (Optional[Record]) -> bool
    return bool(current) and current is not None and current.get("state", record.APPLIED) != record.APPLIED


def _tell(current, now, warn):  # type: (Optional[Record], str, Warn) -> str
    """What an earlier run has left; empty when nothing."""
    if current is None or not _interrupted(current):
        return ""
    began = "began %s" if current["state"] == record.BEGUN else "began to take %s back"
    text = "an earlier run %s on this node and did not end, %s" % (began % current["method"], now)
    warn(text)
    return text


def _planned(content):  # type: (Record) -> Record
    return {key: value for key, value in content.items() if key not in OWN_KEYS}


def _due(actions, warn):  # type: (List[Action], Warn) -> List[Dict[str, Any]]
    """What the actions would do, for those that would do something."""
    due = []
    for action in actions:
        seen = changes.run(action, True, warn)
        if seen["changed"]:
            due.append({"action": action, "diff": seen["diff"]})
    return due


def _undoable(content):  # type: (Record) -> List[Action]
    """Felix is told by the role; what belonged to a device went away with it."""
    return [
        action
        for action in content["undo"]
        if action["module"] in changes.ACTIONS and not changes.device_is_gone(action)
    ]


def _diff_of(name, before, after):  # type: (str, str, str) -> Dict[str, str]
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _place(action):  # type: (Action) -> str
    args = action["args"]
    return " ".join(str(args[key]) for key in ("device", "destination", "table", "chain") if key in args)


def _diffs(due):  # type: (List[Dict[str, Any]]) -> List[Dict[str, Any]]
    return [
        dict(one["diff"], before_header=_place(one["action"]), after_header=_place(one["action"])) for one in due
    ]


def present(request, check_mode, warn):  # type: (Request, bool, Warn) -> Dict[str, Any]
    """Have the planned state. A failure puts back what this run, or an interrupted one before it, has changed."""
    current = read()
    _require_found(current, request.found)
    method = request.record["method"]
    if current is not None and current["method"] != method:
        raise NodeError("%s is recorded on this node: take it back before %s" % (current["method"], method))
    made = (current or {}).get("folders", [])
    folders = sorted(set(made) | set(unit_files.folders_to_make(request.record.get("links", []))))
    kept = dict(request.record, folders=folders if request.units.links else made, state=record.APPLIED)
    try:
        due, files = _due(request.actions, warn), unit_files.missing(request.units)
    except NodeError as error:
        raise NodeError("nothing was changed for %s: %s" % (method, error)) from None
    left = os.path.lexists(durable.beside(record.PATH))  # by a run that was killed while it wrote
    result = {
        "changed": bool(due or files.files or files.links or current != kept or left),
        "before": current,
        "after": kept,
        "interrupted": _tell(current, "this run finishes it", warn),
        "diff": [_diff_of(record.PATH, text_of(current), text_of(kept))]
        + _diffs(due)
        + [_diff_of(one.path, durable.read(one.path) or "", one.text) for one in files.files],
    }  # type: Dict[str, Any]
    if result["changed"] and not check_mode:
        _carry_out(current, kept, [one["action"] for one in due], files, warn)
    return result


def _carry_out(current, kept, due, files, warn):
    # type: (Optional[Record], Record, List[Action], unit_files.Wanted, Warn) -> None
    method = kept["method"]
    begun = dict(kept, state=record.BEGUN)
    attempted = False
    try:
        if current is None or _interrupted(current) or _planned(current) != _planned(kept):
            _write(begun)
        for action in due:
            attempted = True
            changes.run(action, False, warn)
        unit_files.write(files)
        _write(kept)
    except NodeError as error:
        if current is not None and not _interrupted(current):
            _restore(current)
            raise NodeError("%s is still applied as recorded, but this run failed: %s" % (method, error)) from None
        try:
            _take_back(kept, attempted or current is not None, warn)
        except NodeError as second:
            raise NodeError(
                "%s failed: %s; and was not put back: %s; the record is kept, run revert" % (method, error, second)
            ) from None
        raise NodeError("%s was rolled back: %s" % (method, error)) from None


def _restore(current):  # type: (Record) -> None
    try:
        _write(current)
    except NodeError:
        pass  # the newer one says all that the older one does


def _take_back(kept, actions, warn):  # type: (Record, bool, Warn) -> None
    durable.remove(unit_files.KEEPER)
    for action in _undoable(kept) if actions else []:
        changes.run(action, False, warn)
    unit_files.remove(kept)
    _forget()


def absent(found, check_mode, warn):  # type: (Optional[Record], bool, Warn) -> Dict[str, Any]
    """Have the state that was recorded. Refuses before the first change where the last one would fail."""
    current = read()
    _require_found(current, found)
    result = {"changed": True, "before": current, "after": None, "interrupted": "", "diff": []}  # type: Dict[str, Any]
    if current is None:
        # a run that was killed before its record was there has changed nothing, but may have left the folder
        result["changed"] = os.path.isdir(record.DIRECTORY)
        if result["changed"] and not check_mode:
            _forget()
        return result
    try:
        unit_files.require_removable(current)
        due = _due(_undoable(current), warn)
    except NodeError as error:
        raise NodeError("nothing of %s was taken back: %s" % (current["method"], error)) from None
    result["interrupted"] = _tell(current, "this run takes it back", warn)
    result["diff"] = _diffs(due) + [_diff_of(record.PATH, text_of(current), "")]
    if not check_mode:
        _mark(current)
        try:
            _take_back(current, True, warn)
        except NodeError as error:
            raise NodeError("%s was not taken back wholly: %s; run revert again" % (current["method"], error)) from None
    return result


def _mark(current):  # type: (Record) -> None
    """So that the next run can say it. A full disk is no reason not to take a workaround back."""
    try:
        _write(dict(current, state=record.UNDOING))
    except NodeError:
        pass
