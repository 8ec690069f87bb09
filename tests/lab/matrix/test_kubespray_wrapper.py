# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrapper with the ansible-core of each era of kubespray: the oldest that this collection has for the eras before, then the one that
kubespray's requirements.txt of 2.26 and of 2.31 brings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import environments
import pytest
import versions

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fleet"))

from kubespray_site import STAND_IN, STOP, Site, failure, make_bare, ran

# era: (controller, kubespray's own word, return code and status for a node before kubespray, on a kernel with lco_checksum)
ERAS = {
    "2.13": ("2.15-py3.9", "", 2, "affected"),
    "2.19": ("2.15-py3.9", "", 2, "affected"),
    "2.26": ("2.16-py3.11", "2.26.0", 0, "mitigated"),
    "2.31": ("2.18-py3.11", "2.31.0", 0, "unaffected"),
}


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    found = make_lab("no_vxlan", nodes=3, kube_proxy_api=False)
    make_bare(found, *found.nodes)
    return found


@pytest.mark.parametrize("era", ERAS)
def test_wrapper(era: str, lab: Any, folder: Path, tmp_path: Path) -> None:
    controller, word, returncode, status = ERAS[era]
    names = ("node1", "node2", "node3")
    site = Site(tmp_path, lab, era, dict(zip(names, lab.nodes)))
    if word:
        site.checkout(word)
    # kubespray's own: what only its roles define is not there yet.
    own = {"calico_feature_detect_override": "{{ defined_by_the_roles_of_kubespray }}"}
    run = site.run("--tags", "network", **own, venv=str(environments.controller_home(folder, versions.BY_NAME[controller])))
    assert run.returncode == returncode, run.output
    assert site.statuses() == dict.fromkeys(names, status)
    assert ran(run, STAND_IN) == ([] if returncode else list(names))
    if returncode:
        assert failure(run, STOP).startswith("3 of 3 checked nodes stop this run. node1, node2, node3 affected: planned by kubespray ")
