# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks apply and revert on the oldest and the newest controllers, with the oldest and newest Pythons that they manage.

Packets are the judge; each playbook runs once over a node for each method.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import environments
import pytest
import versions
from rollout import make_units_fail, treated

METHODS = ("clear_mark", "tx_checksum_off", "service_route", "masquerade_without_random")
# A node for each method; the Pythons of a leg take turns.
LEGS = {
    "2.15-py3.9": ("3.6", "3.13"),
    "2.16-py3.11": ("3.6",),
    "2.19-py3.11": ("3.8",),
    "2.21-py3.13": ("3.9", "3.13"),
}
WORKS, BROKEN = {"udp": "ok", "tcp": "ok"}, {"udp": "broken", "tcp": "broken"}


class Fleet:
    """A lab with a node for each case, and one controller."""

    def __init__(self, lab: Any, home: Path, pythons: dict[str, Path], scratch: Path) -> None:
        self.lab, self.home, self.scratch = lab, home, scratch
        cases = zip(itertools.cycle(pythons.values()), METHODS)
        hosts = {
            node: {"ansible_python_interpreter": str(python), "workaround_method": method}
            for node, (python, method) in zip(lab.nodes, cases)
        }
        self.overlay = scratch / "cases.json"
        self.overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")

    def run(self, name: str) -> Any:
        settings = {
            "vxlan_offload_report_dir": str(self.scratch),
            "workaround_accept_risk": True,
            "workaround_service_cidr": "10.96.0.0/12",
        }
        arguments = ("kubenet.vxlan_offload." + name, "-i", str(self.overlay), "--forks", "10")
        done = self.lab.playbook(*arguments, variables=settings, venv=str(self.home))
        assert done.returncode == 0, done.output
        return done

    def changed(self, name: str) -> set[bool]:
        done = self.run(name)
        return {done.changed(node) for node in self.lab.nodes}

    def packets(self) -> list[dict[str, str]]:
        seen = self.lab.ask(*self.lab.nodes)["nodes"]
        return [{kind: seen[node][kind]["result"] for kind in ("udp", "tcp")} for node in self.lab.nodes]


@pytest.mark.parametrize("name", LEGS)
def test_apply_and_revert(name: str, make_lab: Any, tmp_path: Path, folder: Path, outcome: dict[str, Any]) -> None:
    pythons = {version: environments.node_python(folder, version) for version in LEGS[name]}
    lab = make_lab("pre_fix_kube_proxy", backend="both", nodes=len(METHODS))
    fleet = Fleet(lab, environments.controller_home(folder, versions.BY_NAME[name]), pythons, tmp_path)
    outcome["roles"][name] = []
    assert fleet.changed("apply") == {True}
    assert fleet.packets() == [WORKS] * len(lab.nodes)
    assert fleet.changed("apply") == {False}
    fleet.run("revert")
    assert fleet.packets() == [BROKEN] * len(lab.nodes)
    outcome["roles"][name] = list(LEGS[name])


@pytest.mark.parametrize("name", ["2.15-py3.9", "2.21-py3.13"])
def test_a_failing_batch_stops_the_rollout(name: str, make_lab: Any, tmp_path: Path, folder: Path) -> None:
    """The second of a batch of two fails half way: the first is done, the batch after it untouched."""
    lab = make_lab("pre_fix_kube_proxy", nodes=3)
    done, fails, later = lab.nodes
    make_units_fail(lab, fails)
    home = environments.controller_home(folder, versions.BY_NAME[name])
    settings = {"vxlan_offload_report_dir": str(tmp_path), "vxlan_offload_serial": "2,1", "ansible_python_interpreter": "/usr/bin/python3"}
    run = lab.playbook("kubenet.vxlan_offload.apply", variables=settings, venv=str(home))
    assert run.returncode == 2, run.output
    assert [treated(lab, node) for node in (done, fails, later)] == [True, False, False]
    report = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))
    assert {node: one["status"] for node, one in report["hosts"].items()} == {done: "mitigated", fails: "affected"}
    assert report["summary"]["not_checked"] == [later]


@pytest.mark.parametrize("name", ["2.15-py3.9", "2.21-py3.13"])
def test_a_file_in_place_of_a_wants_folder_is_a_failure_that_is_put_back(name: str, make_lab: Any, tmp_path: Path, folder: Path) -> None:
    """From ansible-core 2.20 on the file module fails where something below a plain file is to be removed, whatever failed_when says."""
    lab = make_lab("pre_fix_kube_proxy")
    (node,) = lab.nodes
    wants = "/etc/systemd/system/sys-subsystem-net-devices-vxlan.calico.device.wants"
    lab.run(node, "touch", wants)
    features = lab.run(node, "ethtool", "-k", "vxlan.calico")
    home = environments.controller_home(folder, versions.BY_NAME[name])
    settings = {
        "vxlan_offload_report_dir": str(tmp_path),
        "workaround_method": "tx_checksum_off",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    run = lab.playbook("kubenet.vxlan_offload.apply", variables=settings, venv=str(home))
    assert run.returncode == 2 and "was rolled back" in run.output, run.output
    assert lab.run(node, "ethtool", "-k", "vxlan.calico") == features
    left = lab.run(node, "sh", "-c", "ls -d /var/lib/vxlan-offload /etc/systemd/system/*vxlan*", check=False)
    assert [line for line in left.splitlines() if line.startswith("/")] == [wants], left
    assert lab.verdict(node) == BROKEN


def test_node_info_needs_no_python_on_the_node(make_lab: Any, folder: Path) -> None:
    """Where none can be found at all, by the oldest and the newest controller."""
    lab = make_lab("fixed_kube_proxy_calico_first", hide_python=True)
    (node,) = lab.nodes
    assert lab.run(node, "sh", "-c", "command -v python3 || echo none").strip() == "none"
    for controller in (versions.CONTROLLERS[0], versions.CONTROLLERS[-1]):
        home = environments.controller_home(folder, controller)
        done = lab.ansible(
            "all", "-m", "kubenet.vxlan_offload.node_info", variables={"ansible_python_interpreter": "/nonexistent"}, venv=str(home)
        )
        assert done.returncode == 0, done.output
        facts = done.of(node, "node_info")[0]["node"]
        assert facts["collected"]["complete"] and facts["vxlan"]["devices"][0]["name"] == "vxlan.calico"
