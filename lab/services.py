# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes Services as kube-proxy sees them, and the names of their chains."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from . import addresses as ip


@dataclass(frozen=True)
class Service:
    """One port of a Service. `name` is namespace/service:port."""

    name: str
    address: str
    port: int
    protocol: str
    endpoints: tuple[str, ...]

    def chain(self) -> str:
        return "KUBE-SVC-" + _hash(self.name + self.protocol)

    def endpoint_chain(self, endpoint: str) -> str:
        return "KUBE-SEP-" + _hash(self.name + self.protocol + endpoint)


def _hash(text: str) -> str:
    """kube-proxy's portProtoHash: the same Service has the same chain name on all clusters."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


CLUSTER_DNS = (
    Service("kube-system/kube-dns:dns", ip.DNS_SERVICE, 53, "udp", (ip.DNS_POD + ":53",)),
    Service("kube-system/kube-dns:dns-tcp", ip.DNS_SERVICE, 53, "tcp", (ip.DNS_POD + ":53",)),
)
KUBERNETES = Service("default/kubernetes:https", ip.KUBERNETES_SERVICE, 443, "tcp", (ip.underlay(ip.BACKEND_NUMBER) + ":6443",))

CLUSTER_DNS_V6 = tuple(Service(one.name, ip.DNS_SERVICE_V6, one.port, one.protocol, ("[%s]:53" % ip.DNS_POD_V6,)) for one in CLUSTER_DNS)
_API_SERVER_V6 = "[%s]:6443" % ip.underlay_v6(ip.BACKEND_NUMBER)
KUBERNETES_V6 = Service("default/kubernetes:https", ip.KUBERNETES_SERVICE_V6, 443, "tcp", (_API_SERVER_V6,))


def more(count: int) -> Iterator[Service]:
    """`count` Services of three endpoints: 11 rules each, 110,000 rules for 10,000."""
    for number in range(count):
        high, low = divmod(number, 250)
        pods = tuple("10.244.%d.%d:8080" % (100 + place, 2 + low) for place in range(3))
        yield Service("default/web-%05d:http" % number, "10.97.%d.%d" % (high, low + 1), 80, "tcp", pods)


def all_of(count: int) -> list[Service]:
    return [*CLUSTER_DNS, KUBERNETES, *more(count)]


def all_of_v6() -> list[Service]:
    return [*CLUSTER_DNS_V6, KUBERNETES_V6]
