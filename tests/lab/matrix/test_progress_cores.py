# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback progress on each ansible-core, on a real terminal. What it shows in detail is tested in tests/lab/fleet/test_progress.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import environments
import pytest
import versions
from terminal import NAME, as_of_a_user, on_terminal, screen, ten_hosts


@pytest.mark.parametrize("controller", versions.CONTROLLERS, ids=lambda one: one.name)
def test_progress(controller: versions.Controller, folder: Path, collections: Path, tmp_path: Path) -> None:
    command = ten_hosts(environments.controller_home(folder, controller) / "bin", tmp_path / "report")
    environment = {**as_of_a_user(collections, tmp_path / "home"), "ANSIBLE_CALLBACKS_ENABLED": NAME}
    text = on_terminal(command, environment)
    counted = [int(number) for number in re.findall(r"Diagnose the nodes: read (\d+) of 10", text)]
    assert counted == sorted(counted) and set(counted) == set(range(11))
    assert "now: kubenet.vxlan_offload.diagnose : Read the node" in text
    rows = screen(text)
    assert "10 hosts: 6 affected, 3 exposed, 1 unknown" in rows and "    -> run with become: true" in rows, text
    # Its errors are warnings of Ansible's, in the middle of the output.
    assert "[WARNING]: Failure using method" not in text and "Traceback" not in text


@pytest.mark.parametrize("name", ["2.15-py3.9", "2.21-py3.13"])
def test_without_a_terminal_nothing_is_printed(name: str, folder: Path, collections: Path, tmp_path: Path) -> None:
    command = ten_hosts(environments.controller_home(folder, versions.BY_NAME[name]) / "bin", tmp_path / "report")
    environment = as_of_a_user(collections, tmp_path / "home")
    plain, seen = (
        subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=True)
        for more in ({}, {"ANSIBLE_CALLBACKS_ENABLED": NAME})
    )
    assert (seen.stdout, seen.stderr) == (plain.stdout, plain.stderr)
