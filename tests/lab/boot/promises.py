# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each remedy promises after what a node goes through: the seconds until it is in force again.

The tests measure it, and docs/survival.md says it.
"""

from __future__ import annotations

import re

TIMER = 17  # 15 s, and the run itself on a busy node
DEVICE = 2  # udev tells systemd, systemd starts the unit
NO_GAP = 0

EVENTS = {
    "reboot_device_first": "reboot; the CNI's device is there before our unit",
    "reboot_device_late": "reboot; device and rules come 3 s after our unit",
    "device_recreated": "the CNI makes its VXLAN device anew",
    "kube_proxy_sync": "kube-proxy sync (1.28: a partial one)",
    "kube_proxy_restart": "kube-proxy restart (a full sync)",
    "cni_refresh": "CNI restart: Felix orders its jumps, cleans its routes",
    "tables_flushed": "`iptables -F` in raw, mangle and nat",
    "saved_rules_restored": "`iptables-restore` of older rules, without --noflush",
    "firewall_reloaded": "a firewall that flushes the whole ruleset at its reload",
}
_FLUSHES = ("tables_flushed", "saved_rules_restored", "firewall_reloaded")
_REBOOTS = ("reboot_device_first", "reboot_device_late")
# Of each remedy: the events that hit it, and how fast it is back. What is not named does not reach it.
HIT: dict[str, dict[str, int]] = {
    # At boot their service has run before the agents make the tunnel.
    "clear_mark": dict.fromkeys(_FLUSHES, TIMER),
    "notrack": dict.fromkeys(_FLUSHES, TIMER),
    "tx_checksum_off": dict.fromkeys((*_REBOOTS, "device_recreated"), DEVICE),
    # Felix removes it when it starts, and again every 90 s.
    "service_route": {"device_recreated": DEVICE, **dict.fromkeys((*_REBOOTS, "cni_refresh"), TIMER)},
    # Agents insert their jumps before it, and it must be first.
    "underlay_accept": dict.fromkeys((*_FLUSHES, *_REBOOTS, "cni_refresh", "kube_proxy_sync", "kube_proxy_restart"), TIMER),
    "masquerade_without_random": dict.fromkeys((*_FLUSHES, *_REBOOTS, "kube_proxy_sync", "kube_proxy_restart"), TIMER),
    "kube_postrouting_detached": dict.fromkeys((*_FLUSHES, *_REBOOTS, "kube_proxy_sync", "kube_proxy_restart"), TIMER),
}


def promised(method: str, event: str) -> int:
    return HIT[method].get(event, NO_GAP)


def table(measured: dict[str, dict[str, float]]) -> str:
    """Markdown: the promise, and in brackets the worst that was measured."""
    lines = ["| | " + " | ".join("`%s`" % method for method in HIT) + " |", "|---" * (len(HIT) + 1) + "|"]
    for event, text in EVENTS.items():
        lines.append("| %s | %s |" % (text, " | ".join(_cell(method, event, measured) for method in HIT)))
    return "\n".join(lines) + "\n"


def _cell(method: str, event: str, measured: dict[str, dict[str, float]]) -> str:
    seconds = promised(method, event)
    worst = measured.get(method, {}).get(event)
    seen = "" if worst is None else " (%.1f)" % worst
    return ("no gap" if seconds == NO_GAP else "%d s" % seconds) + seen


def without_figures(text: str) -> str:
    """A table without what was measured: that differs from run to run."""
    return re.sub(r" \(\d+\.\d\)", "", text)
