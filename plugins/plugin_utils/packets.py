# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two packets of the walk: what is known about them, and what is not.

An address is known as a list of networks that hold it and networks that do not, because the walk knows
"a pod on another node" and not which one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Optional, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Tri = Optional[bool]  # None is "maybe"
# The widest block that a CNI usually gives to one node, by the version of IP.
OWN_BLOCK = {4: 24, 6: 64}
# All nodes of a cluster are taken to be in one of these if one node is (ip-masq-agent has them in its rules).
PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# Neither a pod nor a node of a cluster has an address in these.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/32", "::1/128", "fe80::/10", "ff00::/8", "::/128")
)


@lru_cache(maxsize=16384)
def network(text: str) -> Optional[Network]:
    """A network of either family, or None when the text is not one: iptables also takes masks that are no prefix."""
    _address, _slash, mask = text.strip().partition("/")
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return None if "." in mask and mask != str(found.netmask) else found


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Those texts that are networks."""
    found = (network(text) for text in texts)
    return tuple(one for one in found if one is not None)


def lies_in(small: Network, big: Network) -> bool:
    """Whether all of one network is in the other; never across families."""
    return small.version == big.version and small.prefixlen >= big.prefixlen and small.network_address in big


@dataclass(frozen=True)
class Address:
    """Where an address lies: surely inside every one of `inside`, surely outside every one of `outside`.

    `apart` are addresses of this node: a block of a larger network that holds one of them is this node's own
    block, and the address is on another node (CNIs write rules for the whole network and for their own block).
    """

    inside: tuple[Network, ...] = ()
    outside: tuple[Network, ...] = ()
    apart: tuple[Network, ...] = ()
    # Where the address most likely lies: enough for "yes" to a network that holds it, not for "no" to another.
    near: tuple[Network, ...] = ()

    def within(self, wanted: Network) -> Tri:
        """Whether the address lies in this network."""
        if wanted.prefixlen == 0 or any(lies_in(one, wanted) for one in (*self.inside, *self.near)):
            return True
        if self.inside and any(not one.overlaps(wanted) for one in self.inside):
            return False
        if any(lies_in(wanted, one) for one in (*self.outside, *_NEVER)):
            return False
        part = wanted.prefixlen >= OWN_BLOCK[wanted.version] and any(wanted != one and lies_in(wanted, one) for one in self.inside)
        return False if part and any(lies_in(one, wanted) for one in self.apart) else None


@dataclass(frozen=True)
class Packet:
    """One packet's fields; None is "not known", and `kind` says which of the two it is.

    Its hash is kept: walks are remembered by their packet, and hashing its addresses takes longer than most of them.
    """

    kind: str  # "inner" or "outer"
    client: str  # "host", "pod" or "any"
    out_interface: str
    source: Address
    destination: Address
    protocol: str  # "" is tcp or udp
    destination_port: Optional[int]
    source_is_local: bool
    # Whether the source is an address of the device that the packet leaves by (addrtype --limit-iface-out).
    source_on_out_interface: Tri
    # Whether the source is the first address of the device that the packet leaves by: what MASQUERADE would choose.
    source_is_primary: Tri
    other_interfaces: tuple[str, ...] = ()
    # Whether it is on its way to a Service, so that kube-proxy's chains in nat OUTPUT take it.
    asks_service: bool = False
    # Whether its destination was translated from that of a Service.
    translated: bool = False
    # Its connection tracking state; raw comes before connection tracking, where only INVALID matches (xt_conntrack.c).
    state: str = "NEW"

    @cached_property
    def _hash(self) -> int:
        # Not of every field: equal packets must have equal hashes, and these differ where it matters.
        return hash((self.kind, self.client, self.out_interface, self.source, self.destination, self.asks_service, self.state))

    def __hash__(self) -> int:
        return self._hash
