# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four test tunnels, two with and two without NAT, and the commands that make them in two empty namespaces.

The addresses are those of RFC 5737, for documentation; the namespaces are private, so nothing else can have them.
"""

from typing import List, NamedTuple

SENDER_DEVICE, RECEIVER_DEVICE = "va", "vb"
SENDER, RECEIVER = "192.0.2.1", "192.0.2.2"
# Only packets to the first port are NATed; what differs otherwise tells the packets apart.
PORT_WITH_NAT, PORT_WITHOUT_NAT = 4789, 4790
INNER_PORT = 7777
# Every source port is outside of what NAT may choose, so that NAT surely changes it.
FIRST_SOURCE_PORT = 41000
NAT_PORTS = (20000, 20100)

# checksum: udpcsum or noudpcsum; the inner packet goes to an address that no other tunnel has
Tunnel = NamedTuple("Tunnel", [("device", str), ("checksum", str), ("nat", bool), ("number", int), ("inner", str)])


def _tunnel(number, checksum, nat):  # type: (int, str, bool) -> Tunnel
    return Tunnel("vx%d" % number, checksum, nat, number, "198.51.100.%d" % number)


TUNNELS = [
    _tunnel(1, "noudpcsum", False),
    _tunnel(2, "noudpcsum", True),
    _tunnel(3, "udpcsum", False),
    _tunnel(4, "udpcsum", True),
]


def _tunnel_commands(tunnel):  # type: (Tunnel) -> List[str]
    first = FIRST_SOURCE_PORT + 10 * tunnel.number
    port = PORT_WITH_NAT if tunnel.nat else PORT_WITHOUT_NAT
    link = "type vxlan id %d local %s remote %s dev %s dstport %d srcport %d %d nolearning %s" % (
        tunnel.number,
        SENDER,
        RECEIVER,
        SENDER_DEVICE,
        port,
        first,
        first + 1,
        tunnel.checksum,
    )
    return [
        "link add %s %s" % (tunnel.device, link),
        "link set %s up" % tunnel.device,
        "neigh add %s lladdr 02:00:00:00:01:0%d dev %s nud permanent" % (tunnel.inner, tunnel.number, tunnel.device),
        "route add %s/32 dev %s src %s" % (tunnel.inner, tunnel.device, SENDER),
    ]


def underlay_commands(receiver_namespace):  # type: (str) -> List[str]
    """For ip -batch in the sender's namespace; receiver_namespace is a path. Neighbours are given: no ARP is needed."""
    return [
        "link add %s type veth peer name %s netns %s" % (SENDER_DEVICE, RECEIVER_DEVICE, receiver_namespace),
        "addr add %s/24 dev %s" % (SENDER, SENDER_DEVICE),
        "link set %s up" % SENDER_DEVICE,
        "neigh add %s lladdr 02:00:00:00:00:02 dev %s nud permanent" % (RECEIVER, SENDER_DEVICE),
    ]


def tunnel_commands():  # type: () -> List[str]
    """For ip -batch in the sender's namespace, when the underlay is there."""
    return [command for tunnel in TUNNELS for command in _tunnel_commands(tunnel)]


def receiver_commands():  # type: () -> List[str]
    """For ip -batch in the receiver's namespace: it needs no address, a packet socket sees everything."""
    return ["link set %s up" % RECEIVER_DEVICE]
