# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an apply has come on a node, and a node on which it fails half way."""

from __future__ import annotations

from typing import Any

PARTS = ("record.json", "vxlan-offload-clear_mark.service", "--set-xmark")


def traces(lab: Any, node: str) -> str:
    """What an apply leaves on a node: its record, its units, its rule."""
    look = "ls /var/lib/vxlan-offload /etc/systemd/system/vxlan-offload* 2>/dev/null; iptables-nft -t mangle -S OUTPUT"
    return str(lab.run(node, "sh", "-c", look))


def treated(lab: Any, node: str) -> bool:
    """The whole of it or nothing; anything between fails the test."""
    left = traces(lab, node)
    found = [part in left for part in PARTS]
    assert all(found) or not any(found), left
    return all(found)


def make_units_fail(lab: Any, node: str) -> None:
    """Units cannot be written, after the rule is set: their folder is read-only."""
    lab.run(node, "sh", "-c", 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"', "/etc/systemd/system")
