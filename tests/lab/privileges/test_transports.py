# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user without rights over a real ssh, and what the sudo rules of docs/privileges.md let it do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import user

PAGE = (user.REPOSITORY / "docs/privileges.md").read_text(encoding="utf-8")
NODE = "pre_fix_kube_proxy_nft"
HOME = "/etc/vxlan-test"

SSHD = """
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""
SSH = """
Host *
  ProxyCommand nsenter --target {pid} --net --mount --uts -- /usr/sbin/sshd -i -f {home}/sshd_config
  IdentityFile {folder}/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


def block(title: str) -> str:
    """The code block of the page behind <!-- run by test_transports.py: TITLE -->."""
    found = re.search(r"<!-- run by tests/lab/privileges/test_transports.py: %s -->\n```\w*\n(.*?)```" % re.escape(title), PAGE, re.DOTALL)
    assert found, title
    return found[1]


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    for tool in ("/usr/sbin/sshd", "/usr/bin/sudo", "/usr/sbin/visudo"):
        assert Path(tool).exists(), "no %s: apt-get install openssh-server sudo" % tool
    found = make_lab("pre_fix_kube_proxy", backend="nft")
    user.add(found, NODE)
    return found


class Login:
    """ssh to the node as the user."""

    def __init__(self, lab: Any, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.put(HOME + "/host_key", (folder / "host_key").read_text(encoding="utf-8"), "0600")
        self.put(HOME + "/authorized_keys", (folder / "key.pub").read_text(encoding="utf-8"), "0644")
        self.put(HOME + "/sshd_config", SSHD.format(home=HOME), "0644")
        lab.run(NODE, "mkdir", "-p", "/run/sshd")
        (folder / "ssh_config").write_text(SSH.format(home=HOME, pid=lab.state.pid(NODE), folder=folder), encoding="utf-8")

    def put(self, path: str, text: str, mode: str) -> None:
        """A file of root's in the node's own /etc or /var/lib."""
        write = 'mkdir -p "${0%/*}" && cat > "$0" && chmod "$1" "$0"'
        command = user.enter(self.lab, NODE, ["sh", "-c", write, path, mode])
        subprocess.run(command, input=text, text=True, check=True)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        argv = ["ssh", "-F", str(self.folder / "ssh_config"), "%s@%s" % (user.NAME, NODE), command]
        return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)

    def inventory(self) -> str:
        path = self.folder / "hosts.json"
        variables = {
            "ansible_connection": "ssh", "ansible_user": user.NAME, "ansible_python_interpreter": user.PYTHON,
            "ansible_ssh_args": "-F %s -o ControlMaster=no" % (self.folder / "ssh_config"),
        }  # fmt: skip
        path.write_text(json.dumps({"all": {"hosts": {NODE: variables}}}), encoding="utf-8")
        return str(path)

    def playbook(self, name: str, *arguments: str) -> tuple[Any, dict[str, Any]]:
        settings = {"vxlan_offload_report_dir": str(self.folder)}
        run = self.lab.playbook("kubenet.vxlan_offload." + name, *arguments, inventory_path=self.inventory(), variables=settings)
        report = self.folder / "fleet.json"
        return run, json.loads(report.read_text(encoding="utf-8"))["hosts"][NODE] if report.exists() else {}

    def sudoers(self, rules: str) -> None:
        """This and no other rule; visudo finds no fault in it."""
        self.put("/etc/sudoers.d/vxlan-offload", rules, "0440")
        self.lab.run(NODE, "visudo", "-c", "-f", "/etc/sudoers.d/vxlan-offload")


@pytest.fixture(scope="module")
def login(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Login:
    return Login(lab, tmp_path_factory.mktemp("login"))


def test_diagnose_without_become_says_what_it_could_not_see(login: Login) -> None:
    before = user.state(login.lab, NODE)
    run, verdict = login.playbook("diagnose")
    assert run.returncode == 0, run.output
    assert verdict["status"] == "unknown"
    assert {one["how"] for one in verdict["missing"]} == {"run with become: true"}
    assert {one["fact"] for one in verdict["missing"]} >= {"netfilter.nft.nat", "netfilter.legacy.nat"}
    assert "needs root" in verdict["summary"] and "run with become" in verdict["action"]
    assert user.state(login.lab, NODE) == before


def test_apply_without_become_changes_nothing_and_says_why(login: Login) -> None:
    before = user.state(login.lab, NODE)
    run, _verdict = login.playbook("apply", "-e", "workaround_method=clear_mark")
    assert run.returncode == 2, run.output
    (said,) = [one["result"]["msg"] for one in run.results if one["task"].endswith("Record, change and persist in one step")]
    assert said == "nothing was changed for clear_mark: reading and changing netfilter rules needs root (CAP_NET_ADMIN): run with become"
    assert user.state(login.lab, NODE) == before


def test_the_rule_for_the_fixed_probe(login: Login, tmp_path: Path) -> None:
    """One root-owned script by its digest: all of the diagnosis, and nothing else."""
    script = tmp_path / "vxlan-offload-probe"
    commands = block("fixed probe").replace("/usr/local/libexec", str(tmp_path))
    shutil.copy(user.REPOSITORY / "plugins/plugin_utils/probe.sh", tmp_path / "probe.sh")
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True)
    rule = (tmp_path / "sudoers").read_text(encoding="utf-8")
    # The node has its own /etc, and shares /usr with this machine.
    path = HOME + "/vxlan-offload-probe"
    login.put(path, script.read_text(encoding="utf-8"), "0755")
    login.sudoers(rule.replace(str(script), path))
    try:
        done = login.run("sudo -n " + path)
        assert done.returncode == 0, done.stderr
        (tmp_path / "transcripts").mkdir()
        (tmp_path / "transcripts" / (NODE + ".txt")).write_text(done.stdout, encoding="utf-8")
        run = login.lab.playbook(
            "kubenet.vxlan_offload.diagnose", inventory_path="localhost,",
            variables={"vxlan_offload_transcripts": str(tmp_path / "transcripts"), "vxlan_offload_report_dir": str(tmp_path)},
        )  # fmt: skip
        assert run.returncode == 0, run.output
        verdict = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"][NODE]
        assert (verdict["status"], verdict["missing"]) == ("affected", [])
        for refused in ("sudo -n sh -c id", "sudo -n %s now" % path, "sudo -n subset=kernel " + path):
            assert login.run(refused).returncode != 0, refused
        login.put(path, script.read_text(encoding="utf-8") + "id\n", "0755")
        assert login.run("sudo -n " + path).returncode != 0, "a changed script was run"
    finally:
        login.lab.run(NODE, "rm", "-f", "/etc/sudoers.d/vxlan-offload")


def test_the_rule_for_a_shell_is_enough_for_everything(login: Login) -> None:
    """become by the rule of the page: diagnosis, a remedy that cures, and its revert."""
    (rule,) = [line for line in PAGE.splitlines() if line.startswith("vxlan ALL=(root)")]
    before = user.state(login.lab, NODE)
    login.sudoers(rule + "\n")
    try:
        run, verdict = login.playbook("diagnose", "--become")
        assert verdict["status"] == "affected", (verdict["summary"], run.output)
        run, verdict = login.playbook("apply", "--become", "-e", "workaround_method=clear_mark")
        assert run.returncode == 0, run.output
        assert verdict["status"] == "mitigated" and login.lab.verdict(NODE) == {"udp": "ok", "tcp": "ok"}
        run, verdict = login.playbook("revert", "--become")
        assert run.returncode == 0, run.output
        assert verdict["status"] == "affected" and user.state(login.lab, NODE) == before
    finally:
        login.lab.run(NODE, "rm", "/etc/sudoers.d/vxlan-offload")
