# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats say what the report says, and nothing in a report can change their structure."""

from __future__ import annotations

import re
from typing import Any, Callable
from xml.etree import ElementTree

import cmarkgfm
import format_reports
import pytest
from cmarkgfm.cmark import Options
from format_reports import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.causes import groups
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_formats import render
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import checked, parsed
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_junit import junit
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_markdown import markdown
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_textfile import npd, textfile

MADE = 1795642644.5


def cases(report: dict[str, Any], **options: Any) -> dict[str, str]:
    """Each test case and the element that says how it ended."""
    root = ElementTree.fromstring(junit(report, **options).encode("utf-8"))
    return {str(case.get("name")): case[0].tag for case in root.iter("testcase")}


# Causes


def test_hosts_with_one_cause_are_together_and_the_worst_come_first() -> None:
    found = [(one["status"], one["cause"], one["hosts"]) for one in groups(checked(format_reports.report()))]
    assert found == [
        ("affected", "lco_checksum", ["lost", "lost2"]),
        ("exposed", "lco_checksum", ["soon"]),
        ("unknown", "not read", ["fail"]),
        ("unknown", "unreachable", ["gone"]),
        ("not_checked", "not checked", ["absent"]),
        ("mitigated", "notrack", ["kept"]),
        ("unaffected", "nothing to do", ["good"]),
    ]


# JUnit


def test_a_case_is_red_where_a_node_needs_somebody() -> None:
    assert cases(format_reports.report()) == {
        "lost": "failure", "lost2": "failure", "soon": "failure", "gone": "error", "fail": "error", "absent": "error",
        "kept": "system-out", "good": "system-out",
    }  # fmt: skip


def test_which_statuses_fail_can_be_chosen() -> None:
    found = cases(format_reports.report(), fail_on=("affected",))
    assert (found["lost"], found["soon"], found["gone"]) == ("failure", "system-out", "error")


def test_an_incomplete_part_is_an_error() -> None:
    parts = {"p1": {"status": "complete", "reason": "", "hosts": 1}, "p2": {"status": "incomplete", "reason": "cut", "hosts": 0}}
    found = cases(format_reports.report(parts=parts))
    assert (found["part p2"], "part p1" in found) == ("error", False)


# What Jenkins' and GitLab's readers know: element, its attributes, its children.
SHAPE = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testcase"}),
    "testcase": ({"classname", "name", "time"}, {"failure", "error", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_keeps_its_shape_and_its_counts(text: str) -> None:
    root = ElementTree.fromstring(junit(format_reports.spiked(text)).encode("utf-8"))
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
    (suite,) = root
    counted = {"tests": 9, "failures": 3, "errors": 4}
    assert {key: int(suite.get(key, "")) for key in counted} == {key: int(root.get(key, "")) for key in counted} == counted


# Markdown


def structure(text: str) -> str:
    """GitHub's own rendering, with raw HTML let through, without what is in code spans."""
    html = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    return re.sub(r"<code>[^<]*</code>", "<code/>", html)


PLAIN = structure(markdown(format_reports.spiked("plain")))


@pytest.mark.parametrize("text", [one for one in HOSTILE if printable(one).strip()])
def test_markdown_shows_text_and_nothing_else_of_it(text: str) -> None:
    found = markdown(format_reports.spiked(text))
    assert structure(found) == PLAIN
    assert "<table>" in PLAIN and "<a " not in PLAIN


@settings(max_examples=60)
@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_no_text_becomes_markup(text: str) -> None:
    assert structure(markdown(format_reports.spiked("x" + text))) == PLAIN


def test_markdown_says_what_to_do_first() -> None:
    text = markdown(format_reports.report())
    assert "1. **2 hosts affected** (`lco_checksum`): `lost`, `lost2`" in text
    assert text.index("`soon`") < text.index("`gone`")
    assert "| not checked | 1 |" in text and "`good`" not in text


def test_markdown_of_a_great_fleet_fits_into_an_issue() -> None:
    host = {**format_reports.report()["hosts"]["lost"], "summary": "s" * 5000, "action": "a" * 5000}
    hosts = {f"{number:05d}{'n' * 300}": {**host, "action": f"{number}{host['action']}"} for number in range(3000)}
    text = markdown(format_reports.report(hosts=hosts))
    assert len(text) < 65536
    assert "And 2950 more nodes" in text and "And 2981 more causes" in text  # the one that is not checked is a cause, too


def test_markdown_of_a_good_fleet_is_short() -> None:
    report = format_reports.report(summary={})
    report["hosts"] = {"good": report["hosts"]["good"]}
    assert markdown(report) == (
        "# VXLAN checksum offload: 1 host checked\n\n| status | hosts |\n|---|---:|\n| unaffected | 1 |\n\n"
        "No checked node is affected or exposed.\n"
    )


# Monitoring


def samples(text: str) -> dict[tuple[str, ...], float]:
    """As Prometheus' own client reads them."""
    return {
        (one.name, *(f"{key}={value}" for key, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_metrics_say_what_the_report_says() -> None:
    found = samples(textfile(format_reports.report(), MADE))
    assert found["vxlan_offload_host_status", "host=lost", "status=affected"] == 1
    assert found["vxlan_offload_host_status", "host=lost", "status=exposed"] == 0
    assert found["vxlan_offload_hosts", "status=affected"] == 2
    assert found["vxlan_offload_hosts_not_checked",] == 1
    assert found["vxlan_offload_cause_hosts", "cause=notrack"] == 1
    assert found["vxlan_offload_report_timestamp_seconds",] == MADE
    assert sum(key[0] == "vxlan_offload_host_status" for key in found) == 7 * 5


def test_one_host_and_a_label_for_the_fleet() -> None:
    found = samples(textfile(format_reports.report(), MADE, "soon", "east"))
    assert len(found) == 6
    assert found["vxlan_offload_host_status", "fleet=east", "host=soon", "status=exposed"] == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_are_escaped(text: str) -> None:
    report = format_reports.spiked(text)
    found = samples(textfile(report, MADE))
    # 7 hosts of 5 statuses, 5 counts, the hosts that were not checked, one cause, the time
    assert len(found) == 43
    assert (
        "vxlan_offload_host_status",
        f"host={next(name for name in checked(report)['hosts'] if name[0] == 'h')}",
        "status=affected",
    ) in found


@pytest.mark.parametrize(
    ("host", "code", "begins"),
    [
        ("lost", 1, "affected: UDP and TCP are lost"),
        ("soon", 1, "exposed: "),
        ("gone", 2, "unknown: unreachable"),
        ("kept", 0, "mitigated: "),
        ("good", 0, "unaffected: "),
    ],
)
def test_node_problem_detector_is_told_the_status(host: str, code: int, begins: str) -> None:
    found, line = npd(format_reports.report(), host)
    assert found == code and line.startswith(begins)


def test_an_old_report_says_nothing_about_now() -> None:
    assert npd(format_reports.report(), "good", age=7201, oldest=7200) == (2, "vxlan_offload: the report is 2.0 h old")
    assert npd(format_reports.report(), "good", age=7200, oldest=7200)[0] == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_the_line_is_one_line_of_80_bytes(text: str) -> None:
    _code, line = npd(format_reports.spiked(text), "lost2")
    assert line.isascii() and line.isprintable() and 0 < len(line) <= 80


def test_which_host_is_meant_must_be_clear() -> None:
    with pytest.raises(ValueError, match="the report has 7 hosts: name one with --host"):
        npd(format_reports.report())
    with pytest.raises(ValueError, match="host nobody is not in the report"):
        npd(format_reports.report(), "nobody")


# What is no report

RENDERERS: list[Callable[[Any], Any]] = [junit, markdown, lambda report: textfile(report, MADE), lambda report: npd(report, "lost")]
BROKEN: dict[str, Any] = {
    "a list": [],
    "null": None,
    "no hosts": {"schema": 1},
    "hosts are a list": {"schema": 1, "hosts": []},
    "another schema": format_reports.report(schema=2),
    "true as schema": format_reports.report(schema=True),
    "no summary": format_reports.report(summary=None),
    "names are a text": format_reports.report(summary={"not_checked": "abc"}),
    "a number as a name": format_reports.report(summary={"not_checked": [1]}),
    "parts are a list": format_reports.report(parts=[1]),
    "a host is a text": format_reports.report(hosts={"lost": "affected"}),
    "an unknown status": format_reports.report(hosts={"lost": {"status": "fine"}}),
    "a status that is a list": format_reports.report(hosts={"lost": {"status": ["affected"]}}),
    "an action that is none": format_reports.report(
        hosts={"lost": {"status": "affected", "tcp": "ok", "udp": "ok", "summary": "x", "action": None}}
    ),
    "two names that print as one": format_reports.report(hosts={"a\x01": {}, "a\x02": {}}),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("renderer", RENDERERS)
def test_what_is_no_report_is_refused_in_one_line(renderer: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(ValueError) as caught:
        renderer(BROKEN[name])
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 20


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": ' + "9" * 5000 + ', "hosts": {}}', "\x00", "nul"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


@pytest.mark.parametrize("name", ["junit", "markdown", "textfile"])
def test_the_role_and_the_script_make_the_same(name: str) -> None:
    direct = {"junit": junit, "markdown": markdown, "textfile": lambda report: textfile(report, MADE)}[name]
    assert render(name, format_reports.report(), MADE) == direct(format_reports.report())
