# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's text itself. What it does on a node: tests/lab/test_probe.py."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.action.node_info import PROBE, script

TEXT = PROBE.read_text(encoding="utf-8")


def test_what_is_sent_is_small():
    assert len(script({"gather_subset": ["all"], "changelog": True}).encode()) < 8192


def test_it_has_no_first_line_that_a_kernel_would_run():
    assert TEXT.startswith("# shellcheck shell=sh")


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash", "--posix"]])
def test_every_shell_can_read_what_is_sent(shell):
    text = script({"gather_subset": ["all"], "changelog": False})
    subprocess.run([*shell, "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash", "--posix"]])
def test_every_shell_can_read_it(shell):
    subprocess.run([*shell, "-n", str(PROBE)], check=True)


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash"]])
def test_a_script_cut_on_its_way_does_nothing(shell):
    end = TEXT.rindex("main")
    for length in range(0, end, 127):
        done = subprocess.run(shell, input=TEXT[:length], capture_output=True, text=True, check=False)
        assert done.stdout == "", length


def test_shellcheck_is_content():
    subprocess.run(["shellcheck", str(PROBE)], check=True)


@pytest.mark.parametrize("word", ["nft list ruleset", "nft list table", "modprobe", "iptables-save -t", "/sys/class/net", "<<"])
def test_it_uses_nothing_that_is_slow_or_changes_the_node(word):
    assert word not in TEXT


def test_it_writes_no_file():
    assert set(re.findall(r"(?<![<$-])>+ *([^\s;&|)]+)", re.sub(r"'[^']*'|#.*", "", TEXT))) <= {"/dev/null", "&1"}


def test_settings_travel_before_the_probe():
    text = script({"gather_subset": ["kernel", "links"], "changelog": True})
    assert text.startswith("subset='kernel links' changelog=1\nnl='\n")


def test_comments_and_indentation_stay_at_home():
    sent = script({"gather_subset": ["all"], "changelog": False}).splitlines()
    assert not [line for line in sent if line.startswith(("#", "\t"))]
    assert [line.strip() for line in TEXT.splitlines() if not line.strip().startswith("#")] == [line.strip() for line in sent[1:]]
