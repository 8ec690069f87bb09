# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel, VXLAN devices, links and routes as the tools of many ages print them."""

from __future__ import annotations

import pytest
from transcripts import facts, recorded, section

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_kernel import upstream
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_links import features, owner

HEAD = (
    "5: tun0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group default "
    "\\    link/ether 5e:7a:11:22:33:44 brd ff:ff:ff:ff:ff:ff promiscuity 0 \\    "
)


def device(text, release="6.1.0", **options):
    sections = (section("uname", f"{release} #1 SMP x86_64"), section("vxlan", HEAD + text), section("default"), section("release"))
    return facts(*sections, **options)["vxlan"]["devices"][0]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("vxlan id 1 local 10.1.0.1 dev eth0 srcport 0 0 dstport 8472 nolearning ageing 300 udpcsum noudp6zerocsumtx", "udpcsum"),
        ("vxlan id 1 local 10.1.0.1 dev eth0 srcport 0 0 dstport 8472 nolearning ageing 300 noudpcsum noudp6zerocsumtx", "noudpcsum"),
        ("vxlan external id 0 srcport 0 0 dstport 4789 ageing 300 udpcsum noudp6zerocsumtx", "external"),
        ("vxlan id 1 local 10.1.0.1 dev eth0 srcport 0 0 dstport 8472 ageing 300", "unknown"),
    ],
)
def test_checksum_mode(text, expected):
    assert device(text)["checksum"] == expected


def test_a_kernel_before_4_6_sends_zero_checksums_when_nothing_else_is_printed():
    assert device("vxlan id 1 local 10.1.0.1 dev eth0 dstport 8472", release="3.10.0-514.el7")["checksum"] == "noudpcsum"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("vxlan id 1 local 10.1.0.1 dev eth0 dstport 4789 udpcsum", "ipv4"),
        ("vxlan id 1 local fd00::1 dev eth0 dstport 4789 udpcsum", "ipv6"),
        ("vxlan id 1 group ff05::100 dev eth0 dstport 4789 udpcsum", "ipv6"),
        ("vxlan id 1 dev eth0 dstport 4789 udpcsum", "ipv4"),
        ("vxlan external dstport 4789 udpcsum", "unknown"),
    ],
)
def test_outer_address_family(text, expected):
    assert device(text)["outer"] == expected


def test_device_without_underlay_and_local_address():
    found = device("vxlan id 77 dstport 4789 udpcsum udp6zerocsumtx noudp6zerocsumrx")
    assert (found["vni"], found["underlay"], found["local"]) == (77, None, None)
    assert (found["udp6zerocsumtx"], found["udp6zerocsumrx"], found["up"], found["mtu"]) == (True, False, True, 1450)


@pytest.mark.parametrize(
    "name, canal, expected",
    [
        ("vxlan.calico", False, "calico"),
        ("vxlan-v6.calico", False, "calico"),
        ("flannel.1", False, "flannel"),
        ("flannel-v6.1", False, "flannel"),
        ("flannel.1", True, "canal"),
        ("cilium_vxlan", False, "cilium"),
        ("vxlan.calico2", False, "other"),
    ],
)
def test_owner(name, canal, expected):
    assert owner(name, canal) == expected


@pytest.mark.parametrize(
    "line, expected",
    [
        ("\ttx-checksum-ip-generic: on", {"tx-checksum-ip-generic": (True, True, False)}),
        ("\ttx-tcp-segmentation: off [requested on]", {"tx-tcp-segmentation": (False, True, False)}),
        ("\ttx-checksum-ipv4: off [fixed]", {"tx-checksum-ipv4": (False, False, True)}),
        ("rx-gro-list: on [requested off]", {"rx-gro-list": (True, False, False)}),
        ("generic-receive-offload: on", {"rx-gro": (True, True, False)}),
        ("rx-checksumming: on [fixed]", {"rx-checksum": (True, True, True)}),
        ("tx-checksumming: on", {}),
        ("tcp-segmentation-offload: off", {}),
        ("Features for eth0:", {}),
        ("Cannot get device udp-fragmentation-offload settings: Operation not supported", {}),
    ],
)
def test_feature_lines(line, expected):
    found = features((line,))
    assert {name: (one["active"], one["requested"], one["fixed"]) for name, one in found.items()} == expected


def test_missing_ethtool_is_said_for_each_device():
    line = HEAD + "vxlan id 1 local 10.1.0.1 dev eth0 dstport 8472 udpcsum"
    missing = section("features tun0", "sh: 1: ethtool: not found", code=127)
    found = facts(section("vxlan", line), missing, section("default"), section("release"))["vxlan"]["devices"][0]
    assert (found["features"], found["features_unknown"]) == ({}, "ethtool is not on the node: install ethtool")


@pytest.mark.parametrize(
    "code, text, reason",
    [
        (127, "sh: 1: ip: not found", "ip is not on the node: install iproute2"),
        (126, "sh: 1: ip: Permission denied", "ip cannot be executed on the node: look at its file mode"),
        (1, "Cannot open netlink socket: Address family not supported", "Cannot open netlink socket"),
    ],
)
def test_devices_that_could_not_be_listed_are_unknown(code, text, reason):
    found = facts(section("vxlan", text, code=code), section("default"), section("release"))
    assert reason in found["vxlan"]["unknown"]


def test_links_are_the_underlay_and_the_default_route_but_no_vxlan_device():
    found = parse(recorded("fixed_kube_proxy_calico_first_nft"))
    assert [(one["name"], one["driver"]) for one in found["links"]["devices"]] == [("eth0", "veth")]
    assert found["vxlan"]["devices"][0]["addresses"] == ["10.244.10.0/32"]


@pytest.mark.parametrize(
    "lines, expected",
    [
        (("default via 192.0.2.1 dev eth0 proto dhcp metric 100", "default via 192.0.2.1 dev wlan0 metric 600"), "eth0"),
        (("default proto static", "\tnexthop via 10.0.0.1 dev bond0 weight 1", "\tnexthop via 10.0.0.2 dev bond1 weight 1"), "bond0"),
        ((), None),
    ],
)
def test_default_device(lines, expected):
    assert facts(section("default", *lines), section("lookup"), section("processes"))["routes"]["default_device"] == expected


def test_a_lookup_without_a_route_has_no_device():
    unreachable = section("lookup 10.96.0.10", "RTNETLINK answers: Network is unreachable", code=2)
    found = facts(section("default"), unreachable)["routes"]["lookups"]
    assert found == [{"destination": "10.96.0.10", "device": None, "source": None}]


@pytest.mark.parametrize(
    "signature, version, expected",
    [
        ("Ubuntu 5.15.0-91.101-generic 5.15.131", "#101-Ubuntu SMP", "5.15.131"),
        ("", "#1 SMP Debian 4.19.118-2 (2020-04-26)", "4.19.118"),
        ("", "#1 SMP Wed Aug 7 18:08:02 UTC 2019", ""),
        ("Ubuntu 4.15.0-99", "#1 SMP", ""),
    ],
)
def test_upstream_base(signature, version, expected):
    assert upstream(signature, version) == expected


def test_centos_7():
    found = parse(recorded("centos_7_flannel"))
    assert found["kernel"]["os"] == {"id": "centos", "version_id": "7", "id_like": "rhel fedora", "name": "CentOS Linux 7 (Core)"}
    assert found["kernel"]["changelog"]["newest"].endswith("[3.10.0-1062.el7]")
    tunnel = found["vxlan"]["devices"][0]
    assert (tunnel["name"], tunnel["checksum"], tunnel["port"], tunnel["owner"]) == ("flannel.1", "noudpcsum", 8472, "flannel")
    assert found["links"]["devices"][0]["driver"] == "vmxnet3"


def test_a_system_before_os_release():
    found = facts(section("uname", "2.6.32-754.el6 #1 SMP x86_64"), section("release", "redhat CentOS release 6.10 (Final)"))
    assert found["kernel"]["os"]["name"] == "CentOS release 6.10 (Final)"
