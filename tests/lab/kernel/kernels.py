# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels that lab/kernel/build.sh makes, and which defect each of them has: known from its source, not from our tables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lab.kernel.table import REMEDIES


@dataclass(frozen=True)
class Kernel:
    """`remedies_on` is the checksum mode whose failure the remedies are tried on by ansible-playbook; empty: nothing fails."""

    name: str
    source: str
    zero_checksum: str
    lco_checksum: str
    remedies_on: str
    methods: tuple[str, ...] = ()

    def broken(self, mode: str) -> bool:
        """Whether NAT of the tunnel packet breaks the checksum of a device with this checksum mode."""
        return (self.lco_checksum if mode == "udpcsum" else self.zero_checksum) == "present"


# Guests are slow, and most of their time is ansible-playbook's start. KERNEL_LAB_SHORT leaves to it what nothing else shows: two
# remedies on the kernel with the other defect. This machine's kernel has the plain one's, and the table runs all eight on both.
SHORT = bool(os.environ.get("KERNEL_LAB_SHORT"))
BY_PLAYBOOK = ("clear_mark", "tx_checksum_off") if SHORT else REMEDIES
SERIES = "6.1"  # Debian 12's, on which docs/kernel-lab.md was measured
KERNELS = (
    Kernel("zero_checksum", "Linux 6.1 with ea64d8d6c675 turned back", "present", "present", "noudpcsum", BY_PLAYBOOK),
    Kernel("plain", "Linux 6.1 as Debian has it", "absent", "present", "udpcsum", () if SHORT else REMEDIES),
    Kernel("no_lco_checksum", "Linux 6.1 with a patch of ours that updates a complete sum as one", "absent", "absent", ""),
)
BY_NAME = {kernel.name: kernel for kernel in KERNELS}
