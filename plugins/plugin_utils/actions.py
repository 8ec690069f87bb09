# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy as actions of the state modules, the reasons not to take it, their inverse and their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import units, validate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import (
    IPV6,
    device_in,
    families_of,
    family_of,
    in_family,
    is_in,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import masquerade_bit
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    Facts,
    kube_proxy,
    link,
    lookups,
    nftables_part,
    part,
    tables,
    underlay_of,
    vxlan_devices,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule, rule_arguments, rule_text, same_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import CHECKSUM, FELIX_OVERRIDE
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.units import Unit

Devices = Sequence[Mapping[str, Any]]
Action = dict[str, Any]


def rules_backend(facts: Facts) -> str:
    """The backend that our rules go to: that of kube-proxy's own (nftables mode: iptables-nft)."""
    if nftables_part(facts).get("state") == "read":
        return "nft"
    for wanted in ("KUBE-SERVICES", ""):
        for entry in tables(facts, "nat"):
            chains = entry.get("chains") or {}
            reached = not wanted or any(parse_rule(text).target == wanted for text in chains.get("OUTPUT") or [])
            if "KUBE-POSTROUTING" in chains and reached:
                return str(entry.get("backend"))
    printers = (part(facts, "netfilter") or {}).get("printers") or {}
    return "nft" if printers.get("nft") or not printers.get("legacy") else "legacy"


def _rule(facts: Facts, table: str, chain: str, rule: list[str], **more: Any) -> Action:
    args = {"backend": rules_backend(facts), "table": table, "chain": chain, "rule": rule, "state": "present", **more}
    return {"module": "netfilter_rule", "args": args}


def _ports(devices: Devices) -> list[str]:
    """The UDP ports of the devices."""
    return [validate.port(number) for number in sorted({one.get("port") for one in devices}, key=str)]


def _clear_mark(facts: Facts, devices: Devices, _cidr: str) -> list[Action]:
    bit = validate.mark(masquerade_bit(facts))
    return [
        _rule(facts, "mangle", "OUTPUT", ["-p", "udp", "-m", "udp", "--dport", port, "-j", "MARK", "--set-xmark", f"0x0/{bit}"])
        for port in _ports(devices)
    ]


def _notrack(facts: Facts, devices: Devices, _cidr: str) -> list[Action]:
    return [_rule(facts, "raw", "OUTPUT", ["-p", "udp", "-m", "udp", "--dport", port, "-j", "CT", "--notrack"]) for port in _ports(devices)]


def _underlay_accept(facts: Facts, devices: Devices, _cidr: str) -> list[Action]:
    names = sorted({validate.interface(underlay_of(facts, one)) for one in devices})
    return [_rule(facts, "nat", "POSTROUTING", ["-o", name, "-j", "ACCEPT"], position=1) for name in names]


def _masquerade_without_random(facts: Facts, _devices: Devices, _cidr: str) -> list[Action]:
    bit = validate.mark(masquerade_bit(facts))
    rule = ["-m", "mark", "--mark", f"{bit}/{bit}", "-j", "MASQUERADE"]
    return [_rule(facts, "nat", "KUBE-POSTROUTING", rule, position=1)]


def _jumps(facts: Facts) -> list[tuple[str, str]]:
    """Backend and text of every jump to KUBE-POSTROUTING."""
    return [
        (str(entry.get("backend")), text)
        for entry in tables(facts, "nat")
        for text in (entry.get("chains") or {}).get("POSTROUTING") or []
        if parse_rule(text).target == "KUBE-POSTROUTING"
    ]


def _kube_postrouting_detached(facts: Facts, _devices: Devices, _cidr: str) -> list[Action]:
    return [
        _rule(facts, "nat", "POSTROUTING", [validate.word(one) for one in rule_arguments(text)], backend=backend, state="absent")
        for backend, text in _jumps(facts)
    ]


def _offload(devices: Devices, names: Sequence[str]) -> list[Action]:
    actions = []
    for device in devices:
        features = device.get("features") or {}
        wanted = {name: False for name in names if features.get(name) and not features[name].get("fixed")}
        if wanted:
            args = {"device": validate.interface(device.get("name")), "features": wanted}
            actions.append({"module": "offload", "args": args})
    return actions


def _service_networks(devices: Devices, cidr: str) -> list[str]:
    """Those of the devices' own family."""
    return [net for net in validate.service_networks(cidr) if is_in(family_of(devices[0]), net)]


def _service_route(_facts: Facts, devices: Devices, cidr: str) -> list[Action]:
    name = validate.interface(devices[0].get("name"))
    return [
        {"module": "service_route", "args": {"destination": net, "device": name, "state": "present"}}
        for net in _service_networks(devices, cidr)
    ]


_BUILDERS: dict[str, Callable[[Facts, Devices, str], list[Action]]] = {
    "clear_mark": _clear_mark,
    "notrack": _notrack,
    "tx_checksum_off": lambda _facts, devices, _cidr: _offload(devices, (CHECKSUM,)),
    "rx_tx_offload_off": lambda _facts, devices, _cidr: _offload(devices, (CHECKSUM, "rx-checksum")),
    "felix_override": lambda _facts, _devices, _cidr: [{"module": "felix_override", "args": {"value": FELIX_OVERRIDE}}],
    "service_route": _service_route,
    "masquerade_without_random": _masquerade_without_random,
    "underlay_accept": _underlay_accept,
    "kube_postrouting_detached": _kube_postrouting_detached,
}


# What these do concerns one address family; a node whose tunnels of both families are hit needs it twice.
_PER_FAMILY = frozenset({
    "clear_mark", "notrack", "service_route", "masquerade_without_random", "underlay_accept", "kube_postrouting_detached",
})  # fmt: skip


def _views(facts: Facts, devices: Devices) -> list[tuple[str, Facts, Devices]]:
    """For each family of the devices: what it sees of the facts, and its devices."""
    return [
        (family, in_family(facts, family), [device_in(family, one) for one in devices if family_of(one) == family])
        for family in families_of(devices)
    ]


def _for_family(action: Action, family: str) -> Action:
    if family == IPV6 and action["module"] == "netfilter_rule":
        return {**action, "args": {**action["args"], "family": family}}
    return action


def build_actions(facts: Facts, method: str, devices: Devices, service_cidr: str) -> list[Action]:
    """The actions of a method, in their order."""
    build = _BUILDERS[method]
    if method not in _PER_FAMILY:
        return build(facts, devices, service_cidr)
    return [_for_family(action, family) for family, seen, those in _views(facts, devices) for action in build(seen, those, service_cidr)]


def _no_kube_chain(facts: Facts) -> str:
    if any("KUBE-POSTROUTING" in (entry.get("chains") or {}) for entry in tables(facts, "nat")):
        return ""
    mode = "kube-proxy is in nftables mode" if nftables_part(facts).get("state") == "read" else "kube-proxy has written no rules"
    return f"there is no KUBE-POSTROUTING chain on this node: {mode}"


def _refuse_detached(facts: Facts, devices: Devices, _cidr: str) -> str:
    values = (part(facts, "sysctl") or {}).get("values") or {}
    if family_of(devices[0]) != IPV6 and str(values.get("net.ipv4.conf.all.rp_filter")) == "1":
        return "with net.ipv4.conf.all.rp_filter=1 the node drops the answers of pods: it would not help"
    return "" if _jumps(facts) else _no_kube_chain(facts) or "POSTROUTING has no jump to KUBE-POSTROUTING already"


def _refuse_offload(_facts: Facts, devices: Devices, _cidr: str) -> str:
    unread = [str(one.get("name")) for one in devices if not (one.get("features") or {}).get(CHECKSUM)]
    fixed = [str(one.get("name")) for one in devices if ((one.get("features") or {}).get(CHECKSUM) or {}).get("fixed")]
    if fixed:
        return f"{CHECKSUM} of {', '.join(fixed)} is fixed by its driver"
    reasons = "; ".join(dict.fromkeys(str(one["features_unknown"]) for one in devices if one.get("features_unknown")))
    return f"the features of {', '.join(unread)} were not read: {reasons or 'install ethtool'}" if unread else ""


def _refuse_felix(_facts: Facts, devices: Devices, _cidr: str) -> str:
    others = [str(one.get("name")) for one in devices if one.get("owner") != "calico"]
    return f"Felix does not look after {', '.join(others)}: the override has no effect there" if others else ""


def _refuse_route(facts: Facts, devices: Devices, cidr: str) -> str:
    ipv6 = family_of(devices[0]) == IPV6
    if not _service_networks(devices, cidr):
        return f"service_route needs the {'IPv6 ' if ipv6 else ''}service CIDR: set workaround_service_cidr"
    if kube_proxy(facts, "mode") == "ipvs":
        return "in IPVS mode Service addresses are local to the node, and no route changes that"
    return "" if devices[0].get("addresses") else f"the VXLAN device has no {'IPv6' if ipv6 else 'IPv4'} address to send from"


def _refuse_underlay(facts: Facts, devices: Devices, _cidr: str) -> str:
    unknown = [str(one.get("name")) for one in devices if not underlay_of(facts, one)]
    return f"the underlay device of {', '.join(unknown)} is not known" if unknown else ""


def _never(_facts: Facts, _devices: Devices, _cidr: str) -> str:
    return ""


_REFUSALS: dict[str, Callable[[Facts, Devices, str], str]] = {
    "tx_checksum_off": _refuse_offload,
    "rx_tx_offload_off": _refuse_offload,
    "felix_override": _refuse_felix,
    "service_route": _refuse_route,
    "masquerade_without_random": lambda facts, _devices, _cidr: _no_kube_chain(facts),
    "underlay_accept": _refuse_underlay,
    "kube_postrouting_detached": _refuse_detached,
}


def refusal(facts: Facts, method: str, devices: Devices, service_cidr: str) -> str:
    """Why a method cannot be taken on this node, in one line; nothing when it can."""
    if not devices:
        return "no VXLAN device on this node"
    refuse = _REFUSALS.get(method, _never)
    if method not in _PER_FAMILY:
        return refuse(facts, devices, service_cidr)
    views = _views(facts, devices)
    if any(family == IPV6 and not (part(seen, "netfilter") or {}).get("tables") for family, seen, _those in views):
        return "the tunnel is over IPv6 and the rules of ip6tables were not read: read the node again"
    return next((why for _family, seen, those in views if (why := refuse(seen, those, service_cidr))), "")


def _undo_rule(facts: Facts, args: Mapping[str, Any]) -> list[Action]:
    family, backend = family_of(args), args["backend"]
    of_family = (one for one in tables(facts, args["table"]) if family_of(one) == family and one.get("backend") == backend)
    chains = next((one.get("chains") or {} for one in of_family), {})
    text = rule_text(args["rule"])
    there = [number for number, known in enumerate(chains.get(args["chain"]) or [], 1) if same_rule(known, text)]
    inverse = {key: value for key, value in args.items() if key != "position"}
    if args["state"] == "absent":
        return [{"module": "netfilter_rule", "args": {**inverse, "state": "present", "position": there[0]}}] if there else []
    kept = there and args.get("position") in (None, *there)
    return [] if kept else [{"module": "netfilter_rule", "args": {**inverse, "state": "absent"}}]


def _undo_offload(facts: Facts, args: Mapping[str, Any]) -> list[Action]:
    """The requested bits as they were."""
    devices = [*vxlan_devices(facts), link(facts, args["device"]) or {}]
    features = next((one.get("features") or {} for one in devices if one.get("name") == args["device"]), {})
    before = {name: bool(features[name].get("requested")) for name in args["features"] if name in features}
    return [{"module": "offload", "args": {"device": args["device"], "features": before}}] if before else []


def _undo_route(facts: Facts, args: Mapping[str, Any]) -> list[Action]:
    there = any(one.get("device") == args["device"] for one in lookups(facts))
    return [] if there else [{"module": "service_route", "args": {**args, "state": "absent"}}]


def _undo_felix(facts: Facts, _args: Mapping[str, Any]) -> list[Action]:
    """The former value (the role puts in the one that it reads before the change), then the offload: Felix never turns it on again."""
    calico = [str(one["name"]) for one in vxlan_devices(facts) if one.get("owner") == "calico"]
    offload = [action for name in calico for action in _undo_offload(facts, {"device": name, "features": {CHECKSUM: False}})]
    return [{"module": "felix_override", "args": {"value": ""}}, *offload]


_UNDOS: dict[str, Callable[[Facts, Mapping[str, Any]], list[Action]]] = {
    "netfilter_rule": _undo_rule,
    "offload": _undo_offload,
    "service_route": _undo_route,
    "felix_override": _undo_felix,
}


def undo_of(facts: Facts, actions: Sequence[Mapping[str, Any]]) -> list[Action]:
    """The inverse of the actions, from the facts before them, last action first."""
    return [inverse for action in reversed(actions) for inverse in _UNDOS[action["module"]](facts, action["args"])]


def units_of(facts: Facts, method: str, actions: Sequence[Mapping[str, Any]]) -> list[Unit]:
    """The systemd units that keep a method in place."""
    rules = [action["args"] for action in actions if action["module"] == "netfilter_rule"]
    if rules:
        return units.kept_units(method, [(_iptables(facts, args), args) for args in rules])
    by_device: dict[str, list[list[str]]] = {}
    for action in actions:
        if action["module"] in ("offload", "service_route"):
            by_device.setdefault(action["args"]["device"], []).append(_device_command(action))
    if method == "service_route":  # Felix removes it, and the device stays
        return [unit for device, commands in by_device.items() for unit in units.kept_device_units(method, device, commands)]
    return [units.device_unit(method, device, commands) for device, commands in by_device.items()]


def _iptables(facts: Facts, args: Mapping[str, Any]) -> str:
    """The program that keeps a rule."""
    printers = (part(facts, "netfilter") or {}).get("printers") or {}
    name = str((printers.get(args["backend"]) or {}).get("command") or f"iptables-{args['backend']}")
    return validate.iptables_command(name.replace("iptables", "ip6tables") if family_of(args) == IPV6 else name)


def _device_command(action: Mapping[str, Any]) -> list[str]:
    args = action["args"]
    if action["module"] == "offload":
        return [units.ETHTOOL, "-K", args["device"], *(word for name in sorted(args["features"], reverse=True) for word in (name, "off"))]
    return [units.IP, "-6" if is_in(IPV6, args["destination"]) else "-4", "route", "replace", args["destination"], "dev", args["device"]]
