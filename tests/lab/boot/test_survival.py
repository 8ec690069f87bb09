# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes go through, on nodes that boot a real systemd with a real udev. Packets say when each remedy is in force again.

The tests are one story and run in this order: each begins with what the one before has left.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import promises
import pytest
from booted import BROKEN, CURED, REMEDIES, TABLES, failed_units

from lab import ruleset, systemd_node

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/survival.md"
BEGIN, END = "<!-- survival:begin -->\n", "<!-- survival:end -->\n"

STARTS = ("Starting ", "Started ", "Finished ", "Stopping ", "Stopped ")  # of systemd, for units that a device starts


def reboot_device_first(nodes: Any, node: str) -> None:
    systemd_node.reboot(nodes.state, node)
    systemd_node.make_device(nodes.state, node)
    assert systemd_node.booted(nodes.state, node) == "running", failed_units(nodes.state, node)
    nodes.agents(node).start()


def reboot_device_late(nodes: Any, node: str) -> None:
    systemd_node.reboot(nodes.state, node)
    assert systemd_node.booted(nodes.state, node) == "running", failed_units(nodes.state, node)
    time.sleep(3)
    systemd_node.start_agents(nodes.state, node)


def tables_flushed(nodes: Any, node: str) -> None:
    for table in ("raw", "mangle", "nat"):
        nodes.run(node, nodes.iptables(node), "-w", "30", "-t", table, "-F")
    nodes.rules_again(node)  # nothing reaches a Service until then


def saved_rules_restored(nodes: Any, node: str) -> None:
    command = [*ruleset.enter(nodes.state.pid(node)), nodes.iptables(node) + "-restore", "-w", "30"]
    subprocess.run(command, input=nodes.saved[node], text=True, check=True)


def firewall_reloaded(nodes: Any, node: str) -> None:
    nodes.run(node, "systemctl", "reload", "firewalld.service")
    nodes.rules_again(node)


ACTS = {
    "device_recreated": lambda nodes, node: nodes.agents(node).recreate_tunnel(),
    "kube_proxy_sync": lambda nodes, node: nodes.agents(node).sync(),
    "kube_proxy_restart": lambda nodes, node: nodes.agents(node).kube_proxy.start(),
    "cni_refresh": lambda nodes, node: nodes.agents(node).refresh_cni(),
    "tables_flushed": tables_flushed,
    "saved_rules_restored": saved_rules_restored,
    "firewall_reloaded": firewall_reloaded,
    "reboot_device_first": reboot_device_first,
    "reboot_device_late": reboot_device_late,
}


def test_the_saved_rules_have_every_table_and_none_of_ours(nodes: Any) -> None:
    """Else the restore of saved rules would hit nothing."""
    for saved in nodes.saved.values():
        assert [line for line in saved.splitlines() if line.startswith("*")] == ["*" + table for table in TABLES]
        assert "-A OUTPUT -p udp -m udp --dport 4789" not in saved


def test_the_units_are_known_to_systemd_and_clean(nodes: Any) -> None:
    for node in nodes.remedies:
        files = nodes.run(node, "sh", "-c", "ls /etc/systemd/system/vxlan-offload-*").split()
        assert "vxlan-offload" not in nodes.run(node, "systemd-analyze", "verify", *files, check=False)
        states = nodes.run(node, "systemctl", "is-enabled", *(os.path.basename(path) for path in files)).split()
        assert set(states) == {"enabled"}
        timers = [os.path.basename(path) for path in files if path.endswith(".timer")]
        assert not timers or nodes.run(node, "systemctl", "is-active", *timers, check=False).strip() == "active"
        assert bool(timers) == (nodes.remedies[node] != "tx_checksum_off")


@pytest.mark.parametrize("event", ACTS)
def test_after(event: str, nodes: Any) -> None:
    seen = nodes.go_through(event, lambda node: ACTS[event](nodes, node))
    late = {
        node: "%s: %.1f s" % (method, seen[node].outage())
        for node, method in nodes.remedies.items()
        if seen[node].outage() > promises.promised(method, event)
    }
    assert not late, "in force again later than promised after %s: %s" % (event, late)
    assert all(one.answered > 10 and one.strays() <= 3 for one in seen.values()), seen
    assert nodes.packets() == dict.fromkeys(nodes.remedies, CURED)


def test_a_device_that_comes_and_goes_is_set_each_time(nodes: Any) -> None:
    """More often than systemd would start a unit by default: five times in ten seconds."""
    for node in [node for node, method in nodes.remedies.items() if method in ("tx_checksum_off", "service_route")]:
        for _time in range(8):
            nodes.agents(node).recreate_tunnel()
            time.sleep(0.2)
    time.sleep(promises.DEVICE)
    assert nodes.packets() == dict.fromkeys(nodes.remedies, CURED)
    assert {node: failed_units(nodes.state, node) for node in nodes.remedies} == dict.fromkeys(nodes.remedies, "")


def test_what_should_have_been_hit_was_hit(nodes: Any) -> None:
    """A timer may run right after an event, so not each pair, but most of those with a timer must have lost queries."""
    pairs = [(method, event) for method, events in promises.HIT.items() for event, seconds in events.items() if seconds == promises.TIMER]
    hit = [pair for pair in pairs if nodes.measured[pair[0]][pair[1]] > 0]
    assert len(hit) > len(pairs) / 2, "only %s of %s" % (hit, pairs)


def test_nothing_has_failed_and_the_journal_is_quiet(nodes: Any) -> None:
    for node in nodes.remedies:
        assert failed_units(nodes.state, node) == ""
        lines = nodes.run(node, "journalctl", "--no-pager", "-q", "-o", "cat", "-u", "vxlan-offload-*.service", check=False).splitlines()
        said = [line for line in lines if not line.startswith(STARTS) and not line.endswith("Deactivated successfully.")]
        assert len(said) < 12, said  # what kube-proxy's missing chain says, and no line for each run of a timer


def test_the_promises_are_those_of_the_document(nodes: Any) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    made = promises.table(nodes.measured)
    if os.environ.get("BOOT_WRITE"):
        DOCUMENT.write_text(before + BEGIN + made + END + after, encoding="utf-8")
        table = made
    assert promises.without_figures(table) == promises.without_figures(made)


def left(nodes: Any, node: str) -> str:
    script = """
    systemctl list-unit-files --no-legend --no-pager 'vxlan-offload-*'
    systemctl list-units --all --no-legend --no-pager 'vxlan-offload-*'
    systemctl --failed --no-legend --no-pager
    find /etc/systemd/system /run/systemd/system -name '*vxlan*'
    ls -d /var/lib/vxlan-offload 2>/dev/null
    """
    return nodes.run(node, "sh", "-c", script, check=False)


def test_revert_after_reboots_leaves_nothing(nodes: Any) -> None:
    assert all(left(nodes, node) for node in REMEDIES)
    nodes.playbook("revert")
    assert {node: left(nodes, node) for node in REMEDIES} == dict.fromkeys(REMEDIES, "")
    time.sleep(promises.TIMER)  # nothing comes back by itself
    assert nodes.packets() == dict.fromkeys(REMEDIES, BROKEN)
