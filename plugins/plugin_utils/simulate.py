# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node facts would be after an action of a plan: the same actions that the state modules take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import spend
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import IPV4, IPV6, family_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, link, part
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import lies_in, network
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import rule_text, same_rule

Action = Mapping[str, Any]
Args = Mapping[str, Any]
CHECKSUM = "tx-checksum-ip-generic"
FELIX_OVERRIDE = "ChecksumOffloadBroken=true"
# The kernel drops these when checksumming goes off, and brings back those still requested when it returns.
_NEED_CHECKSUM = frozenset({
    "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
    "tx-tcp-accecn-segmentation", "tx-udp-segmentation",
})  # fmt: skip


def _edit_rules(texts: list[str], args: Args) -> list[str]:
    """One chain after a netfilter_rule action."""
    spend(1 + len(texts) // 4)
    rule, position = rule_text(list(args["rule"])), args.get("position")
    there = [number for number, text in enumerate(texts, 1) if same_rule(text, rule)]
    if args.get("state", "present") == "absent":
        return texts[: there[0] - 1] + texts[there[0] :] if there else texts
    if there and (position is None or position in there):
        return texts
    at = (position or 1) - 1
    return [*texts[:at], rule, *texts[at:]]


def _netfilter_rule(facts: Facts, args: Args) -> Facts:
    found = part(facts, "netfilter")
    if found is None:
        return facts
    entries = []
    for entry in found.get("tables") or []:
        wanted = (entry.get("backend"), entry.get("table")) == (args["backend"], args["table"]) and family_of(entry) == family_of(args)
        if wanted and entry.get("state") != "unknown":
            chains = dict(entry.get("chains") or {})
            before = list(chains.get(args["chain"], []))
            after = _edit_rules(before, args)
            if after != before:
                chains[args["chain"]] = after
                entry = {**entry, "state": "read", "chains": chains}
        entries.append(entry)
    return {**facts, "netfilter": {**found, "tables": entries}}


def _with_features(device: Mapping[str, Any], wanted: Mapping[str, bool]) -> Mapping[str, Any]:
    features = {name: dict(bits) for name, bits in (device.get("features") or {}).items()}
    for name, value in wanted.items():
        bits = features.get(name)
        if bits and not bits.get("fixed"):
            bits.update(active=value, requested=value)
    checksum = (features.get(CHECKSUM) or {}).get("active")
    for name in _NEED_CHECKSUM & features.keys() if CHECKSUM in wanted else ():
        if not features[name].get("fixed"):
            features[name]["active"] = bool(checksum and features[name].get("requested"))
    return {**device, "features": features}


def _change_devices(facts: Facts, name: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Facts:
    """The facts with every device of one part changed."""
    found = part(facts, name)
    if found is None:
        return facts
    return {**facts, name: {**found, "devices": [change(device) for device in found.get("devices") or []]}}


def _offload(facts: Facts, args: Args) -> Facts:
    def change(device: Mapping[str, Any]) -> Mapping[str, Any]:
        return _with_features(device, args["features"]) if device.get("name") == args["device"] else device

    return _change_devices(_change_devices(facts, "vxlan", change), "links", change)


def _first_address(facts: Facts, name: str, family: str) -> str:
    """The address that the kernel prefers for packets that leave by this device."""
    key = "addresses_ipv6" if family == IPV6 else "addresses"
    devices = [*((part(facts, "vxlan") or {}).get("devices") or []), link(facts, name) or {}]
    addresses = next((one.get(key) for one in devices if one.get("name") == name and one.get(key)), None)
    return str(addresses[0]).split("/", 1)[0] if addresses else ""


def _service_route(facts: Facts, args: Args) -> Facts:
    routes, wanted = part(facts, "routes"), network(str(args["destination"]))
    if routes is None or wanted is None:
        return facts
    present = args.get("state", "present") == "present"
    family = IPV6 if wanted.version == 6 else IPV4
    default = routes.get("default_device_ipv6" if family == IPV6 else "default_device")
    device = str(args["device"] if present else default or "")
    source = _first_address(facts, device, family)
    found = []
    for lookup in routes.get("lookups") or []:
        inside = network(str(lookup.get("destination") or ""))
        # IPVS: a ClusterIP is an address of the node itself, and no route changes that.
        moved = inside is not None and lies_in(inside, wanted) and lookup.get("device") != "lo" and source
        if not present and lookup.get("device") != args["device"]:
            moved = False
        found.append({**lookup, "device": device, "source": source} if moved else lookup)
    return {**facts, "routes": {**routes, "lookups": found}}


def _felix_override(facts: Facts, args: Args) -> Facts:
    """Felix turns the offload of its own devices off; without the override it is on after the next reboot."""
    value = FELIX_OVERRIDE not in str(args.get("value") or "")

    def change(device: Mapping[str, Any]) -> Mapping[str, Any]:
        return _with_features(device, {CHECKSUM: value}) if device.get("owner") == "calico" else device

    return _change_devices(facts, "vxlan", change)


_ACTIONS: dict[str, Callable[[Facts, Args], Facts]] = {
    "netfilter_rule": _netfilter_rule,
    "offload": _offload,
    "service_route": _service_route,
    "felix_override": _felix_override,
}


def apply_action(facts: Facts, action: Action) -> Facts:
    """The facts after one action; raises ValueError for an action that is not known."""
    name = str(action.get("module"))
    if name not in _ACTIONS:
        raise ValueError(f"unknown action {name!r}: known are {', '.join(sorted(_ACTIONS))}")
    return _ACTIONS[name](facts, action["args"])


def apply_actions(facts: Facts, actions: Iterable[Action]) -> Facts:
    """The facts after all actions, one after the other."""
    for action in actions:
        facts = apply_action(facts, action)
    return facts


def record_of(facts: Facts) -> Mapping[str, Any]:
    """The record of what this collection applied to the node, or nothing."""
    return (part(facts, "applied") or {}).get("record") or {}


def before_ours(facts: Facts) -> Facts:
    """The facts as they would be without what this collection applied."""
    return apply_actions(facts, record_of(facts).get("undo") or [])
