# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature words of the kernel, the plan of requested bits, and what follows from them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import ethtool, features
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

NAMES = ["tx-scatter-gather", "", "tx-checksum-ip-generic", "tx-tcp-segmentation", "loopback"]
CHECKSUM = "tx-checksum-ip-generic"
ALL = 0b01101


def words(requested=ALL, active=ALL):
    return [(ALL, requested, active, 0)]


def test_a_feature_that_is_not_available_or_never_changes_is_fixed():
    found = ethtool.decode(["a", "b", "c"], [(0b011, 0b011, 0b110, 0b010)])
    assert found["a"] == {"requested": True, "active": False, "fixed": False}
    assert found["b"] == {"requested": True, "active": True, "fixed": True}
    assert found["c"] == {"requested": True, "active": True, "fixed": True}


def test_bits_beyond_the_first_word():
    names = ["x%d" % number for number in range(40)]
    found = ethtool.decode(names, [(0, 0, 0, 0), (1 << 7, 1 << 7, 0, 0)])
    assert found["x39"] == {"requested": True, "active": False, "fixed": False}
    assert ethtool.encode(names, {"x39": True, "x0": False}) == struct.pack("=IIII", 1, 0, 1 << 7, 1 << 7)


@given(st.integers(0, ALL).map(lambda n: n & ALL), st.dictionaries(st.sampled_from([NAMES[0], NAMES[2], NAMES[3]]), st.booleans()))
def test_the_second_plan_is_empty_and_the_way_back_is_the_identity(requested, wanted):
    before = features.predict(ethtool.decode(NAMES, words(requested, requested)), {})
    changes = features.plan("d", before, wanted)
    after = features.predict(before, changes)
    assert features.plan("d", after, wanted) == {}
    back = {name: before[name]["requested"] for name in changes}
    restored = features.predict(after, features.plan("d", after, back))
    assert {n: f["requested"] for n, f in restored.items()} == {n: f["requested"] for n, f in before.items()}


def test_without_the_checksum_segmentation_is_inactive_but_still_requested():
    before = ethtool.decode(NAMES, words())
    after = features.predict(before, features.plan("d", before, {CHECKSUM: False}))
    assert after["tx-tcp-segmentation"] == {"requested": True, "active": False, "fixed": False}
    assert features.predict(after, {CHECKSUM: True}) == before


def test_a_requested_feature_that_is_inactive_can_still_be_cancelled():
    found = ethtool.decode(NAMES, words(active=0b00001))
    assert features.plan("d", found, {"tx-tcp-segmentation": False}) == {"tx-tcp-segmentation": False}


def test_refusals():
    found = ethtool.decode(NAMES, words())
    with pytest.raises(NodeError, match="device d has no feature tx-nope"):
        features.plan("d", found, {"tx-nope": True})
    with pytest.raises(NodeError, match="feature loopback of device d is fixed"):
        features.plan("d", found, {"loopback": True})
    assert features.plan("d", found, {"loopback": False}) == {}
