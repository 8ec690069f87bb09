# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts `netfilter` and `services` of the facts, both backends put together."""

from typing import Any, Dict, List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import backends
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import legacy, nft, walk
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import NEEDS_ROOT
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Tool


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


def _legacy(table, names):  # type: (str, Optional[List[str]]) -> Dict[str, Any]
    if names is None:
        return _entry("legacy", table, "unknown", NEEDS_ROOT)
    if table not in names:
        return _entry("legacy", table, "absent", "/proc/net/ip_tables_names has no %s" % table)
    return dict(_entry("legacy", table, "", ""), **legacy.read_table(table))


def legacy_names():  # type: () -> Optional[List[str]]
    """The legacy tables that are there; None when only root may know."""
    try:
        return backends.legacy_tables("ipv4")
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


def read(run, mode):  # type: (Run, Optional[str]) -> Dict[str, Any]
    """Part `netfilter`."""
    found = backends.tools("ipv4", run, which)
    names = legacy_names()
    return {
        "source": "iptables-nft -S, python-iptables, nft list chain",
        "printers": {backend: _printer(found.get(backend)) for backend in ("nft", "legacy")},
        "tables": [_nft(table, found.get("nft"), run) for table in walk.ROOTS]
        + [_legacy(table, names) for table in walk.ROOTS],
        "nftables": nft.kube_proxy_table(run, mode),
    }


def services(tables):  # type: (List[Dict[str, Any]]) -> Dict[str, Any]
    """Part `services`: addresses of the well-known Services."""
    found = walk.service_addresses(tables)
    reasons = [table["reason"] for table in tables if table["state"] == "unknown" and table["table"] == "nat"]
    if reasons and not found:
        return {"unknown": reasons[0]}
    dns = [found[chain] for chain in walk.DNS if chain in found]
    return {
        "source": "nat KUBE-SVC-* chains of well-known Services",
        "dns": dns[0] if dns else None,
        "kubernetes": found.get(walk.KUBERNETES),
    }


def lookup_addresses(tables):  # type: (List[Dict[str, Any]]) -> List[str]
    """The addresses to ask the routing table for."""
    found = walk.service_addresses(tables)
    return sorted({found[chain] for chain in walk.WELL_KNOWN if chain in found})
