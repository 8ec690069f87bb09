# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in a guest of the kernel lab: the collection by ansible-playbook under a kernel whose defects are known.

KERNEL_LAB names the kernel. By its release, 6.1, every table calls it fixed, so kernel_selftest is asked always.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kernels

from lab.kernel import table

KERNEL = kernels.BY_NAME[os.environ["KERNEL_LAB"]]
OK, BROKEN = {"udp": "ok", "tcp": "ok"}, {"udp": "broken", "tcp": "broken"}
SETTINGS = {
    "diagnose_kernel_selftest": "always",
    "workaround_accept_risk": True,
    "workaround_service_cidr": table.SERVICE_CIDR,
}


SHAPE = "pre_fix_kube_proxy"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """A node for each checksum mode."""
    return make_lab(*[SHAPE + suffix for suffix in table.MODES.values()], backend="nft")


def packets(lab: Any, *nodes: str) -> dict[str, dict[str, str]]:
    seen = lab.ask(*nodes)["nodes"]
    return {name: {kind: found[kind]["result"] for kind in ("udp", "tcp")} for name, found in seen.items()}


def hosts_of(directory: Path) -> dict[str, Any]:
    return dict(json.loads((directory / "fleet.json").read_text(encoding="utf-8"))["hosts"])


def test_the_selftest_finds_the_defects_of_this_kernel(lab: Any) -> None:
    node = lab.nodes[0]
    run = lab.ansible(node, "-m", "kubenet.vxlan_offload.kernel_selftest")
    assert run.returncode == 0, run.output
    (found,) = run.of(node, "kernel_selftest")
    print("kernel_selftest: %s" % json.dumps({key: found[key] for key in sorted(found) if not key.startswith("_")}))
    assert (found["zero_checksum"], found["lco_checksum"]) == (KERNEL.zero_checksum, KERNEL.lco_checksum), found["reason"]


def test_the_verdict_is_what_packets_say(lab: Any, tmp_path: Path) -> None:
    run = lab.playbook("kubenet.vxlan_offload.diagnose", variables={**SETTINGS, "vxlan_offload_report_dir": str(tmp_path)})
    assert run.returncode == 0, run.output
    found = {name: {kind: host[kind] for kind in ("udp", "tcp")} for name, host in hosts_of(tmp_path).items()}
    assert found == packets(lab)
    for mode, node in zip(table.MODES, lab.nodes):
        assert found[node] == (BROKEN if KERNEL.broken(mode) else OK)


if KERNEL.methods:  # on a kernel without defects there is nothing to cure

    def test_remedies_cure_and_are_taken_back(make_lab: Any, tmp_path: Path) -> None:
        """One playbook run over a node for each method; the role itself proves each of them by packets and rolls back otherwise."""
        lab = make_lab(SHAPE + table.MODES[KERNEL.remedies_on], nodes=len(KERNEL.methods), backend="nft")
        hosts = {node: {"workaround_method": method} for node, method in zip(lab.nodes, KERNEL.methods)}
        overlay = tmp_path / "methods.json"
        overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")

        def run(name: str) -> Any:
            variables = {**SETTINGS, "vxlan_offload_report_dir": str(tmp_path)}
            done = lab.playbook("kubenet.vxlan_offload." + name, "-i", str(overlay), variables=variables)
            assert done.returncode == 0, done.output
            return done

        assert packets(lab) == dict.fromkeys(lab.nodes, BROKEN)
        applied = run("apply")
        assert [node for node in lab.nodes if not applied.changed(node)] == []
        assert packets(lab) == dict.fromkeys(lab.nodes, OK)
        assert {host["status"] for host in hosts_of(tmp_path).values()} == {"mitigated"}
        run("revert")
        assert packets(lab) == dict.fromkeys(lab.nodes, BROKEN)
        assert {host["status"] for host in hosts_of(tmp_path).values()} == {"affected"}
