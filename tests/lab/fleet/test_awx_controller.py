# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/setup.yml with the real modules of awx.awx against a controller that keeps what is posted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awx_rules
import awx_specs
import pytest
from fake_controller import State, controller

SETUP = str(awx_specs.ROOT / "awx/setup.yml")
GIVEN = {"vxlan_offload_awx_scm_url": "https://git.example/nodes.git", "vxlan_offload_awx_fact_cache": True, "vxlan_offload_awx_slices": 2}
ORDER = ["diagnose", "approve", "apply", "verify"]


@dataclass
class Story:
    """What two runs of the playbook returned and left."""

    state: State
    runs: list[list[dict[str, Any]]]
    posted: list[list[tuple[str, str, Any]]]

    def changed(self, number: int) -> list[str]:
        items = [item for result in self.runs[number] for item in result["result"].get("results", [])]
        return [item["item"]["name"] for item in items if item["changed"]]

    def template(self, name: str) -> dict[str, Any]:
        return self.state.named("job_templates", f"VXLAN offload {name}")

    def next_to(self, node: str, link: str) -> list[str]:
        return [one["identifier"] for one in self.state.linked(self.state.named("workflow_job_template_nodes", node), link)]


def settings(url: str) -> dict[str, str]:
    return {"CONTROLLER_HOST": url, "CONTROLLER_USERNAME": "admin", "CONTROLLER_PASSWORD": "not-a-secret"}


def filled(state: State) -> State:
    """What a user has already."""
    organization = state.add("organizations", name="Default")["id"]
    state.add("inventories", name="Kubernetes nodes", organization=organization, kind="")
    state.add("credentials", name="Kubernetes nodes", organization=organization)
    return state


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    scratch = tmp_path_factory.mktemp("setup")
    with controller(awx_rules.playbooks(awx_specs.ROOT / "awx", "new")) as (url, state):
        told = Story(filled(state), [], [])
        for _run in range(2):
            state.posted.clear()
            done, results = awx_specs.playbook(scratch, SETUP, GIVEN, **settings(url))
            assert done.returncode == 0, done.stdout
            told.runs.append(results)
            told.posted.append(list(state.posted))
        yield told


def test_the_first_run_makes_everything(story: Story) -> None:
    assert story.changed(0) == [
        "VXLAN offload", "VXLAN offload", "Kubernetes nodes, affected by VXLAN offload", "VXLAN offload diagnose", "VXLAN offload apply",
        "VXLAN offload verify", "VXLAN offload revert", "VXLAN offload workflow",
    ]  # fmt: skip


def test_the_second_run_changes_only_the_workflow_with_the_approval(story: Story) -> None:
    """That one the module always calls changed: it compares an approval with values of its node, which an approval has not."""
    assert story.changed(1) == ["VXLAN offload workflow"]
    approval = story.state.named("workflow_approval_templates", "VXLAN offload approval")
    assert [(method, path) for method, path, _body in story.posted[1]] == [("PATCH", approval["url"])]


def test_the_workflow_waits_for_an_approval_between_diagnose_and_apply(story: Story) -> None:
    assert [story.next_to(node, "success_nodes") for node in ORDER] == [["approve"], ["apply"], ["verify"], []]
    assert [story.next_to(node, link) for node in ORDER for link in ("always_nodes", "failure_nodes")] == [[]] * 8


def test_the_nodes_run_the_templates_of_their_name(story: Story) -> None:
    for node in ("diagnose", "apply", "verify"):
        assert story.state.named("workflow_job_template_nodes", node)["unified_job_template"] == story.template(node)["id"]
    approve = story.state.named("workflow_job_template_nodes", "approve")
    approval = story.state.named("workflow_approval_templates", "VXLAN offload approval")
    assert approve["related"]["unified_job_template"] == approval["url"]
    assert int(approval["timeout"]) == 86400


def test_the_surveys_are_posted(story: Story) -> None:
    asked = {key: [question["variable"] for question in survey["spec"]] for key, survey in story.state.surveys.items()}
    workflow = story.state.named("workflow_job_templates", "VXLAN offload workflow")
    every = ["workaround_method", "vxlan_offload_serial", "workaround_accept_risk", "workaround_persist", "workaround_service_cidr"]
    assert asked == {
        ("job_templates", story.template("apply")["id"]): every,
        ("job_templates", story.template("revert")["id"]): ["vxlan_offload_serial"],
        ("workflow_job_templates", workflow["id"]): every,
    }
    assert workflow["survey_enabled"] and story.template("apply")["survey_enabled"]


def test_what_a_template_is_made_of(story: Story) -> None:
    diagnose = story.template("diagnose")
    assert diagnose["inventory"] == story.state.named("inventories", "Kubernetes nodes")["id"]
    assert diagnose["project"] == story.state.named("projects", "VXLAN offload")["id"]
    assert diagnose["execution_environment"] == story.state.named("execution_environments", "VXLAN offload")["id"]
    assert [one["name"] for one in story.state.linked(diagnose, "credentials")] == ["Kubernetes nodes"]
    assert (diagnose["playbook"], diagnose["job_slice_count"], diagnose["use_fact_cache"]) == ("diagnose.yml", 2, True)
    assert str(json.loads(diagnose["extra_vars"])["vxlan_offload_fact_cache"]) == "True"


def test_nothing_secret_is_posted(story: Story) -> None:
    """The fake controller's password and token, too, are in the environment and in headers only."""
    assert "not-a-secret" not in json.dumps(story.posted)
    assert not [path for _method, path, _body in story.posted[0] if path.startswith("/api/v2/credentials")]


def test_without_a_repository_it_says_which_variable_is_missing(tmp_path: Path) -> None:
    done, results = awx_specs.playbook(tmp_path, SETUP, {})
    assert done.returncode == 2
    assert results[-1]["result"]["msg"] == "vxlan_offload_awx_scm_url is empty: name the git repository that holds this folder's files"


def test_the_controller_refuses_what_awx_refuses() -> None:
    """So the runs above show that AWX would have taken what was posted."""
    state = State(["site.yml"])
    assert state.answer("POST", "/api/v2/job_templates/", {}, {"name": "x", "playbook": "kubenet.vxlan_offload.diagnose"})[0] == 400
    _status, template = state.answer("POST", "/api/v2/job_templates/", {}, {"name": "x", "playbook": "site.yml"})
    assert state.answer("POST", template["related"]["survey_spec"], {}, {"name": "", "description": "", "spec": []})[0] == 400
