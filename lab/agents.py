# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agents of one node: kubelet, kube-proxy and the CNI's, each doing to the kernel what its release does:
agents.of(lab, "pre_fix_kube_proxy_nft").sync()"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from pyroute2 import IPRoute

from . import addresses as ip
from . import links, scenarios
from .errors import LabError
from .felix import Felix
from .flannel import Flannel
from .iptables import Iptables
from .kube_proxy_sync import KubeProxySync, NftablesProxySync
from .kubelet_sync import Kubelet
from .namespaces import network_of
from .node import OTHER
from .scenarios import Scenario
from .services import all_of
from .state import State


@dataclass
class Agents:
    """Of one node of a lab. `felix` or `flannel` is None where the node has the other one, or none with iptables rules."""

    scenario: Scenario
    iptables: Iptables
    number: int
    kubelet: Kubelet
    kube_proxy: Union[KubeProxySync, NftablesProxySync]
    felix: Optional[Felix] = None
    flannel: Optional[Flannel] = None

    def start(self) -> None:
        """A boot with empty tables: kubelet, kube-proxy, CNI."""
        self.kubelet.start()
        self.kube_proxy.start()
        self.refresh_cni()

    def sync(self) -> None:
        """kube-proxy after a change of a Service, as its release does it."""
        if isinstance(self.kube_proxy, KubeProxySync):
            self.kube_proxy.partial()
        else:
            self.kube_proxy.full()

    def refresh_cni(self) -> bool:
        """One pass of the CNI agent's refresh of rules and routes. True when it had to write."""
        if self.felix:
            wrote = bool(self.felix.refresh_rules())
            return bool(self.felix.refresh_routes([ip.BACKEND_NUMBER])) or wrote if self.scenario.devices else wrote
        return bool(self.flannel and self.flannel.refresh_rules())

    def recreate_tunnel(self) -> str:
        """The agent deletes its device and makes it anew, with neighbours and routes: a changed VNI, port or parent leads to that."""
        if self.scenario.way or not self.scenario.devices:
            raise LabError("scenario %s has no tunnel of one agent alone" % self.scenario.name)
        name = self.scenario.devices[0]
        tunnel = links.TUNNELS[name]
        with network_of(self.iptables.pid), IPRoute() as route:
            route.link("del", index=route.link_lookup(ifname=name)[0])
        links.add_tunnel(self.iptables.pid, self.number, tunnel, self.scenario.udp_checksum)
        links.connect_tunnel(self.iptables.pid, tunnel, ip.BACKEND_NUMBER)
        if self.felix and name in self.scenario.tx_checksum_off:
            self.felix.keep_offload_off()
        return name


def of(lab: State, node: str) -> Agents:
    """The agents of a lab node, over IPv4."""
    planned, pid = lab.nodes[node], lab.pid(node)
    scenario = scenarios.get(planned["scenario"])
    iptables = Iptables(pid, planned["backend"])
    cni_iptables = Iptables(pid, OTHER[planned["backend"]] if scenario.cni_in_other_backend else planned["backend"])
    known = all_of(lab.data["options"]["services"])
    nftables = scenario.proxy.mode == "nftables"
    agents = Agents(
        scenario,
        iptables,
        planned["number"],
        Kubelet(iptables, scenario.proxy),
        NftablesProxySync(pid, scenario.proxy, known) if nftables else KubeProxySync(iptables, scenario.proxy, known),
    )
    if scenario.cni.plugin == "calico":
        agents.felix = Felix(cni_iptables, scenario.cni, planned["number"])
    elif scenario.cni.plugin == "flannel" and not scenario.cni.nftables:
        agents.flannel = Flannel(cni_iptables, scenario.cni, planned["number"])
    return agents
