# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel has, could load, or has not, from the texts of its own files."""

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import nat
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.kernel_parts import if_it_exists, need, obstacles, parts_of

LOADED = "vxlan 131072 0 - Live 0x0000000000000000\nip6_udp_tunnel 16384 1 vxlan, Live 0x0\nnf_conntrack_netlink 57344 0 - Live 0x0\n"
BUILT_IN = "kernel/net/packet/af_packet.ko\nkernel/net/netfilter/xt-tcpudp.ko\n"
ON_DISK = "kernel/drivers/net/veth.ko.xz:\nkernel/drivers/net/vxlan/vxlan.ko.zst: kernel/net/udp_tunnel.ko.zst\nextra/nft_masq.ko: a.ko\n"
MODULAR = parts_of(LOADED, BUILT_IN, ON_DISK, ["nf_conntrack"])
STATIC = parts_of(None, None, None, [])
NO_FOLDER = parts_of(LOADED, None, None, ["nf_conntrack"])

CASES = [
    ("loaded", MODULAR, need("vxlan"), [], []),
    ("built_in", MODULAR, need("af_packet"), [], []),
    ("built_in_with_a_dash_in_its_file_name", MODULAR, need("xt_tcpudp"), [], []),
    ("built_in_by_sysfs", MODULAR, need("nf_conntrack"), [], []),
    ("on_disk_only", MODULAR, need("veth"), ["veth is not loaded"], []),
    ("one_of_two_names", MODULAR, need("other", "vxlan"), [], []),
    ("neither_of_two_names", MODULAR, need("other", "veth"), ["other or veth is not loaded"], []),
    ("not_in_this_kernel", MODULAR, need("nf_tables"), ["this kernel has no nf_tables"], ["this kernel has no nf_tables"]),
    ("merged_into_another", MODULAR, if_it_exists("nf_conntrack_ipv4"), [], []),
    ("could_be_merged_but_is_on_disk", MODULAR, if_it_exists("nft_masq"), ["nft_masq is not loaded"], []),
    ("a_kernel_without_modules_is_asked", STATIC, need("vxlan"), [], []),
    ("loaded_without_a_module_folder", NO_FOLDER, need("vxlan"), [], []),
    ("not_loaded_without_a_module_folder", NO_FOLDER, need("veth"), ["veth is not loaded, and whether it is built in is not known"], []),
]


@pytest.mark.parametrize(("parts", "wanted", "kept", "allowed"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_obstacle_when(parts, wanted, kept, allowed):
    assert obstacles(parts, [wanted], False) == kept
    assert obstacles(parts, [wanted], True) == allowed


def parts_with(*loaded, on_disk=()):
    return parts_of("".join(name + " 1 0 - Live 0x0\n" for name in loaded), "", "".join(name + ".ko:\n" for name in on_disk), [])


NFT, IPTABLES_NFT, LEGACY = (nat.Tool(name, []) for name in ("nft", "iptables-nft", "iptables-legacy"))
CENTOS_7 = parts_with("ip_tables", "iptable_nat", "ipt_MASQUERADE", "xt_tcpudp", "nf_conntrack_ipv4", on_disk=["nf_tables", "nft_masq"])
UBUNTU_20_IPTABLES_NFT = parts_with(
    "nf_tables",
    "nft_chain_nat",
    "nft_compat",
    "nft_counter",
    "xt_MASQUERADE",
    "xt_tcpudp",
    on_disk=["nft_masq", "ip_tables", "iptable_nat"],
)
DEBIAN_12_NFT = parts_with("nf_tables", "nft_chain_nat", "nft_masq", on_disk=["nft_compat", "ip_tables"])
LINUX_4_14_NFT = parts_with(
    "nf_tables", "nf_tables_ipv4", "nft_chain_nat_ipv4", "nft_masq", "nft_masq_ipv4", on_disk=["nf_conntrack_ipv4", "ip_tables"]
)
TOOLS = [
    ("a_node_of_2019", CENTOS_7, [LEGACY], ["iptables-legacy"]),
    ("what_is_not_loaded_is_left_alone", CENTOS_7, [NFT, LEGACY], ["iptables-legacy"]),
    ("nft_has_no_masquerade_yet", UBUNTU_20_IPTABLES_NFT, [NFT, IPTABLES_NFT, LEGACY], ["iptables-nft"]),
    ("nft_alone", DEBIAN_12_NFT, [NFT, IPTABLES_NFT, LEGACY], ["nft"]),
    ("conntrack_of_ipv4_is_a_module_of_its_own_and_not_loaded", LINUX_4_14_NFT, [NFT], []),
    ("a_kernel_without_modules_tries_all", STATIC, [NFT, IPTABLES_NFT, LEGACY], ["nft", "iptables-nft", "iptables-legacy"]),
]


@pytest.mark.parametrize(("parts", "tools", "names"), [row[1:] for row in TOOLS], ids=[row[0] for row in TOOLS])
def test_nat_tool_for(parts, tools, names):
    assert [tool.name for tool in nat.usable(tools, parts, False)] == names


def test_what_is_loaded_goes_first_also_when_more_may_be_loaded():
    parts = parts_with("ip_tables", "iptable_nat", "xt_MASQUERADE", "xt_tcpudp", on_disk=["nf_tables", "nft_chain_nat", "nft_masq"])
    assert [tool.name for tool in nat.usable([NFT, LEGACY], parts, True)] == ["iptables-legacy", "nft"]


def test_why_there_is_no_tool():
    assert nat.why_none([], MODULAR, False).startswith("there is no program to add a NAT rule with")
    text = nat.why_none([NFT, LEGACY], UBUNTU_20_IPTABLES_NFT, False)
    assert "nft (nft_masq is not loaded)" in text
    assert "iptables-legacy (ip_tables is not loaded, iptable_nat is not loaded)" in text
    assert text.endswith("allow_module_load: true")


def test_the_rule_of_an_iptables_of_2013():
    versions = {"/sbin/iptables": "iptables v1.4.21\n"}
    found = nat.installed(lambda argv: (0, versions[argv[0]], ""), lambda name: "/sbin/iptables" if name == "iptables" else None)
    assert [(tool.name, " ".join(tool.argv)) for tool in found] == [
        ("iptables-legacy", "/sbin/iptables -w -t nat -A POSTROUTING -p udp --dport 4789 -j MASQUERADE --to-ports 20000-20100")
    ]


def test_the_next_tool_is_tried_when_one_cannot():
    def run(argv):
        return (1, "", "Error: Could not process rule: No such file or directory\n") if argv == ["nft"] else (0, "", "")

    def without_lock(argv):
        return 0, "", ""

    tools = [nat.Tool("nft", ["nft"]), nat.Tool("iptables-legacy", ["iptables"])]
    assert nat.add_rule(tools, run, without_lock) == "iptables-legacy"
    with pytest.raises(Exception, match="no tool could add a NAT rule: nft: Error: Could not process rule"):
        nat.add_rule(tools[:1], run, without_lock)
