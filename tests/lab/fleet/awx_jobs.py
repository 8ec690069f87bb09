# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them: by the ansible-runner of the image, in a private data directory with a project, an inventory and extra variables.

The project is awx/ with the collection beside it in collections/, as for a controller that reaches no Galaxy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awx_image

ROOT = Path(__file__).resolve().parents[3]

Hosts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """What a job left."""

    artifacts: Path
    output: str

    @property
    def rc(self) -> int:
        return int((self.artifacts / "rc").read_text(encoding="utf-8"))

    @property
    def status(self) -> str:
        return (self.artifacts / "status").read_text(encoding="utf-8")

    def events(self, kind: str) -> list[dict[str, Any]]:
        loaded = [json.loads(path.read_text(encoding="utf-8")) for path in (self.artifacts / "job_events").glob("*.json")]
        return [one["event_data"] for one in sorted(loaded, key=lambda one: int(one["counter"])) if one["event"] == kind]

    @property
    def stats(self) -> dict[str, Any]:
        """What AWX keeps of a job: hosts by what became of them, and artifact_data, the job's artifacts."""
        (found,) = self.events("playbook_on_stats")
        return found

    @property
    def published(self) -> dict[str, Any]:
        return dict(self.stats.get("artifact_data") or {})

    @property
    def errors(self) -> list[str]:
        """The messages of the failed tasks."""
        return [str(one["res"]["msg"]) for one in self.events("runner_on_failed") if not one.get("ignore_errors")]

    def cached(self, host: str) -> dict[str, Any]:
        """The facts that AWX would take over for a host."""
        return dict(json.loads((self.artifacts / "fact_cache" / host).read_text(encoding="utf-8")))


def slice_of(hosts: Hosts, number: int, count: int) -> Hosts:
    """Slice `number` (from 1) of `count`, as AWX cuts an inventory: every count-th host in the order of the names."""
    return {name: hosts[name] for name in sorted(hosts)[number - 1 :: count]}


def _project(folder: Path) -> None:
    shutil.copytree(ROOT / "awx", folder)
    beside = folder / "collections/ansible_collections/kubenet"
    beside.mkdir(parents=True)
    (beside / "vxlan_offload").symlink_to(ROOT)


def _inventory(path: Path, hosts: Hosts) -> None:
    """A script, as AWX writes it. Of a folder Ansible reads no file that ends in .ini."""
    listed = {"all": {"hosts": sorted(hosts)}, "_meta": {"hostvars": hosts}}
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nprint({json.dumps(listed)!r})\n", encoding="utf-8")
    path.chmod(0o755)


def run(folder: Path, playbook: str, number: int, hosts: Hosts, arguments: str = "", **variables: Any) -> Job:
    """Job `number` in a folder that does not exist yet. `arguments`: what AWX adds for a template's options, for example --check."""
    image = awx_image.environment()
    _project(folder / "project")
    _inventory(folder / "inventory/hosts", hosts)
    (folder / "env").mkdir()
    (folder / "env/extravars").write_text(json.dumps({"awx_job_id": number, **variables}), encoding="utf-8")
    (folder / "env/cmdline").write_text(arguments, encoding="utf-8")
    (folder / "env/envvars").write_text(json.dumps({"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_PIPELINING": "True"}), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_") and key != "PYTHONPATH"}
    environment["PATH"] = f"{image}:{environment['PATH']}"
    command = [str(image / "ansible-runner"), "run", str(folder), "-p", playbook, "-i", str(number)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert (folder / "artifacts" / str(number) / "rc").exists(), done.stdout
    return Job(folder / "artifacts" / str(number), done.stdout)
