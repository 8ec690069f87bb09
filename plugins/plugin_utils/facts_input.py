# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node facts that came from somewhere, made safe to reason about: a node can return whatever it likes.

A part that has not the shape of plugin_utils/facts.py is `unknown`, and the others count. What a parser of ours has made passes as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Union

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.record import wrong_record

MOST_DEVICES = 256
_MOST_TABLES = 16
_LONGEST = 65_536
_LONGEST_REASON = 500


class _Map(NamedTuple):
    """A dictionary with keys of the node's own choice."""

    of: Any


class _List(NamedTuple):
    of: Any
    most: int = 100_000


_TEXT: tuple[type, ...] = (str,)
_TEXT_OR_NONE = (str, type(None))
_NUMBER = (int, type(None))
_FLAG = (bool, type(None))
_FLAG_TYPES = set(_FLAG)
_FEATURES = _Map({"active": _FLAG, "requested": _FLAG, "fixed": _FLAG})
_LINK = {
    "name": _TEXT, "driver": _TEXT_OR_NONE, "mtu": _NUMBER, "addresses": _List(_TEXT), "addresses_ipv6": _List(_TEXT),
    "features": _FEATURES, "features_unknown": _TEXT,
}  # fmt: skip
_DEVICE = {
    **_LINK, "vni": _NUMBER, "port": _NUMBER, "local": _TEXT_OR_NONE, "underlay": _TEXT_OR_NONE, "outer": _TEXT, "checksum": _TEXT,
    "udp6zerocsumtx": _FLAG, "udp6zerocsumrx": _FLAG, "up": _FLAG, "owner": _TEXT, "routed": _FLAG, "flow_checksum": _TEXT_OR_NONE,
}  # fmt: skip
_CHAINS = _Map(_List(_TEXT))
_TABLE = {
    "family": _TEXT, "backend": _TEXT, "table": _TEXT, "state": _TEXT, "reason": _TEXT, "chains": _CHAINS, "unread": _List(_TEXT),
}  # fmt: skip
_PRINTER = {"command": _TEXT, "version": _TEXT}
_SHAPES: dict[str, Mapping[str, Any]] = {
    "kernel": {
        "release": _TEXT, "version": _TEXT, "machine": _TEXT, "version_signature": _TEXT, "upstream": _TEXT, "os": _Map(_TEXT),
        "changelog": {"asked": _FLAG, **dict.fromkeys(("line", "head", "newest", "oldest", "source"), _TEXT)},
        "selftest": dict.fromkeys(("zero_checksum", "lco_checksum", "reason", "source"), _TEXT),
    },
    "vxlan": {"devices": _List(_DEVICE, MOST_DEVICES)},
    "links": {"devices": _List(_LINK, 4 * MOST_DEVICES)},
    "routes": {
        "default_device": _TEXT_OR_NONE, "default_device_ipv6": _TEXT_OR_NONE,
        "lookups": _List({"destination": _TEXT, "device": _TEXT_OR_NONE, "source": _TEXT_OR_NONE}, 64),
    },
    "netfilter": {
        "printers": _Map(_PRINTER), "tables": _List(_TABLE, _MOST_TABLES),
        "nftables": {"state": _TEXT, "reason": _TEXT, "printer": _TEXT, "chains": _CHAINS},
    },
    "kube_proxy": {
        "running": _FLAG, "mode": _TEXT_OR_NONE, "version": _TEXT_OR_NONE, "masquerade_bit": _NUMBER, "masquerade_all": _FLAG,
        "cluster_cidr": _TEXT_OR_NONE,
    },
    "cni": {
        "names": _List(_TEXT, 64), **dict.fromkeys(("calico_version", "flannel_version"), _TEXT_OR_NONE),
        **dict.fromkeys(("flannel_network", "flannel_ipv6_network"), _TEXT_OR_NONE),
    },
    "services": dict.fromkeys(("dns", "kubernetes", "dns_ipv6", "kubernetes_ipv6"), _TEXT_OR_NONE),
    "sysctl": {"values": _Map(_TEXT_OR_NONE)},
    "counters": {"udp_in_csum_errors": _NUMBER},
    "applied": {"units": _List(_TEXT)},
}  # fmt: skip
# In place of a dictionary: there is none.
_MAY_BE_NONE = frozenset({"selftest", "printers.*", "changelog", "nftables"})
# Without these a part would read as "there is none".
_NEEDED = {"vxlan": ("devices",), "links": ("devices",), "netfilter": ("tables",), "applied": ("record",)}
_STATES = frozenset({"read", "absent", "unknown"})
_TABLE_WORDS = {
    "backend": frozenset({"nft", "legacy"}), "table": frozenset({"raw", "mangle", "filter", "nat"}), "state": _STATES,
}  # fmt: skip
_AGAIN = "read the node again with this version"
_Shape = Union[tuple[type, ...], _Map, _List, Mapping[str, Any]]
_Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _texts(values: Sequence[Any]) -> bool:
    # Rules are most of the facts: what a parser has made is looked at without a call for each.
    if set(map(type, values)) <= {str}:
        return max(map(len, values), default=0) <= _LONGEST
    return all(map(_text, values))


def _compiled(shape: _Shape, path: str) -> _Check:
    """The shape as a function: 10,000 nodes have a hundred thousand features. `_wrong` says where it does not fit."""
    if isinstance(shape, _Map):
        check = _compiled_map(shape, path)
    elif isinstance(shape, _List):
        check = _compiled_list(shape, path)
    elif isinstance(shape, tuple):
        kinds: Any = shape
        return lambda value: isinstance(value, kinds) and (not isinstance(value, str) or len(value) <= _LONGEST)
    elif all(of is _FLAG for of in shape.values()):  # features are most of the rest
        return lambda value: isinstance(value, dict) and set(map(type, value.values())) <= _FLAG_TYPES
    else:
        check = _compiled_parts(shape, path)
    return (lambda value: value is None or check(value)) if path in _MAY_BE_NONE else check


def _compiled_map(shape: _Map, path: str) -> _Check:
    inner = _compiled(shape.of, f"{path}.*")
    return lambda value: isinstance(value, Mapping) and _texts([*value]) and all(map(inner, value.values()))


def _compiled_list(shape: _List, path: str) -> _Check:
    most, one = shape.most, _compiled(shape.of, path)
    if shape.of == _TEXT:
        return lambda value: isinstance(value, (list, tuple)) and len(value) <= most and _texts(value)
    return lambda value: isinstance(value, (list, tuple)) and len(value) <= most and all(map(one, value))


def _compiled_parts(shape: Mapping[str, Any], path: str) -> _Check:
    checks = [(key, _compiled(of, f"{path}.{key}" if path else key)) for key, of in shape.items()]
    return lambda value: isinstance(value, Mapping) and all(key not in value or check(value[key]) for key, check in checks)


def _wrong(shape: _Shape, value: Any, path: str) -> str:
    """The first place at which a value has another shape; empty when there is none."""
    if isinstance(shape, _Map):
        pairs = [(f"{path}.*", shape.of, one) for one in value.values()] if isinstance(value, Mapping) else None
        if pairs is not None and not all(isinstance(key, str) and len(key) <= _LONGEST for key in value):
            return path
    elif isinstance(shape, _List):
        pairs = [(path, shape.of, one) for one in value] if isinstance(value, (list, tuple)) and len(value) <= shape.most else None
    elif isinstance(shape, tuple):
        types: Any = shape
        return "" if isinstance(value, types) and not (isinstance(value, str) and len(value) > _LONGEST) else path
    else:
        pairs = [(key if not path else f"{path}.{key}", of, value[key]) for key, of in shape.items() if key in value] \
            if isinstance(value, Mapping) else None  # fmt: skip
    if pairs is None:
        return "" if value is None and path in _MAY_BE_NONE else path or "shape"
    return next((found for where, of, one in pairs if (found := _wrong(of, one, where))), "")


_CHECKS = {name: _compiled(shape, "") for name, shape in _SHAPES.items()}


def _incomplete(name: str, found: Mapping[str, Any]) -> str:
    """What a part lacks, or says in a word that we do not have; empty when it is whole."""
    lacking = next((key for key in _NEEDED.get(name, ()) if key not in found), "")
    if lacking or name not in ("vxlan", "links", "netfilter"):
        return lacking
    if name != "netfilter":
        return "" if all(one.get("name") for one in found["devices"]) else "devices"
    if not all(_is_table(one) for one in found["tables"]):
        return "tables"
    nftables = found.get("nftables")
    return "" if not nftables or nftables.get("state") in _STATES else "nftables"


def _is_table(one: Mapping[str, Any]) -> bool:
    known = all(one.get(key) in words for key, words in _TABLE_WORDS.items()) and one.get("family", "ipv4") in ("ipv4", "ipv6")
    return known and (one["state"] != "read" or "chains" in one)


def _doubled(tables: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a table is there twice: the order of tables is not known, and all orders of many would take for ever."""
    names = [(one.get("family", "ipv4"), one.get("backend"), one.get("table")) for one in tables if one.get("state") != "absent"]
    return len(set(names)) < len(names)


def _part(name: str, found: Any) -> Any:
    if not isinstance(found, Mapping):
        return {"unknown": f"{name} is no dictionary: {_AGAIN}"}
    if "unknown" in found:
        said = found["unknown"]
        reason = " ".join(said[:_LONGEST_REASON].split()) if isinstance(said, str) else ""
        return found if found["unknown"] == reason else {"unknown": reason or "no reason was given"}
    wrong = _incomplete(name, found) if _CHECKS[name](found) else _wrong(_SHAPES[name], found, "") or "shape"
    if not wrong and name == "netfilter" and _doubled(found.get("tables") or []):
        wrong = "tables"
    if wrong == "devices" and isinstance(found.get("devices"), list) and len(found["devices"]) > MOST_DEVICES:
        return {"unknown": f"{name} has {len(found['devices'])} devices, more than the {MOST_DEVICES} that are judged"}
    if not wrong and name == "applied":
        why = wrong_record(found.get("record"))
        return (
            {"unknown": f"/var/lib/vxlan-offload/record.json is not what the role workaround writes ({why}): look at it"} if why else found
        )
    return {"unknown": f"{name} is not as node_info returns it ({wrong}): {_AGAIN}"} if wrong else found


class _Checked(dict[str, Any]):
    """Facts that were looked at, so that they are not looked at again on their way through one diagnosis."""


def checked(facts: Any) -> dict[str, Any]:
    """The facts with every part in its shape or unknown. Raises ValueError when they are no facts."""
    if isinstance(facts, _Checked):
        return facts
    if not isinstance(facts, Mapping):
        raise ValueError("diagnose needs the facts of one node: pass the 'node' that node_info returned")
    return _Checked({name: _part(name, found) if name in _SHAPES else found for name, found in facts.items()})
