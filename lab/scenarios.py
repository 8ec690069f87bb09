# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that a fleet can have, as data. Packets decide what is true; `udp` and `tcp` are what we expect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from . import addresses as ip
from . import requirements
from .errors import LabError
from .rules_cni import Cni
from .rules_kube_proxy import KubeProxy


@dataclass(frozen=True)
class Scenario:
    """One kind of node. `udp` and `tcp`: broken or ok, for a process on the node that asks a Service."""

    name: str
    description: str
    udp: str
    tcp: str
    proxy: KubeProxy = KubeProxy()
    cni: Cni = Cni("calico", "3.14.0")
    devices: tuple[str, ...] = ("vxlan.calico",)
    udp_checksum: bool = True
    tx_checksum_off: tuple[str, ...] = ()
    backends: tuple[str, ...] = ("nft", "legacy")
    cni_in_other_backend: bool = False
    cni_after_proxy: bool = False  # of two tables at one hook, the one registered last runs first
    way: str = ""  # to pods, when it is not the first device: see ways.py
    needs: str = ""  # of the kernel: see requirements.KERNEL
    families: tuple[str, ...] = ("ipv4",)
    proxy_v6: KubeProxy = KubeProxy()
    cni_v6: Cni = Cni("calico", "3.28.0")

    @property
    def configured_proxy(self) -> KubeProxy:
        """kube-proxy with the cluster CIDRs of all families of the node, as it answers when asked."""
        if "ipv6" not in self.families:
            return self.proxy
        proxy = self.proxy if "ipv4" in self.families else self.proxy_v6
        cidrs = {"ipv4": self.proxy.cluster_cidr, "ipv6": ip.CLUSTER_CIDR_V6}
        return replace(proxy, cluster_cidr=",".join(cidr for family in self.families if (cidr := cidrs[family])))


CALICO_FIRST = Cni("calico", "3.28.0")
FIXED = KubeProxy("1.28.3")
FLANNEL = ("flannel.1",)
CALICO_V6 = ("vxlan-v6.calico",)
CALICO_BOTH = ("vxlan.calico", "vxlan-v6.calico")
CALICO_LAST = Cni("calico", "3.28.2")
IPV6 = ("ipv6",)
DUAL = ("ipv4", "ipv6")

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("pre_fix_kube_proxy", "kube-proxy 1.18.5 never clears the mark", "broken", "broken"),
    Scenario(
        "fixed_kube_proxy",
        "kube-proxy 1.20.15 clears the mark, and Calico appends its rules",
        "ok",
        "ok",
        proxy=KubeProxy("1.20.15"),
        cni=Cni("calico", "3.18.6", chain_insert_mode="append"),
    ),
    Scenario(
        "fixed_kube_proxy_calico_first",
        "kube-proxy 1.28.3 clears the mark, but Calico 3.28.0 masquerades before it can",
        "broken",
        "broken",
        proxy=FIXED,
        cni=CALICO_FIRST,
    ),
    Scenario(
        "flannel_0_20_1",
        "kube-proxy 1.25.4 clears the mark, but flannel 0.20.1 masquerades before it can",
        "broken",
        "broken",
        proxy=KubeProxy("1.25.4"),
        cni=Cni("flannel", "0.20.1"),
        devices=FLANNEL,
    ),
    Scenario(
        "custom_masquerade_bit",
        "kube-proxy 1.18.5 with --iptables-masquerade-bit 27",
        "broken",
        "broken",
        proxy=KubeProxy(masquerade_bit=27),
    ),
    Scenario(
        "legacy_backend",
        "kube-proxy 1.18.5, rules in the legacy backend",
        "broken",
        "broken",
        backends=("legacy",),
    ),
    Scenario(
        "offload_off",
        "Felix 3.26.1 has turned TX checksumming of vxlan.calico off; its masquerade comes first",
        "ok",
        "ok",
        proxy=KubeProxy("1.25.4"),
        cni=Cni("calico", "3.26.1"),
        tx_checksum_off=("vxlan.calico",),
    ),
    Scenario(
        "calico_3_29_notrack",
        "kube-proxy 1.18.5, and Calico 3.29.1 keeps the tunnel out of conntrack",
        "ok",
        "ok",
        cni=Cni("calico", "3.29.1"),
    ),
    Scenario(
        "noudpcsum",
        "kube-proxy 1.18.5, the VXLAN device writes no outer checksum (needs an old kernel to fail)",
        "ok",
        "ok",
        udp_checksum=False,
    ),
    Scenario(
        "no_vxlan",
        "kube-proxy 1.18.5 with flannel host-gw: no overlay at all",
        "ok",
        "ok",
        cni=Cni("flannel", "0.12.0"),
        devices=(),
    ),
    Scenario(
        "pre_fix_without_random_fully",
        "kube-proxy 1.18.5 whose iptables is older than 1.6.2: masquerades twice, keeps the port",
        "ok",
        "ok",
        proxy=KubeProxy(random_fully=False),
        cni=Cni("flannel", "0.12.0"),
        devices=FLANNEL,
    ),
    Scenario(
        "kube_proxy_1_17",
        "kube-proxy 1.17.5 with flannel 0.12, marker in KUBE-SERVICES",
        "broken",
        "broken",
        proxy=KubeProxy("1.17.5"),
        cni=Cni("flannel", "0.12.0"),
        devices=FLANNEL,
    ),
    Scenario(
        "skew_old_then_new",
        "kubelet 1.18.6 appended the new rules behind the one of an old kube-proxy",
        "broken",
        "broken",
        proxy=KubeProxy("1.18.6", old_rule_left=True),
        cni=Cni("flannel", "0.12.0"),
        devices=FLANNEL,
    ),
    Scenario(
        "flannel_0_21",
        "kube-proxy 1.26.1 clears the mark, flannel 0.21.0 leaves marked packets to it",
        "ok",
        "ok",
        proxy=KubeProxy("1.26.1"),
        cni=Cni("flannel", "0.21.0"),
        devices=FLANNEL,
    ),
    Scenario(
        "flannel_0_21_custom_masquerade_bit",
        "flannel 0.21.0 knows only mark 0x4000, kube-proxy 1.26.1 uses bit 27",
        "broken",
        "broken",
        proxy=KubeProxy("1.26.1", masquerade_bit=27),
        cni=Cni("flannel", "0.21.0"),
        devices=FLANNEL,
    ),
    Scenario(
        "calico_3_28_2",
        "kube-proxy 1.28.3 clears the mark, Calico 3.28.2 masquerades after it",
        "ok",
        "ok",
        proxy=FIXED,
        cni=Cni("calico", "3.28.2"),
    ),
    Scenario(
        "masquerade_all",
        "kube-proxy 1.18.5 with --masquerade-all",
        "broken",
        "broken",
        proxy=KubeProxy(masquerade_all=True, cluster_cidr=None),
    ),
    Scenario(
        "no_cluster_cidr",
        "kube-proxy 1.18.5 without a cluster CIDR does not mark traffic to a ClusterIP",
        "ok",
        "ok",
        proxy=KubeProxy(cluster_cidr=None),
    ),
    Scenario(
        "eth0_tx_off",
        "kube-proxy 1.18.5; TX checksumming of eth0 turned off looks like a cure (DNS works) and is none",
        "ok",
        "broken",
        tx_checksum_off=("eth0",),
    ),
    Scenario(
        "two_vxlan_devices",
        "a flannel.1 left over beside vxlan.calico; Calico 3.28.0 masquerades first",
        "broken",
        "broken",
        proxy=FIXED,
        cni=CALICO_FIRST,
        devices=("vxlan.calico", "flannel.1"),
    ),
    Scenario(
        "nft_kube_proxy",
        "kube-proxy 1.31.2 in nftables mode, its hook registered after Calico's",
        "ok",
        "ok",
        proxy=KubeProxy("1.31.2", mode="nftables"),
        cni=Cni("calico", "3.28.2"),
    ),
    Scenario(
        "nft_kube_proxy_calico_registered_last",
        "kube-proxy 1.31.2 in nftables mode, Calico's hook registered after it runs first",
        "broken",
        "broken",
        proxy=KubeProxy("1.31.2", mode="nftables"),
        cni=Cni("calico", "3.28.2"),
        cni_after_proxy=True,
    ),
    Scenario(
        "calico_in_other_backend_registered_first",
        "kube-proxy 1.28.3 in one backend, Calico 3.28.2 in the other; kube-proxy's hook runs first",
        "ok",
        "ok",
        proxy=FIXED,
        cni=Cni("calico", "3.28.2"),
        cni_in_other_backend=True,
    ),
    Scenario(
        "calico_in_other_backend_registered_last",
        "kube-proxy 1.28.3 in one backend, Calico 3.28.2 in the other; Calico's hook runs first",
        "broken",
        "broken",
        proxy=FIXED,
        cni=Cni("calico", "3.28.2"),
        cni_in_other_backend=True,
        cni_after_proxy=True,
    ),
)
# The rules of the two families are read and judged apart: a node is as bad as the worse of them.
SCENARIOS += (
    Scenario(
        "ipv6_pre_fix_kube_proxy",
        "IPv6 alone: kube-proxy 1.18.5 never clears the mark",
        "broken",
        "broken",
        devices=CALICO_V6,
        families=IPV6,
    ),
    Scenario(
        "ipv6_fixed_kube_proxy",
        "IPv6 alone: kube-proxy 1.28.3 clears the mark, Calico 3.28.2 masquerades after it",
        "ok",
        "ok",
        devices=CALICO_V6,
        families=IPV6,
        proxy_v6=FIXED,
        cni_v6=CALICO_LAST,
    ),
    Scenario(
        "ipv6_fixed_kube_proxy_calico_first",
        "IPv6 alone: kube-proxy 1.28.3 clears the mark, but Calico 3.28.0 masquerades before it can",
        "broken",
        "broken",
        devices=CALICO_V6,
        families=IPV6,
        proxy_v6=FIXED,
    ),
    Scenario(
        "ipv6_udp6zerocsumtx",
        "IPv6 alone: kube-proxy 1.18.5, the VXLAN device writes no outer checksum (needs an old kernel to fail)",
        "ok",
        "ok",
        devices=CALICO_V6,
        udp_checksum=False,
        families=IPV6,
    ),
    Scenario(
        "ipv6_nft_kube_proxy",
        "IPv6 alone: kube-proxy 1.31.2 in nftables mode, Calico's hook registered after it runs first",
        "broken",
        "broken",
        devices=CALICO_V6,
        families=IPV6,
        proxy_v6=KubeProxy("1.31.2", mode="nftables"),
    ),
    Scenario(
        "dual_stack_pre_fix",
        "kube-proxy 1.18.5 never clears the mark, in neither family",
        "broken",
        "broken",
        devices=CALICO_BOTH,
        families=DUAL,
    ),
    Scenario(
        "dual_stack_fixed",
        "kube-proxy 1.28.3 clears the mark in both families, Calico 3.28.2 masquerades after it",
        "ok",
        "ok",
        proxy=FIXED,
        cni=CALICO_LAST,
        devices=CALICO_BOTH,
        families=DUAL,
        proxy_v6=FIXED,
        cni_v6=CALICO_LAST,
    ),
    Scenario(
        "dual_stack_only_ipv6_fails",
        "kube-proxy 1.18.5; a NOTRACK rule such as that of Calico 3.29.1 is there for IPv4 and missing for IPv6",
        "broken",
        "broken",
        cni=Cni("calico", "3.29.1"),
        devices=CALICO_BOTH,
        families=DUAL,
    ),
    Scenario(
        "dual_stack_only_ipv4_fails",
        "kube-proxy 1.18.5; the offload of vxlan-v6.calico is off, that of vxlan.calico is on",
        "broken",
        "broken",
        devices=CALICO_BOTH,
        families=DUAL,
        tx_checksum_off=CALICO_V6,
    ),
    Scenario(
        "dual_stack_flannel",
        "kube-proxy 1.25.4 clears the mark, but flannel 0.20.1 masquerades before it can, in both families",
        "broken",
        "broken",
        proxy=KubeProxy("1.25.4"),
        cni=Cni("flannel", "0.20.1"),
        devices=("flannel.1", "flannel-v6.1"),
        families=DUAL,
        proxy_v6=KubeProxy("1.25.4"),
        cni_v6=Cni("flannel", "0.20.1"),
    ),
)
# Ways to pods other than one device that all of them are reached over.
SCENARIOS += (
    Scenario(
        "cross_subnet_same_subnet",
        "kube-proxy 1.18.5; Calico in cross-subnet mode, all nodes in one subnet: no route leads over vxlan.calico",
        "ok",
        "ok",
        way="same_subnet",
    ),
    Scenario(
        "cross_subnet_other_subnet",
        "kube-proxy 1.18.5; Calico in cross-subnet mode: the DNS pod's node is in another subnet, a third node is not",
        "broken",
        "broken",
        way="other_subnet",
    ),
    Scenario(
        "external_with_checksum",
        "kube-proxy 1.17.5; a flow-based device, the flows ask for an outer checksum",
        "broken",
        "broken",
        proxy=KubeProxy("1.17.5"),
        cni=Cni("bridge", "1.0.0"),
        devices=("vxlan_sys_8472",),
        way="flow_csum",
    ),
    Scenario(
        "external_without_checksum",
        "kube-proxy 1.17.5; a flow-based device, the flows ask for no outer checksum (needs an old kernel to fail)",
        "ok",
        "ok",
        proxy=KubeProxy("1.17.5"),
        cni=Cni("bridge", "1.0.0"),
        devices=("vxlan_sys_8472",),
        way="flow_zero",
    ),
    Scenario(
        "two_vxlan_devices_with_pods",
        "kube-proxy 1.18.5; pods of one network over vxlan.calico, of another over flannel.1",
        "broken",
        "broken",
        devices=("vxlan.calico", "flannel.1"),
        way="both",
    ),
)
# kube-proxy in nftables mode beside other CNIs than Calico.
NFTABLES = KubeProxy("1.31.2", mode="nftables")
FLANNEL_NFT = Cni("flannel", "0.26.1", nftables=True)
SCENARIOS += (
    Scenario(
        "nftables_proxy_alone",
        "kube-proxy 1.31.2 in nftables mode, no other nat rules on the node",
        "ok",
        "ok",
        proxy=NFTABLES,
        cni=Cni("bridge", "1.0.0"),
        devices=FLANNEL,
        backends=("nft",),
    ),
    Scenario(
        "nftables_proxy_flannel_iptables",
        "kube-proxy 1.31.2 in nftables mode, flannel 0.26.1 with iptables: it leaves marked packets to kube-proxy",
        "ok",
        "ok",
        proxy=NFTABLES,
        cni=Cni("flannel", "0.26.1"),
        devices=FLANNEL,
    ),
    Scenario(
        "nftables_proxy_flannel_0_20_1_registered_last",
        "kube-proxy 1.31.2 in nftables mode, flannel 0.20.1 with iptables masquerades before it",
        "broken",
        "broken",
        proxy=NFTABLES,
        cni=Cni("flannel", "0.20.1"),
        cni_after_proxy=True,
        devices=FLANNEL,
    ),
    Scenario(
        "nftables_proxy_flannel_nftables",
        "kube-proxy 1.31.2 and flannel 0.26.1, both in nftables mode, flannel's hook registered first",
        "ok",
        "ok",
        proxy=NFTABLES,
        cni=FLANNEL_NFT,
        devices=FLANNEL,
        backends=("nft",),
    ),
    Scenario(
        "nftables_proxy_flannel_nftables_registered_last",
        "kube-proxy 1.31.2 and flannel 0.26.1, both in nftables mode, flannel's hook runs first",
        "ok",
        "ok",
        proxy=NFTABLES,
        cni=FLANNEL_NFT,
        cni_after_proxy=True,
        devices=FLANNEL,
        backends=("nft",),
    ),
    Scenario(
        "pre_fix_flannel_nftables",
        "kube-proxy 1.18.5 never clears the mark, flannel 0.26.1 in nftables mode",
        "broken",
        "broken",
        cni=FLANNEL_NFT,
        devices=FLANNEL,
    ),
)
# kube-proxy in IPVS mode: kubespray's default. The virtual servers need a kernel that has them.
IPVS_FIXED = KubeProxy("1.28.3", mode="ipvs")
SCENARIOS += (
    Scenario(
        "ipvs_pre_fix",
        "kube-proxy 1.18.5 in IPVS mode never clears the mark",
        "broken",
        "broken",
        proxy=KubeProxy("1.18.5", mode="ipvs"),
        needs="ip_vs",
    ),
    Scenario(
        "ipvs_fixed",
        "kube-proxy 1.28.3 in IPVS mode clears the mark, Calico 3.28.2 masquerades after it",
        "ok",
        "ok",
        proxy=IPVS_FIXED,
        cni=CALICO_LAST,
        needs="ip_vs",
    ),
    Scenario(
        "ipvs_calico_first",
        "kube-proxy 1.28.3 in IPVS mode clears the mark, but Calico 3.28.0 masquerades before it can",
        "broken",
        "broken",
        proxy=IPVS_FIXED,
        cni=CALICO_FIRST,
        needs="ip_vs",
    ),
    Scenario(
        "ipvs_no_cluster_cidr",
        "kube-proxy 1.18.5 in IPVS mode without a cluster CIDR: what the node sends itself is marked all the same",
        "broken",
        "broken",
        proxy=KubeProxy("1.18.5", mode="ipvs", cluster_cidr=None),
        needs="ip_vs",
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
DEFAULT_FLEET = tuple(scenario.name for scenario in SCENARIOS[:10])


NOUDPCSUM = "_noudpcsum"


def get(name: str) -> Scenario:
    """A scenario by its name; with _noudpcsum behind it, the same with a VXLAN device that writes no outer checksum."""
    base = name[: -len(NOUDPCSUM)]
    if name.endswith(NOUDPCSUM) and base in BY_NAME:
        return replace(BY_NAME[base], name=name, udp_checksum=False, udp="ok", tcp="ok")
    if name not in BY_NAME:
        raise LabError("no scenario %r: choose from %s" % (name, ", ".join(BY_NAME)))
    return BY_NAME[name]


def on_this_kernel() -> tuple[str, ...]:
    """The names of all scenarios that the running kernel can build; `make kernel-lab` runs the others."""
    return tuple(scenario.name for scenario in SCENARIOS if requirements.kernel_has(scenario.needs))


def variants(names: tuple[str, ...], backend: Optional[str]) -> list[tuple[Scenario, str]]:
    """(scenario, backend) pairs. `backend`: nft, legacy or both; a scenario bound to one backend keeps it."""
    pairs: list[tuple[Scenario, str]] = []
    for name in names:
        scenario = get(name)
        wanted = ("nft", "legacy") if backend == "both" else (backend or "nft",)
        fitting = [one for one in wanted if one in scenario.backends] or list(scenario.backends[:1])
        pairs.extend((scenario, one) for one in fitting)
    return pairs
