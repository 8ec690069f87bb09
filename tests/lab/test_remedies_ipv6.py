# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies on nodes whose tunnels run over IPv6, alone or beside IPv4: packets of each family are the judge."""

from __future__ import annotations

from typing import Any

import pytest
from test_remedies import BROKEN, CURED, RISKY, Case, Story, changes

CASES = tuple(
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


@pytest.fixture(scope="module")
def story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(make_lab, CASES, tmp_path_factory.mktemp("story"))


@pytest.mark.parametrize("case", CASES, ids="-".join)
class TestEachRemedy:
    def test_the_node_really_fails_before_and_after(self, story: Story, case: Case) -> None:
        assert story.packets_before[story.nodes[case]] == story.packets_reverted[story.nodes[case]] == BROKEN

    def test_packets_of_all_families_are_cured(self, story: Story, case: Case) -> None:
        seen = [one for one in story.apply.results if one["host"] == story.nodes[case]]
        assert [one["result"].get("msg") for one in seen if one["status"] == "failed"] == []
        assert story.packets_applied[story.nodes[case]] == CURED

    def test_check_mode_changes_nothing_and_predicts_what_the_run_does(self, story: Story, case: Case) -> None:
        node = story.nodes[case]
        assert story.after_check[node] == story.before[node]
        assert changes(story.check, node) == changes(story.apply, node) != []

    def test_a_second_run_changes_nothing(self, story: Story, case: Case) -> None:
        assert changes(story.again, story.nodes[case]) == []

    def test_revert_is_exact(self, story: Story, case: Case) -> None:
        node = story.nodes[case]
        assert story.after_revert[node] == story.before[node]
        assert changes(story.revert_again, node) == []
