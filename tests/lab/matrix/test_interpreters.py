# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state modules on real nodes, under each Python that a node can have and an ansible-core that still serves it."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
from typing import Any, Optional

import pytest

METHODS = ("clear_mark", "tx_checksum_off", "service_route", "masquerade_without_random")
# The controller and the nodes' Pythons. CORE216_VENV holds ansible-core 2.16, the last one for Python 3.6.
LEGS = (("CORE216_VENV", ("3.6",)), ("", ("3.8", "3.11", "3.13")))
WORKS, BROKEN = {"udp": "ok", "tcp": "ok"}, {"udp": "broken", "tcp": "broken"}


def interpreter(version: str) -> str:
    found = sorted(glob.glob("/root/.pyenv/versions/%s.*/bin/python" % version)) or [shutil.which("python" + version) or ""]
    if not found[-1]:
        # A developer's machine may lack one; CI may not.
        message = "no Python %s on this machine: install it with pyenv to run this leg" % version
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    assert subprocess.check_output([found[-1], "-V"], text=True).startswith("Python " + version)
    return found[-1]


def controller(variable: str) -> Optional[str]:
    if not variable:
        return None
    venv = os.environ.get(variable, "")
    assert os.path.exists(venv + "/bin/ansible-playbook"), "%s names no virtual environment: run make test-matrix" % variable
    return venv


@pytest.mark.parametrize("variable, versions", LEGS, ids=["-".join(versions) for _variable, versions in LEGS])
def test_apply_and_revert_under(variable: str, versions: tuple[str, ...], make_lab: Any, tmp_path: Any) -> None:
    """A node for each Python and method; each playbook runs once over all of them."""
    pythons = {version: interpreter(version) for version in versions}
    cases = [(version, method) for version in versions for method in METHODS]
    lab = make_lab("pre_fix_kube_proxy", backend="both", nodes=len(cases))
    hosts = {
        node: {"ansible_python_interpreter": pythons[version], "workaround_method": method}
        for node, (version, method) in zip(lab.nodes, cases)
    }
    overlay = tmp_path / "cases.json"
    overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    settings = {"vxlan_offload_report_dir": str(tmp_path), "workaround_accept_risk": True, "workaround_service_cidr": "10.96.0.0/12"}

    def run(name: str) -> Any:
        done = lab.playbook(
            "kubenet.vxlan_offload." + name, "-i", str(overlay), "--forks", "10", variables=settings, venv=controller(variable)
        )
        assert done.returncode == 0, done.output
        return done

    def packets() -> list[dict[str, str]]:
        seen = lab.ask(*lab.nodes)["nodes"]
        return [{kind: seen[node][kind]["result"] for kind in ("udp", "tcp")} for node in lab.nodes]

    applied, cured, again = run("apply"), packets(), run("apply")
    assert [applied.changed(node) for node in lab.nodes] == [True] * len(cases)
    assert cured == [WORKS] * len(cases)
    assert [again.changed(node) for node in lab.nodes] == [False] * len(cases)
    run("revert")
    assert packets() == [BROKEN] * len(cases)


def test_node_info_needs_no_python_on_the_node(make_lab: Any) -> None:
    lab = make_lab("fixed_kube_proxy_calico_first", hide_python=True)
    (node,) = lab.nodes
    assert lab.run(node, "sh", "-c", "command -v python3 || echo none").strip() == "none"
    run = lab.ansible("all", "-m", "kubenet.vxlan_offload.node_info", variables={"ansible_python_interpreter": "/nonexistent"})
    assert run.returncode == 0, run.output
    facts = run.of(node, "node_info")[0]["node"]
    assert facts["collected"]["complete"] and facts["vxlan"]["devices"][0]["name"] == "vxlan.calico"
