# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that lies, in the real playbooks: it harms neither the controller nor the verdict of the node beside it.

Whatever the kernel and the tools take as a name or a comment is there as they take it. An honest node of the same lab says what a verdict
is without a liar.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families
from terminal import on_terminal
from test_bad_input import COLLECTION, HARM, NODE, saved, unchanged

LIAR, HONEST = NODE % "nft", NODE % "legacy"
FILES = {"fleet.json", "report.html", "junit.xml", "report.md", "vxlan_offload.prom"}
FORMATS = ["html", "junit", "markdown", "textfile"]
# Names of devices: at most 15 bytes, no space, slash or colon. What runs is `h`, made by a shell, a template or a page.
DEVICES = (
    "{{7*7}}",
    "{%if%}",
    "$(id>h)",
    "`id>h`",
    "<b>x<!--",
    "a|b`c`",
    "\x1b[31mred",
    "\x9b31m",
    "x\u202egnp",
    "__proto__",
    "\"&'<x>",
    "\\n\\x41",
    "]]>",
    'a"}1',
)
TEXT = (
    "{{ lookup('pipe','touch %s') }} {%% raw %%} $(touch %s) `touch %s` <script>ran=1</script> <img src=x onerror=ran=1> "
    "]]> &lt; [x](http://e.example) | # "
    '\x1b[2J\x1b]0;t\x07 \x9b31m \u202egnp \u2066 \u200b {a="b"} 1 !unsafe __proto__'
) % ((HARM,) * 3)
SECRET = "hunter2"
# What may not reach a terminal, a log or a page from a node.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def write(lab: Any, node: str, path: str, text: str) -> None:
    """A file of the node, as its root would write it."""
    place = Path("/proc/%d/root" % lab.state.pid(node) + path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink() or place.exists():
        place.unlink()
    place.write_text(text, encoding="utf-8")


def poison(lab: Any, node: str) -> list[str]:
    """The node with hostile names and texts; which names of devices its kernel took."""
    taken = []
    for number, name in enumerate(DEVICES):
        tunnel = "type vxlan id %d dstport %d dev eth0" % (70 + number, 4900 + number)
        if lab.run(node, "ip", "link", "add", "name", name, *tunnel.split(), check=False) == "":
            lab.run(node, "ip", "link", "set", "dev", name, "up")
            taken.append(name)
    for at in range(0, len(TEXT), 100):
        comment = ["-m", "comment", "--comment", TEXT[at : at + 100] + " " + SECRET]
        lab.run(node, "iptables-nft", "-t", "nat", "-I", "POSTROUTING", *comment, "-j", "LOG", "--log-prefix", "<b>{{7*7}}$(id>h)`|")
    write(lab, node, "/etc/os-release", 'NAME="%s"\nID=%s\nPRETTY_NAME="%s"\nVERSION_ID="{{ 7 * 7 }}"\n' % (TEXT, TEXT, TEXT))
    write(lab, node, "/etc/cni/net.d/00-x.conflist", json.dumps({"name": TEXT, "plugins": [{"type": TEXT}]}))
    write(lab, node, "/run/flannel/subnet.env", "FLANNEL_NETWORK=%s\n" % TEXT.replace("\n", " "))
    write(lab, node, "/etc/systemd/system/vxlan-offload-{{7*7}}<b>\x1b[31m.service", "[Unit]\n")
    lab.run(node, "hostname", "a$(id>h){{7*7}}<b>", check=False)
    return taken


def harmless(lab: Any, *folders: Path) -> None:
    """Nothing has run what a node says."""
    for folder in (Path(lab.scratch), Path.cwd(), Path.home(), *folders):
        assert not (folder / HARM).exists() and not (folder / "h").exists(), folder
    assert not list(Path(lab.scratch).rglob(HARM)) and not list(Path(lab.scratch).rglob("h"))
    for node in lab.nodes:
        assert lab.run(node, "sh", "-c", "find / /root /run /etc /var/lib -xdev -maxdepth 1 \\( -name h -o -name %s \\)" % HARM) == ""


def quiet(output: str, *, ours: str = "") -> None:
    """No control character of a node in what a run prints, and no Python."""
    assert "Traceback" not in output
    found = CONTROLS.search(re.sub(ours, "", output) if ours else output)
    assert found is None, output[max(0, found.start() - 200) : found.end() + 100]


def texts(value: Any) -> Any:
    if isinstance(value, Mapping):
        yield from value
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def formats(folder: Path) -> dict[str, Any]:
    """Every file that a run has written holds what it should, and no more; the hosts of fleet.json."""
    assert {path.name for path in folder.iterdir()} == FILES
    report = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
    assert not [text for text in texts(report) if CONTROLS.search(text) or SECRET in text]
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == 2 and "<b>" not in html and "<img" not in html and not CONTROLS.search(html)
    names = [case.get("name") for case in ElementTree.parse(folder / "junit.xml").iter("testcase")]
    assert names and set(names) == set(report["hosts"])
    metrics = text_string_to_metric_families((folder / "vxlan_offload.prom").read_text(encoding="utf-8"))
    hosts = {sample.labels["host"] for family in metrics for sample in family.samples if "host" in sample.labels}
    assert hosts == set(report["hosts"])
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    for line in markdown.splitlines():
        assert not re.search(r"[<\[{]", re.sub(r"`[^`]*`", "", line)), line
    assert not any(SECRET in (folder / name).read_text(encoding="utf-8") for name in FILES)
    found: dict[str, Any] = report["hosts"]
    return found


def play(lab: Any, name: str, folder: Path, *arguments: str, inventory: str = "", **variables: Any) -> Any:
    given = {"vxlan_offload_report_dir": str(folder), "vxlan_offload_report_formats": FORMATS, **variables}
    return lab.playbook(COLLECTION + name, *arguments, variables=given, inventory_path=inventory or None)


def renamed(lab: Any, folder: Path, names: Mapping[str, str], **variables: Any) -> str:
    """An inventory with other names for the nodes, and variables for the liar."""
    nodes = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    hosts = {names.get(name, name): {**found, **(variables if name == LIAR else {})} for name, found in nodes.items()}
    path = folder / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both")


@pytest.fixture(scope="module")
def before(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The verdicts while both nodes are honest."""
    folder = tmp_path_factory.mktemp("before")
    run = play(lab, "diagnose", folder)
    assert run.returncode == 0, run.output
    return formats(folder)


@pytest.fixture(scope="module")
def liar(lab: Any, before: dict[str, Any]) -> list[str]:
    """The devices that the liar has now. At least these are what kernels take; others are tried and may be refused."""
    taken = poison(lab, LIAR)
    assert {"{{7*7}}", "$(id>h)", "<b>x<!--", "\x1b[31mred", "x\u202egnp", "__proto__"} <= set(taken)
    return taken


def test_diagnose(lab: Any, before: dict[str, Any], liar: list[str], tmp_path: Path) -> None:
    with unchanged(lab, LIAR, HONEST):
        run = play(lab, "diagnose", tmp_path)
    assert run.returncode == 0, run.output
    quiet(run.output)
    hosts = formats(tmp_path)
    assert hosts[HONEST] == before[HONEST]
    assert hosts[LIAR]["status"] == "affected" and len(hosts[LIAR]["devices"]) == 1 + len(liar)
    assert {"{{7*7}}", "$(id>h)", "<b>x<!--"} <= {one["name"] for one in hosts[LIAR]["devices"]}
    assert "<b>{{7*7}}" in json.dumps(hosts[LIAR]["devices"]), "the rules of the liar are not in its walk, so this test shows nothing"
    harmless(lab, tmp_path)


def test_apply_in_check_mode(lab: Any, before: dict[str, Any], liar: list[str], tmp_path: Path) -> None:
    with unchanged(lab, LIAR, HONEST):
        run = play(lab, "apply", tmp_path, "--check", "--diff")
    quiet(run.output)
    hosts = formats(tmp_path)
    assert hosts[HONEST] == before[HONEST]
    assert any(one["host"] == HONEST and one["result"].get("changed") for one in run.results), "nothing was planned for the honest node"
    harmless(lab, tmp_path)


def test_a_method_that_needs_names_refuses_those(lab: Any, liar: list[str], tmp_path: Path) -> None:
    with unchanged(lab, LIAR):
        run = play(lab, "apply", tmp_path, "--limit", LIAR, workaround_method="tx_checksum_off")
    quiet(run.output)
    assert run.returncode == 2 and "is not usable" in run.output
    harmless(lab, tmp_path)


def test_verify(lab: Any, before: dict[str, Any], liar: list[str], tmp_path: Path) -> None:
    with unchanged(lab, LIAR, HONEST):
        run = play(lab, "verify", tmp_path)
    assert run.returncode == 2, "both are affected"
    quiet(run.output)
    hosts = formats(tmp_path)
    assert {hosts[LIAR]["status"], hosts[HONEST]["status"]} == {"affected"}
    harmless(lab, tmp_path)


def test_names_of_the_inventory(lab: Any, before: dict[str, Any], liar: list[str], tmp_path: Path) -> None:
    """The inventory is the operator's. Names from a cloud's tags are not, and are in every file."""
    names = {LIAR: "<script>{{7*7}}`|$(id>h)", HONEST: "a b'\"&;>h #{x}"}
    run = play(lab, "diagnose", tmp_path / "report", inventory=renamed(lab, tmp_path, names))
    assert run.returncode == 0, run.output
    quiet(run.output)
    hosts = formats(tmp_path / "report")
    assert set(hosts) == set(names.values()) and hosts[names[HONEST]] == before[HONEST]
    harmless(lab, tmp_path)


def test_the_progress_line(lab: Any, liar: list[str], collections: Path, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        lab.inventory,
        COLLECTION + "diagnose",
        "-e",
        f"vxlan_offload_report_dir={tmp_path}",
    ]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "TERM": "xterm",
        "NO_COLOR": "1",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACKS_ENABLED": COLLECTION + "progress",
        "VXLAN_OFFLOAD_PROGRESS_REFRESH": "0",
        "ANSIBLE_PIPELINING": "True",
    }
    text = on_terminal(command, environment)
    assert "read 2 of 2" in text and "AFFECTED" in text
    quiet(text, ours="\r\n|\r\x1b\\[K")
    harmless(lab)


def test_transcripts_of_the_liar_and_of_an_honest_node(lab: Any, before: dict[str, Any], liar: list[str], tmp_path: Path) -> None:
    """With a pipe and a link to a device beside them, which no run may wait for."""
    folder = tmp_path / "transcripts"
    folder.mkdir()
    for name in (LIAR, HONEST):
        (folder / f"{name}.txt").write_text(saved(lab, name), encoding="utf-8")
    os.mkfifo(folder / "pipe.txt")
    (folder / "zero.txt").symlink_to("/dev/zero")
    run = play(lab, "diagnose", tmp_path / "report", vxlan_offload_transcripts=str(folder))
    assert run.returncode == 0, run.output
    quiet(run.output)
    hosts = formats(tmp_path / "report")
    assert hosts[HONEST]["status"] == before[HONEST]["status"] and hosts[LIAR]["status"] == "affected"
    for name in ("pipe.txt", "zero.txt"):
        run = lab.ansible(LIAR, "-m", COLLECTION + "node_info", "-a", json.dumps({"transcript": str(folder / name)}))
        assert "it is no plain file" in result_of(run, LIAR)["msg"]
    harmless(lab, tmp_path)


RECORDS: dict[str, Any] = {
    "the Felix of the whole cluster": {
        "schema": 1,
        "units": [],
        "method": "clear_mark",
        "undo": [{"module": "felix_override", "args": {"value": "ChecksumOffloadBroken=false"}}],
    },
    "a unit that is not ours": {"schema": 1, "method": "clear_mark", "undo": [], "units": ["../../ssh/sshd_config"]},
    "a template": {
        "schema": 1,
        "units": [],
        "method": "clear_mark",
        "undo": [
            {
                "module": "netfilter_rule",
                "args": {
                    "backend": "nft",
                    "table": "nat",
                    "chain": "OUTPUT",
                    "state": "present",
                    "rule": ["-j", "{{ lookup('pipe', 'touch %s') }}" % HARM],
                },
            }
        ],
    },
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_the_role_did_not_write_is_not_undone(name: str, lab: Any, liar: list[str], tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho called >> %s\n" % (tmp_path / "called"), encoding="utf-8")
    kubectl.chmod(0o755)
    write(lab, LIAR, "/var/lib/vxlan-offload/record.json", json.dumps(RECORDS[name]))
    try:
        with unchanged(lab, LIAR, HONEST):
            for playbook in ("revert", "apply"):
                run = play(lab, playbook, tmp_path / playbook, "--limit", LIAR, workaround_kubectl=str(kubectl))
                assert run.returncode == 2, run.output
                # Of another shape than any record, or of that shape with what the role would never write.
                assert re.search("record.json is (no record of a workaround|not what the role workaround writes)", run.output), run.output
                quiet(run.output)
        assert not (tmp_path / "called").exists()
    finally:
        Path("/proc/%d/root/var/lib/vxlan-offload/record.json" % lab.state.pid(LIAR)).unlink()
        Path("/proc/%d/root/var/lib/vxlan-offload" % lab.state.pid(LIAR)).rmdir()
    harmless(lab, tmp_path)


def result_of(run: Any, node: str) -> dict[str, Any]:
    found: dict[str, Any] = run.of(node, "node_info")[-1]
    return found


def test_a_python_that_returns_what_it_likes(lab: Any, before: dict[str, Any], tmp_path: Path) -> None:
    """The interpreter of the node is the node's: the result of any module is what it prints."""
    lie = {
        "changed": True,
        "node": {"schema": 1, "vxlan": {"devices": [[]]}, "applied": {"record": {"undo": 7}}, HONEST: {}},
        "diagnosis": {"status": "unaffected"},
        "ansible_facts": {"ansible_connection": "ssh", "liar_was_here": True},
        "add_host": {"host_name": "evil", "groups": ["all"], "host_vars": {}},
        "add_group": "evil",
        "ansible_stats": {"data": {"evil": 1}},
    }
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\ncat >/dev/null\ncat <<'END'\n%s\nEND\n" % json.dumps(lie), encoding="utf-8")
    python.chmod(0o755)
    tmp_path.chmod(0o755)
    inventory = renamed(
        lab, tmp_path, {}, ansible_python_interpreter=str(python), diagnose_reader="python", diagnose_kernel_selftest="never"
    )
    run = play(lab, "diagnose", tmp_path / "report", inventory=inventory)
    assert run.returncode == 0, run.output
    quiet(run.output)
    hosts = formats(tmp_path / "report")
    assert set(hosts) == {LIAR, HONEST} and hosts[HONEST] == before[HONEST]
    assert hosts[LIAR]["status"] == "unknown" and "vxlan is not as node_info returns it (devices)" in hosts[LIAR]["summary"]
    assert not {"ansible_facts", "add_host", "add_group", "diagnosis", "ansible_stats"} & set(result_of(run, LIAR))


SHELLS = {
    "twenty megabytes": ("echo 'vxlan-offload-probe 1 aaaaaaaa'; head -c 20000000 /dev/zero | tr '\\0' x", "more than 16 MiB"),
    "no probe": ("echo '\033[31m{{ 7 * 7 }} <b>'", "the probe did not run on the node"),
    "another version": ("echo 'vxlan-offload-probe 2 aaaaaaaa'", "transcript of probe version 2"),
    "no end": ("exec sleep 45", ""),
}


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_that_sends_what_it_likes(name: str, lab: Any, before: dict[str, Any], tmp_path: Path) -> None:
    shell, said = SHELLS[name]
    path = tmp_path / "sh"
    path.write_text("#!/bin/sh\n%s\n" % shell, encoding="utf-8")
    path.chmod(0o755)
    inventory = renamed(lab, tmp_path, {}, ansible_shell_executable=str(path))
    begun = time.monotonic()
    run = lab.playbook(
        COLLECTION + "diagnose",
        inventory_path=inventory,
        environment={"ANSIBLE_TASK_TIMEOUT": "15"},
        variables={"vxlan_offload_report_dir": str(tmp_path / "report"), "vxlan_offload_report_formats": FORMATS},
    )
    # ansible-core counts a task that ran out of time as failed, whatever the task says about failures. The report is made all the same.
    assert run.returncode == (2 if name == "no end" else 0) and time.monotonic() - begun < 120, run.output
    quiet(run.output)
    hosts = formats(tmp_path / "report")
    assert hosts[HONEST] == before[HONEST]
    assert hosts[LIAR]["status"] == "unknown" and said in hosts[LIAR]["summary"], hosts[LIAR]["summary"]
