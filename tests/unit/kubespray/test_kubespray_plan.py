# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubespray's variables and releases to plans, and what predict says of them. Kernel: Ubuntu 22.04's, which has lco_checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kubespray_releases as table
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray import VARIABLES, plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import planned_verdict
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.releases import release_version

KERNEL = {"release": "5.15.0-37-generic"}
FLANNEL = {"kube_network_plugin": "flannel"}
VXLAN = {"calico_vxlan_mode": "Always", "calico_ipip_mode": "Never"}

# (release, what it does with its defaults, with flannel, with Calico and VXLAN)
DEFAULTS = [
    ("2.10.0", "unaffected", "unaffected", "unaffected"),
    ("2.11.2", "unaffected", "unaffected", "unaffected"),
    ("2.12.0", "unaffected", "exposed", "unaffected"),
    ("2.12.6", "unaffected", "exposed", "unaffected"),
    ("2.12.7", "unaffected", "affected", "unaffected"),
    ("2.12.8", "unaffected", "unaffected", "unaffected"),
    ("2.13.0", "unaffected", "affected", "affected"),
    ("2.13.2", "unaffected", "affected", "affected"),
    ("2.13.3", "unaffected", "unaffected", "affected"),
    ("2.14.2", "unaffected", "unaffected", "affected"),
    ("2.18.2", "unaffected", "unaffected", "affected"),
    ("2.19.0", "affected", "unaffected", "affected"),
    ("2.20.0", "affected", "unaffected", "affected"),
    ("2.21.0", "affected", "unaffected", "affected"),
    ("2.22.2", "mitigated", "unaffected", "mitigated"),
    ("2.25.1", "mitigated", "unaffected", "mitigated"),
    ("2.26.1", "mitigated", "unaffected", "mitigated"),
    ("2.27.1", "unaffected", "unaffected", "unaffected"),
    ("2.31.0", "unaffected", "unaffected", "unaffected"),
]


def status(variables: dict[str, Any], version: str = "", **options: Any) -> str:
    return str(planned_verdict(plan(variables, version, **options), KERNEL)["status"])


@pytest.mark.parametrize(("release", "default", "flannel", "vxlan"), DEFAULTS, ids=[row[0] for row in DEFAULTS])
def test_what_a_release_installs(release: str, default: str, flannel: str, vxlan: str) -> None:
    assert (status({}, release), status(FLANNEL, release), status(VXLAN, release)) == (default, flannel, vxlan)


def test_every_default_is_a_version_that_the_tables_of_releases_know() -> None:
    assert len(table.RELEASES) == 60
    for release in table.RELEASES:
        for number, component in ((release.kube, "kubernetes"), (release.calico, "calico"), (release.flannel, "flannel")):
            assert release_version(number, component)
        assert release in table.that_install(release.kube)
        assert status({}, release.version) != "unknown"
    assert table.RELEASES[-1].version == table.NEWEST_KNOWN
    assert list(table.RELEASES) == sorted(table.RELEASES, key=lambda one: table.numbers(one.version))


# (what it is about, variables, release, status)
PLANS = [
    ("version_with_v", {"kube_version": "v1.19.7", **FLANNEL}, "2.13.0", "unaffected"),
    ("version_pinned_lower", {"kube_version": "1.17.5", **FLANNEL}, "2.13.3", "affected"),
    ("ipip_of_2_13", {"ipip": True}, "2.13.0", "unaffected"),
    ("ipip_of_2_13_off", {"ipip": False, "calico_vxlan_mode": "Always"}, "2.13.0", "affected"),
    ("ipip_mode_cross_subnet", {"ipip_mode": "CrossSubnet"}, "2.18.0", "unaffected"),
    ("ipip_of_2_19", {"calico_ipip_mode": "Always"}, "2.19.0", "unaffected"),
    ("ipip_and_vxlan_written_out", {"calico_ipip_mode": "Always", "calico_vxlan_mode": "Never"}, "2.19.0", "unaffected"),
    ("old_ipip_that_2_19_does_not_read", {"ipip": True}, "2.19.0", "unknown"),
    ("vxlan_between_subnets", {"calico_vxlan_mode": "CrossSubnet"}, "2.19.0", "exposed"),
    ("vxlan_mode_that_2_12_does_not_have", VXLAN, "2.12.7", "unaffected"),
    ("flannel_host_gw", {**FLANNEL, "flannel_backend_type": "host-gw"}, "2.13.0", "unaffected"),
    ("flannel_wireguard", {**FLANNEL, "flannel_backend_type": "wireguard"}, "2.13.0", "unaffected"),
    ("flannel_direct_routing", {**FLANNEL, "kube_version": "1.18.5", "flannel_vxlan_direct_routing": True}, "2.21.0", "exposed"),
    ("direct_routing_that_2_13_does_not_have", {**FLANNEL, "flannel_vxlan_direct_routing": True}, "2.13.0", "affected"),
    ("canal_is_flannel", {"kube_network_plugin": "canal"}, "2.13.0", "affected"),
    ("canal_does_not_look_at_flannels_backend", {"kube_network_plugin": "canal", "flannel_backend_type": "host-gw"}, "2.13.0", "affected"),
    ("macvlan", {"kube_network_plugin": "macvlan"}, "2.13.0", "unaffected"),
    ("cilium_is_not_judged", {"kube_network_plugin": "cilium"}, "2.31.0", "unknown"),
    ("cilium_without_kube_proxy", {"kube_network_plugin": "cilium", "cilium_kube_proxy_replacement": "strict"}, "2.31.0", "unaffected"),
    ("ebpf_without_kube_proxy", {"calico_bpf_enabled": True}, "2.19.0", "unaffected"),
    ("ebpf_of_another_plugin", {**FLANNEL, "calico_bpf_enabled": True}, "2.13.0", "affected"),
    ("kube_proxy_removed", {"kube_proxy_remove": "true"}, "2.19.0", "unaffected"),
    ("nftables", {"kube_proxy_mode": "nftables"}, "2.31.0", "mitigated"),
    ("override_keeps_the_offload_off", {"calico_feature_detect_override": "ChecksumOffloadBroken=true"}, "2.20.0", "mitigated"),
    ("override_that_2_19_does_not_have", {"calico_feature_detect_override": "ChecksumOffloadBroken=true"}, "2.19.0", "affected"),
    ("calico_pinned_newer", {"calico_version": "v3.29.1"}, "2.19.0", "unaffected"),
    ("flannels_guard_for_another_bit", {**FLANNEL, "kube_proxy_masquerade_bit": 15}, "2.31.0", "affected"),
    ("empty_is_not_set", {"calico_ipip_mode": "", "kube_version": None}, "2.19.0", "affected"),
    ("all_patches_of_a_line_end_alike", {}, "2.26", "mitigated"),
    ("patches_of_a_line_that_differ", FLANNEL, "2.13", "unknown"),
    ("release_that_is_not_known", {}, "2.99.0", "unknown"),
    (
        "release_that_is_not_known_with_everything_set",
        {
            "kube_version": "1.36.0", "kube_network_plugin": "calico", "calico_version": "3.31.7", "calico_vxlan_mode": "Always",
            "kube_proxy_mode": "ipvs",
        },
        "2.99.0",
        "unaffected",
    ),
    ("nothing_is_known", {}, "", "unknown"),
    ("by_kubernetes_alone_calico_of_then_is_ipip", {"kube_version": "v1.17.5"}, "", "unaffected"),
    ("by_kubernetes_alone_with_vxlan", {"kube_version": "v1.17.5", **VXLAN}, "", "affected"),
    ("by_kubernetes_alone_with_flannel", {"kube_version": "v1.17.5", **FLANNEL}, "", "affected"),
    ("by_kubernetes_alone_calico_of_2_19", {"kube_version": "v1.23.7"}, "", "affected"),
    ("by_kubernetes_alone_ipip_or_vxlan", {"kube_version": "v1.22.8"}, "", "unknown"),
    ("by_a_kubernetes_that_no_release_has", {"kube_version": "v1.9.0"}, "", "unknown"),
    ("version_that_is_none", {"calico_version": "master"}, "2.19.0", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "release", "expected"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_plan(variables: dict[str, Any], release: str, expected: str) -> None:
    assert status(variables, release) == expected


def test_unknown_says_which_variables_decide() -> None:
    verdict = planned_verdict(plan({"kube_version": "v1.22.8"}), KERNEL)
    assert verdict["summary"] == (
        "affected or unaffected, depending on calico_version, calico_vxlan_mode of kubespray 2.18.0 to 2.20.0 (by kube_version v1.22.8)"
    )
    assert verdict["action"] == "set vxlan_offload_kubespray_version to kubespray's release, or calico_version and calico_vxlan_mode"
    assert [one["fact"] for one in verdict["missing"]] == ["calico_version", "calico_vxlan_mode"]


def test_a_release_that_is_not_in_the_table_says_so() -> None:
    verdict = planned_verdict(plan({}, "", {"path": "/k", "version": "2.32.0", "kube_version": ""}), KERNEL)
    assert verdict["summary"] == "kubespray, by /k, is none of 2.10.0 to 2.31.0, and its kube_version, kube_network_plugin is not known"


def test_flannels_backend_is_asked_for_by_its_own_name() -> None:
    verdict = planned_verdict(plan({"kube_version": "1.18.5", "flannel_version": "0.12.0", **FLANNEL}, "2.99.0"), KERNEL)
    assert verdict["summary"].endswith("and its flannel_backend_type, kube_proxy_mode is not known")


def test_a_plugin_that_cannot_be_judged_asks_for_no_variable() -> None:
    verdict = planned_verdict(plan({"kube_network_plugin": "cilium"}, "2.31.0"), KERNEL)
    assert "network plugin 'cilium' is not in the tables" in verdict["summary"] and verdict["missing"] == []


def test_without_a_kernel_no_variable_is_asked_for() -> None:
    verdict = planned_verdict(plan(FLANNEL, "2.13.2"), None)
    assert (verdict["status"], verdict["summary"]) == ("unknown", "no kernel was given")
    assert verdict["action"] == "diagnose the nodes when they are up"


def test_the_plan_says_where_each_key_comes_from() -> None:
    found = plan({**FLANNEL, "kube_version": "v1.17.7"}, "2.13.2")
    assert found["sources"] == {
        "kube_version": "kube_version",
        "network_plugin": "kube_network_plugin",
        "flannel_version": "default of kubespray 2.13.2",
        "encapsulation": "default of kubespray 2.13.2",
        "proxy_mode": "default of kubespray 2.13.2",
    }


@pytest.mark.parametrize(
    ("galaxy", "kube", "versions"),
    [
        ("2.31.0", "", ["2.31.0"]),
        ("2.21.0", "1.26.5", ["2.22.0", "2.22.1"]),  # what galaxy.yml of both tags says
        ("2.22.1", "1.27.7", ["2.23.1"]),
        ("2.22.2", "1.26.13", ["2.22.2"]),
        ("", "1.17.7", ["2.13.2"]),
        ("", "1.23.7", ["2.19.0", "2.19.1"]),
        ("2.32.0", "", []),
        ("2.26.1", "1.30.5", []),  # between two tags
    ],
)
def test_a_checkout_is_known_by_its_own_files(galaxy: str, kube: str, versions: list[str]) -> None:
    assert [release.version for release in table.in_tree(galaxy, kube)] == versions


def test_the_users_word_counts_more_than_the_checkout() -> None:
    tree = {"path": "/k", "version": "2.31.0", "kube_version": ""}
    assert (plan({}, "2.13.2", tree)["release"], plan({}, "", tree)["release"], plan({}, "", tree)["told_by"]) == ("2.13.2", "2.31.0", "/k")


@pytest.mark.parametrize(
    ("variables", "version", "message"),
    [
        ({"calico_vxlan_mode": "Sometimes"}, "2.19.0", "calico_vxlan_mode 'Sometimes' is not one of Always"),
        ({}, "newest", "write it like 2.13.2"),
        ({"kube_version": "latest"}, "", "write it like"),
    ],
)
def test_what_is_not_understood_is_unknown_with_the_reason(variables: dict[str, Any], version: str, message: str) -> None:
    verdict = planned_verdict(plan(variables, version), KERNEL)
    assert verdict["status"] == "unknown"
    assert verdict["summary"].startswith("the plan cannot be judged: ") and message in verdict["summary"]


def test_variables_must_be_a_dictionary() -> None:
    with pytest.raises(ValueError, match="needs a dictionary of kubespray's variables"):
        plan(["kube_version"])  # type: ignore[arg-type]


def test_the_role_reads_the_variables_that_the_plan_knows() -> None:
    root = Path(__file__).resolve().parents[3]
    role = yaml.safe_load((root / "roles/kubespray/vars/main.yml").read_text(encoding="utf-8"))
    assert role["__kubespray_seen"] == {name: "{{ %s | default('') }}" % name for name in VARIABLES}
