# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/controller.yml and awx/setup.yml against what awx.awx's own modules, AWX's server and infra.aap_configuration accept."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import awx_rules
import awx_specs
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = awx_specs.ROOT
TABLE = yaml.safe_load((ROOT / "tests/data/awx/aap_configuration.yml").read_text(encoding="utf-8"))
ROLES = yaml.safe_load((ROOT / "roles/workaround/meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
GIVEN = {"vxlan_offload_awx_scm_url": "https://git.example/nodes.git", "vxlan_offload_awx_fact_cache": True, "vxlan_offload_awx_slices": 2}


def errors(spec: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    return list(ArgumentSpecValidator(spec).validate(copy.deepcopy(arguments)).error_messages)


@pytest.fixture(scope="module")
def calls() -> list[tuple[str, dict[str, Any]]]:
    return awx_specs.rendered(**GIVEN)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return awx_specs.data(**GIVEN)


def test_every_call_fits_the_argument_spec_of_its_module(calls: Any) -> None:
    assert [module for module, _arguments in calls] == [
        "execution_environment", "project", "inventory", "job_template", "job_template", "job_template", "job_template",
        "workflow_job_template",
    ]  # fmt: skip
    assert {module: found for module, arguments in calls if (found := errors(awx_specs.argument_spec(module), arguments))} == {}


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"slices": 4}, "slices"),
        ({"job_type": "scan"}, "value of job_type must be one of: run, check"),
        ({"use_fact_cache": "perhaps"}, "not a valid boolean"),
        ({"name": None}, "missing required arguments: name"),
    ],
)
def test_a_wrong_option_would_be_found(calls: Any, wrong: dict[str, Any], said: str) -> None:
    arguments = {**next(arguments for module, arguments in calls if module == "job_template"), **wrong}
    given = {key: value for key, value in arguments.items() if value is not None}
    assert re.search(said, " ".join(errors(awx_specs.argument_spec("job_template"), given)))


def test_every_node_of_the_workflow_has_documented_options(calls: Any) -> None:
    nodes = calls[-1][1]["workflow_nodes"]
    assert [errors(awx_specs.node_spec(), node) for node in nodes] == [[], [], [], []]
    assert errors(awx_specs.node_spec(), {**nodes[0], "approval_node": {"name": "x"}})


def test_the_playbook_passes_on_everything_that_the_data_file_says(data: Any) -> None:
    loops = {task["loop"]: set(task[f"awx.awx.{module}"]) for module, task in awx_specs.tasks()}
    assert {re.sub(r"[{} ]", "", loop) for loop in loops} == set(data)
    for name, items in data.items():
        assert {key for item in items for key in item} == loops["{{ %s }}" % name], name


@pytest.mark.parametrize("variable", sorted(TABLE))
def test_infra_aap_configuration_reads_all_of_it(variable: str, data: Any) -> None:
    for item in data[variable]:
        assert set(item) <= set(TABLE[variable]["options"])
        assert set(item) >= set(TABLE[variable]["required"])


def test_an_option_that_infra_aap_configuration_does_not_read_would_be_found(data: Any) -> None:
    assert {*data["controller_templates"][0], "slices"} - set(TABLE["controller_templates"]["options"]) == {"slices"}


def test_there_is_an_inventory_of_affected_nodes_only_with_the_fact_cache() -> None:
    assert awx_specs.data()["controller_inventories"] == []
    (inventory,) = awx_specs.data(vxlan_offload_awx_fact_cache=True)["controller_inventories"]
    assert (inventory["kind"], inventory["host_filter"]) == ("smart", 'ansible_facts__vxlan_offload__status="affected"')


def test_only_what_changes_nothing_is_cut_into_slices(data: Any) -> None:
    asked = "ask_job_slice_count_on_launch"
    slices = {one["playbook"]: (int(one["job_slice_count"]), one.get(asked, False)) for one in data["controller_templates"]}
    assert slices == {"diagnose.yml": (2, True), "verify.yml": (2, True), "apply.yml": (1, False), "revert.yml": (1, False)}


def surveys(data: Any) -> list[Any]:
    items = [*data["controller_templates"], *data["controller_workflows"]]
    return [item["survey_spec"] for item in items if "survey_spec" in item]


def test_the_server_accepts_the_surveys(data: Any) -> None:
    assert [awx_rules.survey_error(survey) for survey in surveys(data)] == ["", "", ""]


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"type": "percentage"}, "there is no type percentage"),
        ({"max": "64"}, "max must be a whole number"),
        ({"default": 1}, "the default 1 is no multiplechoice"),
        ({"default": "ethtool"}, "'ethtool' is not among the choices"),
        ({"required": "yes"}, "required must be given as bool"),
        ({"variable": "vxlan_offload_serial"}, "a variable is asked for twice"),
        ({"choices": ""}, "choices must be given"),
    ],
)
def test_what_the_server_refuses_in_a_survey_would_be_found(data: Any, wrong: dict[str, Any], said: str) -> None:
    survey = copy.deepcopy(surveys(data)[0])
    survey["spec"][0].update(wrong)
    assert said in awx_rules.survey_error(survey)


def test_the_survey_offers_every_remedy_and_sets_variables_that_there_are(data: Any) -> None:
    questions = {question["variable"]: question for question in surveys(data)[0]["spec"]}
    assert awx_rules.choices(questions["workaround_method"]) == ROLES["workaround_method"]["choices"]
    assert set(questions) - set(ROLES) == {"vxlan_offload_serial"}
    assert "vxlan_offload_serial" in (ROOT / "playbooks/apply.yml").read_text(encoding="utf-8")


def test_no_answer_holds_a_template(data: Any) -> None:
    """AWX does not resolve templates in answers; a default with one would reach the play as it is."""
    assert not [question for survey in surveys(data) for question in survey["spec"] if "{{" in str(question)]


def test_a_node_of_a_workflow_starts_without_a_question(data: Any) -> None:
    """The server refuses to start a node whose template asks for an answer that has no default."""
    asked = [question for one in data["controller_templates"] for question in one.get("survey_spec", {}).get("spec", [])]
    assert [question["variable"] for question in asked if question["required"] and question["default"] == ""] == []


@pytest.mark.parametrize("release", sorted(awx_rules.PLAYBOOK_LINE))
def test_awx_finds_the_playbooks_of_the_templates(release: str, data: Any) -> None:
    found = awx_rules.playbooks(ROOT / "awx", release)
    assert found == ["apply.yml", "diagnose.yml", "revert.yml", "setup.yml", "verify.yml"]
    assert {one["playbook"] for one in data["controller_templates"]} == set(found) - {"setup.yml"}


def test_what_awx_does_not_find_as_a_playbook(tmp_path: Path) -> None:
    """The rule itself: a name of a collection is no file, some folders are left out, older releases know the short name only."""
    for name, line in {
        "long.yml": "- ansible.builtin.import_playbook: a.b.c", "short.yml": "- import_playbook: a.b.c", "tasks/play.yml": "- hosts: all",
        ".hidden/play.yml": "- hosts: all", "vars.yml": "name: x",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(line, encoding="utf-8")
    assert awx_rules.playbooks(tmp_path, "old") == ["short.yml"]
    assert awx_rules.playbooks(tmp_path, "new") == ["long.yml", "short.yml"]


def test_the_folder_may_be_below_the_root_of_the_project(data: Any) -> None:
    below = awx_specs.data(vxlan_offload_awx_folder="awx/")["controller_templates"]
    assert [one["playbook"] for one in below] == ["awx/" + one["playbook"] for one in data["controller_templates"]]
    assert {one["playbook"] for one in below} <= set(awx_rules.playbooks(ROOT, "old"))


def test_the_requirement_accepts_this_version() -> None:
    from ansible.galaxy.dependency_resolution.versioning import meets_requirements

    ours = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    (required,) = yaml.safe_load((ROOT / "awx/collections/requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert required["name"] == "%s.%s" % (ours["namespace"], ours["name"])
    assert meets_requirements(ours["version"], required["version"])
    assert not meets_requirements("2.0.0", required["version"])


def test_the_tarball_has_the_folder() -> None:
    directives = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["manifest"]["directives"]
    assert "recursive-include awx *" in directives
