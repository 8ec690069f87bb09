# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An hour of a cluster's life (LONG_RUN_SECONDS) on 20 treated nodes: what docs/long-run.md promises, held against every single query."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Any

import pytest
import story
from resources import different_files
from run import TRACKED, LongRun, Options
from stream import PERIOD
from windows import PROMISED, place

from lab import scenarios


@pytest.fixture(scope="module")
def run(make_lab: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> LongRun:
    seconds = float(os.environ.get("LONG_RUN_SECONDS", "20"))
    chosen = os.environ.get("LONG_RUN_SCENARIOS", "").split() or list(story.METHODS)
    seed = int(os.environ.get("LONG_RUN_SEED", "1"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside, it takes its lab down all the same
    begun = time.monotonic()
    report = request.config.pluginmanager.getplugin("terminalreporter")

    def tell(text: str) -> None:
        report.write_line("%5.0f s  %s" % (time.monotonic() - begun, text))

    with pytest.MonkeyPatch.context() as patch:
        # What is left in the folder of temporary files is then surely ours.
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        methods = story.methods(chosen)
        lab = make_lab(*chosen, backend="both", nodes=len(methods) + 1)
        done = LongRun(lab, methods, story.control(chosen), tmp_path_factory.mktemp("long-run"), Options(seconds, seed, tell))
    if done.apply.returncode == 0:
        request.config.stash.setdefault(pytest.long_run_table, []).extend(done.table())  # type: ignore[attr-defined]
    return done


def test_apply_and_revert_succeed(run: LongRun) -> None:
    assert run.apply.returncode == 0, run.apply.output
    assert run.revert.returncode == 0, run.revert.output


def test_the_traffic_can_fail(run: LongRun) -> None:
    """The node that was left as it is: every UDP query is lost and every TCP connection loses its first SYN."""
    lost = Counter(one.kind for one in run.stream.lost if one.node == run.control)
    for kind in ("udp", "tcp"):
        # One in 28,000 keeps its port by chance, and the last ones may have been cut off.
        assert lost[kind] >= run.stream.sent[run.control, kind] * 0.98 - 1 > 10


def test_every_node_asked_all_the_time(run: LongRun) -> None:
    wanted = (run.ended - run.started) / PERIOD
    for (node, kind), count in run.stream.sent.items():
        assert count >= wanted * 0.5, (node, kind)


def test_no_query_is_lost_outside_of_the_promised_windows(run: LongRun) -> None:
    outside = [one for one in run.stream.lost if one.node != run.control and place(one, run.windows.all) == "outside"]
    assert ["%s %s at %.2f s" % (one.node, one.kind, one.at - run.started) for one in outside] == []


def test_after_a_window_only_flows_of_the_window_are_still_lost(run: LongRun) -> None:
    """A fresh socket shares the outer port of such a flow about once in a thousand."""
    assert run.lost()["tail"] <= 2 + sum(run.stream.sent.values()) / 1000


@pytest.mark.parametrize("kind", list(PROMISED))
def test_no_window_is_longer_than_promised(run: LongRun, kind: str) -> None:
    """A window that was never closed has no end."""
    assert [one for one in run.windows.all if one.kind == kind and one.length > PROMISED[kind]] == []


def test_everything_happened(run: LongRun) -> None:
    assert set(run.happened) == {*(kind.name for kind in story.KINDS), "apply again"}
    kept = [node for node in run.nodes if any(unit.in_kube_chain for unit in run.by_node[node])]
    assert run.erased >= len(kept) and (run.systemd.runs["runs, with a timer"] > 0) >= bool(kept)
    bound = [node for node in run.nodes if any(unit.device for unit in run.by_node[node])]
    assert run.systemd.runs["devices announced"] == sum(one.node in bound for one in run.windows.all if one.kind == "device made again")
    assert {len(run.by_node[node]) for node in run.nodes if not node.startswith("calico_3_29")} == {1}


def test_no_unit_has_failed(run: LongRun) -> None:
    """Each of its commands had 64 MiB of memory at most."""
    assert run.systemd.failed == [] and run.systemd.commands > 0


def test_applying_again_changes_nothing(run: LongRun) -> None:
    assert run.changed_again == []


def test_no_rules_units_files_processes_or_routes_have_been_added(run: LongRun) -> None:
    for node in run.nodes:
        applied, treated = ({**seen[node], "contents": None} for seen in (run.applied, run.treated))
        # A rule may have changed its place (Felix and kube-proxy put theirs on top), never its number.
        assert {**treated, "rules": sorted(treated["rules"])} == {**applied, "rules": sorted(applied["rules"])}, node
        assert different_files(run.applied[node]["contents"], run.treated[node]["contents"]) == [], node


def test_conntrack_entries_stay_bounded_and_expire(run: LongRun) -> None:
    """Six entries for the two queries of a period (inner, outer, outer answer), remembered for 30 s; twice that with what apply asks."""
    assert run.most_conntrack() <= 2 * 6 * TRACKED / PERIOD
    assert run.idle == dict.fromkeys(run.nodes, 0)


def test_revert_leaves_what_was_there_before(run: LongRun) -> None:
    for node in run.nodes:
        before, after = run.before[node], run.after[node]
        assert different_files(before["contents"], after["contents"]) == [], node
        assert {**after, "contents": None} == {**before, "contents": None}, node


def test_the_controller_keeps_nothing(run: LongRun) -> None:
    before, after = run.controller_before, run.controller_after
    assert {key: after[key] for key in after if key != "memory MB"} == {key: before[key] for key in before if key != "memory MB"}
    assert after["memory MB"] <= before["memory MB"] + 32


def test_the_fleet_has_all_kinds() -> None:
    kinds = [scenarios.get(name) for name in story.METHODS]
    assert {one.cni.plugin for one in kinds} == {"calico", "flannel"} and {one.proxy.mode for one in kinds} == {"iptables", "nftables"}
    assert min(one.proxy.release for one in kinds) < (18, 0) and max(one.proxy.release for one in kinds) > (30, 0)
    assert len(story.methods()) == 20
