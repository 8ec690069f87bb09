# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record that may not be read is not a record that is not there. By the probe under both shells of nodes, and by the python reader."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import user

NODE = "pre_fix_kube_proxy_nft"
FOLDER = "/var/lib/vxlan-offload"
RECORD = {"schema": 1, "method": "clear_mark", "undo": [], "units": []}
NEEDS_ROOT = {"unknown": "needs root: run with become"}
READER = """
import json
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import files
print(json.dumps(files.applied()))
"""
READERS = ("sh", "busybox", "python")


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    found = make_lab("pre_fix_kube_proxy")
    user.add(found, NODE)
    return found


@pytest.fixture
def recorded(lab: Any) -> Iterator[None]:
    """With the modes that the role gives."""
    make = 'install -d -m 0700 "$0" && echo "$1" > "$0/record.json" && chmod 0600 "$0/record.json"'
    lab.run(NODE, "sh", "-c", make, FOLDER, json.dumps(RECORD))
    yield
    lab.run(NODE, "rm", "-r", FOLDER)


def applied(lab: Any, reader: str, prefix: list[str]) -> dict[str, Any]:
    if reader != "python":
        return dict(user.probe(lab, NODE, prefix, ["busybox", "sh"] if reader == "busybox" else ["/bin/sh"])["applied"])
    with user.readable_tree() as tree:
        command = user.enter(lab, NODE, [*prefix, "env", "PYTHONPATH=%s" % tree, user.PYTHON, "-B", "-c", READER])
        return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout))


@pytest.mark.parametrize("reader", READERS)
def test_a_record_that_only_root_may_read_is_unknown(reader: str, lab: Any, recorded: None) -> None:
    assert applied(lab, reader, user.only(())) == NEEDS_ROOT
    assert applied(lab, reader, [])["record"] == RECORD


@pytest.mark.parametrize("reader", READERS)
def test_where_no_record_is_nothing_was_applied(reader: str, lab: Any) -> None:
    assert applied(lab, reader, user.only(()))["record"] is None
