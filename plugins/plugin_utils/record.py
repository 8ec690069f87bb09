# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a record that a node returned one that the role workaround has written there?

It is executed on a revert, and one of its actions is for the whole cluster: what a node says is not done before it was looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.record import UNIT
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.catalogue import METHODS

_LINK = re.compile(r"[A-Za-z0-9_.:@\\-]{1,200}\.wants/(vxlan-offload-[A-Za-z0-9_.:@\\-]{1,200})\Z")
# As Felix reads it: names and values, with commas.
_OVERRIDE = re.compile(r"([A-Za-z0-9]{1,60}=[A-Za-z0-9]{0,20}(, ?[A-Za-z0-9]{1,60}=[A-Za-z0-9]{0,20}){0,30})?\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")  # as plugin_utils/validate.py lets into a unit
# The words of a rule that was taken away: kube-proxy's comments have spaces. None has braces, which could be a template.
_RULE_WORD = re.compile(r"[ -z|~]{1,256}\Z")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
_MOST = 1000


def _is(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _offload(args: Mapping[str, Any]) -> bool:
    features = args.get("features")
    return _is(args.get("device"), _NAME) and isinstance(features, Mapping) and all(
        _is(name, _WORD) and isinstance(value, bool) for name, value in features.items()
    )  # fmt: skip


def _rule(args: Mapping[str, Any]) -> bool:
    rule, position = args.get("rule"), args.get("position")
    return (
        args.get("backend") in ("nft", "legacy") and args.get("family", "ipv4") in ("ipv4", "ipv6")
        and args.get("table") in ("raw", "mangle", "filter", "nat") and _is(args.get("chain"), _WORD)
        and isinstance(rule, list) and len(rule) <= _MOST and all(_is(word, _RULE_WORD) for word in rule)
        and (position is None or isinstance(position, int)) and args.get("state") in ("present", "absent")
    )  # fmt: skip


def _route(args: Mapping[str, Any]) -> bool:
    known = args.get("state", "present") in ("present", "absent")
    return known and _is(args.get("device"), _NAME) and isinstance(args.get("destination"), str) and len(args["destination"]) < 64


def _felix(args: Mapping[str, Any]) -> bool:
    return _is(args.get("value"), _OVERRIDE)


_CHECKS = {"offload": _offload, "netfilter_rule": _rule, "service_route": _route, "felix_override": _felix}


def _wrong_action(action: Any, method: str) -> bool:
    if not isinstance(action, Mapping) or not isinstance(action.get("args"), Mapping):
        return True
    module = action.get("module")
    if not isinstance(module, str) or module not in _CHECKS or module == "felix_override" and method != "felix_override":
        return True
    return not _CHECKS[module](action["args"])


def wrong_record(record: Any) -> str:
    """What is wrong with it, in some words; empty when nothing is, and when there is no record."""
    if record is None:
        return ""
    if not isinstance(record, Mapping) or record.get("method") not in METHODS:
        return "its method is none of ours"
    undo = record.get("undo", [])
    if not isinstance(undo, list) or len(undo) > _MOST or any(_wrong_action(action, record["method"]) for action in undo):
        return "its undo is none of our actions"
    for key, pattern in (("units", UNIT), ("links", _LINK)):
        names = record.get(key, [])
        if not isinstance(names, list) or len(names) > _MOST or not all(_is(name, pattern) for name in names):
            return f"its {key} are not ours"
    return ""
