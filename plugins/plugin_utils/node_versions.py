# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a node, in the few words that a report shows: kernel, system, CNI, kube-proxy, iptables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, part


class NodeVersions(TypedDict):
    """An empty text is not known."""

    kernel: str
    machine: str
    os: str
    cni: str
    kube_proxy: str
    mode: str
    iptables: str


def _cni(found: Mapping[str, Any]) -> str:
    """Each network plugin that is configured, with its version where that was seen."""
    names = [str(name) for name in found.get("names") or []]
    versions = {"calico": found.get("calico_version"), "flannel": found.get("flannel_version")}
    names += [name for name, version in versions.items() if version and not any(name in one or one == "canal" for one in names)]
    return ", ".join(f"{name} {versions.get(name) or ''}".rstrip() for name in names)


def _iptables(found: Mapping[str, Any]) -> str:
    """The backends that hold rules, each with the version of the tool that printed them."""
    printers = found.get("printers") or {}
    tables = [one for one in found.get("tables") or [] if one.get("state") == "read" and one.get("chains")]
    backends = list(dict.fromkeys(str(one.get("backend")) for one in tables))
    return ", ".join(f"{name} {(printers.get(name) or {}).get('version') or ''}".rstrip() for name in backends)


def node_versions(facts: Facts) -> dict[str, Any]:
    """The versions of one node."""
    kernel, proxy = part(facts, "kernel") or {}, part(facts, "kube_proxy") or {}
    found: NodeVersions = {
        "kernel": str(kernel.get("release") or ""), "machine": str(kernel.get("machine") or ""),
        "os": str((kernel.get("os") or {}).get("name") or ""), "cni": _cni(part(facts, "cni") or {}),
        "kube_proxy": str(proxy.get("version") or ""), "mode": str(proxy.get("mode") or ""),
        "iptables": _iptables(part(facts, "netfilter") or {}),
    }  # fmt: skip
    return dict(found)
