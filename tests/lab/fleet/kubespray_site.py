# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubespray's place in the tests: inventories in the shape of its eras (tests/data/kubespray), the lab's nodes under the names that these
use, and a stand-in for its playbooks. `Site` is a folder with a wrapper in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
ERAS = ROOT / "tests/data/kubespray"
EXAMPLES = ROOT / "examples/kubespray"
STAND_IN = "The stand-in installs the network"
APPS = "The stand-in installs the apps"
# As kubespray's playbooks: a check that is tagged always, then plays for k8s_cluster with tags of their own.
CLUSTER = """---
- name: Stand-in, checks
  hosts: all
  gather_facts: false
  tags: [always]
  tasks:
    - name: The stand-in checks
      ansible.builtin.debug:

- name: Stand-in, install
  hosts: k8s_cluster
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: The stand-in installs the network
      ansible.builtin.debug:
      tags: [network]

    - name: The stand-in installs the apps
      ansible.builtin.debug:
      tags: [apps]
"""
# What roles/upgrade/post-upgrade of 2.26 and newer does, in its order.
UPGRADE = """---
- name: Stand-in, upgrade
  hosts: kube_node
  gather_facts: false
  any_errors_fatal: true
  serial: 1
  tasks:
    - name: Run post upgrade hooks before uncordon
      loop: "{{ post_upgrade_hooks | default([]) }}"
      ansible.builtin.include_tasks: "{{ item }}"

    - name: Uncordon node
      ansible.builtin.debug:
"""
PREFLIGHT = "- ansible.builtin.import_playbook: kubenet.vxlan_offload.kubespray_preflight\n"
STOP = "Stop before kubespray"
NO_NODE = "Stop when there is no node to check"


def make_bare(lab: Any, *nodes: str) -> None:
    """A node before kubespray: no rules and no CNI's files. There must be no VXLAN device on it, nor an answer of kube-proxy."""
    for node in nodes:
        lab.run(node, "sh", "-c", "nft flush ruleset; rm -f /etc/cni/net.d/* /run/flannel/subnet.env")


class Site:
    """A wrapper's folder, for one era, with hosts of the lab."""

    def __init__(self, folder: Path, lab: Any, era: str, nodes: dict[str, str]) -> None:
        self.folder, self.lab = folder, lab
        shutil.copytree(ERAS / era, folder / "inventory")
        self.write("cluster.yml", CLUSTER)
        self.write("upgrade-cluster.yml", UPGRADE)
        self.write("site.yml", PREFLIGHT + "- ansible.builtin.import_playbook: cluster.yml\n")
        found = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
        self.variables = {name: dict(found[node]) for name, node in nodes.items()}

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def checkout(self, version: str, folder: str = ".") -> None:
        """kubespray's own word for its release, as its tree has it since 2.22."""
        self.write(folder + "/galaxy.yml", "namespace: kubernetes_sigs\nname: kubespray\nversion: %s\n" % version)

    def run(self, *arguments: str, playbook: str = "site.yml", inventory: str = "inventory/inventory.ini", **options: Any) -> Any:
        """ansible-playbook in the folder. Keywords that the lab does not know become extra variables."""
        own = {key: options.pop(key) for key in ("environment", "venv") if key in options}
        hosts = self.write("hosts.json", json.dumps({"all": {"hosts": self.variables}}))
        variables = {"vxlan_offload_report_dir": str(self.folder), **options}
        own["inventory_path"] = str(self.folder / inventory)
        return self.lab.playbook(str(self.folder / playbook), "-i", str(hosts), *arguments, variables=variables, **own)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "fleet.json").read_text(encoding="utf-8"))
        return found

    def statuses(self) -> dict[str, str]:
        return {name: found["status"] for name, found in self.report()["hosts"].items()}


def ran(run: Any, task: str) -> list[str]:
    """The hosts on which a task ended well."""
    return sorted(one["host"] for one in run.results if one["task"] == task and one["status"] == "ok")


def failure(run: Any, task: str) -> str:
    """What the one failure of a run said; fails the test when there is another, or none."""
    failed = [one for one in run.results if one["status"] == "failed"]
    assert [one["task"] for one in failed] == [task], run.output
    return str(failed[0]["result"]["msg"])
