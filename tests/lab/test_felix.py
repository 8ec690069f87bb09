# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""felix_override on a node whose Calico masquerades first. There is no Calico cluster here: kubectl is a stand-in."""

from __future__ import annotations

import json
from typing import Any

import kubectl_of_felix
import pytest


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("fixed_kube_proxy_calico_first")


@pytest.mark.parametrize("former", ["", "MASQFullyRandom=false"])
def test_the_override_cures_and_is_taken_back(lab: Any, former: str, tmp_path: Any) -> None:
    (node,) = lab.nodes
    kubectl = kubectl_of_felix.write(tmp_path)
    lab.run(node, "sh", "-c", 'printf %s "$0" > ' + kubectl_of_felix.STORE, former)
    features = lab.run(node, "ethtool", "-k", "vxlan.calico")
    variables = {"workaround_method": "felix_override", "workaround_kubectl": kubectl, "vxlan_offload_report_dir": str(tmp_path)}

    def run(name: str) -> Any:
        done = lab.playbook("kubenet.vxlan_offload." + name, variables=variables)
        assert done.returncode == 0, done.output
        return done

    assert lab.verdict(node) == {"udp": "broken", "tcp": "broken"}
    run("apply")
    assert lab.verdict(node) == {"udp": "ok", "tcp": "ok"}
    wanted = [value for value in (former, "ChecksumOffloadBroken=true") if value]
    assert lab.run(node, "cat", kubectl_of_felix.STORE) == ",".join(wanted)
    assert not run("apply").changed(node)
    found = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"][node]
    assert [(one["id"], one["owner"]) for one in found["mitigations"]] == [("felix_override", "felix")]

    run("revert")
    assert lab.run(node, "cat", kubectl_of_felix.STORE) == former
    assert lab.run(node, "ethtool", "-k", "vxlan.calico") == features
    assert lab.verdict(node) == {"udp": "broken", "tcp": "broken"}


def test_an_override_for_flannel_is_refused(make_lab: Any, tmp_path: Any) -> None:
    flannel = make_lab("flannel_0_20_1")
    variables = {"workaround_method": "felix_override", "vxlan_offload_report_dir": str(tmp_path)}
    run = flannel.playbook("kubenet.vxlan_offload.apply", variables=variables)
    assert run.returncode == 2
    assert "Felix does not look after flannel.1" in run.output
