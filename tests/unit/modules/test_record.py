# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a record, and what is refused with which words."""

from __future__ import annotations

import json

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import record

GOOD = {
    "schema": 1,
    "method": "notrack",
    "undo": [{"module": "netfilter_rule", "args": {"table": "raw"}}],
    "units": ["vxlan-offload-notrack.service"],
    "links": ["multi-user.target.wants/vxlan-offload-notrack.service"],
    "folders": ["sys-subsystem-net-devices-vxlan\\x2dcalico.device.wants"],
    "state": "begun",
}


def test_a_record_is_read_as_it_was_written():
    assert record.parse(json.dumps(GOOD)) == GOOD


@pytest.mark.parametrize("key", ["state", "links", "folders"])
def test_what_earlier_versions_did_not_write_may_be_missing(key):
    assert record.parse(json.dumps({name: value for name, value in GOOD.items() if name != key}))["method"] == "notrack"


@pytest.mark.parametrize(
    "key, value",
    [
        ("schema", None),
        ("schema", True),
        ("schema", "1"),
        ("method", "../notrack"),
        ("undo", {}),
        ("undo", [{"module": "command", "args": {}}]),
        ("undo", [{"module": "offload"}]),
        ("units", ["../passwd"]),
        ("units", ["vxlan-offload-a/../../passwd.service"]),
        ("units", [1]),
        ("links", ["vxlan-offload-notrack.service"]),
        ("links", ["../multi-user.target.wants/vxlan-offload-notrack.service"]),
        ("links", ["multi-user.target.wants/sshd.service"]),
        ("folders", ["..", "a.wants"]),
        ("folders", [".wants"]),
        ("state", "done"),
    ],
)
def test_what_would_be_removed_or_run_is_checked(key, value):
    with pytest.raises(ValueError, match=r"is no record of a workaround \(%s\): look at it" % key):
        record.parse(json.dumps({**GOOD, key: value}))


@pytest.mark.parametrize("length", range(len(json.dumps(GOOD))))
def test_no_beginning_of_a_record_is_a_record(length):
    with pytest.raises(ValueError, match=r"is (empty|no JSON): look at it"):
        record.parse(json.dumps(GOOD)[:length])


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("\0\0\0", "is empty"),
        ("{\0\0", "no JSON"),
        ("null", "no JSON object"),
        ("[1]", "no JSON object"),
    ],
)
def test_what_a_lost_power_or_a_mistake_leaves(text, reason):
    with pytest.raises(ValueError, match=reason):
        record.parse(text)


def test_a_newer_version_says_so():
    with pytest.raises(ValueError, match=r"newer version \(schema 2\): use that one"):
        record.parse(json.dumps({**GOOD, "schema": 2, "method": 7}))
