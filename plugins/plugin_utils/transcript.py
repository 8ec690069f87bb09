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

# the sections in the order of the probe, and the parts that need all sections up to there
ORDER = (
    (("self", "uname", "printers"), ()),
    (("vxlan", "addr", "features", "driver", "over", "default", "default6"), ("vxlan", "links")),
    (("release", "changelog"), ("kernel",)),
    (("metrics", "processes"), ("kube_proxy",)),
    (("cni", "flannel", "calico"), ("cni",)),
    (("sysctl",), ("sysctl",)),
    (("counters",), ("counters",)),
    (("applied",), ("applied",)),
    # the rules last: they are read side by side with all of the above
    (("chain", "legacy", "legacy6", "lookup"), ("netfilter", "services", "routes")),
)
VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")
RULES = ("netfilter", "services", "routes")


def parse(text: str) -> NodeFacts:
    """Facts of the node that printed `text`. ValueError: the text is no transcript. What is missing in it becomes `unknown`."""
    transcript = frames(text)
    settings = _settings(transcript)
    collected = _collected(transcript, settings)
    network = cni(transcript)
    canal = "canal" in network.get("names", [])
    proxy = kube_proxy(transcript, collected["root"])
    system = kernel(transcript, settings.get("changelog") == "1")
    tunnels = vxlan(transcript, canal, _before_4_6(system.get("release", "")))
    names = [device["name"] for device in tunnels.get("devices", [])]
    ipv6 = any(device["outer"] == "ipv6" for device in tunnels.get("devices", []))
    rules = netfilter(transcript, proxy.get("mode"), ipv6)
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
    _drop_unfinished(parts, transcript)
    _drop_unasked(parts, collected["subset"])
    return cast(NodeFacts, {"schema": 1, "collected": collected, **parts})


def _settings(transcript: Transcript) -> dict[str, str]:
    section = transcript.find("self")
    lines = section.lines if section and section.ok else ()
    return dict(line.split(None, 1) for line in lines if len(line.split()) > 1)


def _collected(transcript: Transcript, settings: dict[str, str]) -> Collected:
    uids = settings.get("Uid:", "").split()
    subset = [name for name in settings.get("subset", "all").split() if name in SUBSETS]
    return {
        "reader": "shell",
        "complete": transcript.complete,
        "root": len(uids) > 1 and uids[1] == "0",
        "subset": subset or ["all"],
    }


def _drop_unasked(parts: dict[str, Any], subset: list[str]) -> None:
    """Some sections serve several parts: a part that was not asked for is unknown, whatever was read for another."""
    for name in parts if "all" not in subset else ():
        group = "netfilter" if name == "services" else name
        if group not in subset:
            parts[name] = {"unknown": f"not asked for: add {group} to gather_subset"}


def _drop_unfinished(parts: dict[str, Any], transcript: Transcript) -> None:
    """What the end of a transcript cut short is unknown as a whole: half a part would be a guess."""
    if transcript.complete:
        return
    last = transcript.sections[-1].name if transcript.sections else "its first line"
    done = next((number for number, (sections, _names) in enumerate(ORDER) if last in sections), 0)
    later = [name for _sections, names in ORDER[done:] for name in names]
    for name in {*later, *RULES}:
        parts[name] = {"unknown": f"transcript ends inside or after {last}: collect it again"}


def _before_4_6(release: str) -> bool:
    match = VERSION.match(release)
    return match is not None and (int(match[1]), int(match[2])) < (4, 6)
