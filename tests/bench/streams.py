# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each remedy costs: one TCP stream from a node to the pod, a node for each remedy, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import labs
import measure

from lab import throughput  # isort: skip  # labs.py finds it

METHODS = ("no workaround", "tx_checksum_off", "clear_mark", "notrack")
HEAD = "| remedy | one TCP stream | ratio |\n|---|---|---|"


def rows(folder: Path, repeats: int) -> Iterator[str]:
    with labs.lab(scenarios=("fixed_kube_proxy_calico_first",), nodes=len(METHODS)) as built:
        node_of = dict(zip(METHODS, built.scenario_nodes()))
        for method in METHODS[1:]:
            chosen = ["--limit", node_of[method], "-e", "workaround_method=" + method, "-e", "vxlan_offload_report_dir=%s" % folder]
            measure.cost([str(labs.BIN / "ansible-playbook"), "-i", labs.hosts(built), "kubenet.vxlan_offload.apply", *chosen])
        taken: dict[str, list[float]] = {method: [] for method in METHODS}
        for _turn in range(repeats):
            for method, node in node_of.items():
                taken[method].append(throughput.measure(built, node, 3)["gbit_per_s"])
    free = statistics.median(taken[METHODS[0]])
    for method in METHODS:
        middle = statistics.median(taken[method])
        yield "| %s | %.2f Gbit/s | **%.2f** |" % (method, middle, middle / free)
