# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy as a whole, record and units too, by a root that has been left the capabilities of docs/privileges.md alone.

With one less nothing is changed.

The user is 0, because the record and the units are root's files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import user

METHODS = ("auto", "notrack", "tx_checksum_off", "service_route", "underlay_accept")
# auto is clear_mark here, and wants a verdict: without one of these it is refused before anything is tried.
READING = {"nft": ("net_admin",), "legacy": ("net_admin", "net_raw")}
WITHOUT_RULES = ("tx_checksum_off", "service_route")
SETTINGS = {"workaround_accept_risk": True, "workaround_service_cidr": "10.96.0.0/12", "workaround_probe": False}


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both", nodes=2 * len(METHODS))


def cases(lab: Any) -> list[tuple[str, str, str]]:
    """(node, backend, method): a node of each backend for each method."""
    found = []
    for backend in ("nft", "legacy"):
        nodes = [node for node in lab.nodes if lab.state.nodes[node]["backend"] == backend]
        assert len(nodes) >= len(METHODS)
        found += [(node, backend, method) for node, method in zip(nodes, METHODS)]
    return found


def needs(backend: str, method: str) -> tuple[str, ...]:
    return ("net_admin",) if method in WITHOUT_RULES else (*READING[backend], "sys_admin")


def run(lab: Any, folder: Path, playbook: str, less: int | None) -> Any:
    """With all that each needs, or (less) without one of it."""
    hosts = {}
    for node, backend, method in cases(lab):
        needed = needs(backend, method)
        given = needed if less is None else [one for number, one in enumerate(needed) if number != less % len(needed)]
        hosts[node] = (node, user.only(given, uid="0"), {"workaround_method": method})
    path = folder / "hosts.json"
    arguments = ("kubenet.vxlan_offload." + playbook, "--forks", "10")
    return lab.playbook(
        *arguments, inventory_path=user.inventory(lab, path, hosts), variables={**SETTINGS, "vxlan_offload_report_dir": str(folder)}
    )


def test_each_remedy_with_exactly_these(lab: Any, tmp_path: Path) -> None:
    before = {node: user.state(lab, node) for node, _backend, _method in cases(lab)}
    for less in range(3):
        failed = run(lab, tmp_path, "apply", less)
        for node, _backend, method in cases(lab):
            said = [one["result"].get("msg", "") for one in failed.results if one["host"] == node and one["status"] == "failed"]
            assert said and "root" in said[-1] and "\n" not in said[-1], (node, method, said)
            assert user.state(lab, node) == before[node], (node, method)
    done = run(lab, tmp_path, "apply", None)
    assert done.returncode == 0, done.output
    assert all(user.state(lab, node) != before[node] for node, _backend, _method in cases(lab))
    done = run(lab, tmp_path, "revert", None)
    assert done.returncode == 0, done.output
    assert {node: user.state(lab, node) for node in before} == before
