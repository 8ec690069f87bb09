# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices without routes, flow-based devices, several devices. Packets to each case: tests/lab/test_modes.py."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan

from . import build as b

LOST = ("affected", "broken", "broken")
FINE = ("unaffected", "ok", "ok")
AT_RISK = ("exposed", "at_risk", "at_risk")
IDLE = ("exposed", "ok", "ok")
FLANNEL = {**b.facts()["cni"], "names": ["flannel"]}
OLD_KERNEL = b.kernel("5.6.0", "#1 SMP")  # has both defects


def flows(checksum: Any, **changes: Any) -> dict[str, Any]:
    """A flow-based device as Open vSwitch and eBPF use it."""
    return b.device(
        "vxlan_sys_8472", checksum="external", flow_checksum=checksum, local=None, underlay=None, owner="other", port=8472, **changes
    )


def answer(*devices: dict[str, Any], rules: str = "kube_1_17_before_fix", **parts: Any) -> tuple[str, str, str]:
    found = diagnose(b.facts(rules, vxlan=b.vxlan(*devices), **parts))
    return found["status"], found["tcp"], found["udp"]


@pytest.mark.parametrize(
    "name, devices, parts, expected",
    [
        ("routed", [b.device(routed=True)], {}, LOST),
        ("facts of an older release have no word about routes", [b.device()], {}, LOST),
        ("not known whether routed (a port of a bridge)", [b.device(routed=None)], {}, LOST),
        ("nothing is routed over the only device", [b.device(routed=False)], {}, IDLE),
        ("left over beside the device that has the routes", [b.device(routed=False), b.device("flannel.1", routed=True)], {}, LOST),
        (
            "left over beside a device that writes no checksum",
            [b.device(routed=False), b.device("flannel.1", routed=True, checksum="noudpcsum")],
            {"cni": FLANNEL},
            FINE,
        ),
        (
            "idle device of the configured CNI beside one of somebody else",
            [b.device(routed=False), b.device("vxlan0", owner="other", routed=True, checksum="noudpcsum")],
            {},
            IDLE,
        ),
        (
            "idle device of the configured CNI beside one of another CNI",
            [b.device(routed=False), b.device("flannel.1", routed=True, checksum="noudpcsum")],
            {},
            IDLE,
        ),
        (
            "idle device of nobody known",
            [b.device("vxlan0", owner="other", routed=False), b.device(routed=True, checksum="noudpcsum")],
            {},
            IDLE,
        ),
        (
            "idle beside the device of a CNI that is not configured either",
            [b.device("flannel.1", routed=False), b.device("cilium_vxlan", owner="cilium", routed=True, checksum="noudpcsum")],
            {},
            IDLE,
        ),
        (
            "the configured CNI is not known",
            [b.device(routed=False), b.device("flannel.1", routed=True, checksum="noudpcsum")],
            {"cni": {"unknown": "needs root: run with become"}},
            IDLE,
        ),
        ("neither of two has routes", [b.device(routed=False), b.device("flannel.1", routed=False)], {}, IDLE),
        ("nothing routed, and safe anyway", [b.device(routed=False, checksum="noudpcsum")], {}, FINE),
        ("nothing routed, and turned off", [b.device(routed=False, offload=False)], {}, ("mitigated", "ok", "ok")),
        ("flows with a checksum", [flows("udpcsum", routed=True)], {}, LOST),
        ("flows without a checksum", [flows("noudpcsum", routed=True)], {}, FINE),
        ("flows without a checksum on an old kernel", [flows("noudpcsum", routed=True)], {"kernel": OLD_KERNEL}, LOST),
        ("flows that nobody can see", [flows(None)], {}, AT_RISK),
        ("flows that nobody can see on a kernel with both defects", [flows(None)], {"kernel": OLD_KERNEL}, LOST),
        ("Cilium's flows have no checksum", [{**flows(None), "name": "cilium_vxlan", "owner": "cilium"}], {}, FINE),
        ("flows that nobody can see, with the offload off", [flows(None, offload=False)], {}, ("mitigated", "ok", "ok")),
    ],
)
def test_verdict(name: str, devices: list[dict[str, Any]], parts: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert answer(*devices, **parts) == expected, name


def test_each_device_has_its_own_verdict() -> None:
    devices = (
        b.device(offload=False, routed=True),
        b.device("flannel.1", routed=True),
        b.device("vxlan0", routed=True, checksum="noudpcsum"),
    )
    found = diagnose(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(*devices)))
    assert [one["status"] for one in found["devices"]] == ["mitigated", "affected", "unaffected"]
    assert found["status"] == "affected"


def test_a_node_whose_device_has_no_routes_is_told_what_will_happen() -> None:
    found = diagnose(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(routed=False))))
    assert "no route leads over vxlan.calico now" in found["summary"]
    assert "cross-subnet" in found["summary"]
    assert found["conditions"]["vxlan"]["holds"] == "maybe"


def test_hidden_flows_are_named_as_the_doubt() -> None:
    found = diagnose(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(flows(None))))
    assert "decided for each flow" in found["summary"]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [(b.kernel(), ["lco_checksum"]), (OLD_KERNEL, ["lco_checksum", "zero_checksum"])],
)
def test_the_defects_are_those_that_the_kernel_has(kernel: dict[str, Any], expected: list[str]) -> None:
    found = diagnose(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(flows(None)), kernel=kernel))
    assert found["defects"] == expected


def test_a_remedy_may_be_applied_before_the_first_route() -> None:
    assert plan(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(routed=False))), "auto")["simulated"]["status"] == "mitigated"


def test_a_remedy_takes_the_ports_of_all_devices_that_are_hit() -> None:
    left = b.device("flannel.9", routed=False, port=9999)
    found = plan(
        b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(routed=True), b.device("flannel.1", routed=True), left)), "clear_mark"
    )
    assert [action["args"]["rule"][5] for action in found["actions"]] == ["4789", "8472"]
    assert found["simulated"]["status"] == "mitigated"
