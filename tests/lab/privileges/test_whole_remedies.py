# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each remedy from apply to revert by a root that has only these of its capabilities, and with one less of them: the last table of
docs/privileges.md. Packets are the judge; one run of each playbook, over a node for each case."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubectl_of_felix
import pytest
import user

WORKS, BROKEN = {"udp": "ok", "tcp": "ok"}, {"udp": "broken", "tcp": "broken"}
# Reading takes the first, changing a rule the second as well.
READING = {"nft": ("net_admin",), "legacy": ("net_admin", "net_raw")}
RULES = {backend: (*needed, "sys_admin") for backend, needed in READING.items()}
RULE_METHODS = ("clear_mark", "notrack", "underlay_accept", "masquerade_without_random", "kube_postrouting_detached")
OTHER_METHODS = ("tx_checksum_off", "rx_tx_offload_off", "service_route", "felix_override")
# The method, the backend of the rules that it is applied beside, and what it takes.
NEEDS = {
    **{(method, "nft"): RULES["nft"] for method in RULE_METHODS},
    **{(method, "nft"): READING["nft"] for method in OTHER_METHODS},
    **{(method, "legacy"): RULES["legacy"] for method in ("clear_mark", "kube_postrouting_detached")},
    **{(method, "legacy"): READING["legacy"] for method in ("tx_checksum_off", "service_route")},
}
SHOWN_WITH_LESS = (("clear_mark", "nft"), ("clear_mark", "legacy"), ("tx_checksum_off", "nft"), ("service_route", "legacy"))
EXACT = tuple((method, backend, "") for method, backend in NEEDS)
LESS = tuple((*case, one) for case in SHOWN_WITH_LESS for one in NEEDS[case] if one != "net_raw")
# Rules that are in iptables-legacy cannot be read without it, which is no reason not to do what was asked for by its name.
BLIND = (("clear_mark", "legacy", "net_raw"), ("service_route", "legacy", "net_raw"))
Case = tuple[str, str, str]  # method, backend, the capability that is taken away


class Story:
    """What happened on the node of each case."""

    def __init__(self, make_lab: Any, folder: Path) -> None:
        self.nodes: dict[Case, tuple[Any, str]] = {}
        inventories = []
        for backend in READING:
            cases = [case for case in (*EXACT, *LESS, *BLIND) if case[1] == backend]
            lab = make_lab("pre_fix_kube_proxy", backend=backend, nodes=len(cases))
            self.nodes.update((case, (lab, node)) for case, node in zip(cases, lab.nodes))
            hosts = {
                node: (node, user.only((one for one in NEEDS[case[:2]] if one != case[2]), uid="0"), {"workaround_method": case[0]})
                for case, node in zip(cases, lab.nodes)
            }
            inventories += ["-i", user.inventory(lab, folder / (backend + ".json"), hosts)]
        for lab, node in self.nodes.values():
            lab.run(node, "touch", kubectl_of_felix.STORE)
        self.arguments = (*inventories[2:], "--forks", "10")
        self.first, self.folder, self.lab = inventories[1], folder, self.nodes[EXACT[0]][0]
        self.before = self.states()
        self.apply = self.run("apply")
        self.applied, self.packets = self.states(), self.asked()
        self.verdicts = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))["hosts"]
        self.revert = self.run("revert")
        self.after = self.states()

    def run(self, name: str) -> Any:
        variables = {
            "vxlan_offload_report_dir": str(self.folder),
            "workaround_accept_risk": True,
            "workaround_service_cidr": "10.96.0.0/12",
            "workaround_kubectl": kubectl_of_felix.write(self.folder),
        }
        return self.lab.playbook("kubenet.vxlan_offload." + name, *self.arguments, inventory_path=self.first, variables=variables)

    def states(self) -> dict[Case, str]:
        return {case: user.state(lab, node) for case, (lab, node) in self.nodes.items()}

    def asked(self) -> dict[str, dict[str, str]]:
        labs = {id(lab): lab for lab, _node in self.nodes.values()}.values()
        answers = [lab.ask(*lab.nodes)["nodes"] for lab in labs]
        return {node: {kind: seen[kind]["result"] for kind in ("udp", "tcp")} for nodes in answers for node, seen in nodes.items()}

    def failures(self, run: Any, case: Case) -> list[str]:
        node = self.nodes[case][1]
        return [str(one["result"].get("msg")) for one in run.results if one["host"] == node and one["status"] == "failed"]


@pytest.fixture(scope="module")
def story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(make_lab, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("case", EXACT, ids=lambda case: "-".join(case[:2]))
def test_with_exactly_these(case: Case, story: Story) -> None:
    assert story.failures(story.apply, case) == []
    assert story.packets[story.nodes[case][1]] == WORKS
    assert story.applied[case] != story.before[case]
    assert story.failures(story.revert, case) == []
    assert story.after[case] == story.before[case]


@pytest.mark.parametrize("case", LESS, ids="-".join)
def test_with_one_less_nothing_is_changed_and_it_is_said_why(case: Case, story: Story) -> None:
    """No record of something that was not done is left behind either."""
    said = story.failures(story.apply, case)
    assert said and "\n" not in said[-1], said
    assert re.search(r"needs root|run with become", " ".join(said)), said
    assert story.applied[case] == story.before[case]
    assert story.packets[story.nodes[case][1]] == BROKEN


@pytest.mark.parametrize("case", BLIND, ids="-".join)
def test_what_cannot_be_read_stays_unknown(case: Case, story: Story) -> None:
    assert story.failures(story.apply, case) == []
    assert story.packets[story.nodes[case][1]] == WORKS
    assert story.verdicts[story.nodes[case][1]]["status"] == "unknown"
    assert story.after[case] == story.before[case] != story.applied[case]


def test_the_page_has_these_tables() -> None:
    page = (user.REPOSITORY / "docs/privileges.md").read_text(encoding="utf-8")
    rows = {tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in page.splitlines() if line.startswith("|")}
    rules, others = "a rule: " + ", ".join(RULE_METHODS), "a feature or a route: " + ", ".join(OTHER_METHODS)
    for kind, needed in ((rules, RULES), (others, READING)):
        assert (kind, *(names(needed[backend]) for backend in ("nft", "legacy"))) in rows


def names(capabilities: tuple[str, ...]) -> str:
    return ", ".join("CAP_" + one.upper() for one in capabilities)
