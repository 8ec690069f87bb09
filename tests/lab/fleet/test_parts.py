# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in parts by ansible-runner, as AWX runs slices: one controller, two halves and three parts say the same of the same hosts; a
part whose stream was cut is incomplete, wherever the cut is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import documented
import pytest

ROOT = Path(__file__).resolve().parents[3]
RUN_PARTS = ROOT / "examples/runner/run-parts.sh"
FLEET_PARTS = ROOT / "scripts/fleet_parts.py"
RUNNER = Path(sys.executable).parent / "ansible-runner"


@pytest.fixture(scope="module", autouse=True)
def _runner() -> None:
    assert RUNNER.exists(), "no ansible-runner in this environment: pip install -r tests/requirements-fleet.txt"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """Six nodes, four of them affected."""
    return make_lab("pre_fix_kube_proxy", "fixed_kube_proxy", "fixed_kube_proxy_calico_first", backend="both")


def environment(**more: str) -> dict[str, str]:
    """As a user has it: nothing says where the collection is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    return {**kept, "PATH": "%s:%s" % (RUNNER.parent, os.environ["PATH"]), **more}


def call(folder: Path, *command: Any, **more: str) -> Any:
    words = [str(word) for word in command]
    return subprocess.run(
        words, cwd=folder, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    )


def inventory(lab: Any, folder: Path, *nodes: str, **variables: Any) -> Path:
    """The lab's inventory, of some nodes, with variables for all of them."""
    found = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    chosen = {name: found[name] for name in nodes or found}
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"hosts": chosen, "vars": variables}}), encoding="utf-8")
    return path


def run_parts(folder: Path, hosts: Path, *workers: str, **more: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output, report."""
    done = call(folder, RUN_PARTS, hosts, *workers, RUNS=str(folder / "runs"), **more)
    (run,) = (folder / "runs").iterdir()
    return done.returncode, done.stdout, json.loads((run / "report/fleet.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def one_controller(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("one")
    run = lab.playbook("kubenet.vxlan_offload.diagnose", variables={"vxlan_offload_report_dir": str(folder)})
    assert run.returncode == 0, run.output
    hosts: dict[str, Any] = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))["hosts"]
    assert len(hosts) == 6
    return hosts


def cutter(folder: Path, size: int) -> str:
    """What stands for ssh to a worker whose line breaks: the stream really ends after `size` bytes."""
    script = folder / "line-that-breaks"
    script.write_text('#!/bin/sh\nshift\n"$@" | head -c %d\n' % size, encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def test_two_halves_say_what_one_controller_says_and_keep_no_secret(lab: Any, one_controller: Any, tmp_path: Path) -> None:
    hosts = inventory(lab, tmp_path, ansible_become_password="hunter2")
    code, output, report = run_parts(tmp_path, hosts, "local", "local", SECRET_OF_THE_WORKER="hunter3")
    assert code == 2, output
    assert report["hosts"] == one_controller
    assert [(end["status"], end["hosts"]) for end in report["parts"].values()] == [("complete", 3), ("complete", 3)]
    assert (report["summary"]["expected"], report["summary"]["not_checked"]) == (6, [])
    assert "checked 6 of 6 hosts\n" in output and output.count("AFFECTED") == 4
    # Neither the inventory's variables stay, nor the environment, which ansible-runner writes into each run's artifacts.
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(kept) > 20
    assert [path for path in kept if b"hunter" in path.read_bytes()] == []


def test_of_three_parts_the_cut_one_is_incomplete_and_the_others_say_the_same(lab: Any, one_controller: Any, tmp_path: Path) -> None:
    code, output, report = run_parts(tmp_path, inventory(lab, tmp_path), "local", "far", "local", SSH=cutter(tmp_path, 20000))
    assert code == 3, output
    names = sorted(one_controller)
    assert report["parts"]["part-2"]["status"] == "incomplete"
    assert report["summary"]["not_checked"] == names[1::3]
    assert report["hosts"] == {name: one_controller[name] for name in names[0::3] + names[2::3]}
    assert "checked 4 of 6 hosts; not checked: %s\n" % ", ".join(names[1::3]) in output
    assert "part part-2: incomplete: no return code: its stream was cut" in output


def test_a_worker_that_hangs_is_ended_and_its_part_incomplete(lab: Any, tmp_path: Path) -> None:
    hangs = tmp_path / "line-that-hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    hangs.chmod(0o755)
    code, output, report = run_parts(tmp_path, inventory(lab, tmp_path), "far", "farther", SSH=str(hangs), TIMEOUT="2")
    assert code == 3, output
    assert "run-parts.sh: far has not ended after 2 s: its part is incomplete\n" in output
    assert [end["status"] for end in report["parts"].values()] == ["incomplete", "incomplete"]
    assert report["hosts"] == {} and len(report["summary"]["not_checked"]) == 6


def test_a_time_out_that_is_no_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("[nodes]\na\n", encoding="utf-8")
    done = call(tmp_path, RUN_PARTS, "hosts.ini", "local", TIMEOUT="soon")
    assert (done.returncode, done.stdout) == (1, "run-parts.sh: TIMEOUT must be a number of seconds, not soon\n")


def test_a_clean_fleet_is_0(lab: Any, one_controller: Any, tmp_path: Path) -> None:
    clean = [name for name, found in one_controller.items() if found["status"] == "unaffected"]
    code, output, report = run_parts(tmp_path, inventory(lab, tmp_path, *clean), "local", "local")
    assert (code, len(report["hosts"])) == (0, 2), output


def test_a_part_in_which_a_play_fails_is_incomplete(lab: Any, tmp_path: Path) -> None:
    """The part with the affected node fails by its own variable; process exits with 0 for it all the same."""
    hosts = inventory(lab, tmp_path, "fixed_kube_proxy_nft", "pre_fix_kube_proxy_nft", vxlan_offload_fail_on=["affected"])
    code, output, report = run_parts(tmp_path, hosts, "local", "local")
    assert code == 3, output
    assert list(report["hosts"]) == ["fixed_kube_proxy_nft"]
    assert report["parts"]["part-2"]["reason"].startswith("return code 2: a play failed (vxlan_offload_fail_on does that, too)")
    assert report["summary"]["not_checked"] == ["pre_fix_kube_proxy_nft"]


def test_a_node_that_cannot_be_reached_is_never_clean(lab: Any, tmp_path: Path) -> None:
    hosts = inventory(lab, tmp_path, "fixed_kube_proxy_nft")
    found = json.loads(hosts.read_text(encoding="utf-8"))
    found["all"]["hosts"]["gone"] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts.write_text(json.dumps(found), encoding="utf-8")
    code, output, report = run_parts(tmp_path, hosts, "local", "local")
    assert code == 3, output
    assert {name: one["status"] for name, one in report["hosts"].items()} == {"fixed_kube_proxy_nft": "unaffected", "gone": "unknown"}
    assert [end["status"] for end in report["parts"].values()] == ["complete", "complete"]


@pytest.fixture(scope="module")
def stream(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """All that a worker sends of a part of two affected nodes."""
    folder = tmp_path_factory.mktemp("stream")
    data = folder / "data"
    shutil.copytree(ROOT / "examples/runner", data)
    (data / "inventory").mkdir()
    inventory(lab, data / "inventory", "fixed_kube_proxy_nft", "fixed_kube_proxy_legacy")
    home = data / "project/collections/ansible_collections/kubenet"
    home.mkdir(parents=True)
    (home / "vxlan_offload").mkdir()
    for name in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, home / "vxlan_offload" / name)
    whole = folder / "whole"
    done = call(folder, "bash", "-c", 'ansible-runner transmit "$0" -p diagnose.yml --ident x | ansible-runner worker > "$1"', data, whole)
    assert done.returncode == 0, done.stdout
    return whole.read_bytes()


def arrive(folder: Path, text: bytes) -> Any:
    """Process what came over a line, and merge it."""
    (folder / "came").write_bytes(text)
    call(folder, "sh", "-c", "ansible-runner process out --ident x < came")
    return call(folder, sys.executable, FLEET_PARTS, "merge", "out")


# Before anything, in the first event, among the events, before the archive of the artifacts, in it, at its end.
CUTS = {"nothing": 0.0, "the first line": 0.001, "a third": 0.3, "most": 0.8, "the archive": 0.99}


@pytest.mark.parametrize("place", CUTS)
def test_wherever_a_stream_is_cut_its_part_is_incomplete(place: str, stream: bytes, tmp_path: Path) -> None:
    done = arrive(tmp_path, stream[: int(len(stream) * CUTS[place])])
    assert (done.returncode, done.stdout.count("incomplete")) == (3, 1), done.stdout


def test_the_whole_stream_is_complete_and_a_cut_one_after_it_does_not_live_on_it(stream: bytes, tmp_path: Path) -> None:
    whole = arrive(tmp_path, stream)
    assert whole.returncode == 0, whole.stdout
    # The same ident, and another run whose events have ids of their own; the return code and the stats of the first are still there.
    cut = arrive(tmp_path, b"".join(renamed(line) for line in stream.splitlines(keepends=True)[:8]))
    assert (cut.returncode, "the events of two runs are in one folder" in cut.stdout) == (3, True), cut.stdout


def renamed(line: bytes) -> bytes:
    found = json.loads(line)
    return json.dumps({**found, "uuid": found["uuid"][::-1]}).encode() + b"\n" if "uuid" in found else line


SSHD = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
SetEnv PATH={path} HOME={folder}
"""
SSH = """
Host *
  ProxyCommand /usr/sbin/sshd -i -f {folder}/sshd_config
  IdentityFile {folder}/key
  IdentitiesOnly yes
  StrictHostKeyChecking accept-new
  UserKnownHostsFile {folder}/known_hosts
"""


def test_workers_over_ssh(lab: Any, one_controller: Any, tmp_path: Path) -> None:
    """A real ssh to a real sshd, over a pipe in place of a network."""
    assert shutil.which("/usr/sbin/sshd"), "no sshd: apt-get install openssh-server"
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where sshd separates privileges
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    values = {"folder": tmp_path, "path": environment()["PATH"]}
    (tmp_path / "sshd_config").write_text(SSHD.format(**values), encoding="utf-8")
    (tmp_path / "ssh_config").write_text(SSH.format(**values), encoding="utf-8")
    command = "ssh -F %s" % (tmp_path / "ssh_config")
    code, output, report = run_parts(tmp_path, inventory(lab, tmp_path), "root@exec1", "root@exec2", SSH=command)
    assert code == 2, output
    assert report["hosts"] == one_controller
    assert [end["status"] for end in report["parts"].values()] == ["complete", "complete"]


def ini(lab: Any, path: Path) -> None:
    """The lab's nodes as the user's hosts.ini."""
    found = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    lines = [
        " ".join([name, *("%s=%s" % pair for pair in values.items() if pair[0].startswith("ansible_"))]) for name, values in found.items()
    ]
    path.write_text("[nodes]\n%s\n" % "\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("title, report", [("by one script", "vxlan-offload-runs/*/report/fleet.json"), ("by hand", "report/fleet.json")])
def test_the_documented_commands(title: str, report: str, lab: Any, one_controller: Any, tmp_path: Path) -> None:
    home = documented.home(tmp_path / "home")
    ini(lab, tmp_path / "hosts.ini")
    done = call(tmp_path, "bash", "-c", documented.block("test_parts.py: " + title), HOME=str(home))
    assert done.returncode == 2, done.stdout
    (path,) = tmp_path.glob(report)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["hosts"] == one_controller
    assert list(found["parts"]) == ["part-1", "part-2"]


WRONG = [([], "usage: run-parts.sh INVENTORY WORKER..."), (["none.ini", "local"], "run-parts.sh: no inventory at none.ini")]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_a_wrong_call_is_one_line_and_1(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = call(tmp_path, RUN_PARTS, *arguments)
    assert (done.returncode, done.stdout.startswith(message), done.stdout.count("\n")) == (1, True, 1)
