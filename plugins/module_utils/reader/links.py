# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN devices, their underlay and the routes, through pyroute2."""

import re
import struct
from socket import AF_INET, AF_INET6
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import ethtool
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

try:
    from pyroute2 import IPRoute
    from pyroute2.ethtool.ioctl import IoctlEthtool
    from pyroute2.netlink.exceptions import NetlinkError
except Exception:  # pylint: disable=broad-except  # TypeError on too old a Python; node_info reports it
    IPRoute = IoctlEthtool = NetlinkError = None

IFF_UP = 1
RTN_UNICAST = 1
# linux/lwtunnel.h: encapsulation in IPv4 and in IPv6, and the attribute with the flags of the former
LWTUNNEL_ENCAP_IP, LWTUNNEL_ENCAP_IP6 = 2, 4
LWTUNNEL_IP_FLAGS = 6
TUNNEL_CSUM = 1


def _attributes(pairs):  # type: (Any) -> Dict[str, Any]
    return {pair[0]: pair[1] for pair in (pairs or {}).get("attrs", ())}


def features(name):  # type: (str) -> Tuple[Dict[str, Any], str]
    """Every feature of a device, and why there is none."""
    reader = IoctlEthtool(name)
    try:
        found = reader.get_features()
    except OSError as error:
        return {}, "features of %s: %s" % (name, error.strerror)
    finally:
        reader.close()
    result = {}
    for feature, active, available, _index, _bit in found:
        if not feature:
            continue  # a bit that this kernel has no name for
        fixed = not available or found.is_never_changed(feature)
        result[feature] = {
            "active": active,
            # an unchangeable feature cannot be requested, whatever its bit says
            "requested": active if fixed else found.is_requested(feature),
            "fixed": fixed,
        }
    return result, ""


def _with_features(device):  # type: (Dict[str, Any]) -> Dict[str, Any]
    device["features"], reason = features(device["name"])
    if reason:
        device["features_unknown"] = reason
    return device


def owner(name, canal):  # type: (str, bool) -> str
    """Who makes devices of this name (knowledge of the CNI projects)."""
    if re.match(r"vxlan(-v6)?\.calico$", name):
        return "calico"
    if re.match(r"flannel(-v6)?\.\d+$", name):
        return "canal" if canal else "flannel"
    return "cilium" if name == "cilium_vxlan" else "other"


def checksum(data, old_kernel):  # type: (Dict[str, Any], bool) -> str
    """How the outer UDP checksum is made."""
    if data.get("IFLA_VXLAN_COLLECT_METADATA"):
        return "external"
    if "IFLA_VXLAN_UDP_CSUM" not in data:
        return "noudpcsum" if old_kernel else "unknown"
    return "udpcsum" if data["IFLA_VXLAN_UDP_CSUM"] else "noudpcsum"


def outer(data):  # type: (Dict[str, Any]) -> str
    """Address family of the outer header."""
    if data.get("IFLA_VXLAN_LOCAL6") or data.get("IFLA_VXLAN_GROUP6"):
        return "ipv6"
    if data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_GROUP"):
        return "ipv4"
    return "unknown" if data.get("IFLA_VXLAN_COLLECT_METADATA") else "ipv4"


def wants_checksum(encapsulation):  # type: (Any) -> Optional[bool]
    """Whether `encap ip ... csum` stands in a route. `encapsulation`: RTA_ENCAP, which pyroute2 leaves as text of bytes."""
    if not isinstance(encapsulation, str):
        return None
    data = bytearray.fromhex(encapsulation.replace(":", " "))
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if kind == LWTUNNEL_IP_FLAGS and length >= 6:
            return bool(struct.unpack_from("!H", data, at + 4)[0] & TUNNEL_CSUM)
        at += max((length + 3) // 4 * 4, 4)
    return False


def flows(routes):  # type: (List[Dict[str, Any]]) -> Tuple[Optional[bool], Optional[str]]
    """What the attributes of the routes over an external device tell: routed, flow_checksum."""
    kind = routes[0].get("RTA_ENCAP_TYPE") if routes else None
    if kind not in (LWTUNNEL_ENCAP_IP, LWTUNNEL_ENCAP_IP6):
        return None, None
    if kind == LWTUNNEL_ENCAP_IP6:  # judged by other rules than those of IPv4, which were read
        return True, None
    flags = [wants_checksum(values.get("RTA_ENCAP")) for values in routes]
    return True, "udpcsum" if True in flags else None if None in flags[:1] else "noudpcsum"


class Links:
    """One netlink socket and the names and addresses that were read with it."""

    def __init__(self):  # type: () -> None
        self.route = IPRoute()
        self.names = {}  # type: Dict[int, str]

    def name(self, index):  # type: (Optional[int]) -> Optional[str]
        """The name of a device by its number."""
        if not index:
            return None
        if index not in self.names:
            for link in self._links(index=index):
                self.names[index] = _attributes(link)["IFLA_IFNAME"]
        return self.names.get(index)

    def _links(self, **wanted):  # type: (Any) -> List[Any]
        try:
            if "index" in wanted:
                return list(self.route.get_links(wanted["index"]))
            return list(self.route.get_links(**wanted))
        except NetlinkError:
            return []

    def addresses(self, index):  # type: (int) -> Dict[str, List[str]]
        """Addresses of a device with their prefix length, without link-local ones of IPv6."""
        found = {AF_INET: [], AF_INET6: []}  # type: Dict[int, List[str]]
        for message in self.route.get_addr(index=index):
            if message["index"] == index:
                values = _attributes(message)
                address = values.get("IFA_LOCAL") or values.get("IFA_ADDRESS")
                if not str(address).startswith("fe80:"):
                    found[message["family"]].append("%s/%d" % (address, message["prefixlen"]))
        return {"addresses": sorted(found[AF_INET]), "addresses_ipv6": sorted(found[AF_INET6])}

    def vxlan(self, canal, old_kernel):  # type: (bool, bool) -> Dict[str, Any]
        """Part `vxlan` of the facts."""
        devices = []
        for link in self._links(kind="vxlan"):
            info = _attributes(_attributes(link).get("IFLA_LINKINFO"))
            # a kernel that does not know the kind answers with all devices
            if info.get("IFLA_INFO_KIND") == "vxlan":
                data = _attributes(info.get("IFLA_INFO_DATA"))
                devices.append(self._tunnel(link, data, canal, old_kernel))
        return {
            "source": "rtnetlink (pyroute2), ioctl SIOCETHTOOL",
            "devices": sorted(devices, key=lambda device: str(device["name"])),
        }

    def _tunnel(self, link, data, canal, old_kernel):
        # type: (Any, Dict[str, Any], bool, bool) -> Dict[str, Any]
        values = _attributes(link)
        device = {
            "name": values["IFLA_IFNAME"],
            "vni": data.get("IFLA_VXLAN_ID"),
            "port": data.get("IFLA_VXLAN_PORT"),
            "local": data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6"),
            "underlay": self.name(data.get("IFLA_VXLAN_LINK")),
            "outer": outer(data),
            "checksum": checksum(data, old_kernel),
            "udp6zerocsumtx": bool(data.get("IFLA_VXLAN_UDP_ZERO_CSUM6_TX")),
            "udp6zerocsumrx": bool(data.get("IFLA_VXLAN_UDP_ZERO_CSUM6_RX")),
            "mtu": values["IFLA_MTU"],
            "up": bool(link["flags"] & IFF_UP),
            "owner": owner(values["IFLA_IFNAME"], canal),
        }
        device.update(self.addresses(link["index"]))
        bridged = bool(values.get("IFLA_MASTER"))
        device["routed"], device["flow_checksum"] = self.over(link["index"], device, bridged)
        return _with_features(device)

    def over(self, index, device, bridged):
        # type: (int, Dict[str, Any], bool) -> Tuple[Optional[bool], Optional[str]]
        """Whether an IPv4 route leads over a device, and the checksum that routes to an external one ask for."""
        if bridged or device["outer"] == "ipv6":
            return None, None
        found = []
        for message in self.route.route("dump", family=2, oif=index):
            values = _attributes(message)
            if message["type"] == RTN_UNICAST and values.get("RTA_OIF") == index:
                found.append(values)
        if device["checksum"] != "external":
            return bool(found), None
        return flows(found)

    def devices(self, names):  # type: (List[str]) -> Dict[str, Any]
        """Part `links` of the facts, of just these devices: a node has a thousand cali*."""
        found = []
        for name in sorted(set(names)):
            for link in self.route.get_links(ifname=name):
                values = _attributes(link)
                if values.get("IFLA_IFNAME") != name:
                    continue
                device = {"name": name, "driver": _driver(name), "mtu": values["IFLA_MTU"]}
                device.update(self.addresses(link["index"]))
                found.append(_with_features(device))
        return {"source": "rtnetlink (pyroute2), ioctl SIOCETHTOOL", "devices": found}

    def default_device(self, family=AF_INET):  # type: (int) -> Optional[str]
        """The device of the default route that ip(8) would print first."""
        routes = []
        for message in self.route.get_default_routes(family=family):
            values = _attributes(message)
            hops = values.get("RTA_MULTIPATH") or [{}]
            index = values.get("RTA_OIF") or hops[0].get("oif")
            if index:
                routes.append((values.get("RTA_PRIORITY", 0), index))
        return self.name(min(routes)[1]) if routes else None

    def lookup(self, address):  # type: (str) -> Dict[str, Any]
        """What the kernel does with a packet to this address."""
        values = {}  # type: Dict[str, Any]
        try:
            for message in self.route.route("get", dst=address):
                values = _attributes(message)
        except NetlinkError:
            pass
        return {
            "destination": address,
            "device": self.name(values.get("RTA_OIF")),
            "source": values.get("RTA_PREFSRC"),
        }

    def routes(self, default, default_v6, services):
        # type: (Optional[str], Optional[str], List[str]) -> Dict[str, Any]
        """Part `routes` of the facts."""
        return {
            "source": "rtnetlink (pyroute2)",
            "default_device": default,
            "default_device_ipv6": default_v6,
            "lookups": [self.lookup(address) for address in sorted(set(services))],
        }

    def close(self):  # type: () -> None
        """Give the socket back."""
        self.route.close()


def _driver(name):  # type: (str) -> Optional[str]
    try:
        return ethtool.driver(name)
    except NodeError:
        return None
