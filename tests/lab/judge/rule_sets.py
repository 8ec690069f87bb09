# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rule set as it is loaded: what hypothesis makes, what a failure prints and what a named case keeps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.ruleset import BUILT_IN

# backend -> table -> chain -> rules
Tables = dict[str, dict[str, list[str]]]

# Which tables there are, and which of two nat tables the kernel asks first.
STANDS = ("nft", "legacy", "nft_then_legacy", "legacy_then_nft", "native_then_nft", "nft_then_native")
BACKENDS = {
    "nft": ("nft",), "legacy": ("legacy",), "nft_then_legacy": ("nft", "legacy"), "legacy_then_nft": ("legacy", "nft"),
    "native_then_nft": ("nft",), "nft_then_native": ("nft",),
}  # fmt: skip
DEVICES = {"vxlan.calico": True, "flannel.1": False}  # whether the outer UDP checksum is written


@dataclass(frozen=True)
class RuleSet:
    """`native`: kube-proxy's nftables table, or nothing. `offload`: tx-checksum-ip-generic of the VXLAN device."""

    stand: str = "nft"
    device: str = "vxlan.calico"
    offload: bool = True
    rules: dict[str, Tables] = field(default_factory=dict)
    native: str = ""

    def __repr__(self) -> str:
        return self.as_json()

    def as_json(self) -> str:
        """What replay reads back."""
        return json.dumps(asdict(self), indent=1)


def from_json(text: str) -> RuleSet:
    found: dict[str, Any] = json.loads(text)
    return RuleSet(**found)


def restore_text(tables: Tables) -> str:
    """For iptables-restore: these tables and no others."""
    lines = []
    for table, chains in tables.items():
        lines.append("*" + table)
        lines += [":%s ACCEPT [0:0]" % name for name in BUILT_IN[table]]
        lines += [":%s - [0:0]" % name for name in chains if name not in BUILT_IN[table]]
        lines += ["-A %s %s" % (name, rule) for name, rules in chains.items() for rule in rules]
        lines.append("COMMIT")
    return "\n".join(lines) + "\n"
