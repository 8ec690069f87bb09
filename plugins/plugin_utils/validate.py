# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict checks of every value that a node or a user puts into a rule or a systemd unit."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_COMMAND = re.compile(r"ip6?tables(-nft|-legacy)?\Z")
_WORD = re.compile(r"[ -~]{1,256}\Z")


def interface(name: Any) -> str:
    """A network interface name."""
    if not isinstance(name, str) or not _INTERFACE.match(name):
        raise ValueError(f"interface name {name!r:.100} is not usable: letters, digits, '.', '_' and '-', at most 15")
    return name


def port(number: Any) -> str:
    """A UDP port as text."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise ValueError(f"UDP port {number!r:.100} is not usable: a number from 1 to 65535")
    return str(number)


def mark(number: Any) -> str:
    """A mark as hexadecimal text."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= 0xFFFFFFFF:
        raise ValueError(f"mark {number!r:.100} is not usable: a number of 32 bits that is not 0")
    return f"{number:#x}"


def service_networks(text: Any) -> list[str]:
    """The networks of a service CIDR; dual-stack clusters write two, with a comma."""
    found = []
    for part in str(text or "").split(","):
        if not part.strip():
            continue
        try:
            net = ipaddress.ip_network(part.strip())
        except ValueError as error:
            raise ValueError(f"service CIDR {part.strip()!r:.100} is not a network: {str(error)[:200]}") from None
        if net.prefixlen == 0:
            raise ValueError(f"service CIDR {part.strip()!r:.100} would route everything: give the cluster's service CIDR")
        found.append(str(net))
    return found


def iptables_command(name: Any) -> str:
    """The absolute path of an iptables command."""
    if not isinstance(name, str) or not _COMMAND.match(name):
        raise ValueError(f"iptables command {name!r:.100} is not usable: iptables, iptables-nft or iptables-legacy")
    return f"/usr/sbin/{name}"


def word(text: Any) -> str:
    """One argument of a command in a unit: printable, no line breaks."""
    if not isinstance(text, str) or not _WORD.match(text):
        raise ValueError(f"argument {text!r:.100} is not usable in a systemd unit: printable ASCII only")
    return text
