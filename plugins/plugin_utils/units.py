# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units that bring a workaround back: after a reboot, with a re-created device, after a kube-proxy sync."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import validate

PREFIX = "vxlan-offload-"
ETHTOOL, IP = "/usr/sbin/ethtool", "/usr/sbin/ip"
# The role installs it beside the record when a unit names it; it checks before it changes, so a timer leaves no gap.
ENSURE_RULE = "/var/lib/vxlan-offload/ensure-rule.sh"
FIREWALLS = "network-pre.target firewalld.service iptables.service netfilter-persistent.service"
TIMER_SECONDS = 15
# What systemd may be late to save wakeups: a second by which the node would fail longer is worth more.
ACCURACY = "AccuracySec=100ms"
# An agent that makes its device anew cleans up a moment later: looked at sooner then.
SOON = ("OnActiveSec=3", "OnActiveSec=8")
# A device may come and go more than five times in ten seconds. In [Service], where releases before 230 look for it and later ones as well.
OFTEN = "StartLimitInterval=0"
# Else systemd writes three lines into the journal at each run (releases before 236 do not know it and say so). What the commands
# themselves have to say is worth a line.
QUIET = ("LogLevelMax=notice", "SyslogLevel=warning")
_PLAIN = re.compile(r"[A-Za-z0-9_./:,=!@+-]+")
_METHOD = re.compile(r"[a-z_]{1,40}\Z")


class Unit(TypedDict):
    """One unit file and the targets or devices that want it."""

    name: str
    content: str
    wanted_by: list[str]


def escape(text: str) -> str:
    """A name as systemd-escape(1) writes it: for the unit name of a network device."""
    out = []
    for at, character in enumerate(text):
        safe = character.isascii() and (character.isalnum() or character in ":_" or character == "." and at > 0)
        if character == "/":
            out.append("-")
        else:
            out.append(character if safe else "".join(f"\\x{byte:02x}" for byte in character.encode()))
    return "".join(out)


def quoted(word: str) -> str:
    """One argument of an ExecStart= line: specifiers, variables and quotation marks mean themselves."""
    text = validate.word(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if _PLAIN.fullmatch(word) else f'"{text}"'


def command(words: Sequence[str]) -> str:
    """A command line of a unit."""
    return " ".join(quoted(word) for word in words)


def _unit(name: str, lines: Sequence[str], wanted_by: str) -> Unit:
    return {"name": name, "content": "\n".join(lines) + "\n", "wanted_by": [wanted_by]}


def device_unit(method: str, device: str, commands: Sequence[Sequence[str]]) -> Unit:
    """A unit that runs whenever the device appears: at boot, and when its agent makes it again."""
    wanted = f"sys-subsystem-net-devices-{escape(validate.interface(device))}.device"
    lines = [
        "[Unit]", f"Description=vxlan_offload: {_checked(method)} on {device}", f"BindsTo={wanted}", f"After={wanted}", "",
        # ethtool lists all that it has changed, each time; its errors go to the journal.
        "[Service]", "Type=oneshot", "RemainAfterExit=yes", OFTEN, "StandardOutput=null",
        *(f"ExecStart={command(words)}" for words in commands), "",
        "[Install]", f"WantedBy={wanted}",
    ]  # fmt: skip
    return _unit(f"{PREFIX}{method}-{device}.service", lines, wanted)


def _checked(method: str) -> str:
    if not _METHOD.match(method):
        raise ValueError(f"method {method!r} is not usable in the name of a unit")
    return method


def kept_device_units(method: str, device: str, commands: Sequence[Sequence[str]]) -> list[Unit]:
    """The same with a timer, for what another agent takes away from a device that stays. The commands must leave no gap."""
    wanted = f"sys-subsystem-net-devices-{escape(validate.interface(device))}.device"
    bound = [f"BindsTo={wanted}", f"After={wanted}", ""]
    service = [
        "[Unit]", f"Description=vxlan_offload: {_checked(method)} on {device}", *bound,
        "[Service]", "Type=oneshot", OFTEN, *QUIET, *(f"ExecStart={command(words)}" for words in commands), "",
        "[Install]", f"WantedBy={wanted}",
    ]  # fmt: skip
    timer = [
        "[Unit]", f"Description=vxlan_offload: {method} on {device}, again and again", *bound,
        "[Timer]", *SOON, f"OnUnitActiveSec={TIMER_SECONDS}", ACCURACY, "",
        "[Install]", f"WantedBy={wanted}",
    ]  # fmt: skip
    name = f"{PREFIX}{method}-{device}"
    return [_unit(name + ".service", service, wanted), _unit(name + ".timer", timer, wanted)]


def kept_units(method: str, rules: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Unit]:
    """A service that puts rules back at boot, after the firewalls that would flush them, and its timer: whatever took them away,
    a kube-proxy sync, a flushed table, a firewall that was loaded again, they are back after TIMER_SECONDS."""
    lines = [
        "[Unit]", f"Description=vxlan_offload: {_checked(method)}", f"After={FIREWALLS}", f"RequiresMountsFor={ENSURE_RULE}", "",
        # Without RemainAfterExit: the timer starts it again and again.
        "[Service]", "Type=oneshot", *QUIET,
    ]  # fmt: skip
    for iptables, args in rules:
        state = "first" if args["state"] == "present" and args.get("position") == 1 else args["state"]
        words = ["/bin/sh", ENSURE_RULE, state, iptables, args["table"], args["chain"], *args["rule"]]
        # At boot kube-proxy's chain is not there yet; the timer comes again.
        early = any(word.startswith("KUBE-") for word in (args["chain"], *args["rule"]))
        lines.append(f"ExecStart={'-' if early else ''}{command(words)}")
    timer = [
        "[Unit]", f"Description=vxlan_offload: {method}, again and again", "",
        "[Timer]", f"OnBootSec={TIMER_SECONDS}", f"OnUnitActiveSec={TIMER_SECONDS}", ACCURACY, "",
        "[Install]", "WantedBy=timers.target",
    ]  # fmt: skip
    service = _unit(f"{PREFIX}{method}.service", [*lines, "", "[Install]", "WantedBy=multi-user.target"], "multi-user.target")
    return [service, _unit(f"{PREFIX}{method}.timer", timer, "timers.target")]
