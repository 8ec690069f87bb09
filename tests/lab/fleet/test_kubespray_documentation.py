# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/kubespray.md: every command as printed, in the order of the page, and its table of releases."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from kubespray_site import CLUSTER, ERAS, ROOT, STAND_IN, UPGRADE

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kubespray_releases as table
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import planned_verdict

PAGE = (ROOT / "docs/kubespray.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run by tests/lab/fleet/test_kubespray_documentation.py -->\n```sh\n(.*?)```", PAGE, re.S)


def user_folder(place: Path, lab: Any) -> None:
    """What a user has: an inventory in the shape of 2.31, and kubespray, here a stand-in, in 3d/kubespray."""
    shutil.copytree(ERAS / "2.31", place / "inventory/mycluster")
    found = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    files = {"3d/kubespray/cluster.yml": CLUSTER, "3d/kubespray/upgrade-cluster.yml": UPGRADE}
    files["3d/kubespray/galaxy.yml"] = "namespace: kubernetes_sigs\nname: kubespray\nversion: 2.31.0\n"
    for name, node in zip(("node1", "node2", "node3"), lab.nodes):
        files["inventory/mycluster/host_vars/%s.yml" % name] = json.dumps(found[node])
    (files["inventory/mycluster/group_vars/all/vxlan_offload.yml"],) = re.findall(r"<!-- used by [^\n]*-->\n```yaml\n(.*?)```", PAGE, re.S)
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    home = place / "home/.ansible/collections/ansible_collections/kubenet"
    home.mkdir(parents=True)
    (home / "vxlan_offload").symlink_to(ROOT)


def test_commands(make_lab: Any, tmp_path: Path) -> None:
    """-b falls away: the lab's nodes are entered as root."""
    lab = make_lab("fixed_kube_proxy", nodes=3)
    user_folder(tmp_path, lab)
    settings = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    settings.update(PATH="%s:%s" % (Path(sys.executable).parent, os.environ["PATH"]), HOME=str(tmp_path / "home"), ANSIBLE_NOCOLOR="1")
    assert len(BLOCKS) == 2
    shown = []
    for block in BLOCKS:
        script = "set -e\n" + re.sub(r"(?<= )-b ", "", block)
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        shown.append(done.stdout)
    # With the tags, without them, and with the override.
    assert shown[1].count("TASK [%s]" % STAND_IN) == 3
    assert "checked 1 of 3 hosts; not checked: node1, node3" in shown[1]
    assert shown[1].count("TASK [Uncordon node]") == 2  # one for each of kube_node, serial: 1


def cell(text: str) -> list[str]:
    return re.findall(r"`(affected|exposed|mitigated|unaffected)`", text)


def test_the_table_of_releases_is_what_predict_says() -> None:
    """Each release of the table of defaults is in one row of the page, and ends as the row says."""
    kernel = {"release": "5.15.0-37-generic"}
    rows = {
        (2, 10, 0): 0, (2, 12, 0): 1, (2, 12, 7): 2, (2, 12, 8): 3, (2, 13, 0): 2, (2, 13, 3): 3,
        (2, 19, 0): 4, (2, 22, 0): 5, (2, 27, 0): 6,
    }  # fmt: skip
    lines = [line.split("|")[2:4] for line in PAGE.splitlines() if re.match(r"\| 2\.\d\d", line)]
    assert len(lines) == 7
    for release in table.RELEASES:
        calico, flannel = lines[rows[max(since for since in rows if since <= table.numbers(release.version))]]
        for variables, text in (({}, calico), ({"kube_network_plugin": "flannel"}, flannel)):
            assert planned_verdict(plan(variables, release.version), kernel)["status"] == cell(text)[0], release
