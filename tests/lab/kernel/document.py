# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/kernel-lab.md from the rows that the guests measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import kernels

HEAD = """<!--
Copyright (c) 2026 the kubenet.vxlan_offload authors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
Written by `make kernel-lab-table`, compared by CI.
-->

# What was measured on kernels with and without the defects

User Mode Linux, built from Debian's kernel source by `lab/kernel/build.sh`; `make kernel-lab` builds, boots and measures. Each row is
a node of its own with its own rules, a pod on it, a pod on another node behind VXLAN, and a machine outside of the cluster.
UDP is three DNS questions from fresh sockets, TCP one connection, in which a lost SYN counts as broken.

- **node to Service** is what the defects break. **NodePort**: asked from outside of the cluster. **pod to Service** is hit too
  where all traffic to Services is masqueraded. **pod to outside** needs the pod's address translated.
- **verdict** is `status` of the `diagnose` filter on the node's facts with the answer of `kernel_selftest`, without and with the
  remedy; it was equal to the packets in every row, and so was the simulation.
- Every remedy was taken back, and the packets of before came back.
- **side effects** are other ways that worked without the remedy and do not with it, and the VXLAN device's features that it turned off.

| kernel | source | zero_checksum | lco_checksum |
|---|---|---|---|
"""
COLUMNS = ("rule shape", "remedy", "node to Service: UDP", "TCP", "NodePort", "pod to Service", "pod to outside", "verdict", "side effects")
WAYS = {"outside_to_node_port": "NodePort", "pod_to_service": "pod to Service", "pod_to_outside": "pod to outside"}


def text(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page. `measured`: {kernel: rows}."""
    parts = [HEAD + "\n".join(_line([one.name, one.source, one.zero_checksum, one.lco_checksum]) for one in kernels.KERNELS)]
    for name, rows in measured.items():
        for mode in ("noudpcsum", "udpcsum"):
            parts.append(_section(name, mode, [row for row in rows if row["checksum"] == mode]))
    return "\n\n".join(parts) + "\n"


def _section(kernel: str, mode: str, rows: Sequence[Mapping[str, Any]]) -> str:
    shapes = list(dict.fromkeys(row["scenario"] for row in rows))
    ordered = sorted(rows, key=lambda row: shapes.index(row["scenario"]))
    head = [_line(COLUMNS), "|" + "---|" * len(COLUMNS)]
    untouched = {row["scenario"]: row for row in rows if not row["remedy"]}
    lines = [_line(_cells(row, untouched[row["scenario"]])) for row in ordered]
    return "## Kernel %s, device with %s\n\n%s" % (kernel, mode, "\n".join(head + lines))


def _cells(row: Mapping[str, Any], untouched: Mapping[str, Any]) -> list[str]:
    shape = row["scenario"].replace("_noudpcsum", "")
    if not row["remedy"]:
        return [shape, "nothing done", *_ways(row["before"]), row["verdict"]["status"], ""]
    if row["refused"]:
        return [shape, row["remedy"], *_ways(row["after"]), row["verdict_after"]["status"], "refused: it would not help"]
    return [shape, row["remedy"], *_ways(row["after"]), row["verdict_after"]["status"], _side_effects(row, untouched)]


def _ways(paths: Mapping[str, Mapping[str, str]]) -> list[str]:
    node = paths["node_to_service"]
    return [node["udp"], node["tcp"], *(_both(paths[way]) for way in WAYS)]


def _both(seen: Mapping[str, str]) -> str:
    return seen["udp"] if seen["udp"] == seen["tcp"] else "UDP %(udp)s, TCP %(tcp)s" % seen


def _side_effects(row: Mapping[str, Any], untouched: Mapping[str, Any]) -> str:
    broken = [title for way, title in WAYS.items() if row["before"][way] != row["after"][way] and "broken" in row["after"][way].values()]
    off = [name for name in row["features_off"] if name not in untouched["features_off"] and name != "tx-checksum-ip-generic"]
    effects = ["**breaks %s**" % title for title in broken] + (["off: " + ", ".join(off)] if off else [])
    return "; ".join(effects)


def _line(cells: Sequence[str]) -> str:
    return "| %s |" % " | ".join(cells)
