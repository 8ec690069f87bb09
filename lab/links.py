# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses, routes and neighbours, by pyroute2."""

from __future__ import annotations

from dataclasses import dataclass
from socket import AF_INET, AF_INET6
from typing import Any

from pyroute2 import IPRoute

from . import addresses as ip
from .namespaces import network_of
from .offload import tx_checksum_off

POD_LINK = "cali4d1a9c0f3b2"  # Calico names the host side of a pod's veth cali + 11 hex digits
POD_GATEWAY = "169.254.1.1"
POD_GATEWAY_MAC = "ee:ee:ee:ee:ee:ee"
POD_GATEWAY_V6 = "fe80::ecee:eeff:feee:eeee"
TUNNEL_MTU = 1450
TUNNEL_MTU_V6 = 1430
_NODAD = 2  # IFA_F_NODAD: the address can be used at once


@dataclass(frozen=True)
class Tunnel:
    """A VXLAN device as its CNI makes it."""

    name: str
    vni: int
    port: int
    ipv6: bool = False


TUNNELS = {
    "vxlan.calico": Tunnel("vxlan.calico", 4096, 4789),
    "flannel.1": Tunnel("flannel.1", 1, 8472),
    "vxlan-v6.calico": Tunnel("vxlan-v6.calico", 4096, 4789, ipv6=True),
    "flannel-v6.1": Tunnel("flannel-v6.1", 1, 8472, ipv6=True),
}


def _sysctl(key: str, value: str) -> None:
    with open("/proc/sys/net/" + key, "w", encoding="ascii") as stream:
        stream.write(value)


def _index(route: IPRoute, name: str) -> int:
    found: int = route.link_lookup(ifname=name)[0]
    return found


def _up(route: IPRoute, name: str, **settings: Any) -> int:
    index = _index(route, name)
    route.link("set", index=index, state="up", **settings)
    return index


def build_switch(switch: int) -> None:
    """The underlay: one bridge, which is also the nodes' default gateway."""
    with network_of(switch):
        _sysctl("ipv6/conf/all/disable_ipv6", "1")
        _sysctl("ipv6/conf/default/disable_ipv6", "1")
        with IPRoute() as route:
            _up(route, "lo")
            route.link("add", ifname="br0", kind="bridge")
            index = _up(route, "br0")
            route.addr("add", index=index, address=ip.GATEWAY, prefixlen=ip.UNDERLAY_PREFIX)


def _enable_ipv6(forwarding: bool) -> None:
    """Without duplicate address detection: every address can be used at once."""
    for place in ("all", "default"):
        _sysctl("ipv6/conf/%s/accept_dad" % place, "0")
        _sysctl("ipv6/conf/%s/disable_ipv6" % place, "0")
    if forwarding:
        _sysctl("ipv6/conf/all/forwarding", "1")


def add_ipv6_to_switch(switch: int) -> None:
    with network_of(switch):
        _enable_ipv6(forwarding=True)
        with IPRoute() as route:
            index = _index(route, "br0")
            route.addr("add", index=index, address=ip.GATEWAY_V6, prefixlen=ip.UNDERLAY_PREFIX_V6, flags=_NODAD)


def add_ipv6_to_node(node: int, number: int) -> None:
    """A second address family, as on a dual-stack node."""
    with network_of(node):
        _enable_ipv6(forwarding=True)
        with IPRoute() as route:
            index = _index(route, "eth0")
            route.addr("add", index=index, address=ip.underlay_v6(number), prefixlen=ip.UNDERLAY_PREFIX_V6, flags=_NODAD)
            route.route("add", dst="default", family=AF_INET6, gateway=ip.GATEWAY_V6, oif=index)


def remove_ipv4(node: int, number: int) -> None:
    """What is left is a node of a cluster with IPv6 alone."""
    with network_of(node), IPRoute() as route:
        route.addr("del", index=_index(route, "eth0"), address=ip.underlay(number), prefixlen=ip.UNDERLAY_PREFIX)


def plug_in(switch: int, node: int, number: int) -> None:
    """A cable from the switch to the node's eth0.

    The switch's side has TX checksumming off: only then are checksums completed on the wire and verified by
    the receiver. The node's eth0 keeps the offload, as a real NIC does.
    """
    port = "port%d" % number
    with network_of(switch), IPRoute() as route:
        route.link("add", ifname=port, kind="veth", peer={"ifname": "eth0", "net_ns_pid": node})
        tx_checksum_off(port)
        _up(route, port, master=_index(route, "br0"))


def configure_node(node: int, number: int) -> None:
    with network_of(node):
        _sysctl("ipv6/conf/all/disable_ipv6", "1")
        _sysctl("ipv6/conf/default/disable_ipv6", "1")
        _sysctl("ipv4/ip_forward", "1")
        with IPRoute() as route:
            _up(route, "lo")
            index = _up(route, "eth0")
            route.addr("add", index=index, address=ip.underlay(number), prefixlen=ip.UNDERLAY_PREFIX)
            route.route("add", dst="default", gateway=ip.GATEWAY)


def add_tunnel(node: int, number: int, tunnel: Tunnel, udp_checksum: bool = True, source_port: int = 0) -> None:
    """In the namespace in which it stays. Leaving the checksum to the kernel is what Calico and flannel do, in both families.

    Over IPv6 the kernel fills it too (RFC 6935), and both ends must agree on zero. With `source_port` all outer flows have this one.
    """
    choice: dict[str, Any] = {"vxlan_local": ip.underlay(number), **({} if udp_checksum else {"vxlan_udp_csum": 0})}
    if source_port:
        choice["vxlan_port_range"] = {"low": source_port, "high": source_port + 1}
    mtu, address = TUNNEL_MTU, {"address": ip.tunnel(number), "prefixlen": 32}
    if tunnel.ipv6:
        zero = {} if udp_checksum else {"vxlan_udp_zero_csum6_tx": 1}
        choice = {"vxlan_local6": ip.underlay_v6(number), "vxlan_udp_zero_csum6_rx": 1, **zero}
        mtu, address = TUNNEL_MTU_V6, {"address": ip.tunnel_v6(number), "prefixlen": 128, "flags": _NODAD}
    with network_of(node), IPRoute() as route:
        route.link(
            "add",
            ifname=tunnel.name,
            kind="vxlan",
            vxlan_id=tunnel.vni,
            vxlan_link=_index(route, "eth0"),
            vxlan_port=tunnel.port,
            vxlan_learning=0,
            **choice,
        )
        index = _up(route, tunnel.name, mtu=mtu, address=ip.tunnel_mac(tunnel.vni, number))
        route.addr("add", index=index, **address)


def connect_tunnel(node: int, tunnel: Tunnel, peer: int, subnet: bool = True) -> None:
    """What the CNI agent programs for one remote node: neighbour, forwarding entry, route to its pods."""
    mac = ip.tunnel_mac(tunnel.vni, peer)
    gateway, underlay, pods = ip.tunnel(peer), ip.underlay(peer), ip.pod_cidr(peer)
    if tunnel.ipv6:
        gateway, underlay, pods = ip.tunnel_v6(peer), ip.underlay_v6(peer), ip.pod_cidr_v6(peer)
    with network_of(node), IPRoute() as route:
        index = _index(route, tunnel.name)
        family = AF_INET6 if tunnel.ipv6 else AF_INET
        route.neigh("replace", family=family, dst=gateway, lladdr=mac, ifindex=index, state=0x80)
        route.fdb("append", ifindex=index, lladdr=mac, dst=underlay)
        if subnet:
            route.route("replace", dst=pods, gateway=gateway, oif=index, flags=["onlink"])


def connect_host_gateway(node: int, peer: int) -> None:
    """No overlay: the other node is the gateway to its pods."""
    with network_of(node), IPRoute() as route:
        route.route("replace", dst=ip.pod_cidr(peer), gateway=ip.underlay(peer), oif=_index(route, "eth0"))


def add_pod(node: int, pod: int, address: str) -> None:
    """A pod behind a cali* veth, wired as Calico does: /32 addresses, a link-local gateway, a fixed MAC."""
    with network_of(node), IPRoute() as route:
        route.link("add", ifname=POD_LINK, kind="veth", peer={"ifname": "eth0", "net_ns_pid": pod})
        index = _up(route, POD_LINK, mtu=TUNNEL_MTU, address=POD_GATEWAY_MAC)
        route.route("add", dst=address + "/32", oif=index, scope=253)
    with network_of(pod):
        _sysctl("ipv6/conf/all/disable_ipv6", "1")
        with IPRoute() as route:
            _up(route, "lo")
            index = _up(route, "eth0", mtu=TUNNEL_MTU)
            route.addr("add", index=index, address=address, prefixlen=32)
            route.neigh("add", dst=POD_GATEWAY, lladdr=POD_GATEWAY_MAC, ifindex=index, state=0x80)
            route.route("add", dst=POD_GATEWAY + "/32", oif=index, scope=253)
            route.route("add", dst="default", gateway=POD_GATEWAY, oif=index)


def add_ipv6_to_pod(node: int, pod: int, address: str) -> None:
    """The same for a second address. Neighbours are fixed: link-local addresses take a second to settle."""
    with network_of(pod):
        _enable_ipv6(forwarding=False)
        with IPRoute() as route:
            index = _index(route, "eth0")
            mac = route.get_links(index)[0].get_attr("IFLA_ADDRESS")
            route.addr("add", index=index, address=address, prefixlen=128, flags=_NODAD)
            route.neigh("add", family=AF_INET6, dst=POD_GATEWAY_V6, lladdr=POD_GATEWAY_MAC, ifindex=index, state=0x80)
            route.route("add", dst="default", family=AF_INET6, gateway=POD_GATEWAY_V6, oif=index, flags=["onlink"])
    with network_of(node), IPRoute() as route:
        index = _index(route, POD_LINK)
        route.route("add", dst=address + "/128", oif=index)
        route.neigh("replace", family=AF_INET6, dst=address, lladdr=mac, ifindex=index, state=0x80)


def add_pod_interfaces(switch: int, node: int, number: int, count: int) -> None:
    """`count` more cali* interfaces; their far ends are parked in the switch's namespace."""
    with network_of(node), IPRoute() as route:
        for place in range(count):
            peer = {"ifname": "pod%dx%d" % (number, place), "net_ns_pid": switch}
            route.link("add", ifname="cali%011x" % (place + 1), kind="veth", peer=peer)
            _up(route, "cali%011x" % (place + 1))


def tx_off(node: int, devices: tuple[str, ...]) -> None:
    with network_of(node):
        for device in devices:
            tx_checksum_off(device)
