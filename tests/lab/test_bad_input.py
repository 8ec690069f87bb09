# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input, end to end: each is a clear error or an honest unknown, and the node is afterwards as it was before."""

from __future__ import annotations

import difflib
import fcntl
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "kubenet.vxlan_offload."
HARM = "harmed-by-a-shell"  # the file that a name would make if a shell read it
MARK_RULE = ["-p", "udp", "--dport", "4789", "-j", "MARK", "--set-xmark", "0x0/0x4000"]
NODE = "pre_fix_kube_proxy_%s"

# the node as the kernel has it, asked by the host's tools: those of the node may be what a test took away
KERNEL = (
    "iptables-nft-save | sed 's/\\[.*\\]$//; /^#/d'",
    "iptables-legacy-save | sed 's/\\[.*\\]$//; /^#/d'",  # reads only the tables that are there
    "nft -s list ruleset",
    "ip -4 route show table all",
    "ip -d -o link show",
    'for device in $(ls /proc/sys/net/ipv4/conf); do ethtool -k "$device"; done 2>&1',
)
# Whatever was written to /etc and /var/lib since the node was made, and the folders as the node sees them.
FILES = (
    "find /run/.lab -path '*-upper*' ! -type d -printf '%P %y %m %l\\n' | sort;"
    " find /run/.lab -path '*-upper*' -type f -exec sha1sum {} + | sort;"
    " find /etc/systemd /var/lib -maxdepth 3 -type d -printf '%p %m\\n' | sort"
)


def snapshot(lab: Any, node: str) -> dict[str, str]:
    """Everything on the node that a module or playbook of this collection could change."""
    inside = ["nsenter", "--target", str(lab.state.pid(node)), "--net", "--"]
    found = {}
    for command in KERNEL:
        done = subprocess.run([*inside, "sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        found[command] = done.stdout
    found["files"] = lab.run(node, "sh", "-c", FILES)
    return found


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Every line that is new or gone."""
    found = []
    for what, text in before.items():
        found += [line for line in difflib.ndiff(text.splitlines(), after[what].splitlines()) if line[0] in "+-"]
    return found


@contextmanager
def unchanged(lab: Any, *nodes: str) -> Iterator[None]:
    before = {node: snapshot(lab, node) for node in nodes}
    yield
    for node in nodes:
        assert not difference(before[node], snapshot(lab, node))
    assert not list(Path(lab.scratch).rglob(HARM)), "a shell has read a name"


def clear(message: Any) -> str:
    """The message, when it is one line that a person can read."""
    assert isinstance(message, str) and message.strip()
    message = message.replace("Validation of arguments failed:\n", "")  # ansible-core's own, of each role
    assert "\n" not in message and "Traceback" not in message and "MODULE FAILURE" not in message, message
    return message


def refusal(result: dict[str, Any], expected: str) -> None:
    assert not result.get("changed"), result
    assert expected in clear(result["msg"]), result["msg"]


def failures(run: Any, node: str) -> list[str]:
    """The messages of the tasks that failed on a node, in their order."""
    assert run.returncode != 0, run.output
    assert "Traceback" not in run.output, run.output
    return [clear(one["result"]["msg"]) for one in run.results if one["host"] == node and one["status"] in ("failed", "unreachable")]


def diagnose(lab: Any, folder: Path, *arguments: str, **variables: Any) -> dict[str, Any]:
    """The verdicts of the diagnose playbook by host."""
    run = lab.playbook(COLLECTION + "diagnose", *arguments, variables={"vxlan_offload_report_dir": str(folder), **variables})
    assert run.returncode == 0, run.output
    assert "Traceback" not in run.output, run.output
    hosts: dict[str, Any] = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))["hosts"]
    for verdict in hosts.values():
        clear(verdict["summary"])
        clear(verdict["action"])
    return hosts


def module(lab: Any, node: str, name: str, inventory_path: str = "", **arguments: Any) -> Any:
    return lab.ansible(node, "-m", COLLECTION + name, "-a", json.dumps(arguments), inventory_path=inventory_path or None)


def apply(lab: Any, node: str, *arguments: str, **variables: Any) -> Any:
    folder = str(lab.scratch / "report")
    return lab.playbook(COLLECTION + "apply", "--limit", node, *arguments, variables={"vxlan_offload_report_dir": folder, **variables})


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    """A node of each backend whose state no test changes."""
    return make_lab("pre_fix_kube_proxy", backend="both")


@pytest.fixture
def node_alone(make_lab: Any) -> Any:
    """Makes a lab of one node that a test may spoil."""

    def make(backend: str = "nft", **options: Any) -> tuple[Any, str]:
        return make_lab("pre_fix_kube_proxy", backend=backend, **options), NODE % backend

    return make


# What a module refuses

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "offload, unknown device": (
        "offload",
        {"device": "nosuch0", "features": {"tx-checksum-ip-generic": False}},
        "there is no device nosuch0",
    ),
    "offload, device that is no VXLAN": (
        "offload",
        {"device": "eth0", "features": {"tx-checksum-ip-generic": False}},
        "eth0 is no VXLAN device",
    ),
    "offload, unknown feature": (
        "offload",
        {"device": "vxlan.calico", "features": {"tx-nosuch": False}},
        "has no feature tx-nosuch: see ethtool -k",
    ),
    "offload, name with shell characters": ("offload", {"device": "a;>" + HARM, "features": {}}, "there is no device a;>" + HARM),
    "offload, empty name": ("offload", {"device": "", "features": {}}, "see ip link"),
    "route, unknown device": ("service_route", {"destination": "10.96.0.0/12", "device": "nosuch0"}, "there is no device nosuch0"),
    "route, name with shell characters": (
        "service_route",
        {"destination": "10.96.0.0/12", "device": "$(id>h)"},
        "there is no device $(id>h)",
    ),
    "route, prefix too long": (
        "service_route",
        {"destination": "10.96.0.0/33", "device": "vxlan.calico"},
        "no network such as 10.96.0.0/12",
    ),
    "route, host bits": ("service_route", {"destination": "10.96.0.1/12", "device": "vxlan.calico"}, "no network such as 10.96.0.0/12"),
    "route, a word": ("service_route", {"destination": "services; reboot", "device": "vxlan.calico"}, "no network such as 10.96.0.0/12"),
    "route, everything": ("service_route", {"destination": "0.0.0.0/0", "device": "vxlan.calico"}, "name the network of the Services"),
    "rule, mark too big": ("netfilter_rule", {"rule": [*MARK_RULE[:-1], "0x100000000"]}, "needs a mark such as 0x4000/0x4000"),
    "rule, mark that is no number": ("netfilter_rule", {"rule": [*MARK_RULE[:-1], "0xZZ"]}, "needs a mark such as 0x4000/0x4000"),
    "rule, shell characters in a port": (
        "netfilter_rule",
        {"rule": ["-p", "udp", "--dport", "1;>" + HARM, "-j", "ACCEPT"]},
        "needs a port or a range",
    ),
    "rule, shell characters in a device": ("netfilter_rule", {"rule": ["-o", "$(id>h)", "-j", "ACCEPT"]}, "needs an interface name"),
    "rule, shell characters in a target": ("netfilter_rule", {"rule": ["-j", "`>" + HARM + "`"]}, HARM),
    "rule, shell characters in the chain": (
        "netfilter_rule",
        {"chain": "$(>" + HARM + ")", "rule": MARK_RULE},
        "chain name '$(>" + HARM + ")' is not valid",
    ),
    "rule, line break": ("netfilter_rule", {"rule": ["-m", "comment", "--comment", "a\n-F", "-j", "ACCEPT"]}, "has a line break"),
    "rule, a command": ("netfilter_rule", {"rule": ["-j", "ACCEPT", "-F"]}, "-F is no part of a rule"),
    "rule, unknown chain": ("netfilter_rule", {"chain": "NOSUCH", "rule": MARK_RULE}, "there is no chain NOSUCH"),
    "rule, unknown target": ("netfilter_rule", {"rule": ["-j", "NOSUCH"]}, "NOSUCH"),
    "rule, position 0": ("netfilter_rule", {"rule": MARK_RULE, "position": 0}, "position is counted from 1"),
    "rule, position behind the end": ("netfilter_rule", {"rule": MARK_RULE, "position": 9}, "position 9 is not possible"),
    "rule, no time to wait": ("netfilter_rule", {"rule": MARK_RULE, "wait": 0}, "wait must be 1 to 3600 seconds, not 0"),
    "rule, longer than poll can wait": ("netfilter_rule", {"rule": MARK_RULE, "wait": 9999999999}, "wait must be 1 to 3600 seconds"),
    "transaction, no time to wait": ("transaction", {"state": "absent", "wait": -1}, "wait must be 1 to 3600 seconds, not -1"),
    "probe, no address": ("service_probe", {"address": "kube-dns;>" + HARM}, "address"),
    "probe, address out of range": ("service_probe", {"address": "10.96.0.300"}, "10.96.0.300"),
    "probe, address with a zone": ("service_probe", {"address": "::1%lo"}, "'::1%lo' is no IP address of a Service"),
    "probe, address of a group": ("service_probe", {"address": "224.0.0.1"}, "'224.0.0.1' is no IP address of a Service"),
    "probe, no address at all": ("service_probe", {"address": "0.0.0.0"}, "'0.0.0.0' is no IP address of a Service"),
    "probe, path as a device": ("service_probe", {"address": "10.96.0.10", "device": "../v"}, "device '../v' is no name of a device"),
    "probe, escape as an underlay": (
        "service_probe",
        {"address": "10.96.0.10", "underlay": "\x1b[2J eth0"},
        "underlay '\\x1b[2J eth0' is no name of a device",
    ),
    "probe, name that no DNS can have": ("service_probe", {"address": "10.96.0.10", "name": "a..b"}, "a..b"),
    "probe, port out of range": ("service_probe", {"address": "10.96.0.10", "port": 70000}, "give a number from 1 to 65535"),
    "read, no transcript": ("node_info", {"transcript": "/nosuch/$(>" + HARM + ").txt"}, "cannot read transcript"),
    "read, unknown subset": ("node_info", {"gather_subset": ["nosuch"]}, "nosuch"),
}


def task(label: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if module == "netfilter_rule":
        arguments = {"table": "mangle", "chain": "OUTPUT", **arguments}
    return {"name": label, COLLECTION + module: arguments, "ignore_errors": True}


@pytest.fixture(scope="module")
def refused(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them in one play; the node is compared before and after."""
    book = tmp_path_factory.mktemp("refused") / "refused.yml"
    tasks = [task(label, module, arguments) for label, (module, arguments, _expected) in REFUSED.items()]
    book.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}], sort_keys=False), encoding="utf-8")
    with unchanged(lab, *lab.nodes):
        run = lab.playbook(str(book))
    assert run.returncode == 0, run.output
    assert "Traceback" not in run.output, run.output
    assert {one["status"] for one in run.results} == {"ignored"}, [one["task"] for one in run.results if one["status"] != "ignored"]
    return {(one["host"], one["task"]): one["result"] for one in run.results}


@pytest.mark.parametrize("label", REFUSED)
def test_a_module_refuses(label: str, refused: dict[str, Any], lab: Any) -> None:
    for node in lab.nodes:
        refusal(refused[node, label], REFUSED[label][2])


def test_a_comment_with_shell_characters_means_itself(node_alone: Any) -> None:
    lab, node = node_alone()
    text = "$(>/run/%s); `reboot` 'x' \"y\" \\z" % HARM
    with unchanged(lab, node):
        for state in ("present", "absent"):
            rule = ["-m", "comment", "--comment", text, "-j", "ACCEPT"]
            run = module(lab, node, "netfilter_rule", table="mangle", chain="OUTPUT", rule=rule, state=state)
            assert run.returncode == 0, run.output
            answer = lab.run(node, "iptables-nft", "-t", "mangle", "-C", "OUTPUT", *rule, check=False)
            assert (answer == "") == (state == "present"), answer
        assert lab.run(node, "find", "/run", "-name", HARM) == ""


# What the apply playbook refuses

VARIABLES: dict[str, tuple[dict[str, Any], str]] = {
    "service CIDR, too long": ({"workaround_method": "service_route", "workaround_service_cidr": "10.96.0.0/33"}, "is not a network"),
    "service CIDR, host bits": ({"workaround_method": "service_route", "workaround_service_cidr": "10.96.0.1/12"}, "is not a network"),
    "service CIDR, everything": (
        {"workaround_method": "service_route", "workaround_service_cidr": "0.0.0.0/0"},
        "give the cluster's service CIDR",
    ),
    "service CIDR, that auto does not need": ({"workaround_service_cidr": "$(>" + HARM + ")"}, "is not a network"),
    "service CIDR, none": ({"workaround_method": "service_route"}, "set workaround_service_cidr"),
    "method, unknown": ({"workaround_method": "prayer"}, "prayer"),
    "method, path": ({"workaround_method": "../../etc/passwd"}, "../../etc/passwd"),
    "state, unknown": ({"workaround_state": "../main"}, "../main"),
    "DNS address, a word": ({"workaround_probe_address": "kube-dns;>" + HARM}, "kube-dns"),
    "DNS address, out of range": ({"workaround_probe_address": "10.96.0.300"}, "10.96.0.300"),
    "DNS name, impossible": ({"workaround_probe_name": "a..b"}, "a..b"),
}


@pytest.fixture(scope="module")
def refusals(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], bool]]:
    """One run over a node for each of them: what failed on its node, and whether something was changed there."""
    lab = make_lab("pre_fix_kube_proxy", nodes=len(VARIABLES))
    overlay = tmp_path_factory.mktemp("variables") / "variables.json"
    hosts = {node: variables for node, (variables, _expected) in zip(lab.nodes, VARIABLES.values())}
    overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    with unchanged(lab, *lab.nodes):
        run = apply(lab, "all", "-i", str(overlay))
    return {label: (failures(run, node), run.changed(node)) for label, node in zip(VARIABLES, lab.nodes)}


@pytest.mark.parametrize("label", VARIABLES)
def test_apply_refuses(label: str, refusals: dict[str, tuple[list[str], bool]]) -> None:
    messages, changed = refusals[label]
    assert VARIABLES[label][1] in messages[-1], messages
    assert not changed, "refused only after something was changed"


# Tools that are not there


def hide(lab: Any, node: str, *patterns: str) -> None:
    """Take programs away from the node alone, by an overlay of its own."""
    for place in ("/usr/sbin", "/usr/bin"):
        store = "/run/.hide" + place
        lab.run(node, "mkdir", "-p", store + "/u", store + "/w")
        lab.run(node, "mount", "-t", "overlay", "overlay", "-o", "lowerdir=%s,upperdir=%s/u,workdir=%s/w" % (place, store, store), place)
        lab.run(node, "sh", "-c", "cd %s && rm -f %s" % (place, " ".join(patterns)))


def test_without_iptables_the_rules_are_unknown_and_nothing_is_applied(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    hide(lab, node, "iptables*", "ip6tables*", "xtables*")
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
        bare = module(lab, node, "netfilter_rule", table="mangle", chain="OUTPUT", rule=MARK_RULE)
    assert verdict["status"] == "unknown"
    assert "install iptables" in json.dumps(verdict["missing"])
    assert "install iptables" in failures(run, node)[-1]
    refusal(bare.of(node)[0], "install the iptables package")


def test_without_ip_the_devices_are_unknown_and_nothing_is_applied(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    hide(lab, node, "ip")
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
        bare = module(lab, node, "service_route", destination="10.96.0.0/12", device="vxlan.calico")
    assert verdict["status"] == "unknown"
    assert "install" in json.dumps(verdict["missing"])
    assert "install" in failures(run, node)[-1]
    refusal(bare.of(node)[0], "install iproute2")


def test_a_program_that_cannot_be_executed_is_not_taken_for_a_missing_root(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    lab.run(node, "sh", "-c", "mount --bind /dev/null $(readlink -f $(command -v ip))")
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
    assert verdict["status"] == "unknown"
    assert "root" not in verdict["summary"] + verdict["action"]
    failures(run, node)


def test_without_ethtool_the_features_are_unknown(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    hide(lab, node, "ethtool")
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node, workaround_method="tx_checksum_off")
    assert verdict["status"] == "unknown"
    assert "ethtool" in json.dumps(verdict["missing"])
    assert "install ethtool" in failures(run, node)[-1]


# The xtables lock


@contextmanager
def held_lock(lab: Any, node: str) -> Iterator[None]:
    """The node's own lock, in its own /run."""
    with open("/proc/%d/root/run/xtables.lock" % lab.state.pid(node), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_held_lock_is_an_error_and_never_an_absent_rule(lab: Any) -> None:
    node = NODE % "legacy"
    for state in ("present", "absent"):
        rule = ["-j", "KUBE-POSTROUTING"]
        with unchanged(lab, node), held_lock(lab, node):
            run = module(lab, node, "netfilter_rule", table="nat", chain="POSTROUTING", rule=rule, state=state, backend="legacy", wait=1)
        assert run.returncode == 2, run.output
        refusal(run.of(node)[0], "holds the xtables lock for 1 s")


def test_reading_needs_no_lock(lab: Any, tmp_path: Path) -> None:
    node = NODE % "legacy"
    with unchanged(lab, node), held_lock(lab, node):
        assert diagnose(lab, tmp_path, "--limit", node)[node]["status"] == "affected"


# Not root


def as_nobody(lab: Any, node: str, folder: Path) -> str:
    """An inventory in which the node is entered as nobody."""
    hosts = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))
    variables = hosts["all"]["children"]["nodes"]["hosts"][node]
    shell = folder / "nobody.sh"
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups -- "
    script = Path(variables["ansible_shell_executable"]).read_text(encoding="utf-8")
    shell.write_text(script.replace('/bin/sh "$@"', nobody + '/bin/sh "$@"'), encoding="utf-8")
    shell.chmod(0o755)
    variables["ansible_shell_executable"] = str(shell)
    path = folder / "nobody.json"
    path.write_text(json.dumps(hosts), encoding="utf-8")
    return str(path)


def test_not_root(lab: Any, tmp_path: Path) -> None:
    node = NODE % "nft"
    inventory = as_nobody(lab, node, tmp_path)
    with unchanged(lab, node):
        run = lab.playbook(
            COLLECTION + "diagnose", "--limit", node, variables={"vxlan_offload_report_dir": str(tmp_path)}, inventory_path=inventory
        )
        applied = lab.playbook(
            COLLECTION + "apply", "--limit", node, variables={"vxlan_offload_report_dir": str(tmp_path / "apply")}, inventory_path=inventory
        )
        forced = lab.playbook(
            COLLECTION + "apply", "--limit", node, inventory_path=inventory,
            variables={"vxlan_offload_report_dir": str(tmp_path / "apply"), "workaround_method": "tx_checksum_off"},
        )  # fmt: skip
        bare = module(lab, node, "netfilter_rule", inventory, table="mangle", chain="OUTPUT", rule=MARK_RULE)
    assert run.returncode == 0, run.output
    verdict = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"][node]
    assert verdict["status"] == "unknown"
    assert "needs root" in clear(verdict["summary"])
    assert "run with become" in clear(verdict["action"])
    assert "root" in failures(applied, node)[-1]
    failures(forced, node)
    refusal(bare.of(node)[0], "needs root (CAP_NET_ADMIN): run with become")


# Output that cannot be trusted


UNPRINTABLE = {"ip daddr 192.0.2.1 masquerade": "is incompatible", "ip daddr { 192.0.2.1, 192.0.2.2 } counter": "which is no rule"}


@pytest.mark.parametrize("rule", UNPRINTABLE)
def test_rules_of_nft_that_iptables_cannot_print_are_not_no_rules(rule: str, node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    lab.run(node, "nft", "insert rule ip nat POSTROUTING " + rule)
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
    assert verdict["status"] == "unknown"
    assert UNPRINTABLE[rule] in verdict["summary"]
    assert "nft list ruleset" in failures(run, node)[-1]


TRUNCATED = {
    "in the middle of a rule": "head -c -80",
    "without its last line": "grep -v ^COMMIT",
    "after the first table": "sed '/^COMMIT/q'",
    "nothing at all": "grep -v .",
}


@pytest.mark.parametrize("how", TRUNCATED)
def test_truncated_rules_are_unknown(how: str, node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone("legacy")
    path = "/usr/sbin/iptables-legacy-save"
    lab.run(node, "sh", "-c", "mkdir -p /run/.hide && cp -L %s /run/.hide/xtables-legacy-multi" % path)
    wrapper = lab.scratch / "truncated"
    command = '/run/.hide/xtables-legacy-multi iptables-legacy-save "$@"'
    wrapper.write_text("#!/bin/sh\n%s | %s\nexit 0\n" % (command, TRUNCATED[how]), encoding="utf-8")
    wrapper.chmod(0o755)
    hide(lab, node, "iptables-legacy-save")
    lab.run(node, "cp", str(wrapper), path)
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
    assert verdict["status"] == "unknown", verdict["summary"]
    assert "iptables-legacy-save printed no whole table" in json.dumps(verdict["missing"])
    failures(run, node)


# Transcripts


def saved(lab: Any, node: str) -> str:
    text = lab.run(node, "sh", "-c", '. "$0"', str(ROOT / "plugins/plugin_utils/probe.sh"))
    assert isinstance(text, str)
    return text


def of_transcripts(lab: Any, texts: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "transcripts"
    folder.mkdir()
    for name, text in texts.items():
        (folder / (name + ".txt")).write_text(text, encoding="utf-8")
    return diagnose(lab, tmp_path, vxlan_offload_transcripts=str(folder))


def test_a_transcript_cut_in_the_middle(lab: Any, tmp_path: Path) -> None:
    text = saved(lab, NODE % "nft")
    cuts = {"cut-%02d" % tenth: text[: len(text) * tenth // 16] for tenth in range(16)}
    cuts["without-its-last-line"] = text[: text.rindex("\n", 0, -1)]
    hosts = of_transcripts(lab, {"whole": text, **cuts}, tmp_path)
    assert hosts["whole"]["status"] == "affected"
    assert {hosts[name]["status"] for name in cuts} <= {"unknown", "affected"}
    assert {hosts["cut-%02d" % early]["status"] for early in range(8)} == {"unknown"}
    assert "collect" in hosts["cut-00"]["summary"] + hosts["cut-00"]["action"]
    for name in (name for name in cuts if hosts[name]["status"] == "unknown"):
        assert "collect it again" in json.dumps(hosts[name]["missing"]) or "no probe transcript" in hosts[name]["summary"], name


def test_a_file_that_is_no_transcript(lab: Any, tmp_path: Path) -> None:
    hosts = of_transcripts(lab, {"empty": "", "words": "hello\n", "controls": "\x00\x1b[31m\n"}, tmp_path)
    assert {one["status"] for one in hosts.values()} == {"unknown"}
    assert all("no probe transcript" in one["summary"] for one in hosts.values())


def test_a_folder_without_a_transcript_is_an_error(lab: Any, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    run = lab.playbook(COLLECTION + "diagnose", variables={"vxlan_offload_transcripts": str(folder)}, inventory_path="localhost,")
    assert run.returncode == 2
    assert "no *.txt in %s" % folder in run.output


def test_transcripts_with_strange_names(lab: Any, tmp_path: Path) -> None:
    text = saved(lab, NODE % "nft")
    names = ["a;>%s" % HARM, "$(>%s)" % HARM, "`>%s`" % HARM, "{{ 7 * 7 }}", "a b'c\"d", "-e"]
    hosts = of_transcripts(lab, dict.fromkeys(names, text), tmp_path)
    assert sorted(hosts) == sorted(names)
    assert {one["status"] for one in hosts.values()} == {"affected"}
    assert not list(tmp_path.rglob(HARM)) and not list(Path(lab.scratch).rglob(HARM))


# A node whose VXLAN devices have legal names that a shell would run

STRANGE = ("vx$(id>h)", "a;id>h", "x\"y'z`")


@pytest.fixture(scope="module")
def strange(make_lab: Any) -> tuple[Any, str]:
    lab = make_lab("pre_fix_kube_proxy")
    node = NODE % "nft"
    for number, name in enumerate(STRANGE):
        add_tunnel(lab, node, name, number)
    return lab, node


def add_tunnel(lab: Any, node: str, name: str, number: int) -> None:
    tunnel = "type vxlan id %d dstport %d dev eth0" % (50 + number, 4790 + number)
    lab.run(node, "ip", "link", "add", "name", name, *tunnel.split())
    lab.run(node, "ip", "addr", "add", "192.0.2.%d/32" % (number + 1), "dev", name)
    lab.run(node, "ip", "link", "set", "dev", name, "up")


def harmless(lab: Any, node: str) -> None:
    assert not list(Path(lab.scratch).rglob("h"))
    assert lab.run(node, "sh", "-c", "cd /; find /root /run /etc /var/lib . -xdev -maxdepth 1 -name h") == ""


def test_strange_device_names_are_read_as_they_are(strange: Any, tmp_path: Path) -> None:
    lab, node = strange
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
    assert {one["name"] for one in verdict["devices"]} == {"vxlan.calico", *STRANGE}
    assert {one["conditions"]["offload"]["holds"] for one in verdict["devices"]} == {"yes"}
    harmless(lab, node)


def test_a_device_name_that_looks_like_an_option(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    add_tunnel(lab, node, "-K", 0)
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
    found = {one["name"]: one["status"] for one in verdict["devices"]}
    assert found["vxlan.calico"] == "affected"
    assert found["-K"] in ("affected", "unknown")  # ethtool takes it for an option; what it does not print is unknown


@pytest.mark.parametrize("method", ["tx_checksum_off", "service_route"])
def test_a_strange_device_name_gets_into_no_unit(method: str, strange: Any) -> None:
    lab, node = strange
    with unchanged(lab, node):
        run = apply(lab, node, workaround_method=method, workaround_service_cidr="10.96.0.0/12")
    assert "interface name" in failures(run, node)[-1]
    harmless(lab, node)


def test_a_rule_needs_no_device_name(strange: Any) -> None:
    lab, node = strange
    with unchanged(lab, node):
        run = apply(lab, node, workaround_method="clear_mark")
        assert run.returncode == 0, run.output
        units = lab.run(node, "sh", "-c", "cat /etc/systemd/system/vxlan-offload-*")
        assert not any(name in units for name in STRANGE)
        lab.playbook(COLLECTION + "revert", "--limit", node, variables={"vxlan_offload_report_dir": str(lab.scratch / "report")})
        lab.run(node, "sh", "-c", "rmdir /etc/systemd/system/*.wants 2>/dev/null; true")
    harmless(lab, node)


# A node without Python


def test_without_python_a_node_is_diagnosed_and_nothing_is_applied(node_alone: Any, tmp_path: Path) -> None:
    lab, node = node_alone()
    hide(lab, node, "python3*")
    with unchanged(lab, node):
        verdict = diagnose(lab, tmp_path)[node]
        run = apply(lab, node)
    assert verdict["status"] == "affected"
    messages = failures(run, node)
    assert any(re.search(r"interpreter .*/usr/bin/python3.* was not found", message) for message in messages), messages
