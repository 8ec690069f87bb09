# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a node's verdict needs the selftest of its kernel, and how its answer becomes a part of the facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.conditions import defects_for
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import Selftest
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import Facts, part, vxlan_devices

MODES = ("never", "auto", "always")
_LONGEST = 500
DEFECTS = ("zero_checksum", "lco_checksum")


def wanted(facts: Facts, mode: str) -> bool:
    """Whether the module is to run on this node: always, or when it has a VXLAN device whose kernel defect no table knows.

    Without the part `kernel` there is nothing that the answer could be added to.
    """
    kernel = part(facts, "kernel")
    if mode == "never" or kernel is None or not kernel.get("release"):
        return False
    status: Mapping[str, Any] = kernel_status(kernel)
    return mode == "always" or any(status[defect] == "unknown" for device in vxlan_devices(facts) for defect in defects_for(device))


def could_not(reason: str) -> Selftest:
    """The answer when the test could not be made."""
    return {"zero_checksum": "unknown", "lco_checksum": "unknown", "reason": reason[:_LONGEST], "source": "kernel_selftest"}


def answer(result: Mapping[str, Any]) -> Selftest:
    """What the module returned as a part of the facts. Whatever is no answer is unknown, with the reason."""
    if not all(result.get(name) in ("present", "absent", "unknown") for name in DEFECTS):
        said = next(iter(str(result.get("msg") or "").strip().splitlines()), "it gave no answer")
        return could_not(f"kernel_selftest did not run: {said}")
    zero, lco = (str(result[name]) for name in DEFECTS)
    return {"zero_checksum": zero, "lco_checksum": lco, "reason": str(result.get("reason") or "")[:_LONGEST], "source": "kernel_selftest"}


def added(facts: Facts, found: Selftest | None) -> dict[str, Any]:
    """The facts with the answer, None when the test was not made, in the part `kernel`, if that part was read."""
    kernel = part(facts, "kernel")
    return dict(facts) if kernel is None else {**facts, "kernel": {**kernel, "selftest": found}}
