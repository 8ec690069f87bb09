# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy, CNI, sysctls, counters, our own traces."""

from __future__ import annotations

import pytest
from transcripts import facts, parse, recorded, section

CONFIGZ = '{"kubeproxy.config.k8s.io":{"mode":"","clusterCIDR":"10.1.0.0/16","iptables":{"masqueradeBit":9,"masqueradeAll":true}}}'


def proxy(*sections, **options):
    found = facts(*sections, section("cni"), **options)["kube_proxy"]
    return {key: value for key, value in found.items() if key != "source"}


def seen(**values):
    nothing = dict.fromkeys(("mode", "version", "masquerade_bit", "masquerade_all", "cluster_cidr"))
    return {"running": True, **nothing, **values}


@pytest.mark.parametrize(
    "lines, expected",
    [
        (
            (
                "url proxyMode",
                "ipvs",
                "url configz",
                CONFIGZ,
                "url metrics",
                'kubernetes_build_info{git_version="v1.16.8-eks",major="1"} 1',
            ),
            seen(mode="ipvs", version="1.16.8-eks", masquerade_bit=9, masquerade_all=True, cluster_cidr="10.1.0.0/16"),
        ),
        (("url proxyMode", "nftables", "url configz", "url metrics"), seen(mode="nftables")),
        (("url proxyMode", "iptables", "url configz", '{"kubeproxy.config', "url metrics"), seen(mode="iptables")),
    ],
)
def test_port_10249(lines, expected):
    assert proxy(section("metrics", *lines), section("processes")) == expected


def test_another_program_on_port_10249_is_not_kube_proxy():
    assert proxy(section("metrics", "url proxyMode", "hello", "url configz", "url metrics"), section("processes"))["running"] is False


@pytest.mark.parametrize(
    "lines, expected",
    [
        (("name kube-proxy", "/usr/bin/kube-proxy", "--proxy-mode", "ipvs", "--masquerade-all"), seen(mode="ipvs", masquerade_all=True)),
        (
            ("name kube-proxy", "/usr/bin/kube-proxy", "clusterCIDR: 10.244.0.0/16", "  masqueradeBit: 14", 'mode: "iptables"'),
            seen(mode="iptables", masquerade_bit=14, cluster_cidr="10.244.0.0/16"),
        ),
        (("name hyperkube", "kube-proxy", "--cluster-cidr", "10.0.0.0/8"), seen(cluster_cidr="10.0.0.0/8")),
        (("name k3s-server",), {**seen(), "running": None}),
        (("name k3s-agent", "name kube-proxy", "--proxy-mode", "iptables"), seen(mode="iptables")),
        ((), {**seen(), "running": False}),
    ],
)
def test_process(lines, expected):
    assert proxy(section("processes", *lines)) == expected


def test_only_root_knows_that_there_is_no_kube_proxy():
    assert "needs root" in proxy(section("processes"), uid=1000)["unknown"]


@pytest.mark.parametrize(
    "values, network, expected",
    [
        (("calico", "calico-ipam", "portmap", "k8s-pod-network"), "", ["calico"]),
        (("cbr0", "flannel", "portmap"), "10.244.0.0/16", ["flannel"]),
        (("k8s-pod-network", "calico", "host-local"), "10.244.0.0/16", ["calico", "canal"]),
        (("multus", "cilium-cni"), "", ["cilium", "multus"]),
        ((), "", []),
    ],
)
def test_cni_names(values, network, expected):
    lines = [f'/etc/cni/net.d/10-x.conflist:"type": "{value}"' for value in values]
    flannel = section("flannel", *([f"FLANNEL_NETWORK={network}"] if network else []))
    found = facts(section("cni", *lines, code=0 if lines else 2), flannel, section("calico", "v3.26.1", code=0))["cni"]
    assert (found["names"], found["flannel_network"], found["calico_version"]) == (expected, network, "3.26.1")


def test_cni_files_of_root_only():
    line = "grep: /etc/cni/net.d/10-calico.conflist: Permission denied"
    assert facts(section("cni", line, code=2), section("sysctl"))["cni"] == {"unknown": "needs root: run with become"}


def test_sysctls_that_an_old_kernel_does_not_have_are_none():
    found = parse(recorded("centos_7_flannel"))["sysctl"]["values"]
    assert (found["net.core.txrehash"], found["net.netfilter.nf_conntrack_udp_timeout"]) == (None, "30")


def test_counters():
    assert parse(recorded("centos_7_flannel"))["counters"]["udp_in_csum_errors"] == 12
    assert facts(section("counters", "Udp: InDatagrams InErrors", "Udp: 1 2"))["counters"]["udp_in_csum_errors"] is None


@pytest.mark.parametrize(
    "lines, expected",
    [
        ((), {"record": None, "units": []}),
        (
            ("record ", 'record {"schema": 1, "undo": [], "units": [],', 'record  "method": "notrack"}', "unit b.timer", "unit a.service"),
            {"record": {"schema": 1, "method": "notrack", "undo": [], "units": []}, "units": ["a.service", "b.timer"]},
        ),
        (("unreadable",), {"unknown": "needs root: run with become"}),
        (("record ", "unreadable"), {"unknown": "needs root: run with become"}),
        (("record ",), {"unknown": "/var/lib/vxlan-offload/record.json is empty: look at it"}),
        (('record {"schema": 1',), {"unknown": "/var/lib/vxlan-offload/record.json is no JSON: look at it"}),
        (("record []",), {"unknown": "/var/lib/vxlan-offload/record.json is no JSON object: look at it"}),
        (
            ('record {"schema": 2}',),
            {"unknown": "/var/lib/vxlan-offload/record.json was written by a newer version (schema 2): use that one"},
        ),
        (
            ('record {"schema": 1, "method": "notrack"}',),
            {"unknown": "/var/lib/vxlan-offload/record.json is no record of a workaround (undo): look at it"},
        ),
    ],
)
def test_applied(lines, expected):
    found = facts(section("applied", *lines))["applied"]
    assert {key: value for key, value in found.items() if key != "source"} == expected
