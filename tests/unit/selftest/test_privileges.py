# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities decide, not the user id: what /proc/self/status says of root, of a user and of a restricted container."""

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.privileges import missing_capabilities

NEEDED = ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW"]
CASES = [
    ("root", "000001ffffffffff", []),
    ("a_user", "0000000000000000", NEEDED),
    ("a_container_by_default", "00000000a80425fb", ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]),
    ("a_container_that_may_change_the_network", "00000000a80435fb", ["CAP_SYS_ADMIN"]),
]


@pytest.mark.parametrize(("effective", "missing"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_capabilities_that_are_missing(effective, missing, tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tpython3\nUid:\t0\t0\t0\t0\nCapPrm:\t000001ffffffffff\nCapEff:\t%s\nCapBnd:\t000001ffffffffff\n" % effective)
    assert missing_capabilities(NEEDED, str(status)) == missing
