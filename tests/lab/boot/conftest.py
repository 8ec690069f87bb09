# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes with a systemd of their own: all of them are booted once, and share what they go through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
from booted import BROKEN, CURED, FIREWALL, FLUSH, NEWER, OLDER, REMEDIES, TABLES, Nodes, boot, put

from lab import systemd_node


@pytest.fixture(scope="module")
def make_booted(make_lab: Any) -> Iterator[Callable[..., Any]]:
    """make_lab, with all nodes booted; their cgroups go with the module."""
    states = []

    def make(*scenarios: str, **options: Any) -> Any:
        systemd_node.check()
        found = make_lab(*scenarios, kube_proxy_api=False, **options)
        states.append(found.state)
        boot(found.state, found.nodes)
        return found

    yield make
    for state in states:
        systemd_node.halt(state)


@pytest.fixture(scope="module")
def nodes(make_booted: Any) -> Nodes:
    """All remedies, applied on nodes that failed before."""
    lab = make_booted(OLDER, NEWER, backend="both", nodes=len(REMEDIES))
    found = Nodes(lab, REMEDIES)
    assert set(lab.nodes) == set(REMEDIES)
    for node in lab.nodes:
        put(lab.state, node, "/etc/lab-firewall.sh", FLUSH.format(iptables=found.iptables(node)))
        put(lab.state, node, "/etc/systemd/system/firewalld.service", FIREWALL)
        found.run(node, "systemctl", "daemon-reload")
        found.run(node, "systemctl", "enable", "--now", "firewalld.service")
        systemd_node.start_agents(lab.state, node)
        found.saved[node] = "".join(found.run(node, found.iptables(node) + "-save", "-t", table) for table in TABLES)
    assert found.packets() == dict.fromkeys(REMEDIES, BROKEN)
    found.playbook("apply")
    assert found.packets() == dict.fromkeys(REMEDIES, CURED)
    return found
