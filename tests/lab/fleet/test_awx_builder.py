# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/execution-environment.yml: what ansible-builder makes of it, and that its pins are for the nodes that have the defect."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import awx_image
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
BUILDER = Path(sys.executable).parent / "ansible-builder"


def create(folder: Path) -> subprocess.CompletedProcess[str]:
    """`ansible-builder create` in a copy of awx/: what `build` does before it calls the container runtime."""
    assert BUILDER.exists(), f"no {BUILDER}: run make test-fleet"
    command = [str(BUILDER), "create", "-f", "execution-environment.yml", "-c", "context", "--output-filename", "Containerfile"]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "awx", tmp_path / "awx"))


def test_the_context_has_what_the_file_asks_for(folder: Path) -> None:
    done = create(folder)
    assert done.returncode == 0, done.stdout
    containerfile = (folder / "context/Containerfile").read_text(encoding="utf-8")
    values = dict(re.findall(r'^ARG (\w+)="([^"]*)"$', containerfile, re.M))
    assert values["EE_BASE_IMAGE"] == "rockylinux/rockylinux:9"
    assert values["ANSIBLE_INSTALL_REFS"].split() == awx_image.pins()
    assert (values["PYCMD"], values["PYPKG"], values["PKGMGR"]) == ("/usr/bin/python3.11", "python3.11", "/usr/bin/dnf")
    assert "ansible-galaxy collection install $ANSIBLE_GALAXY_CLI_COLLECTION_OPTS -r requirements.yml" in containerfile
    packages = (folder / "context/_build/bindep.txt").read_text(encoding="utf-8")
    assert packages.splitlines() == ["openssh-clients [platform:rpm]", "sshpass [platform:rpm]"]


def test_the_image_and_the_project_ask_for_the_same_collection(folder: Path) -> None:
    assert create(folder).returncode == 0
    built = yaml.safe_load((folder / "context/_build/requirements.yml").read_text(encoding="utf-8"))
    assert built == yaml.safe_load((ROOT / "awx/collections/requirements.yml").read_text(encoding="utf-8"))


def test_a_wrong_key_would_be_found(folder: Path) -> None:
    path = folder / "execution-environment.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("ansible_core:", "ansible_kernel:"), encoding="utf-8")
    done = create(folder)
    assert done.returncode != 0
    assert "Additional properties are not allowed ('ansible_kernel' was unexpected)" in done.stdout


def test_the_image_has_the_last_ansible_core_for_old_nodes() -> None:
    """2.16 runs modules on Python 2.7 and 3.6, 2.17 no longer. The jobs of test_awx_runner.py run by the same pins."""
    say = "import ansible.release, ansible.module_utils.basic as basic; print(ansible.release.__version__, basic.__file__)"
    done = subprocess.run([str(awx_image.environment() / "python"), "-c", say], stdout=subprocess.PIPE, text=True, check=True)
    core, source = done.stdout.split()
    floors = re.findall(r"^_PY\d_MIN = (.*)$", Path(source).read_text(encoding="utf-8"), re.M)
    assert core.startswith("2.16.")
    assert [re.search(r"\(\d, \d\)", floor).group() for floor in floors] == ["(3, 6)", "(2, 7)"]  # type: ignore[union-attr]
