# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubespray lies in a folder. The files are written in the shape of each era's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray_tree import look

GALAXY = "---\nnamespace: kubernetes_sigs\ndescription: Deploy a Kubernetes cluster\nname: %s\nversion: %s\nreadme: README.md\n"
EXPRESSION = "kube_version: \"{{ (kubelet_checksums['amd64'] | dict2items)[0].key }}\"\n"

# (files, the answer: version and default kube_version)
TREES: list[tuple[str, dict[str, str], Any]] = [
    ("of_2_13", {"roles/kubespray-defaults/defaults/main.yaml": "x: 1\nkube_version: v1.17.5\n"}, ("", "1.17.5")),
    (
        "of_2_26",
        {"galaxy.yml": GALAXY % ("kubespray", "2.26.0"), "roles/kubespray-defaults/defaults/main/main.yml": "kube_version: v1.30.4\n"},
        ("2.26.0", "1.30.4"),
    ),
    (
        "of_2_31",
        {"galaxy.yml": GALAXY % ("kubespray", "2.31.0"), "roles/kubespray_defaults/defaults/main/main.yml": EXPRESSION},
        ("2.31.0", ""),
    ),
    ("installed", {"MANIFEST.json": json.dumps({"collection_info": {"name": "kubespray", "version": "2.28.0"}})}, ("2.28.0", "")),
    ("another_collection", {"galaxy.yml": GALAXY % ("vxlan_offload", "1.0.0")}, None),
    ("another_manifest", {"MANIFEST.json": json.dumps({"collection_info": {"name": "other", "version": "2.28.0"}})}, None),
    ("broken_manifest", {"MANIFEST.json": "[]"}, None),
    ("no_text", {"MANIFEST.json": "{"}, None),
    ("nothing", {}, None),
]


@pytest.mark.parametrize(("files", "expected"), [row[1:] for row in TREES], ids=[row[0] for row in TREES])
def test_look(files: dict[str, str], expected: Any, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = look(str(tmp_path))
    assert (found and (found["version"], found["kube_version"])) == expected


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert look(str(tmp_path / "none")) is None
