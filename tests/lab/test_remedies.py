# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy on a node that really fails: the simulation, what was gathered afterwards and the packets must agree; revert is exact."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}
RISKY = ("masquerade_without_random", "kube_postrouting_detached", "underlay_accept")
# Every remedy on the two shapes that fail, one in each backend; the free ones and the documented one on the other shapes too.
ALL_CASES = tuple(
    (scenario, backend, method)
    for scenario, backend, methods in (
        (
            "pre_fix_kube_proxy",
            "nft",
            ("clear_mark", "notrack", "tx_checksum_off", "rx_tx_offload_off", "service_route", *RISKY),
        ),
        (
            "fixed_kube_proxy_calico_first",
            "legacy",
            ("clear_mark", "notrack", "tx_checksum_off", "rx_tx_offload_off", "service_route", *RISKY),
        ),
        ("flannel_0_20_1", "legacy", ("clear_mark", "notrack", "tx_checksum_off")),
        ("custom_masquerade_bit", "nft", ("clear_mark", "auto", "masquerade_without_random")),
    )
    for method in methods
)
Case = tuple[str, str, str]  # scenario, backend, method


def in_short(cases: Sequence[Case]) -> tuple[Case, ...]:
    """All of them; where LAB_SHORT is set, as in CI, each method once: a node with its method takes ten seconds of a core."""
    return tuple({case[2]: case for case in cases}.values()) if os.environ.get("LAB_SHORT") else tuple(cases)


CASES = in_short(ALL_CASES)
DEVICES = "eth0 vxlan.calico flannel.1 vxlan-v6.calico flannel-v6.1"
PACKET_COUNTER = re.compile(r"\[\d+:\d+\]")


def state_of(lab: Any, node: str) -> dict[str, str]:
    """Everything a remedy may touch, read by other tools than those that wrote it."""
    rules = lab.run(node, "sh", "-c", "iptables-nft-save; iptables-legacy-save; ip6tables-nft-save; ip6tables-legacy-save")
    return {
        # Which empty tables exist is not part of what traffic sees; rules and policies are.
        "rules": "\n".join(line for line in PACKET_COUNTER.sub("", rules).splitlines() if line[:1] == "-"),
        "features": lab.run(node, "sh", "-c", "for d in %s; do ethtool -k $d 2>/dev/null; done; true" % DEVICES),
        "routes": lab.run(node, "ip", "-4", "route", "show", "table", "all") + lab.run(node, "ip", "-6", "route", "show", "table", "main"),
        "files": lab.run(node, "find", "/etc", "/var/lib", "-xdev", "-newermt", "2000-01-01", "-path", "*vxlan-offload*"),
    }


def run_playbook(lab: Any, name: str, node: str, report: Any, *arguments: str, **variables: Any) -> Any:
    return lab.playbook(
        "kubenet.vxlan_offload." + name, "--limit", node, *arguments, variables={"vxlan_offload_report_dir": str(report), **variables}
    )


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", "fixed_kube_proxy_calico_first", backend="both")


def changes(run: Any, node: str) -> list[str]:
    """Task names that changed something, in order."""
    return [one["task"] for one in run.results if one["host"] == node and one["result"].get("changed")]


class Story:
    """What happened to a fleet in which every node got its own remedy: one run of each playbook, a node per case."""

    def __init__(self, make_lab: Any, cases: tuple[Case, ...], directory: Path) -> None:
        self.nodes: dict[Case, str] = {}
        self.labs = []
        # A lab repeats all of its scenarios: one for each of them, so that no node is built that no case uses.
        for (scenario, backend), count in Counter(case[:2] for case in cases).items():
            self.labs.append(make_lab(scenario, backend=backend, nodes=count))
            self.nodes.update(zip((case for case in cases if case[:2] == (scenario, backend)), self.labs[-1].nodes))
        hosts = {node: {"workaround_method": case[2]} for case, node in self.nodes.items()}
        overlay = directory / "methods.json"
        overlay.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        inventories = [argument for lab in self.labs[1:] for argument in ("-i", lab.inventory)]
        self.extra = (*inventories, "-i", str(overlay), "--forks", "10")
        self.variables = {
            "vxlan_offload_report_dir": str(directory),
            "workaround_accept_risk": True,
            "workaround_service_cidr": "10.96.0.0/12,fd00:10:96::/112",
        }
        self.before, self.packets_before = self.states(), self.packets()
        self.check = self.run("apply", "--check")
        self.after_check = self.states()
        self.apply = self.run("apply")
        self.packets_applied = self.packets()
        self.again = self.run("apply")
        self.revert = self.run("revert")
        self.after_revert, self.packets_reverted = self.states(), self.packets()
        self.revert_again = self.run("revert")

    def run(self, name: str, *arguments: str) -> Any:
        return self.labs[0].playbook("kubenet.vxlan_offload." + name, *self.extra, *arguments, variables=self.variables)

    def states(self) -> dict[str, dict[str, str]]:
        return {node: state_of(lab, node) for lab in self.labs for node in lab.nodes}

    def packets(self) -> dict[str, dict[str, str]]:
        with ThreadPoolExecutor(len(self.labs)) as pool:  # what fails is waited for
            answers = list(pool.map(lambda lab: lab.ask(*lab.nodes)["nodes"], self.labs))
        return {node: {kind: seen[kind]["result"] for kind in ("udp", "tcp")} for nodes in answers for node, seen in nodes.items()}


class EachRemedy:
    """What holds for each case of a story; a subclass of each test file is parametrized with its cases."""

    def test_the_node_really_fails_before(self, story: Story, case: Case) -> None:
        assert story.packets_before[story.nodes[case]] == BROKEN

    def test_check_mode_changes_nothing(self, story: Story, case: Case) -> None:
        node = story.nodes[case]
        assert story.after_check[node] == story.before[node]

    def test_applies_and_agrees_with_the_simulation(self, story: Story, case: Case) -> None:
        """The role itself fails a node whose facts do not end as simulated, or whose Service does not answer."""
        node = story.nodes[case]
        seen = [one for one in story.apply.results if one["host"] == node]
        assert [one["result"].get("msg") for one in seen if one["status"] == "failed"] == []
        assert any(one["task"].endswith("Compare with the simulation") for one in seen)

    def test_check_mode_predicts_what_the_run_does(self, story: Story, case: Case) -> None:
        node = story.nodes[case]
        assert changes(story.check, node) == changes(story.apply, node) != []

    def test_packets_are_cured(self, story: Story, case: Case) -> None:
        assert story.packets_applied[story.nodes[case]] == CURED

    def test_a_second_run_changes_nothing(self, story: Story, case: Case) -> None:
        assert changes(story.again, story.nodes[case]) == []

    def test_revert_is_exact(self, story: Story, case: Case) -> None:
        node = story.nodes[case]
        assert story.after_revert[node] == story.before[node]
        assert changes(story.revert_again, node) == []

    def test_the_failure_is_back(self, story: Story, case: Case) -> None:
        assert story.packets_reverted[story.nodes[case]] == BROKEN


@pytest.fixture(scope="module")
def story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(make_lab, CASES, tmp_path_factory.mktemp("story"))


@pytest.mark.parametrize("case", CASES, ids="-".join)
class TestEachRemedy(EachRemedy):
    """Over IPv4."""


@pytest.mark.parametrize("method", ["masquerade_without_random", "kube_postrouting_detached", "underlay_accept"])
def test_what_breaks_other_traffic_or_a_sync_erases_is_refused_without_the_risk_variable(lab: Any, method: str, tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_nft"
    before = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path, workaround_method=method)
    assert run.returncode == 2
    assert "workaround_accept_risk" in run.output
    assert state_of(lab, node) == before


def test_auto_takes_the_cheapest_cure_and_keeps_it(lab: Any, tmp_path: Any) -> None:
    node = "fixed_kube_proxy_calico_first_legacy"
    before = state_of(lab, node)
    first = run_playbook(lab, "apply", node, tmp_path)
    assert first.returncode == 0, first.output
    assert lab.verdict(node) == CURED
    assert "clear_mark" in lab.run(node, "cat", "/var/lib/vxlan-offload/record.json")
    assert changes(run_playbook(lab, "apply", node, tmp_path), node) == []
    other = run_playbook(lab, "apply", node, tmp_path, workaround_method="tx_checksum_off")
    assert other.returncode == 0, other.output
    assert "tx_checksum_off" in lab.run(node, "cat", "/var/lib/vxlan-offload/record.json")
    assert lab.verdict(node) == CURED
    assert run_playbook(lab, "revert", node, tmp_path).returncode == 0
    assert state_of(lab, node) == before


# A table of a third party, in native nft, which no reader looks at: its rewriting is seen in packets only.
FOREIGN = """
table ip foreign {
  chain postrouting {
    type nat hook postrouting priority 90;
    oifname "eth0" udp dport 4789 masquerade fully-random
  }
}
"""


@pytest.fixture
def foreign_table(lab: Any) -> Iterator[Callable[[str], None]]:
    nodes: list[str] = []

    def load(node: str) -> None:
        nodes.append(node)
        lab.run(node, "nft", FOREIGN)

    yield load
    for node in nodes:
        lab.run(node, "nft", "delete table ip foreign")


def test_a_cure_that_does_not_cure_is_rolled_back(lab: Any, foreign_table: Callable[[str], None], tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_nft"
    foreign_table(node)
    before = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path)
    assert run.returncode == 2
    assert "clear_mark was rolled back" in run.output
    assert state_of(lab, node) == before


def test_a_node_that_was_rolled_back_is_reported_as_it_is_left(make_lab: Any, tmp_path: Any) -> None:
    lab = make_lab("pre_fix_kube_proxy", backend="both")
    rolled_back, cured = lab.nodes
    lab.run(rolled_back, "nft", FOREIGN)
    run = run_playbook(lab, "apply", "all", tmp_path)
    assert run.returncode == 2
    hosts = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"]
    assert (hosts[rolled_back]["status"], hosts[cured]["status"]) == ("affected", "mitigated")


def test_a_later_run_that_fails_leaves_what_was_applied(lab: Any, foreign_table: Callable[[str], None], tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_legacy"
    before = state_of(lab, node)
    assert run_playbook(lab, "apply", node, tmp_path).returncode == 0
    applied = state_of(lab, node)
    foreign_table(node)
    with_foreign = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path)
    assert run.returncode == 2
    assert "clear_mark is still applied as recorded, but this run failed" in run.output
    assert state_of(lab, node) == with_foreign
    lab.run(node, "nft", "flush table ip foreign")
    assert lab.verdict(node) == CURED
    assert run_playbook(lab, "revert", node, tmp_path).returncode == 0
    assert {**state_of(lab, node), "rules": ""} == {**before, "rules": ""} and applied != before


def test_packets_seen_corrupted_outrank_rules_that_look_fine(make_lab: Any, tmp_path: Any) -> None:
    lab = make_lab("fixed_kube_proxy")
    (node,) = lab.nodes
    assert run_playbook(lab, "verify", node, tmp_path).returncode == 0
    lab.run(node, "nft", FOREIGN)
    run = run_playbook(lab, "verify", node, tmp_path)
    assert run.returncode == 2, run.output
    found = json.loads((tmp_path / "fleet.json").read_text(encoding="utf-8"))["hosts"][node]
    assert (found["status"], found["udp"], found["tcp"]) == ("affected", "broken", "broken")
    assert "packets were seen corrupted although the rules read unaffected" in found["summary"]


def test_a_partial_service_cidr_is_refused(lab: Any, tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_legacy"
    before = state_of(lab, node)
    run = run_playbook(lab, "apply", node, tmp_path, workaround_method="service_route", workaround_service_cidr="10.111.0.0/16")
    assert run.returncode == 2
    assert "service_route would not help on this node" in run.output
    assert state_of(lab, node) == before
