# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What service_probe saw, beside what the facts say. Packets that were seen corrupted outrank any reading of rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CORRUPTED = "vxlan_checksum"
_LARGEST = 65_536
_KEPT = ("verdict", "reason", "udp", "tcp", "evidence")


def _protocol(probe: Mapping[str, Any], name: str) -> str:
    seen = probe.get(name)
    if not isinstance(seen, Mapping):
        return "unknown"
    answered, asked = (seen.get(key, 0) for key in ("answered", "asked"))
    if not isinstance(answered, int) or not isinstance(asked, int):
        return "unknown"
    lost = answered < asked or bool(seen.get("first_syn_lost"))
    return "broken" if lost else "ok"


def with_probe(diagnosis: Mapping[str, Any], probe: Any) -> dict[str, Any]:
    """The diagnosis with the probe's answer in `probe`; unchanged when nothing was asked."""
    if not isinstance(probe, Mapping) or probe.get("skipped") or probe.get("unreachable"):
        return dict(diagnosis)
    if not isinstance(probe.get("verdict"), str):
        failed = probe.get("msg")
        return {**diagnosis, "probe": {"verdict": "unknown", "reason": str(failed)}} if failed else dict(diagnosis)
    kept = {key: probe[key] for key in _KEPT if key in probe}
    if len(repr(kept)) > _LARGEST:
        kept = {"verdict": probe["verdict"][:80], "reason": "its evidence is larger than that of any node"}
    found = {**diagnosis, "probe": kept}
    if probe["verdict"] == CORRUPTED and diagnosis["status"] != "affected":
        found.update(
            status="affected",
            tcp=_protocol(probe, "tcp"),
            udp=_protocol(probe, "udp"),
            summary=f"packets were seen corrupted although the rules read {diagnosis['status']}: {probe.get('reason', '')}",
            action="apply with workaround_method=tx_checksum_off, and report this node's transcript: a rule was not understood",
        )
    return found


def remark(diagnosis: Mapping[str, Any]) -> str:
    """What to add to the host's line, empty when nothing was asked."""
    probe = diagnosis.get("probe")
    if not probe:
        return ""
    return "; asked: works" if probe["verdict"] == "works" else f"; asked: {probe['verdict']}, {probe.get('reason', '')}"
