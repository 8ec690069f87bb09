# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of what was applied to a node: which text is one (pure)."""

import json
import re
from typing import Any, Dict

DIRECTORY = "/var/lib/vxlan-offload"
PATH = DIRECTORY + "/record.json"
SCHEMA = 1
# begun: a run has written it and not ended; undoing: a run began to take it back and has not ended
BEGUN, APPLIED, UNDOING = STATES = ("begun", "applied", "undoing")
LEVELS = 8  # a record has five; with hundreds the controller could not pass it on
MODULES = ("offload", "netfilter_rule", "service_route", "felix_override")
METHOD = re.compile(r"[a-z_]{1,40}\Z")
UNIT = re.compile(r"vxlan-offload-[A-Za-z0-9:_.\\@-]{1,200}\.(service|timer)\Z")
FOLDER = re.compile(r"[A-Za-z0-9:_\\@-][A-Za-z0-9:_.\\@-]{0,200}\.wants\Z")


def parse(text):  # type: (str) -> Dict[str, Any]
    """The record. Raises ValueError with what is wrong and what to do."""
    # a lost power may leave zeros, which a shell does not read
    text = text.replace("\0", "").strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # a thousand brackets
        raise ValueError("%s is %s: look at it" % (PATH, "no JSON" if text else "empty")) from None
    if not isinstance(found, dict):
        raise ValueError("%s is no JSON object: look at it" % PATH)
    if deeper(found, LEVELS):
        raise ValueError("%s is nested too deep: look at it" % PATH)
    schema = found.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise ValueError("%s was written by a newer version (schema %d): use that one" % (PATH, schema))
    wrong = problem(found)
    if wrong:
        raise ValueError("%s is no record of a workaround (%s): look at it" % (PATH, wrong))
    return found


def deeper(value, levels):  # type: (Any, int) -> bool
    """Whether a value has more levels than that."""
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(deeper(one, levels - 1) for one in inner)


def problem(record):  # type: (Dict[str, Any]) -> str
    """What is wrong with a record; empty when nothing is."""
    checks = (
        ("schema", record.get("schema") == SCHEMA and not isinstance(record["schema"], bool)),
        ("method", _matches(record.get("method"), METHOD)),
        ("undo", _all(record.get("undo"), _is_action)),
        ("units", _all(record.get("units"), lambda name: _matches(name, UNIT))),
        ("links", _all(record.get("links", []), _is_link)),
        ("folders", _all(record.get("folders", []), lambda name: _matches(name, FOLDER))),
        ("state", record.get("state", APPLIED) in STATES),
    )
    return next((name for name, good in checks if not good), "")


def _matches(value, pattern):  # type: (Any, Any) -> bool
    return isinstance(value, str) and bool(pattern.match(value))


def _all(value, check):  # type: (Any, Any) -> bool
    return isinstance(value, list) and all(check(one) for one in value)


def _is_action(one):  # type: (Any) -> bool
    return isinstance(one, dict) and one.get("module") in MODULES and isinstance(one.get("args"), dict)


def _is_link(path):  # type: (Any) -> bool
    folder, _slash, name = path.partition("/") if isinstance(path, str) else ("", "", "")
    return _matches(folder, FOLDER) and _matches(name, UNIT)
