# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe output to node facts. Pure: text in, dict out (plugin_utils/facts.py has the shape)."""

from __future__ import annotations

import re
from typing import Any, cast

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    SUBSETS,
    Collected,
    NodeFacts,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    Transcript,
    frames,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_kernel import kernel
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_links import (
    links,
    routes,
    vxlan,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_netfilter import (
    netfilter,
    services,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_node import (
    applied,
    cni,
    counters,
    kube_proxy,
    sysctl,
)


def parse(text: str) -> NodeFacts:
    """Facts of the node that printed `text`. ValueError: the text is no transcript. What is missing in it becomes `unknown`."""
    transcript = frames(text)
    settings = _settings(transcript)
    collected = _collected(transcript, settings)
    network = cni(transcript)
    canal = "canal" in network.get("names", [])
    proxy = kube_proxy(transcript, collected["root"])
    rules = netfilter(transcript, proxy.get("mode"))
    system = kernel(transcript, settings.get("changelog") == "1")
    tunnels = vxlan(transcript, canal, _before_4_6(system.get("release", "")))
    names = [device["name"] for device in tunnels.get("devices", [])]
    parts: dict[str, Any] = {
        "kernel": system,
        "vxlan": tunnels,
        "links": links(transcript, names),
        "routes": routes(transcript),
        "netfilter": rules,
        "kube_proxy": proxy,
        "cni": network,
        "services": services(rules),
        "sysctl": sysctl(transcript),
        "counters": counters(transcript),
        "applied": applied(transcript),
    }
    _drop_unasked(parts, collected["subset"])
    return cast(NodeFacts, {"schema": 1, "collected": collected, **parts})


def _settings(transcript: Transcript) -> dict[str, str]:
    section = transcript.find("self")
    lines = section.lines if section and section.ok else ()
    return {key: value for key, _space, value in (line.partition(" ") for line in lines)}


def _collected(transcript: Transcript, settings: dict[str, str]) -> Collected:
    uids = settings.get("uid", "").split()
    subset = [name for name in settings.get("subset", "all").split() if name in SUBSETS]
    return {
        "reader": "shell",
        "complete": transcript.complete,
        "root": len(uids) > 1 and uids[1] == "0",
        "subset": subset or ["all"],
    }


def _drop_unasked(parts: dict[str, Any], subset: list[str]) -> None:
    """Some sections serve several parts: a part that was not asked for is unknown, whatever was read for another."""
    if "all" in subset:
        return
    for name in parts:
        group = "netfilter" if name == "services" else name
        if group not in subset:
            parts[name] = {"unknown": f"not asked for: add {group} to gather_subset"}


def _before_4_6(release: str) -> bool:
    match = re.match(r"(\d+)\.(\d+)", release)
    return bool(match) and tuple(int(number) for number in match.groups()) < (4, 6) if match else False
