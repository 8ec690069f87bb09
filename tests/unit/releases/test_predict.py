# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and what becomes of them."""

from __future__ import annotations

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.predict import predict

KERNEL_5_15 = {"release": "5.15.0-37-generic"}
CENTOS_7 = {"release": "3.10.0-1062.el7.x86_64"}

PLANS = [
    (
        "kube_proxy_before_the_fix",
        {"kube_version": "1.17.5", "calico_version": "3.13.2", "kernel": KERNEL_5_15},
        "affected",
    ),
    (
        "fixed_kube_proxy_but_calico_masquerades_first",
        {"kube_version": "1.30.4", "calico_version": "3.28.0", "kernel": KERNEL_5_15},
        "affected",
    ),
    (
        "the_same_on_a_kernel_where_felix_turns_the_offload_off",
        {"kube_version": "1.30.4", "calico_version": "3.28.0", "kernel": {"release": "5.4.0-42-generic"}},
        "mitigated",
    ),
    (
        "felix_override_keeps_the_offload_off",
        {
            "kube_version": "1.30.4",
            "calico_version": "3.28.0",
            "feature_detect_override": "SNATFullyRandom=true, ChecksumOffloadBroken=true",
            "kernel": KERNEL_5_15,
        },
        "mitigated",
    ),
    (
        "felix_override_keeps_the_offload_on",
        {
            "kube_version": "1.30.4",
            "calico_version": "3.28.1",
            "feature_detect_override": "ChecksumOffloadBroken=false",
            "kernel": KERNEL_5_15,
        },
        "affected",
    ),
    (
        "calico_appends_its_chain",
        {"kube_version": "1.30.4", "calico_version": "3.28.2", "kernel": KERNEL_5_15},
        "unaffected",
    ),
    (
        "old_kube_proxy_under_notrack",
        {"kube_version": "1.18.5", "calico_version": "3.29.0", "kernel": KERNEL_5_15},
        "mitigated",
    ),
    (
        "vxlan_between_subnets_only",
        {"kube_version": "1.30.4", "calico_version": "3.28.0", "encapsulation": "CrossSubnet", "kernel": KERNEL_5_15},
        "exposed",
    ),
    (
        "no_vxlan",
        {"kube_version": "1.17.5", "calico_version": "3.13.2", "encapsulation": "Never", "kernel": KERNEL_5_15},
        "unaffected",
    ),
    (
        "nftables_order_is_not_known",
        {"kube_version": "1.33.1", "calico_version": "3.28.2", "proxy_mode": "nftables", "kernel": KERNEL_5_15},
        "exposed",
    ),
    (
        "no_kube_proxy",
        {"kube_version": "1.30.4", "calico_version": "3.28.0", "proxy_mode": "none", "kernel": KERNEL_5_15},
        "unaffected",
    ),
    (
        "flannel_that_masquerades_first",
        {"kube_version": "1.25.4", "flannel_version": "0.20.1", "kernel": KERNEL_5_15},
        "affected",
    ),
    ("flannel_with_its_guard", {"kube_version": "1.25.4", "flannel_version": "0.20.2", "kernel": KERNEL_5_15}, "unaffected"),
    (
        "canal_is_not_helped_by_felix",
        {
            "kube_version": "1.17.5",
            "network_plugin": "canal",
            "flannel_version": "0.12.0",
            "feature_detect_override": "",
            "kernel": KERNEL_5_15,
        },
        "affected",
    ),
    (
        "zero_checksum_of_an_old_kernel",
        {"kube_version": "1.17.5", "flannel_version": "0.12.0", "kernel": CENTOS_7},
        "affected",
    ),
    (
        "kubernetes_that_does_not_randomise",
        {"kube_version": "1.15.3", "flannel_version": "0.11.0", "kernel": CENTOS_7},
        "unaffected",
    ),
    (
        "iptables_of_the_host_decides",
        {"kube_version": "1.16.8", "flannel_version": "0.12.0", "kernel": CENTOS_7},
        "exposed",
    ),
    ("kernel_not_given", {"kube_version": "1.17.5", "flannel_version": "0.12.0"}, "unknown"),
    ("kernel_not_needed", {"kube_version": "1.30.4", "flannel_version": "0.26.0"}, "unaffected"),
    ("kube_version_not_given", {"calico_version": "3.28.0", "kernel": KERNEL_5_15}, "unknown"),
    ("plugin_version_not_given", {"kube_version": "1.30.4", "network_plugin": "calico", "kernel": KERNEL_5_15}, "unknown"),
    ("plugin_not_in_the_tables", {"kube_version": "1.30.4", "network_plugin": "cilium", "kernel": KERNEL_5_15}, "unknown"),
    ("nothing_given", {}, "unknown"),
    ("plugin_without_vxlan", {"network_plugin": "macvlan"}, "unaffected"),
    (
        "flannel_with_its_guard_for_another_bit",
        {"kube_version": "1.25.4", "flannel_version": "0.20.2", "masquerade_bit": 27, "kernel": KERNEL_5_15},
        "affected",
    ),
    (
        "flannel_of_before_its_guard_does_not_care_about_the_bit",
        {"kube_version": "1.25.4", "flannel_version": "0.19.2", "masquerade_bit": 27, "kernel": KERNEL_5_15},
        "unaffected",
    ),
    (
        "calico_does_not_care_about_the_bit",
        {"kube_version": "1.30.4", "calico_version": "3.28.2", "masquerade_bit": 27, "kernel": KERNEL_5_15},
        "unaffected",
    ),
]


@pytest.mark.parametrize(("planned", "status"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_plan(planned: dict, status: str) -> None:
    verdict = predict(planned)
    assert verdict["status"] == status
    assert verdict["summary"]
    assert bool(verdict["missing"]) >= (status == "unknown" and planned.get("network_plugin") != "cilium")


def test_upgrades_name_each_component_that_rewrites() -> None:
    verdict = predict({"kube_version": "1.17.5", "calico_version": "3.13.2", "kernel": KERNEL_5_15})
    assert verdict["upgrade"] == ["Kubernetes 1.16.13, 1.17.9, 1.18.6, 1.19.0 or later", "Calico 3.29.0 or later"]


def test_another_bit_is_cured_by_the_default_one() -> None:
    verdict = predict({"kube_version": "1.25.4", "flannel_version": "0.20.2", "masquerade_bit": 27, "kernel": KERNEL_5_15})
    assert verdict["upgrade"] == ["kube-proxy's default masquerade bit 14"]


def test_defect_follows_the_default_checksum_mode_of_the_kernel() -> None:
    plan = {"kube_version": "1.17.5", "flannel_version": "0.12.0"}
    assert predict({**plan, "kernel": KERNEL_5_15})["defects"] == ["lco_checksum"]
    assert predict({**plan, "kernel": CENTOS_7})["defects"] == ["zero_checksum"]


@pytest.mark.parametrize(
    ("release", "zero", "lco", "holds", "defects"),
    [
        ("custom-6.1", "absent", "unknown", "unknown", []),
        ("custom-6.1", "absent", "absent", "no", []),
        ("custom-6.1", "present", "present", "yes", ["lco_checksum", "zero_checksum"]),
        ("custom-6.1", "absent", "present", "unknown", []),
        ("3.10.0-1160.119.1.el7", "absent", "present", "no", []),
        ("3.10.0-1160.119.1.el7", "present", "absent", "yes", ["zero_checksum"]),
        ("5.15.0-37-generic", "present", "absent", "no", []),
        ("5.15.0-37-generic", "absent", "present", "yes", ["lco_checksum"]),
    ],
)
def test_a_selftest_counts_for_the_defect_of_the_default_checksum_mode(
    release: str, zero: str, lco: str, holds: str, defects: list[str]
) -> None:
    selftest = {"zero_checksum": zero, "lco_checksum": lco, "reason": ""}
    plan = {"kube_version": "1.17.5", "flannel_version": "0.12.0", "kernel": {"release": release, "selftest": selftest}}
    verdict = predict(plan)
    assert (verdict["conditions"]["kernel_defect"]["holds"], verdict["defects"]) == (holds, defects)


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        ({"kubeversion": "1.30"}, "the keys are kube_version"),
        ({"encapsulation": "sometimes"}, "not one of always, crosssubnet, never"),
        ({"proxy_mode": "userspace"}, "not one of iptables"),
        ({"kube_version": "latest", "calico_version": "3.28.0"}, "write it like"),
        ({"kernel": "5.4.0"}, "kernel must be a dictionary"),
        ({"masquerade_bit": "0x4000"}, "a number from 0 to 31"),
        ({"masquerade_bit": 32}, "a number from 0 to 31"),
    ],
)
def test_what_is_not_understood_is_refused(planned: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predict(planned)
