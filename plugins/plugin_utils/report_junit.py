# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet report as JUnit XML: one test case for each host, red where a node needs somebody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from xml.etree import ElementTree

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import (
    checked,
    incomplete_parts,
    not_checked,
    shortened,
    worst_first,
)

SUITE = "kubenet.vxlan_offload"
# A node that is exposed fails with the next change of a route or of the rules: a CI that shows it green is of no use.
FAILURES = ("affected", "exposed")
_LONGEST = 400


def _case(suite: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": SUITE, "name": name, "time": "0"})


def _outcome(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, tag, {"type": kind, "message": shortened(message, _LONGEST)}).text = text


def _detail(host: Mapping[str, Any]) -> str:
    """What a failure shows when it is opened."""
    lines = [f"what to do: {host['action']}", f"tcp: {host['tcp']}", f"udp: {host['udp']}"]
    for name, one in host.get("conditions", {}).items():
        lines.append(f"{name}: {one.get('holds', 'unknown')}, {one.get('evidence', '')}")
    lines += [f"not known: {one.get('fact')}, {one.get('reason')}: {one.get('how')}" for one in host.get("missing", [])]
    return "\n".join(lines)


def _host(suite: ElementTree.Element, name: str, host: Mapping[str, Any], fail_on: Collection[str]) -> None:
    case = _case(suite, name)
    if host["status"] == "unknown":
        _outcome(case, "error", "unknown", f"unknown: {host['summary']}", _detail(host))
    elif host["status"] in fail_on:
        _outcome(case, "failure", host["status"], f"{host['status']}: {host['summary']}", _detail(host))
    else:
        ElementTree.SubElement(case, "system-out").text = f"{host['status']}: {host['summary']}"


def junit(report: Mapping[str, Any], fail_on: Collection[str] = FAILURES) -> str:
    """JUnit XML as Jenkins and GitLab read it.

    A host with a status of `fail_on` is a failure. One that is unknown or was not checked is an error, and so is an incomplete part:
    nobody knows how those nodes are. The others pass. Raises ValueError when `report` is no fleet report.
    """
    found = checked(report)
    suite = ElementTree.Element("testsuite")
    for name, host in worst_first(found):
        _host(suite, name, host, fail_on)
    for name in not_checked(found):
        _outcome(_case(suite, name), "error", "not_checked", "not checked: the run did not read this host", "run again for this host")
    for name, reason in incomplete_parts(found).items():
        _outcome(_case(suite, f"part {name}"), "error", "incomplete", f"incomplete: {reason}", reason)
    counts = {
        "tests": str(len(suite)), "failures": str(len(suite.findall("*/failure"))),
        "errors": str(len(suite.findall("*/error"))), "skipped": "0", "time": "0",
    }  # fmt: skip
    suite.attrib.update({"name": SUITE, **counts})
    root = ElementTree.Element("testsuites", {"name": SUITE, **{key: value for key, value in counts.items() if key != "skipped"}})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
