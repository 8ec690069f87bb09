# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts `netfilter` and `services` of the facts, both backends put together."""

from typing import Any, Dict, List, Optional, Set

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import backends
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import legacy, nft, walk
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import NEEDS_ROOT
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Tool

FAMILIES = ("ipv4", "ipv6")


def _entry(backend, table, state, reason):  # type: (str, str, str, str) -> Dict[str, Any]
    return {
        "backend": backend,
        "table": table,
        "state": state,
        "reason": reason,
        "chains": {},
        "unread": [],
    }


def _nft(table, tool, run):  # type: (str, Optional[Tool], Run) -> Dict[str, Any]
    if not nft.is_loaded():
        return _entry("nft", table, "absent", "nf_tables is not loaded")
    if tool is None:
        return _entry(
            "nft",
            table,
            "unknown",
            "nf_tables is loaded, but this node has no iptables >= 1.8 that reads it: install iptables (iptables-nft)",
        )
    return dict(_entry("nft", table, "", ""), **nft.read_table(tool, table, run))


def _legacy(table, names, family):  # type: (str, Optional[List[str]], str) -> Dict[str, Any]
    if names is None:
        return _entry("legacy", table, "unknown", NEEDS_ROOT)
    if table not in names:
        return _entry("legacy", table, "absent", "%s has no %s" % (backends.LOADED[family], table))
    return dict(_entry("legacy", table, "", ""), **legacy.read_table(table))


def _legacy_v6(table, names, tool, run):
    # type: (str, Optional[List[str]], Optional[Tool], Run) -> Dict[str, Any]
    """By ip6tables-legacy, chain by chain: few nodes have these, and the library knows IPv4 best."""
    if names is None or table not in names:
        return _legacy(table, names, "ipv6")
    if tool is None:
        reason = (
            "%s has %s, but this node has no iptables-legacy-save:"
            " install it, or run the probe with the iptables of the kube-proxy container"
        )
        return _entry("legacy", table, "unknown", reason % (backends.LOADED["ipv6"], table))
    return dict(_entry("legacy", table, "", ""), **nft.read_table(tool, table, run))


def legacy_names(family="ipv4"):  # type: (str) -> Optional[List[str]]
    """The legacy tables that are there; None when only root may know."""
    try:
        return backends.legacy_tables(family)
    except NodeError:
        return None


def needs_iptc():  # type: () -> bool
    """Whether reading this node takes python-iptables."""
    return any(table in walk.ROOTS for table in legacy_names() or [])


def _printer(tool):  # type: (Optional[Tool]) -> Optional[Dict[str, str]]
    if tool is None:
        return None
    return {
        "command": tool.path.rsplit("/", 1)[-1],
        "version": ".".join(str(part) for part in tool.version),
    }


def _family(family, run):  # type: (str, Run) -> List[Dict[str, Any]]
    found = backends.tools(family, run, which)
    names = legacy_names(family)
    tables = [_nft(table, found.get("nft"), run) for table in walk.ROOTS]
    if family == "ipv6":
        tables += [_legacy_v6(table, names, found.get("legacy"), run) for table in walk.ROOTS]
    else:
        tables += [_legacy(table, names, family) for table in walk.ROOTS]
    return [dict(table, family=family) for table in tables]


def read(run, mode, ipv6):  # type: (Run, Optional[str], bool) -> Dict[str, Any]
    """Part `netfilter`; with the rules of ip6tables when a tunnel runs over IPv6."""
    found = backends.tools("ipv4", run, which)
    families = FAMILIES if ipv6 else FAMILIES[:1]
    return {
        "source": "iptables-nft -S, python-iptables, nft list chain",
        "printers": {backend: _printer(found.get(backend)) for backend in ("nft", "legacy")},
        "tables": [table for family in families for table in _family(family, run)],
        "nftables": nft.kube_proxy_table(run, mode, families),
    }


def services(tables):  # type: (List[Dict[str, Any]]) -> Dict[str, Any]
    """Part `services`: addresses of the well-known Services."""
    found, found_v6 = [walk.service_addresses([table for table in tables if table["family"] == family]) for family in FAMILIES]
    reasons = [table["reason"] for table in tables if table["state"] == "unknown" and table["table"] == "nat"]
    if reasons and not found and not found_v6:
        return {"unknown": reasons[0]}
    return {
        "source": "nat KUBE-SVC-* chains of well-known Services",
        "dns": _dns(found) or _dns(found_v6),
        "kubernetes": found.get(walk.KUBERNETES) or found_v6.get(walk.KUBERNETES),
        "dns_ipv6": _dns(found_v6),
        "kubernetes_ipv6": found_v6.get(walk.KUBERNETES),
    }


def _dns(found):  # type: (Dict[str, str]) -> Optional[str]
    addresses = [found[chain] for chain in walk.DNS if chain in found]
    return addresses[0] if addresses else None


def lookup_addresses(tables):  # type: (List[Dict[str, Any]]) -> List[str]
    """The addresses to ask the routing table for."""
    addresses = set()  # type: Set[str]
    for family in FAMILIES:
        found = walk.service_addresses([table for table in tables if table["family"] == family])
        addresses.update(found[chain] for chain in walk.WELL_KNOWN if chain in found)
    return sorted(addresses)
