# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apply in batches: a failure stops what comes after, never what is under way. And no playbook calls it a success when no host matched."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rollout import make_units_fail, traces, treated

from lab import holder  # isort: skip  # conftest.py finds it

BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}
PLAYBOOKS = ("diagnose", "apply", "verify", "revert")


def playbook(lab: Any, name: str, report: Path, *arguments: str, **variables: Any) -> Any:
    return lab.playbook("kubenet.vxlan_offload." + name, *arguments, variables={"vxlan_offload_report_dir": str(report), **variables})


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
    return found


def failures(run: Any, task: str) -> dict[str, str]:
    return {one["host"]: one["result"]["msg"] for one in run.results if one["task"] == task and one["status"] == "failed"}


def hosts_in_order(run: Any) -> list[str]:
    return [one["host"] for one in run.results if one["task"].endswith("Read the node before")]


# Batches


def test_a_failure_in_batch_2_leaves_batch_3_untouched_and_the_rest_of_batch_2_complete(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=6)
    first, fails, beside, *later = lab.nodes
    make_units_fail(lab, fails)
    before = {node: traces(lab, node) for node in [fails, *later]}
    run = playbook(lab, "apply", tmp_path, vxlan_offload_serial="1,2", vxlan_offload_health_delay=1)
    assert run.returncode == 2, run.output
    reads = hosts_in_order(run)
    assert (reads[0], set(reads[1:])) == (first, {fails, beside})
    assert [treated(lab, node) for node in lab.nodes] == [True, False, True, False, False, False]
    assert {node: traces(lab, node) for node in [fails, *later]} == before
    assert [lab.verdict(node) for node in lab.nodes] == [CURED, BROKEN, CURED, BROKEN, BROKEN, BROKEN]
    (why,) = failures(run, "Stop before the next batch when a node failed").values()
    assert why.startswith("clear_mark was rolled back: ") and "/etc/systemd/system" in why
    found = report(tmp_path)
    assert {node: one["status"] for node, one in found["hosts"].items()} == {first: "mitigated", fails: "affected", beside: "mitigated"}
    assert (found["summary"]["expected"], found["summary"]["not_checked"]) == (6, sorted(later))
    assert "checked 3 of 6 hosts; not checked: " + ", ".join(sorted(later)) in run.output


def test_all_batches_in_their_order_and_a_second_run_changes_nothing(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=4)
    order = sorted(lab.nodes, reverse=True)
    for changed in (True, False):
        run = playbook(lab, "apply", tmp_path, vxlan_offload_serial=[1, "50%"], vxlan_offload_order="reverse_sorted")
        assert run.returncode == 0, run.output
        reads = hosts_in_order(run)
        assert (reads[0], set(reads[1:3]), reads[3]) == (order[0], set(order[1:3]), order[3])
        assert {run.changed(node) for node in lab.nodes} == {changed}
    assert [lab.verdict(node) for node in lab.nodes] == [CURED] * 4
    assert report(tmp_path)["summary"]["not_checked"] == []
    assert {one["probe"]["verdict"] for one in report(tmp_path)["hosts"].values()} == {"works"}


def test_a_batch_that_is_not_served_stops_the_rollout_and_keeps_the_workaround(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=2)
    first, second = lab.nodes
    holder.end([lab.state.servers["dns"]["pid"]])
    settings = {"vxlan_offload_serial": 1, "vxlan_offload_health_retries": 2, "vxlan_offload_health_delay": 1}
    run = playbook(lab, "apply", tmp_path, **settings)
    assert run.returncode == 2, run.output
    assert (treated(lab, first), treated(lab, second)) == (True, False)
    (why,) = failures(run, "Stop before the next batch when a treated node is not served").values()
    assert why.startswith("the workaround is in force but the Service does not answer: ") and "\n" not in why
    assert "Traceback" not in run.output
    assert report(tmp_path)["hosts"][first]["probe"]["verdict"] == "refused"
    run = playbook(lab, "apply", tmp_path, vxlan_offload_health_probe=False, **settings)
    assert run.returncode == 0, run.output
    assert treated(lab, second)


def test_a_service_that_comes_back_in_time_lets_the_rollout_go_on(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=2)
    first, second = lab.nodes
    rule = ["OUTPUT", "-p", "udp", "--dport", "53", "-j", "DROP"]
    lab.run(first, "iptables-nft", "-I", *rule)
    ended = threading.Event()

    def open_again() -> None:
        """Once the rollout has asked in vain: the first batch's record is there, a question was dropped, and it gives up after 2 s."""
        while "record.json" not in traces(lab, first) and not ended.is_set():
            time.sleep(0.2)
        before = dropped()
        while dropped() == before and not ended.is_set():
            time.sleep(0.2)
        time.sleep(4)
        lab.run(first, "iptables-nft", "-D", *rule)

    def dropped() -> int:
        return int(lab.run(first, "iptables-nft", "-nvxL", "OUTPUT", "1").split()[0])

    thread = threading.Thread(target=open_again)
    thread.start()
    try:
        run = playbook(lab, "apply", tmp_path, vxlan_offload_serial=1, vxlan_offload_health_retries=20, vxlan_offload_health_delay=1)
    finally:
        ended.set()
        thread.join()
    assert run.returncode == 0, run.output
    asked = [one["result"] for one in run.results if one["host"] == first and one["task"] == "Ask the Service from the nodes of this batch"]
    assert asked[-1]["attempts"] > 1 and asked[-1]["verdict"] == "works"
    assert treated(lab, second)


def test_a_node_that_cannot_be_reached_stops_the_rollout(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=4)
    first, lost, *later = lab.nodes
    overlay = tmp_path / "lost.json"
    closed = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    overlay.write_text(json.dumps({"all": {"hosts": {lost: closed}}}), encoding="utf-8")
    run = playbook(lab, "apply", tmp_path, "-i", str(overlay), vxlan_offload_serial=2)
    assert run.returncode != 0, run.output
    assert [treated(lab, node) for node in lab.nodes] == [True, False, False, False]
    assert lost in failures(run, "Stop before the next batch when a node was lost on the way")[first]
    assert report(tmp_path)["hosts"][lost]["summary"].startswith("unreachable: ")
    assert report(tmp_path)["summary"]["not_checked"] == sorted(later)


def test_check_mode_goes_through_all_batches_and_changes_nothing(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("pre_fix_kube_proxy", nodes=2)
    before = [traces(lab, node) for node in lab.nodes]
    run = playbook(lab, "apply", tmp_path, "--check", vxlan_offload_serial="50%")
    assert run.returncode == 0, run.output
    assert len(hosts_in_order(run)) == 2
    assert [traces(lab, node) for node in lab.nodes] == before


# Nobody there


@pytest.fixture(scope="module")
def two(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", "fixed_kube_proxy")


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_pattern_without_a_host_is_an_error(name: str, two: Any, tmp_path: Path) -> None:
    run = playbook(two, name, tmp_path, vxlan_offload_hosts="nosuchgroup")
    assert run.returncode == 2, run.output
    assert "no host matches nosuchgroup: look at the inventory and vxlan_offload_hosts" in run.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_limit_that_leaves_none_of_the_pattern_is_an_error(name: str, two: Any, tmp_path: Path) -> None:
    first, second = two.nodes
    run = playbook(two, name, tmp_path, "--limit", first, vxlan_offload_hosts=second)
    assert run.returncode == 2, run.output
    assert "no host matches %s within --limit %s" % (second, first) in run.output


@pytest.mark.parametrize("limit", [(), ("--limit", "node1")], ids=["no limit", "limit"])
@pytest.mark.parametrize("name", PLAYBOOKS)
def test_an_empty_inventory_is_an_error(name: str, limit: tuple[str, ...], two: Any, tmp_path: Path) -> None:
    """As kubespray's ansible.cfg makes of a folder whose inventory ends in .ini."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/inventory.ini").write_text("node1\n", encoding="utf-8")
    settings = {"inventory_path": str(tmp_path / "inventory"), "environment": {"ANSIBLE_INVENTORY_IGNORE": ".ini"}}
    run = two.playbook("kubenet.vxlan_offload." + name, *limit, **settings)
    assert run.returncode not in (0, None), run.output
    assert "the inventory has no host: name one that has, with -i FILE" in run.output
    assert "Traceback" not in run.output


WRONG = {
    "vxlan_offload_serial": (0, "abc", "101%", "1,,2", "-1", "1; rm", ["10%", "x"], "", 1.5),
    "vxlan_offload_order": ("backwards",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_batches_that_cannot_be_understood_are_refused_before_any_node_is_read(name: str, value: Any, two: Any, tmp_path: Path) -> None:
    run = playbook(two, "apply", tmp_path, **{name: value})
    assert run.returncode == 2, run.output
    assert "%s is " % name in run.output and "Traceback" not in run.output
    assert not [one for one in run.results if one["action"].endswith("node_info")]
