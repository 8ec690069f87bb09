# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes themselves: what is real in them, and what they say where they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from lab import holder, systemd_node
from lab.errors import LabError


@pytest.fixture(scope="module")
def lab(make_booted: Any) -> Any:
    return make_booted("pre_fix_kube_proxy")


def test_udev_makes_device_units_and_a_reboot_forgets_devices_and_rules_but_no_file(lab: Any) -> None:
    (node,) = lab.nodes
    unit = "sys-subsystem-net-devices-vxlan.calico.device"
    systemd_node.start_agents(lab.state, node)
    lab.run(node, "udevadm", "settle")
    assert lab.run(node, "systemctl", "is-active", unit).strip() == "active"
    assert "KUBE-SERVICES" in lab.run(node, "iptables-nft", "-t", "nat", "-S")
    lab.run(node, "touch", "/var/lib/kept")
    before = lab.run(node, "cat", "/proc/sys/kernel/random/boot_id")
    systemd_node.reboot(lab.state, node)
    assert systemd_node.booted(lab.state, node) == "running"
    assert lab.run(node, "cat", "/proc/sys/kernel/random/boot_id") != before
    assert lab.run(node, "systemctl", "is-active", unit, check=False).strip() == "inactive"
    assert "KUBE-SERVICES" not in lab.run(node, "iptables-nft", "-t", "nat", "-S")
    assert lab.run(node, "ls", "/var/lib/kept").strip() == "/var/lib/kept"


def test_a_node_has_its_own_processes_and_no_unit_of_this_machine(lab: Any) -> None:
    (node,) = lab.nodes
    assert lab.run(node, "cat", "/proc/1/comm").strip() == "systemd"
    enabled = lab.run(node, "sh", "-c", "find /etc/systemd/system -mindepth 2 -type l")
    assert enabled == ""


def test_halt_leaves_no_process_and_no_cgroup(make_booted: Any) -> None:
    lab = make_booted("no_vxlan")
    (node,) = lab.nodes
    identities = [lab.state.nodes[node]["holder"], lab.state.servers[node + systemd_node.MACHINE]]
    assert all(holder.is_running(one) for one in identities) and systemd_node.cgroups_of(lab.state)
    systemd_node.halt(lab.state)
    assert not any(holder.is_running(one) for one in identities)
    assert systemd_node.cgroups_of(lab.state) == []


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd_node, "NSPAWN", "/nonexistent/systemd-nspawn")
    with pytest.raises(LabError, match="missing /nonexistent/systemd-nspawn: lab/packages.sh tests/lab/boot/packages.txt"):
        systemd_node.check()
