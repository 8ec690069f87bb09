# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four conditions that must all hold for a VXLAN device to lose Service traffic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.families import IPV6, family_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    Facts,
    kube_proxy,
    link,
    lookups,
    part,
    prints_random_fully,
    source_of,
    tables,
    vxlan_devices,
    why_unknown,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rewrite import Rewrite, rewrite, unread_tables
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import CHECKSUM

ZERO, LCO = "zero_checksum", "lco_checksum"
_HOLDS = {"affected": "yes", "fixed": "no", "unknown": "unknown"}


class Condition(TypedDict):
    """holds: yes, no, maybe or unknown."""

    holds: str
    evidence: str
    source: str


class Missing(TypedDict):
    """A fact that could not be had, why, and how to get it."""

    fact: str
    reason: str
    how: str


def condition(holds: str, evidence: str, source: str = "") -> Condition:
    """One condition."""
    return {"holds": holds, "evidence": evidence, "source": source}


def vxlan_condition(facts: Facts, device: Mapping[str, Any]) -> Condition:
    """A device carries traffic to other nodes.

    Without a route over it none does now. That is no reason to call a node safe: in cross-subnet mode the first node
    in another subnet brings a route. It is one when an earlier CNI surely left the device behind.
    """
    name = str(device.get("name"))
    if device.get("routed") is False:
        carrying = sorted(str(one.get("name")) for one in vxlan_devices(facts) if one.get("routed"))
        if _left_over(facts, device):
            return condition("no", f"no route leads over {name}; those to other nodes lead over {', '.join(carrying)}", "ip -4 route show")
        text = (
            f"no route leads over {name} now: cross-subnet mode with all nodes in one subnet, a node that has no peers yet, "
            "or a left-over device; the first route over it brings the failure"
        )
        return condition("maybe", text, "ip -4 route show")
    text = (
        f"{name}: VNI {device.get('vni')}, UDP port {device.get('port')}, {device.get('checksum')}, "
        f"over {device.get('underlay') or 'the default route'}"
    )
    return condition("yes", text, source_of(facts, "vxlan"))


def _left_over(facts: Facts, device: Mapping[str, Any]) -> bool:
    """Its CNI is not configured here, and the routes lead over a device of one that is. A device of nobody known may be anybody's."""
    configured = (part(facts, "cni") or {}).get("names") or []
    carried = any(one.get("routed") and one.get("owner") in configured for one in vxlan_devices(facts))
    return carried and device.get("owner") not in (None, "other", *configured)


def checksum_mode(device: Mapping[str, Any]) -> str:
    """udpcsum, noudpcsum, unknown, or external where each packet's flow decides and nobody can see what.

    Cilium asks for no checksum (BPF_F_ZERO_CSUM_TX in its bpf/lib/encap.h). Calico's eBPF mode does so since 2025 only;
    Open vSwitch does unless options:csum is set, which OVN does (ovn-encap-csum is true by default).
    """
    mode = str(device.get("checksum"))
    if mode != "external" and family_of(device) == IPV6:
        # udpcsum is IPv4's switch; over IPv6 the checksum is there unless udp6zerocsumtx (RFC 6935) takes it away.
        return "noudpcsum" if device.get("udp6zerocsumtx") else "udpcsum"
    if mode != "external":
        return mode
    return str(device.get("flow_checksum") or ("noudpcsum" if device.get("owner") == "cilium" else "external"))


def defects_for(device: Mapping[str, Any]) -> list[str]:
    """The kernel defects that matter for this device's checksum mode."""
    return {"udpcsum": [LCO], "noudpcsum": [ZERO]}.get(checksum_mode(device), [ZERO, LCO])


def kernel_condition(facts: Facts, device: Mapping[str, Any]) -> Condition:
    """The running kernel has the defect that matters for this device."""
    kernel = part(facts, "kernel")
    if kernel is None or not kernel.get("release"):
        return condition("unknown", f"the kernel is not known: {why_unknown(facts, 'kernel')}")
    status = dict(kernel_status(kernel))
    wanted = defects_for(device)
    answers = {_HOLDS[str(status[defect])] for defect in wanted}
    texts = [_kernel_text(str(kernel["release"]), defect, status) for defect in wanted]
    if checksum_mode(device) == "external" and "yes" in answers and len(answers) > 1:
        why = f"whether packets of {device.get('name')} have an outer checksum is decided for each flow and cannot be read here: "
        return condition("maybe", why + "; ".join(texts), source_of(facts, "kernel"))
    holds = answers.pop() if len(answers) == 1 else "unknown"
    return condition(holds, "; ".join(texts), source_of(facts, "kernel"))


def _kernel_text(release: str, defect: str, status: Mapping[str, Any]) -> str:
    has = {"affected": "has", "fixed": "does not have"}.get(str(status[defect]), "may have")
    reason = status.get("lco_reason") if defect == LCO else status.get("reason")
    return f"kernel {release} {has} {defect}: {reason}"


def feature_on(device: Optional[Mapping[str, Any]], *names: str) -> Optional[bool]:
    """Whether one of these features is active; None when none of them was read."""
    features = (device or {}).get("features") or {}
    seen = [features[name].get("active") for name in names if isinstance(features.get(name), Mapping)]
    return None if not seen else True if True in seen else None if None in seen else False


def offload_condition(facts: Facts, device: Mapping[str, Any]) -> Condition:
    """The device leaves the inner checksum to hardware."""
    active = feature_on(device, CHECKSUM)
    source = f"ethtool -k {device.get('name')}"
    if active is None:
        reason = device.get("features_unknown")
        return condition("unknown", f"{CHECKSUM} of {device.get('name')} was not read{': ' if reason else ''}{reason or ''}", source)
    return condition("yes" if active else "no", f"{CHECKSUM} is {'on' if active else 'off'}", source)


def rewrite_condition(facts: Facts, device: Mapping[str, Any]) -> tuple[Condition, Optional[Rewrite]]:
    """NAT can rewrite the source of a tunnel packet; with the walk that says so."""
    for name in ("netfilter", "routes"):
        if part(facts, name) is None:
            return condition("unknown", f"{name} is not known: {why_unknown(facts, name)}"), None
    if family_of(device) == IPV6 and not (part(facts, "netfilter") or {}).get("tables"):
        return condition("unknown", "the rules of ip6tables were not read: read the node again"), None
    found = rewrite(facts, device)
    evidence = found.evidence
    if found.holds == "unknown":
        unread = unread_tables(facts)
        names = ", ".join(f"{one.get('backend')} {one.get('table')}" for one in unread)
        reasons = "; ".join(dict.fromkeys(str(one["reason"]) for one in unread if one.get("reason")))
        evidence = f"it depends on tables that could not be read ({names}){': ' if reasons else ''}{reasons}"
    return condition(found.holds, evidence, source_of(facts, "netfilter")), found


def first_route_device(facts: Facts) -> str:
    """The device of the node's route to a Service before its address is translated."""
    found = lookups(facts)
    if found and found[0].get("device"):
        return str(found[0]["device"])
    return "lo" if kube_proxy(facts, "mode") == "ipvs" else str((part(facts, "routes") or {}).get("default_device") or "")


def udp_is_hit(facts: Facts, device: Mapping[str, Any], clients: tuple[str, ...]) -> Optional[bool]:
    """Whether UDP is hit too: only if its checksum is still open when the packet enters the tunnel.

    The stack leaves the checksum open when the first route's device has TX checksumming on; the device of a pod
    has. None: the device's features were not read.
    """
    if "any" in clients or "pod" in clients:
        return True
    name = first_route_device(facts)
    if name == "lo":
        return True
    known = device if name == device.get("name") else link(facts, name)
    return feature_on(known, CHECKSUM, "tx-checksum-ipv6" if family_of(device) == IPV6 else "tx-checksum-ipv4")


def missing_facts(facts: Facts) -> list[Missing]:
    """Every part and table that could not be read."""
    found: list[Missing] = []
    for name in ("kernel", "vxlan", "links", "routes", "netfilter"):
        if part(facts, name) is None:
            reason = why_unknown(facts, name)
            found.append({"fact": name, "reason": reason, "how": how_to_get(reason)})
    for device in (part(facts, "vxlan") or {}).get("devices") or []:
        reason = str(device.get("features_unknown") or "")
        if reason:
            found.append({"fact": f"vxlan.{device.get('name')}.features", "reason": reason, "how": how_to_get(reason)})
    for one in unread_tables(facts):
        reason = str(one.get("reason") or "it could not be read")
        fact = f"netfilter.{one.get('backend')}.{one.get('table')}{'.ipv6' if family_of(one) == IPV6 else ''}"
        found.append({"fact": fact, "reason": reason, "how": how_to_get(reason)})
    for entry in tables(facts, "nat"):
        backend = str(entry.get("backend"))
        if entry.get("state") == "read" and entry.get("chains") and not prints_random_fully(facts, backend):
            reason = "iptables before 1.6.2 does not show --random-fully"
            how = "compare with iptables-save of the kube-proxy container"
            found.append({"fact": f"netfilter.printers.{backend}", "reason": reason, "how": how})
    return found


def how_to_get(reason: str) -> str:
    """What to do about a missing fact."""
    if "root" in reason or "permission" in reason.lower():
        return "run with become: true"
    if "gather_subset" in reason:
        return "gather it: gather_subset all"
    if "collect it again" in reason:
        return "collect the transcript again, to its end"
    package = re.search(r"\binstall ([a-z][a-z0-9-]+)", reason)
    if package and package[1] != "it":
        return f"install {package[1]} on the node and read it again"
    return "read the node again when that is settled"
