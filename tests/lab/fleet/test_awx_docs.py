# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of docs/awx.md, in their order, as a user runs them. AWX is the controller that keeps what is posted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awx_rules
import awx_specs
import pytest
import yaml
from fake_controller import State, controller

ROOT = awx_specs.ROOT
TEXT = (ROOT / "docs/awx.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run by tests/lab/fleet/test_awx_docs.py -->\n```sh\n(.*?)```", TEXT, re.S)


def settings(home: Path, url: str) -> dict[str, str]:
    """A user's environment: the collections in their home, awx.awx beside ansible-core, a name for git."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_") and key != "PYTHONPATH"}
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": f"{home}/.ansible/collections:{awx_specs.FOLDER}",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",  # the lab's inventory is YAML, whatever its name
        "ANSIBLE_INVENTORY_PLUGIN_EXTS": ".ini",
        "CONTROLLER_HOST": url,
        "CONTROLLER_OAUTH_TOKEN": "not-a-secret",
        **{f"GIT_{who}_{what}": "user@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }


@pytest.fixture(scope="module")
def done(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, State]]:
    """All blocks in one shell; the first command that fails ends it."""
    awx_specs.require_collection()
    home = tmp_path_factory.mktemp("home")
    (home / ".ansible/collections/ansible_collections/kubenet").mkdir(parents=True)
    (home / ".ansible/collections/ansible_collections/kubenet/vxlan_offload").symlink_to(ROOT)
    (home / "hosts.ini").symlink_to(make_lab("pre_fix_kube_proxy", "fixed_kube_proxy").inventory)
    script = "set -e\n" + "".join(BLOCKS).replace(" -b ", " ")  # the lab's nodes are entered as root
    with controller(awx_rules.playbooks(ROOT / "awx", "new")) as (url, state):
        organization = state.add("organizations", name="Default")["id"]
        for kind in ("inventories", "credentials"):
            state.add(kind, name="Kubernetes nodes", organization=organization)
        environment = settings(home, url)
        build = ["ansible-galaxy", "collection", "build", "--output-path", str(home), str(ROOT)]
        for command in (build, ["sh", "-c", script]):
            output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            run = subprocess.run(command, cwd=home, env=environment, check=False, **output)  # type: ignore[call-overload]
            assert run.returncode == 0, run.stdout
        yield home / "vxlan-offload-project", state


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == TEXT.count("```sh") == 6


def test_the_project_is_a_repository_with_the_collection(done: tuple[Path, State]) -> None:
    project, _state = done
    listed = subprocess.run(["git", "ls-files"], cwd=project, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    assert {"diagnose.yml", "collections/ansible_collections/kubenet/vxlan_offload/playbooks/diagnose.yml"} <= set(listed)
    assert {"diagnose.yml", "apply.yml"} <= set(awx_rules.playbooks(project, "old"))
    # The tarball has this folder, too: a user has it from there.
    assert "collections/ansible_collections/kubenet/vxlan_offload/awx/controller.yml" in listed


def test_the_context_of_the_image_is_there(done: tuple[Path, State]) -> None:
    assert (done[0] / "context/Containerfile").exists()


def test_the_workflow_is_posted(done: tuple[Path, State]) -> None:
    assert done[1].named("workflow_job_templates", "VXLAN offload workflow")


def test_the_other_names_are_the_only_difference(done: tuple[Path, State]) -> None:
    project, _state = done
    before, after = ((project / name).read_text(encoding="utf-8") for name in ("setup.yml.orig", "setup.yml"))
    modules = [key for task in yaml.safe_load(after)[0]["tasks"] for key in task if "." in key]
    assert [name for name in modules if name.startswith("ansible.controller.")] == modules[1:]
    assert after.replace("ansible.controller.", "awx.awx.") == before


def test_the_variables_of_the_table_are_known() -> None:
    files = [path for folder in ("awx", "playbooks", "roles") for path in (ROOT / folder).rglob("*.yml")]
    sources = "".join(path.read_text(encoding="utf-8") for path in files)
    table = re.findall(r"`((?:vxlan_offload|workaround)_\w+)`", TEXT)
    assert table and [name for name in table if name not in sources] == []
