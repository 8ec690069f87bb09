# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dual-stack node is two nodes in one: what the tunnels of one address family see of its facts.

iptables and ip6tables, routes, addresses and Services of the families have nothing to do with each other, so the reasoning
never sees both. A tunnel is taken to carry traffic of its own family, as those of Calico and flannel do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Facts = Mapping[str, Any]
IPV4, IPV6 = "ipv4", "ipv6"
FAMILIES = (IPV4, IPV6)
_NFT_PREFIX = "ip6 "


def family_of(thing: Mapping[str, Any]) -> str:
    """The family of a VXLAN device (its outer header), or of a table or an action's arguments (missing: IPv4)."""
    return IPV6 if IPV6 in (thing.get("outer"), thing.get("family")) else IPV4


def families_of(devices: Iterable[Mapping[str, Any]]) -> list[str]:
    """The families of some VXLAN devices, IPv4 first."""
    found = {family_of(device) for device in devices}
    return [family for family in FAMILIES if family in found]


def is_in(family: str, address: Any) -> bool:
    """Whether an address or a network is of this family."""
    return (":" in str(address or "")) == (family == IPV6)


def device_in(family: str, device: Mapping[str, Any]) -> Mapping[str, Any]:
    """A device with its addresses of one family."""
    if family == IPV4:
        return device
    return {**device, "addresses": list(device.get("addresses_ipv6") or [])}


def _devices(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**part, "devices": [device_in(family, device) for device in part.get("devices") or []]}


def _routes(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    default = part.get("default_device_ipv6" if family == IPV6 else "default_device")
    lookups = [found for found in part.get("lookups") or [] if is_in(family, found.get("destination"))]
    return {**part, "default_device": default, "lookups": lookups}


def _nftables(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The chains of kube-proxy's table of this family, under the names that those of IPv4 have."""
    chains = {
        name[len(_NFT_PREFIX) :] if family == IPV6 else name: rules
        for name, rules in (part.get("chains") or {}).items()
        if name.startswith(_NFT_PREFIX) == (family == IPV6)
    }
    state = "absent" if part.get("state") == "read" and not chains else part.get("state", "absent")
    return {**part, "state": state, "chains": chains}


def _netfilter(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    tables = [table for table in part.get("tables") or [] if family_of(table) == family]
    found = {**part, "tables": tables}
    if part.get("nftables"):
        found["nftables"] = _nftables(family, part["nftables"])
    return found


def _kube_proxy(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    cidrs = [text for text in str(part.get("cluster_cidr") or "").split(",") if text and is_in(family, text)]
    return {**part, "cluster_cidr": ",".join(cidrs) or None}


def _cni(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    network = part.get("flannel_ipv6_network" if family == IPV6 else "flannel_network")
    return {**part, "flannel_network": network or ""}


def _services(family: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    if family == IPV6:
        return {**part, "dns": part.get("dns_ipv6"), "kubernetes": part.get("kubernetes_ipv6")}
    return {**part, **{name: part.get(name) if is_in(IPV4, part.get(name)) else None for name in ("dns", "kubernetes")}}


_PARTS = {
    "vxlan": _devices, "links": _devices, "routes": _routes, "netfilter": _netfilter, "kube_proxy": _kube_proxy, "cni": _cni,
    "services": _services,
}  # fmt: skip


def in_family(facts: Facts, family: str) -> Facts:
    """The facts as far as they concern one address family, in the shape of a node that has only this one."""
    seen = dict(facts)
    for name, view in _PARTS.items():
        part = facts.get(name)
        if isinstance(part, Mapping) and "unknown" not in part:
            seen[name] = view(family, part)
    return seen
