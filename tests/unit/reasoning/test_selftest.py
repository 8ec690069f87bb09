# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the selftest of the kernel is run, and what its answer is worth beside names, numbers and changelogs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import selftest
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.predict import predict

from . import build as b

# No table knows what this vendor ported back under its own numbers.
KYLIN = "4.19.90-52.39.v2207.ky10.x86_64"
UDPCSUM, NOUDPCSUM, UNREAD = (b.device(checksum=mode) for mode in ("udpcsum", "noudpcsum", "unknown"))


def node(release: str, *devices: dict[str, Any], **found: str) -> dict[str, Any]:
    """The facts of an affected node, with an answer of the selftest when one is given."""
    kernel = b.kernel(release)
    if found:
        kernel["selftest"] = selftest.answer({"zero_checksum": "unknown", "lco_checksum": "unknown", **found})
    return b.facts("kube_1_17_before_fix", kernel=kernel, vxlan=b.vxlan(*devices))


WANTED = [
    ("the_tables_do_not_know_a_noudpcsum_device", node(KYLIN, NOUDPCSUM), True),
    ("the_tables_know_udpcsum_devices", node(KYLIN, UDPCSUM), False),
    ("one_device_of_two_is_enough", node(KYLIN, UDPCSUM, NOUDPCSUM), True),
    ("a_device_of_unknown_mode", node(KYLIN, UNREAD), True),
    ("udpcsum_before_4_6", node("3.10.0-1127.el7.x86_64", UDPCSUM), True),
    ("the_tables_know_this_kernel", node("6.18.44", NOUDPCSUM), False),
    ("a_release_without_a_number", node("custom", UDPCSUM), True),
    ("no_vxlan_device", node(KYLIN), False),
    ("the_devices_were_not_read", {**node(KYLIN), "vxlan": {"unknown": "not gathered"}}, False),
    ("the_kernel_was_not_read", {**node(KYLIN, NOUDPCSUM), "kernel": {"unknown": "not gathered"}}, False),
]


@pytest.mark.parametrize(("facts", "expected"), [row[1:] for row in WANTED], ids=[row[0] for row in WANTED])
def test_auto_runs_it_when(facts: dict[str, Any], expected: bool) -> None:
    assert selftest.wanted(facts, "auto") is expected
    assert selftest.wanted(facts, "never") is False


def test_always_runs_it_wherever_its_answer_has_a_place() -> None:
    assert selftest.wanted(node("6.18.44"), "always") is True
    assert selftest.wanted({"kernel": {"unknown": "not gathered"}}, "always") is False


ANSWERS = [
    ({"zero_checksum": "absent", "lco_checksum": "present", "reason": "", "duration": 0.1}, ("absent", "present", "")),
    ({"zero_checksum": "unknown", "lco_checksum": "present", "reason": "no answer"}, ("unknown", "present", "no answer")),
    ({"failed": True, "msg": "no python\nat all"}, ("unknown", "unknown", "kernel_selftest did not run: no python")),
    ({}, ("unknown", "unknown", "kernel_selftest did not run: it gave no answer")),
    ({"msg": "\n"}, ("unknown", "unknown", "kernel_selftest did not run: it gave no answer")),
    ({"zero_checksum": "yes"}, ("unknown", "unknown", "kernel_selftest did not run: it gave no answer")),
]


@pytest.mark.parametrize(("result", "expected"), ANSWERS)
def test_whatever_the_module_returned_becomes_an_answer(result: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert tuple(selftest.answer(result).values()) == (*expected, "kernel_selftest")


def test_the_answer_is_part_of_the_kernel_and_none_is_null() -> None:
    facts = node("6.18.44")
    assert selftest.added(facts, None)["kernel"]["selftest"] is None
    assert "selftest" not in facts["kernel"]
    assert selftest.added({"kernel": {"unknown": "no"}}, None) == {"kernel": {"unknown": "no"}}


LINE = "- netfilter: nat: never update the UDP checksum when it's 0"
FIXED = {"asked": True, "line": LINE, "newest": "", "source": "rpm"}
OUTRANKS = [
    ("a_frozen_number", {"release": KYLIN}),
    ("a_mainline_number", {"release": "6.18.44"}),
    ("an_affected_number", {"release": "4.18.0-193.el8.x86_64"}),
    ("a_changelog", {"release": KYLIN, "changelog": FIXED}),
    ("a_build_date", {"release": KYLIN, "version": "#1 SMP Wed Dec 4 10:00:00 UTC 2019"}),
    ("no_number_at_all", {"release": "custom"}),
]


@pytest.mark.parametrize("kernel", [row[1] for row in OUTRANKS], ids=[row[0] for row in OUTRANKS])
@pytest.mark.parametrize(("seen", "expected"), [("present", "affected"), ("absent", "fixed")])
def test_it_outranks(kernel: dict[str, Any], seen: str, expected: str) -> None:
    status = kernel_status({**kernel, "selftest": selftest.answer({"zero_checksum": seen, "lco_checksum": seen})})
    assert (status["zero_checksum"], status["lco_checksum"]) == (expected, expected)
    assert status["evidence"] == "seen on the running kernel by kernel_selftest"
    assert status["evidence"] in status["reason"] and status["evidence"] in status["lco_reason"]


def test_an_unknown_answer_leaves_the_tables_in_force_and_gives_its_reason() -> None:
    kernel = {**b.kernel(KYLIN), "selftest": selftest.could_not("needs root")}
    status, tables = kernel_status(kernel), kernel_status(b.kernel(KYLIN))
    assert (status["zero_checksum"], status["lco_checksum"]) == (tables["zero_checksum"], tables["lco_checksum"]) == ("unknown", "affected")
    assert status["reason"] == tables["reason"] + "; kernel_selftest could not tell: needs root"
    assert status["lco_reason"] == tables["lco_reason"]


VERDICTS = [
    ("no_table_knows_it_and_it_was_not_tried", node(KYLIN, NOUDPCSUM), "unknown"),
    ("seen_to_have_it", node(KYLIN, NOUDPCSUM, zero_checksum="present"), "affected"),
    ("seen_not_to_have_it", node(KYLIN, NOUDPCSUM, zero_checksum="absent"), "unaffected"),
    ("udpcsum_on_a_kernel_seen_without_the_defect", node("6.18.44", UDPCSUM, lco_checksum="absent"), "unaffected"),
    ("a_fixed_number_but_seen_to_have_it", node("6.18.44", NOUDPCSUM, zero_checksum="present"), "affected"),
    ("the_other_defect_says_nothing", node(KYLIN, NOUDPCSUM, lco_checksum="absent"), "unknown"),
]


@pytest.mark.parametrize(("facts", "status"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS])
def test_verdict_of_a_kernel(facts: dict[str, Any], status: str) -> None:
    assert diagnose(facts)["status"] == status


def test_an_unknown_kernel_is_told_to_be_tried() -> None:
    assert "kernel_selftest: auto" in diagnose(node(KYLIN, NOUDPCSUM))["action"]


def test_a_kernel_that_could_not_be_tried_is_told_why() -> None:
    verdict = diagnose(node(KYLIN, NOUDPCSUM, reason="needs root (CAP_SYS_ADMIN): run with become"))
    assert "needs root (CAP_SYS_ADMIN): run with become" in verdict["action"]


@pytest.mark.parametrize(("lco", "status"), [("present", "affected"), ("absent", "unaffected")])
def test_a_plan_with_a_tried_kernel(lco: str, status: str) -> None:
    planned = {"kube_version": "1.17.5", "network_plugin": "flannel", "flannel_version": "0.12.0"}
    kernel = {**b.kernel("5.15.0"), "selftest": selftest.answer({"zero_checksum": "absent", "lco_checksum": lco})}
    assert predict({**planned, "kernel": kernel})["status"] == status
