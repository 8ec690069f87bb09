# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scale.py simulates a large fleet from: the cost of each part of a run, measured on its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fleet_of
import labs
import measure

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html import page
from lab import mounts, ruleset

SAVED, PARTS = 2000, 10
_PULL = (
    "ansible-pull --url file://%s --checkout main --directory /var/lib/pulled --inventory localhost, "
    "--extra-vars ansible_python_interpreter=%s local.yml"
)


def _median(run: Callable[[], measure.Cost], repeats: int) -> measure.Cost:
    return measure.in_turns({"it": run}, repeats)["it"]


def _start(folder: Path, repeats: int) -> float:
    """Until a play of one host has run its only task, which does nothing."""
    path = folder / "start.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {}}]}]), encoding="utf-8")
    words = [str(labs.BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path)]
    return _median(lambda: measure.cost(words), repeats).wall


def _node(pid: int, repeats: int) -> float:
    """The probe, as ansible feeds it to a shell of the node."""
    probe = labs.ROOT / "plugins" / "plugin_utils" / "probe.sh"
    words = [*ruleset.enter(pid), "sh", "-c", "sh <%s >/dev/null" % probe]
    return _median(lambda: measure.cost(words), repeats).wall


def _pull(node_tmp: Path, pid: int, repeats: int) -> float:
    """examples/pull on a node that needs nothing, from a repository on its own disk; the first run, which clones, is thrown away."""
    repository = node_tmp / "repository"
    collection = repository / "collections/ansible_collections/kubenet/vxlan_offload"
    for part in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(labs.ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(labs.ROOT / "examples/pull/local.yml", repository)
    who = ["-c", "user.name=ops", "-c", "user.email=ops@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "What each node runs"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    command = [*ruleset.enter(pid), "env", "-i", "HOME=/var/lib", "PATH=%s:%s" % (labs.BIN, os.environ["PATH"]), "sh", "-c"]
    return _median(lambda: measure.cost([*command, _PULL % (repository, sys.executable)]), repeats).wall


def _saved_nodes(folder: Path, repeats: int) -> tuple[float, float, float]:
    """Processor time of one host: to judge it, to write it, to merge it."""
    facts = {name: {"node_json": json.dumps(one)} for name, one in fleet_of.nodes(SAVED)}
    before = _processor()
    report = fleet(facts)
    judge = (_processor() - before) / SAVED

    def write() -> measure.Cost:
        begun = _processor()
        (folder / "fleet.json").write_text(as_text(report), encoding="utf-8")
        (folder / "report.html").write_text(page(report), encoding="utf-8")
        return measure.Cost(0, _processor() - begun)

    names, files = list(facts), []
    for number in range(PARTS):
        files.append(folder / ("part-%d.json" % number))
        files[-1].write_text(as_text(fleet({name: facts[name] for name in names[number::PARTS]})), encoding="utf-8")
    merge = [sys.executable, str(labs.ROOT / "scripts/fleet_parts.py"), "merge", "--directory", str(folder / "merged")]
    merge += [str(path) for path in files]
    # merge says by 2 and 3 what the recorded nodes have.
    merged = _median(lambda: measure.cost(merge, codes=(0, 2, 3)), repeats)
    return judge, _median(write, repeats).cpu / SAVED, merged.cpu / SAVED


def _processor() -> float:
    """Seconds of this process and of those that it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


HEAD = "| cost of scale.py | seconds | what was run |\n|---|---|---|"


def rows(folder: Path, repeats: int) -> Iterator[str]:
    yield "| `start` | %.2f | `ansible-playbook` with one `debug` task, on localhost |" % _start(folder, repeats)
    with labs.lab(scenarios=("fixed_kube_proxy_calico_first",), services=100) as built:
        node = built.scenario_nodes()[0]
        pid = built.pid(node)
        yield "| `node` | %.2f | the probe in a node with 1,100 nat rules, no network in between |" % _node(pid, repeats)
        pull = _pull(Path(mounts.remote_tmp(built.node_directory(node))), pid, repeats)
        yield "| `pull` | %.2f | examples/pull on that node, nothing to change, with a repository on its disk |" % pull
    judge, write, merge = _saved_nodes(folder, repeats)
    yield "| `judge` | %.4f | processor time of %d saved nodes, for one |" % (judge, SAVED)
    yield "| `write` | %.5f | `fleet.json` and the page, for one |" % write
    yield "| `merge` | %.5f | `fleet_parts.py merge` of %d parts with %d hosts in all, for one |" % (merge, PARTS, SAVED)
