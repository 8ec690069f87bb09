# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports, parts and options: files that anybody may have written, and words that a user typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from format_reports import report
from hostile import WORDS, json_values, mutated, plain, spoiled, tried, words
from hypothesis import given
from hypothesis import strategies as st
from run_folders import run_folder

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kubespray, releases, validate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import printable, published
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.part_files import read_parts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.parts import exit_code, merge_parts, part_lines
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.predict import predict
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.progress_text import summary_lines
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_formats import FILES, render
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import checked, parsed
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_textfile import npd

REPORT = report()
TEXT = json.dumps(REPORT, indent=1)
# What a terminal, a log or a page must not get from anybody's text.
FORBIDDEN = {
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    "\u061c",
    "\u200b",
    "\u200e",
    "\u2028",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\U000e0041",
} - {"\n"}


def one_line(error: ValueError) -> None:
    """The project's own words, printed as the scripts print them."""
    text = printable(str(error))
    assert "\n" not in text and len(text) < 6000 and "Traceback" not in text and "Exceeds" not in text


def all_formats(value: Any) -> None:
    try:
        found = checked(value)
    except ValueError as error:
        one_line(error)
        return
    for name in FILES:
        text = render(name, value, 0)
        if name != "html":
            assert not FORBIDDEN & set(text), name
        if name == "junit":
            ElementTree.fromstring(text)
    for line in summary_lines(found, 3, colour=False):
        assert not FORBIDDEN & set(line)
    code, line = npd(value, next(iter(found["hosts"]), "")) if found["hosts"] else (2, "x")
    assert code in (0, 1, 2) and line.isascii() and len(line) <= 80


@tried(60)
@given(spoiled([REPORT]))
def test_a_report_that_is_ours_but_for_some_places(value: Any) -> None:
    all_formats(value)


@tried(40)
@given(st.one_of(mutated([TEXT]), words))
def test_a_file_that_is_nearly_a_report(text: str) -> None:
    try:
        all_formats(parsed(text))
    except ValueError as error:
        one_line(error)


@pytest.mark.parametrize("word", WORDS)
def test_a_hostile_word_at_every_place_of_a_report(word: str) -> None:
    def swap(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {one: swap(found, one) for one, found in value.items()}
        if isinstance(value, list):
            return [swap(one) for one in value]
        return word if isinstance(value, str) and key not in ("status", "schema") else value

    value = swap(REPORT)
    value["hosts"] = {name + word: host for name, host in value["hosts"].items()}
    all_formats(value)


@tried(100)
@given(json_values())
def test_what_is_printed_has_no_control(value: Any) -> None:
    assert not FORBIDDEN & set(json.dumps(printable(value), ensure_ascii=False))


@tried(100)
@given(st.one_of(words, st.text("{%# }", max_size=12)))
def test_what_is_published_holds_no_template(text: str) -> None:
    verdict = {"status": "affected", "tcp": text, "udp": text, "summary": text, "action": text, "remedies": [{"what": text}]}
    report: Any = {"schema": 1, "hosts": {"node1": verdict}, "summary": {}, "lines": []}
    for detail in ("verdict", "diagnosis"):
        found = published(report, "diagnose", detail)["hosts"]["node1"]
        assert not any(start in found["summary"] for start in ("{{", "{%", "{#"))


# Parts


@tried(30)
@given(st.data())
def test_parts_of_a_run_with_spoiled_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("part")
    run_folder(folder / "good", host1="unaffected")
    run_folder(folder / "bad", host2="affected")
    files = sorted(path for path in (folder / "bad").rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    text = data.draw(st.one_of(mutated([path.read_text(encoding="utf-8")]), words))
    path.write_text(text, encoding="utf-8", errors="replace")
    found = merge_parts(read_parts([str(folder / "good"), str(folder / "bad")]), ["host1", "host2"])
    assert found["hosts"]["host1"]["status"] == "unaffected" or "host1" in found["duplicates"]
    assert exit_code(found) in (0, 2, 3) and all("\n" not in line for line in part_lines(found))


@pytest.mark.parametrize("name", ["rc", "status", "job_events"])
def test_a_pipe_or_a_device_in_a_part_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = run_folder(tmp_path / "part", host1="unaffected")
    target = folder / name if name != "job_events" else next((folder / name).glob("100-*"))
    target.unlink()
    os.mkfifo(target)
    assert merge_parts(read_parts([str(folder)]))["parts"]["part"]["status"] == "incomplete"


# Options


@tried(100)
@given(words, words)
def test_values_for_rules_and_units_are_refused_in_one_line(one: str, other: Any) -> None:
    for check in (validate.interface, validate.port, validate.mark, validate.service_networks, validate.iptables_command, validate.word):
        for value in (one, other, None, [one], 7.5):
            try:
                assert isinstance(check(value), (str, list))
            except ValueError as error:
                one_line(error)


@tried(100)
@given(words, st.one_of(words, json_values(1)))
def test_options_of_filters(word: str, value: Any) -> None:
    for call in (
        lambda: plan({}, word, False, word), lambda: predict({"kube_version": word, "encapsulation": value, "kernel": {"release": word}}),
        lambda: predict({"kernel": value, "masquerade_bit": value}),
        lambda: releases.kube_proxy(word), lambda: releases.calico(word), lambda: releases.flannel(word),
        lambda: kubespray.plan({"kube_version": value, "kube_network_plugin": word}, word, {}),
    ):  # fmt: skip
        try:
            call()
        except ValueError as error:
            one_line(error)


SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.mark.parametrize("text", ["\x1b[31m", "{", '{"schema": 1, "hosts": {"\u202e": 1}}', "[" * 50_000])
def test_the_scripts_say_one_line_to_a_terminal(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a\x1b[31m\u202eb.json"
    path.write_text(text, encoding="utf-8")
    for command in (["render_report.py", "--format", "junit", str(path)], ["fleet_parts.py", "merge", str(path)]):
        done = subprocess.run([sys.executable, str(SCRIPTS / command[0]), *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2, 3) and not FORBIDDEN & set(done.stderr + done.stdout), done
        assert "Traceback" not in done.stderr and len((done.stderr or "x\n").splitlines()) == 1
    plain("ok")
