# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as jobs of AWX, on lab nodes: ansible-runner, slices, artifacts, fact cache."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awx_jobs
import pytest
from awx_jobs import Hosts, Job

NODES = ["node1", "node2", "node3", "node4"]
AFFECTED = ["node1", "node3"]  # all in slice 1 of 2: what slice 2 found comes later and must not replace it
numbers = itertools.count(101)


@dataclass
class Cluster:
    """Four nodes, in an inventory as AWX has it."""

    lab: Any
    hosts: Hosts
    folder: Path

    def job(self, playbook: str, hosts: Any = None, arguments: str = "", **variables: Any) -> Job:
        number = next(numbers)
        return awx_jobs.run(self.folder / str(number), playbook, number, hosts or self.hosts, arguments, **variables)

    def traces(self) -> str:
        """What an apply leaves on the nodes: a record, units, a rule."""
        look = "ls -l /var/lib/vxlan-offload /etc/systemd/system/vxlan-offload* 2>/dev/null; iptables-nft -t mangle -S OUTPUT"
        return "".join(self.lab.run(node, "sh", "-c", look) for node in self.lab.nodes)


@pytest.fixture(scope="module")
def cluster(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    lab = make_lab("pre_fix_kube_proxy", "fixed_kube_proxy", backend="nft", nodes=4)
    found = json.loads(Path(lab.inventory).read_text(encoding="utf-8"))["all"]["children"]["nodes"]["hosts"]
    return Cluster(lab, {name: found[node] for name, node in zip(NODES, lab.nodes)}, tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def slices(cluster: Cluster) -> list[Job]:
    """Diagnose, cut in two."""
    return [cluster.job("diagnose.yml", awx_jobs.slice_of(cluster.hosts, number, 2), vxlan_offload_fact_cache=True) for number in (1, 2)]


@pytest.fixture(scope="module")
def merged(slices: list[Job]) -> dict[str, Any]:
    """The artifacts of the two as AWX merges them for the next node of a workflow."""
    artifacts: dict[str, Any] = {}
    for job in slices:
        artifacts.update(job.published)
    return artifacts


def test_slices_are_cut_as_awx_does(cluster: Cluster) -> None:
    assert [list(awx_jobs.slice_of(cluster.hosts, number, 2)) for number in (1, 2)] == [["node1", "node3"], ["node2", "node4"]]


def test_diagnose_succeeds_and_changes_nothing_whatever_it_finds(slices: list[Job]) -> None:
    assert [(job.rc, job.status, job.stats["changed"]) for job in slices] == [(0, "successful", {})] * 2
    assert [sorted(host for host in job.stats["ok"] if host != "localhost") for job in slices] == [["node1", "node3"], ["node2", "node4"]]


def test_each_job_publishes_under_its_own_number_and_by_host(slices: list[Job]) -> None:
    for job in slices:
        (artifact,) = job.published.values()
        assert list(job.published) == ["vxlan_offload_job_%s" % job.artifacts.name]
        assert (artifact["kind"], artifact["schema"]) == ("diagnose", 1)
        assert set(artifact["hosts"]) == {host for host in job.stats["ok"] if host != "localhost"}
        assert all({"status", "tcp", "udp", "summary", "action"} <= set(verdict) for verdict in artifact["hosts"].values())


def test_what_slice_1_found_is_not_lost_when_slice_2_is_merged(merged: dict[str, Any]) -> None:
    verdicts = {name: verdict["status"] for artifact in merged.values() for name, verdict in artifact["hosts"].items()}
    assert sorted(verdicts) == NODES
    assert sorted(name for name, status in verdicts.items() if status == "affected") == AFFECTED


def test_the_fact_cache_has_the_status_where_awx_looks_for_it(slices: list[Job]) -> None:
    """Under the host's own name and as a plain dictionary: ansible-core from 2.19 on writes another name and form."""
    kept = {host: job.cached(host)["vxlan_offload"] for job in slices for host in job.stats["ok"] if host != "localhost"}
    broken, ok = {"status": "affected", "tcp": "broken", "udp": "broken"}, {"status": "unaffected", "tcp": "ok", "udp": "ok"}
    assert kept == {host: broken if host in AFFECTED else ok for host in NODES}


def test_a_host_that_cannot_be_read_is_unknown_in_the_fact_cache_also_when_the_job_fails_for_it(cluster: Cluster) -> None:
    hosts = {**cluster.hosts, "node4": {**cluster.hosts["node4"], "ansible_shell_executable": "/bin/false"}}
    job = cluster.job("diagnose.yml", hosts, vxlan_offload_fact_cache=True, vxlan_offload_fail_on=["affected", "unknown"])
    assert (job.rc, job.status) == (2, "failed")
    assert [job.cached(host)["vxlan_offload"]["status"] for host in NODES] == ["affected", "unaffected", "affected", "unknown"]
    (artifact,) = job.published.values()
    assert artifact["summary"]["status"]["unknown"] == 1


def test_without_the_option_nothing_is_kept(cluster: Cluster) -> None:
    job = cluster.job("diagnose.yml")
    assert job.rc == 0
    assert not list((job.artifacts / "fact_cache").glob("*node*"))


@pytest.mark.parametrize("playbook", ["diagnose.yml", "apply.yml", "verify.yml", "revert.yml"])
def test_a_pattern_that_matches_nothing_is_a_failed_job(playbook: str, cluster: Cluster) -> None:
    """Plain Ansible, and so AWX, calls it successful."""
    job = cluster.job(playbook, vxlan_offload_hosts="nosuchgroup")
    assert (job.rc, job.status, job.published) == (2, "failed", {})
    assert job.errors == ["no host matches nosuchgroup: look at the inventory and vxlan_offload_hosts"]


def test_apply_without_a_diagnosis_changes_nothing(cluster: Cluster) -> None:
    before = cluster.traces()
    of_verify = {"schema": 1, "kind": "verify", "hosts": dict.fromkeys(NODES, {"status": "affected"})}
    job = cluster.job("apply.yml", vxlan_offload_job_7=of_verify)
    assert (job.rc, job.status, cluster.traces()) == (2, "failed", before)
    assert set(job.errors) == {
        "no diagnosis came with this job (a variable vxlan_offload_job_NUMBER of kind diagnose): start the workflow, "
        "or apply without one with vxlan_offload_require_diagnosis=false"
    }


def test_apply_with_the_diagnosis_of_other_hosts_changes_nothing_and_names_the_rest(cluster: Cluster, slices: list[Job]) -> None:
    before = cluster.traces()
    job = cluster.job("apply.yml", **slices[1].published)
    assert (job.rc, job.status, cluster.traces()) == (2, "failed", before)
    assert set(job.errors) == {
        "2 of 4 hosts are in no diagnosis that came with this job: node1, node3; diagnose them too, or leave them out with the limit"
    }


def test_tags_do_not_get_around_it(cluster: Cluster) -> None:
    job = cluster.job("apply.yml", arguments="--tags nosuchtag")
    assert (job.rc, job.status) == (2, "failed")


def test_a_bad_answer_of_the_survey_is_one_line(cluster: Cluster, merged: dict[str, Any]) -> None:
    before = cluster.traces()
    job = cluster.job("apply.yml", vxlan_offload_serial="25 percent", **merged)
    assert (job.rc, cluster.traces()) == (2, before)
    (said,) = job.errors
    assert said.startswith("vxlan_offload_serial is 25 percent: write a number of hosts or a percentage") and "\n" not in said


def test_check_mode_goes_through_and_changes_nothing(cluster: Cluster, merged: dict[str, Any]) -> None:
    before = cluster.traces()
    some = awx_jobs.slice_of(cluster.hosts, 1, 2)
    job = cluster.job("apply.yml", some, "--check --diff", vxlan_offload_serial="50%, 100%", **merged)
    assert (job.rc, job.status, cluster.traces()) == (0, "successful", before)


@pytest.fixture(scope="module")
def applied(cluster: Cluster, merged: dict[str, Any]) -> Job:
    """With what the survey answers: all of it text."""
    answers = {"workaround_method": "auto", "workaround_accept_risk": "false", "workaround_persist": "true", "workaround_service_cidr": ""}
    return cluster.job("apply.yml", vxlan_offload_serial="1,75%", vxlan_offload_fact_cache="True", **answers, **merged)


def test_apply_changes_the_affected_nodes_of_both_slices(applied: Job) -> None:
    assert (applied.rc, applied.status) == (0, "successful"), applied.output
    assert sorted(applied.stats["changed"]) == AFFECTED
    (artifact,) = applied.published.values()
    assert artifact["kind"] == "apply"
    assert {name: verdict["status"] for name, verdict in artifact["hosts"].items()} == {
        "node1": "mitigated", "node2": "unaffected", "node3": "mitigated", "node4": "unaffected",
    }  # fmt: skip


def test_apply_brings_the_fact_cache_up_to_date(applied: Job) -> None:
    assert [applied.cached(host)["vxlan_offload"]["status"] for host in NODES] == ["mitigated", "unaffected", "mitigated", "unaffected"]


def test_verify_and_a_second_apply_agree(applied: Job, cluster: Cluster) -> None:
    verify = cluster.job("verify.yml", awx_jobs.slice_of(cluster.hosts, 1, 2))
    again = cluster.job("apply.yml", awx_jobs.slice_of(cluster.hosts, 1, 4), vxlan_offload_require_diagnosis="false")
    assert [(job.rc, job.status, job.stats["changed"]) for job in (verify, again)] == [(0, "successful", {})] * 2
    (artifact,) = verify.published.values()
    assert (artifact["kind"], artifact["summary"]["status"]["affected"]) == ("verify", 0)


def test_revert_puts_back_what_was(applied: Job, cluster: Cluster) -> None:
    job = cluster.job("revert.yml", awx_jobs.slice_of(cluster.hosts, 1, 2), vxlan_offload_serial="1,100%")
    assert (job.rc, sorted(job.stats["changed"])) == (0, AFFECTED)
    assert "xmark" not in cluster.traces()
