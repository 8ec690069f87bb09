# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of the long run can say no: what counts as inside of a window, which window is closed by whom, what the kernel announces."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import resources
import story
import units_run
from windows import TAIL, Loss, Window, Windows, place

WINDOW = Window("a", "erased by a sync", 10.0, end=20.0)
PLACES = [
    ("a", 9.5, "outside"),
    ("a", 9.9, "erased by a sync"),  # on its way when the rule went
    ("a", 15.0, "erased by a sync"),
    ("a", 20.0, "erased by a sync"),
    ("a", 20.1, "tail"),
    ("a", 20.0 + TAIL + 0.1, "outside"),
    ("b", 15.0, "outside"),  # the window of another node is no excuse
]


@pytest.mark.parametrize(("node", "at", "expected"), PLACES)
def test_where_a_loss_falls(node: str, at: float, expected: str) -> None:
    assert place(Loss(node, "udp", at), [WINDOW]) == expected


def test_a_window_ends_when_everybody_has_done_their_part() -> None:
    windows, now = Windows(), time.monotonic()
    windows.open("a", "device made again", ["agent", "unit"], now)
    later = time.monotonic()
    windows.close("a", "agent", later, later + 0.1)
    windows.close("b", "unit", later, later + 0.1)
    assert [one.end for one in windows.all] == [None]
    windows.close("a", "unit", later, now + 0.4)
    assert [one.length for one in windows.all] == [pytest.approx(0.4)] and windows.still_open() == []


def test_what_began_before_the_last_breakage_does_not_close_a_window() -> None:
    windows, start = Windows(), time.monotonic()
    windows.open("a", "erased by a sync", ["unit"], start)
    between = time.monotonic()
    windows.open("a", "erased by a sync", ["unit"], start + 1)
    windows.close("a", "unit", between, between + 1)
    assert [one.length for one in windows.still_open()] == [float("inf")]
    windows.close("a", "unit", time.monotonic(), start + 5)
    assert [(one.start, one.end) for one in windows.all] == [(start, start + 5)]


@pytest.mark.parametrize("seconds", [20.0, 240.0, 3600.0])
def test_a_plan_is_the_same_for_a_seed_and_reaches_every_node(seconds: float) -> None:
    nodes = list(story.methods())
    events = story.plan(seconds, nodes, 1)
    assert events == story.plan(seconds, nodes, 1) != story.plan(seconds, nodes, 2)
    assert all(0 <= one.at < seconds for one in events) and [one.at for one in events] == sorted(one.at for one in events)
    for kind in story.KINDS:
        reached = {one.node for one in events if one.kind == kind.name}
        assert reached == set(nodes) if kind.least >= 1 else len(reached) > 4
    assert all(0 < at < seconds for at in story.reapplies(seconds)) and story.reapplies(seconds)


def test_new_links_are_read_as_the_kernel_announces_them() -> None:
    """In a network namespace of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # no test runs here, and nothing of pytest
        try:
            from lab import namespaces

            namespaces.unshare(namespaces.CLONE_NEWNET)
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
                channel.bind((0, 1))
                channel.settimeout(5)
                os.spawnlp(os.P_WAIT, "ip", "ip", "link", "add", "vxlan.calico", "type", "vxlan", "id", "1", "dstport", "4789")
                os.write(write, repr(units_run.new_links(channel.recv(65536))).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as stream:
        assert stream.read().startswith("[(2, 'vxlan.calico')")


def test_a_file_that_was_added_changed_or_left_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").write_text("a", encoding="utf-8")
    (tmp_path / "changed").write_text("a", encoding="utf-8")
    before = {str(path): resources.describe(str(path)) for path in tmp_path.iterdir()}
    (tmp_path / "changed").chmod(0o700)
    (tmp_path / "left.wants").mkdir()
    after = {str(path): resources.describe(str(path)) for path in tmp_path.iterdir()}
    (tmp_path / "left.wants").rmdir()  # what the host has at that path: nothing
    assert resources.different_files(before, after) == [str(tmp_path / "changed"), str(tmp_path / "left.wants")]


def test_units_are_read_from_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import units

    rule: dict[str, Any] = {"table": "nat", "chain": "KUBE-POSTROUTING", "rule": ["-m", "mark", "-j", "MASQUERADE"], "state": "present"}
    written = [units.device_unit("tx_checksum_off", "flannel-v6.1", [["/usr/sbin/ethtool", "-K", "flannel-v6.1", "tx", "off"]])]
    written += units.kept_units("masquerade_without_random", [("iptables-nft", rule)])
    for unit in written:
        (tmp_path / unit["name"]).write_text(unit["content"], encoding="utf-8")
    monkeypatch.setattr(units_run, "folder_of", lambda pid: str(tmp_path))
    kept, bound = sorted(units_run.units_of("a", 1), key=lambda unit: unit.device)
    assert (kept.every, kept.in_kube_chain, kept.device) == (15.0, True, "")
    assert (bound.every, bound.in_kube_chain, bound.device) == (0.0, False, "flannel-v6.1")
    assert bound.commands == [(["/usr/sbin/ethtool", "-K", "flannel-v6.1", "tx", "off"], False)]
