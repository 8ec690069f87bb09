# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printed rules to arguments and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import rule_text

# as printed by iptables 1.8.9, both backends
PRINTED = [
    ('-m comment --comment "a \\\'b\\\' \\"c\\" $x" -j RETURN', ["-m", "comment", "--comment", "a 'b' \"c\" $x", "-j", "RETURN"]),
    ("! -s 10.244.0.0/16 -j MASQUERADE --random-fully", ["!", "-s", "10.244.0.0/16", "-j", "MASQUERADE", "--random-fully"]),
    ('-m comment --comment "cali:O3lYWMrLQYEMJtB5" -j A', ["-m", "comment", "--comment", "cali:O3lYWMrLQYEMJtB5", "-j", "A"]),
    ("", []),
]


@pytest.mark.parametrize(("text", "words"), PRINTED)
def test_split(text, words):
    assert rule_text.split(text) == words


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1)))
def test_split_is_the_inverse_of_join(words):
    assert rule_text.split(rule_text.join(words)) == words
