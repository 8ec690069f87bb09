# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of kube-proxy in nftables mode (1.29 and later): table ip kube-proxy."""

from __future__ import annotations

from collections.abc import Sequence

from .rules_kube_proxy import KubeProxy
from .services import Service

_FRAME = """table {ip} kube-proxy {{
 map service-ips {{ type {address} . inet_proto . inet_service : verdict; }}
 chain mark-for-masquerade {{ mark set mark or {mark}; }}
 chain masquerading {{ mark and {mark} == 0 return; mark set mark xor {mark}; masquerade fully-random; }}
 chain services {{ {ip} daddr . meta l4proto . th dport vmap @service-ips; }}
{chains}
 chain nat-prerouting {{ type nat hook prerouting priority dstnat; jump services; }}
 chain nat-output {{ type nat hook output priority -100; jump services; }}
 chain nat-postrouting {{ type nat hook postrouting priority srcnat; jump masquerading; }}
}}
{elements}
"""


def text(proxy: KubeProxy, services: Sequence[Service], ip: str = "ip") -> str:
    """The table of one family; `ip` is nft's word for it, ip or ip6."""
    chains = []
    elements = []
    for service in services:
        name = "service-%s-%s" % (service.chain()[9:], service.name.replace(":", "/" + service.protocol + "/"))
        chains.extend(_service(proxy, service, name, ip))
        elements.append("%s . %s . %d : goto %s" % (service.address, service.protocol, service.port, name))
    add = "add element %s kube-proxy service-ips { %s }" % (ip, ", ".join(elements))
    address = "ipv6_addr" if ip == "ip6" else "ipv4_addr"
    return _FRAME.format(ip=ip, address=address, mark=proxy.mark, chains="\n".join(chains), elements=add)


def _service(proxy: KubeProxy, service: Service, name: str, ip: str) -> list[str]:
    chains = []
    choices = []
    for place, endpoint in enumerate(service.endpoints):
        host = endpoint.rpartition(":")[0].strip("[]")
        chain = "endpoint-%s" % service.endpoint_chain(endpoint)[9:]
        chains.append(
            " chain %s { %s saddr %s jump mark-for-masquerade; meta l4proto %s dnat to %s; }"
            % (chain, ip, host, service.protocol, endpoint)
        )
        choices.append("%d : goto %s" % (place, chain))
    source = "%s saddr != %s " % (ip, proxy.cluster_cidr) if proxy.cluster_cidr else ""
    marker = "%s daddr %s %s dport %d %sjump mark-for-masquerade; " % (
        ip,
        service.address,
        service.protocol,
        service.port,
        source,
    )
    chains.append(
        " chain %s { %snumgen random mod %d vmap { %s }; }"
        % (name, marker if source or proxy.masquerade_all else "", len(choices), ", ".join(choices))
    )
    return chains
