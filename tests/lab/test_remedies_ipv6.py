# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies on nodes whose tunnels run over IPv6, alone or beside IPv4: packets of each family are the judge."""

from __future__ import annotations

from typing import Any

import pytest
from test_remedies import RISKY, EachRemedy, Story, in_short

ALL_CASES = tuple(
    (scenario, backend, method)
    for scenario, backend, methods in (
        ("ipv6_pre_fix_kube_proxy", "nft", ("tx_checksum_off", "service_route", *RISKY)),
        ("ipv6_fixed_kube_proxy_calico_first", "legacy", ("auto", "notrack")),
        ("dual_stack_pre_fix", "nft", ("auto", "notrack", "service_route")),
        ("dual_stack_flannel", "legacy", ("clear_mark", "tx_checksum_off")),
        ("dual_stack_only_ipv6_fails", "nft", ("auto",)),
    )
    for method in methods
)
CASES = in_short(ALL_CASES)


@pytest.fixture(scope="module")
def story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(make_lab, CASES, tmp_path_factory.mktemp("story"))


@pytest.mark.parametrize("case", CASES, ids="-".join)
class TestEachRemedy(EachRemedy):
    """The worse of the two families is what a node of both is."""
