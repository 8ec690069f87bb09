# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubespray's variables to the planned versions that predict judges.

What a variable does not say is taken from the release that is about to run. Where several releases, or several values, are
possible, each possibility is planned; whether they end in one verdict decides preflight.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kubespray_releases as table
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray_releases import Release
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.predict import ENCAPSULATIONS, FLANNEL_DEVICE

# What is looked at; the names are kubespray's own.
VARIABLES = (
    "kube_version", "kube_network_plugin", "calico_version", "flannel_version",
    "calico_vxlan_mode", "calico_ipip_mode", "ipip", "ipip_mode", "flannel_backend_type", "flannel_vxlan_direct_routing",
    "kube_proxy_mode", "kube_proxy_remove", "kube_proxy_masquerade_bit",
    "calico_feature_detect_override", "calico_bpf_enabled", "cilium_kube_proxy_replacement", "kube_router_run_service_proxy",
)  # fmt: skip
# Of Kubernetes' three that kubespray knows; iptables and ipvs end alike.
PROXY_MODES = ("ipvs", "nftables")
# When one of these is true for its network plugin, kubespray skips kubeadm's addon/kube-proxy ("": for every plugin).
WITHOUT_KUBE_PROXY = (
    ("", "kube_proxy_remove"), ("calico", "calico_bpf_enabled"), ("cilium", "cilium_kube_proxy_replacement"),
    ("kube-router", "kube_router_run_service_proxy"),
)  # fmt: skip
VERSION_VARIABLE = "vxlan_offload_kubespray_version"


class Fact(NamedTuple):
    """The values that a key of the plan can have, and where they come from."""

    values: tuple[Any, ...]
    source: str


class Plan(TypedDict):
    """`candidates`: each possible plan. `release`: which kubespray, and `told_by` what. `sources`: where each key comes from.
    `error`: why there is no candidate, empty when there is one."""

    error: str
    release: str
    told_by: str
    candidates: list[dict[str, Any]]
    sources: dict[str, str]


def plan(variables: Mapping[str, Any], version: str = "", tree: Optional[Mapping[str, Any]] = None) -> Plan:
    """Plan what kubespray is about to install.

    `variables`: those of VARIABLES that are visible; empty ones count as not set. `version`: kubespray's release as the user
    names it. `tree`: what was found of kubespray itself, ``{path, version, kube_version}``. A value that is not understood is the
    `error` of the plan: kubespray must be able to go on. Raises ValueError when `variables` is no dictionary.
    """
    if not isinstance(variables, Mapping):
        raise ValueError("kubespray_plan needs a dictionary of kubespray's variables, for example kube_version")
    seen = {name: variables[name] for name in VARIABLES if variables.get(name) not in (None, "")}
    try:
        releases, told_by = _releases(seen, version, tree)
        candidates, sources = _candidates(seen, releases)
    except ValueError as error:
        return {"error": str(error), "release": "", "told_by": "nothing", "candidates": [], "sources": {}}
    return {"error": "", "release": _span(releases), "told_by": told_by, "candidates": candidates, "sources": sources}


def _candidates(seen: Mapping[str, Any], releases: tuple[Release, ...]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every combination that is possible, and the sources of the first."""
    candidates: list[dict[str, Any]] = []
    sources: dict[str, str] = {}
    for release in releases or (None,):
        facts = dict(_facts(seen, release))
        sources = sources or {key: fact.source for key, fact in facts.items()}
        for values in itertools.product(*(fact.values for fact in facts.values())):
            candidate = dict(zip(facts, values))
            if candidate not in candidates:
                candidates.append(candidate)
    return candidates, sources


def _releases(seen: Mapping[str, Any], version: str, tree: Optional[Mapping[str, Any]]) -> tuple[tuple[Release, ...], str]:
    """The user's word, else kubespray's own files, else the Kubernetes that is asked for."""
    if version:
        return table.named(version), VERSION_VARIABLE
    if tree and (tree.get("version") or tree.get("kube_version")):
        return table.in_tree(str(tree.get("version") or ""), str(tree.get("kube_version") or "")), str(tree.get("path"))
    wanted = str(seen.get("kube_version") or "")
    possible = table.that_install(wanted)
    if "calico_vxlan_mode" in seen:
        # Nobody sets it for a release that does not have it.
        possible = tuple(release for release in possible if table.at_least(release, table.CALICO_VXLAN_MODE_SINCE))
    return possible, f"kube_version {wanted}" if wanted else "nothing"


def _span(releases: tuple[Release, ...]) -> str:
    versions = [release.version for release in releases]
    return " to ".join(dict.fromkeys((versions[0], versions[-1]))) if versions else ""


def _facts(seen: Mapping[str, Any], release: Optional[Release]) -> Iterator[tuple[str, Fact]]:
    """Each key of predict that is known, for one release; None: a release that is not in the table."""
    default = f"default of kubespray {release.version}" if release else ""
    if release or "kube_version" in seen:
        yield "kube_version", _version(seen, "kube_version", release.kube if release else "", default)
    plugin = str(seen.get("kube_network_plugin") or (table.NETWORK_PLUGIN if release else "")).lower()
    if plugin:
        yield "network_plugin", Fact((plugin,), "kube_network_plugin" if "kube_network_plugin" in seen else default)
    name = "flannel_version" if plugin in FLANNEL_DEVICE else "calico_version" if plugin == "calico" else ""
    if name and (release or name in seen):
        number = "" if release is None else release.flannel if plugin in FLANNEL_DEVICE else release.calico
        yield name, _version(seen, name, number, default)
    yield "encapsulation", _encapsulation(seen, plugin, release, default)
    yield "proxy_mode", _proxy_mode(seen, plugin, release, default)
    if "kube_proxy_masquerade_bit" in seen:
        yield "masquerade_bit", Fact((seen["kube_proxy_masquerade_bit"],), "kube_proxy_masquerade_bit")
    if "calico_feature_detect_override" in seen and table.at_least(release, table.FEATURE_DETECT_OVERRIDE_SINCE):
        yield "feature_detect_override", Fact((str(seen["calico_feature_detect_override"]),), "calico_feature_detect_override")


def _version(seen: Mapping[str, Any], name: str, number: str, default: str) -> Fact:
    return Fact((str(seen[name]),), name) if name in seen else Fact((number,), default)


def _encapsulation(seen: Mapping[str, Any], plugin: str, release: Optional[Release], default: str) -> Fact:
    if plugin == "flannel":
        return _flannel(seen, release, default)
    if plugin == "canal":
        return Fact(("always",), "canal's template has flannel's backend vxlan")
    if plugin != "calico":
        return Fact(("always",), "kube_network_plugin")
    if not table.at_least(release, table.CALICO_VXLAN_MODE_SINCE):
        return Fact(("never",), f"{default}, which has no calico_vxlan_mode")
    if "calico_vxlan_mode" in seen:
        return Fact((_mode(seen["calico_vxlan_mode"], "calico_vxlan_mode"),), "calico_vxlan_mode")
    ipip = next((name for name in ("calico_ipip_mode", "ipip_mode", "ipip") if _has_ipip(seen, name)), "")
    if ipip == "calico_ipip_mode" or (ipip and release and not table.at_least(release, table.CALICO_VXLAN_SINCE)):
        # kubespray's check.yml refuses both at once.
        return Fact(("never",), ipip)
    if ipip:
        return Fact(("always", "never"), f"{ipip}, which kubespray does not read since 2.19")
    if release is None:
        return Fact(("always", "never"), "not known")
    return Fact(("always" if table.at_least(release, table.CALICO_VXLAN_SINCE) else "never",), default)


def _has_ipip(seen: Mapping[str, Any], name: str) -> bool:
    """Whether this variable turns IPIP on."""
    return _true(seen[name]) if name == "ipip" and name in seen else str(seen.get(name, "never")).lower() in ("always", "crosssubnet")


def _flannel(seen: Mapping[str, Any], release: Optional[Release], default: str) -> Fact:
    backend = str(seen.get("flannel_backend_type", table.FLANNEL_BACKEND if release else "")).lower()
    source = "flannel_backend_type" if "flannel_backend_type" in seen else default
    if not backend:
        return Fact(("always", "never"), "not known")
    if backend != "vxlan":
        return Fact(("never",), source)
    if _true(seen.get("flannel_vxlan_direct_routing")) and table.at_least(release, table.DIRECT_ROUTING_SINCE):
        return Fact(("crosssubnet",), "flannel_vxlan_direct_routing")
    return Fact(("always",), source)


def _proxy_mode(seen: Mapping[str, Any], plugin: str, release: Optional[Release], default: str) -> Fact:
    for only, name in WITHOUT_KUBE_PROXY:
        if only in ("", plugin) and _true(seen.get(name)):
            return Fact(("none",), name)
    if "kube_proxy_mode" in seen:
        return Fact((str(seen["kube_proxy_mode"]).lower(),), "kube_proxy_mode")
    return Fact((table.PROXY_MODE,), default) if release else Fact(PROXY_MODES, "not known")


def _mode(value: Any, name: str) -> str:
    found = str(value).lower()
    if found not in ENCAPSULATIONS:
        raise ValueError(f"{name} {value!r} is not one of Always, CrossSubnet, Never")
    return found


def _true(value: Any) -> bool:
    """As kubespray reads its switches; cilium_kube_proxy_replacement can also be strict."""
    return str(value).lower() in ("true", "yes", "on", "1", "strict")
