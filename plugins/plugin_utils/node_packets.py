# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets of a node: the tunnel packet, and those that travel in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import host_sources
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    Facts,
    link,
    lookups,
    own_addresses,
    part,
    pod_network,
    underlay_of,
    vxlan_devices,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import (
    PRIVATE,
    Address,
    Network,
    Packet,
    Tri,
    lies_in,
    networks,
)

_LOCAL_DEVICES = ("lo", "docker0", "cni0", "kube-ipvs0")


def _without_pods(facts: Facts, known: Iterable[Network]) -> tuple[Network, ...]:
    """The network of the pods as one that addresses like these are not in; a cluster CIDR that holds them as well says nothing."""
    pods = pod_network(facts)
    return (pods,) if pods and not any(lies_in(one, pods) for one in known) else ()


def outer_packet(facts: Facts, device: Mapping[str, Any]) -> Packet:
    """The VXLAN packet as the node sends it."""
    underlay = underlay_of(facts, device)
    addresses = [str(text) for text in (link(facts, underlay) or {}).get("addresses") or []]
    own = [text.split("/")[0] for text in addresses]
    local = str(device.get("local") or (own[0] if own else ""))
    near = tuple(block for block in PRIVATE for one in networks([local]) if lies_in(one, block))
    services = part(facts, "services") or {}
    never = networks(str(services.get(name)) for name in ("dns", "kubernetes") if services.get(name))
    return Packet(
        kind="outer", client="any", out_interface=underlay, protocol="udp",
        source=Address(inside=networks([local])),
        destination=Address(outside=_without_pods(facts, networks([local])) + never, near=near),
        destination_port=device.get("port"), source_is_local=True,
        source_on_out_interface=local in own if own else None,
        source_is_primary=_would_choose(addresses, local),
        other_interfaces=tuple(str(one.get("name")) for one in vxlan_devices(facts)) + _LOCAL_DEVICES,
    )  # fmt: skip


def _would_choose(addresses: Sequence[str], local: str) -> Tri:
    """Whether MASQUERADE would take this address of the underlay.

    It takes the first that is in the network of the next hop (inet_select_addr), or by RFC 6724 for IPv6; their order is not known here.
    Addresses of one host (the virtual ones of keepalived and kube-vip) are in the network of no next hop.
    """
    prefixes = dict(text.partition("/")[::2] for text in addresses)
    if not prefixes or local not in prefixes:
        return False if prefixes else None
    others = {prefix for address, prefix in prefixes.items() if address != local}
    if not others:
        return True
    return True if ":" not in local and others == {"32"} and prefixes[local] != "32" else None


def _pods(facts: Facts, own: Sequence[Network]) -> tuple[Network, ...]:
    """The network of the pods, unless the VXLAN device's own address, which is one of theirs, is not in it."""
    pods = pod_network(facts)
    return (pods,) if pods and (not own or any(lies_in(one, pods) for one in own)) else ()


def inner_packet(facts: Facts, device: Mapping[str, Any], client: str) -> Packet:
    """The packet to a pod on another node, before encapsulation."""
    own = own_addresses(device)
    everyone = _pods(facts, own)
    host = client == "host"
    source = host_sources(facts, device)[0] if host else Address(inside=everyone)
    return Packet(
        kind="inner", client=client, out_interface=str(device.get("name")), protocol="", source=source,
        destination=Address(inside=everyone, apart=own), destination_port=None, source_is_local=host,
        source_on_out_interface=any(one in own for one in source.inside) if host else None,
        source_is_primary=None, translated=True,
    )  # fmt: skip


def asking_packet(facts: Facts, device: Mapping[str, Any], inner: Packet) -> Packet:
    """The node's own packet to a Service, as OUTPUT sees it before kube-proxy has chosen a pod: on the way out by its first route."""
    services = part(facts, "services") or {}
    known = networks(str(services.get(name)) for name in ("dns", "kubernetes") if services.get(name))
    destination = Address(inside=known[:1]) if len(set(known)) == 1 else Address(outside=_without_pods(facts, known))
    first = next((str(found["device"]) for found in lookups(facts) if found.get("device")), "") or underlay_of(facts, device)
    return replace(
        inner, out_interface=first, destination=destination, source_on_out_interface=None, asks_service=True, translated=False,
    )  # fmt: skip


def direct_packet(facts: Facts, device: Mapping[str, Any], client: str) -> Packet:
    """The packet to a pod's own address: no Service, so no mark of kube-proxy."""
    found = replace(inner_packet(facts, device, client), client="any", translated=False)
    if client != "host":
        return found
    own = own_addresses(device)
    return replace(found, source=Address(inside=own[:1]), source_on_out_interface=True if own else None)
