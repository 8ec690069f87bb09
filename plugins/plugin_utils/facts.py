# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one node: the shape that both readers return and that the reasoning consumes.

A part that could not be read has the one key `unknown`: the reason and how to get it. Inside a part that was read, a scalar that
was not seen is None. Lists are sorted by name.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import names

SUBSETS = ("all", *names.SUBSETS)
Family = Literal["ipv4", "ipv6"]
TableState = Literal["read", "absent", "unknown"]


class Collected(TypedDict):
    reader: str
    complete: bool
    root: bool
    subset: list[str]


class OsRelease(TypedDict):
    id: str
    version_id: str
    id_like: str
    name: str


class Changelog(TypedDict, total=False):
    asked: bool
    line: str
    head: str
    newest: str
    oldest: str
    source: str


class Selftest(TypedDict):
    """What kernel_selftest saw. Both defects: present, absent or unknown."""

    zero_checksum: str
    lco_checksum: str
    reason: str
    source: str


class Kernel(TypedDict, total=False):
    unknown: str
    source: str
    release: str
    version: str
    machine: str
    version_signature: str
    os: OsRelease
    upstream: str
    changelog: Changelog
    selftest: Selftest | None  # None: not run


class Feature(TypedDict):
    active: bool
    requested: bool
    fixed: bool


class VxlanDevice(TypedDict, total=False):
    name: str
    vni: int | None
    port: int | None
    local: str | None
    underlay: str | None
    outer: Literal["ipv4", "ipv6", "unknown"]
    checksum: Literal["udpcsum", "noudpcsum", "external", "unknown"]
    udp6zerocsumtx: bool
    udp6zerocsumrx: bool
    mtu: int | None
    up: bool
    owner: str
    addresses: list[str]
    addresses_ipv6: list[str]  # without link-local ones
    features: dict[str, Feature]
    features_unknown: str  # only when `features` is empty because it could not be read
    # Whether an IPv4 route leads over it. None: that says nothing (tunnel over IPv6, port of a bridge, flow-based without routes)
    routed: bool | None
    # external: what the routes ask for with each packet. None: no route says it (eBPF, Open vSwitch)
    flow_checksum: Literal["udpcsum", "noudpcsum"] | None


class Vxlan(TypedDict, total=False):
    unknown: str
    source: str
    devices: list[VxlanDevice]


class LinkDevice(TypedDict, total=False):
    name: str
    driver: str | None
    mtu: int | None
    addresses: list[str]
    addresses_ipv6: list[str]
    features: dict[str, Feature]
    features_unknown: str


class Links(TypedDict, total=False):
    unknown: str
    source: str
    devices: list[LinkDevice]


class Lookup(TypedDict):
    destination: str
    device: str | None
    source: str | None


class Routes(TypedDict, total=False):
    unknown: str
    source: str
    default_device: str | None
    default_device_ipv6: str | None  # asked when a tunnel runs over IPv6
    lookups: list[Lookup]


class Printer(TypedDict):
    command: str
    version: str


class Table(TypedDict):
    """Rules are the text after `-A CHAIN `. `unread`: jumped to from a chain above, or a chain of which only a part is above."""

    family: Family  # those of IPv6 are there when a tunnel runs over IPv6; missing in facts saved by earlier versions
    backend: str
    table: str
    state: TableState
    reason: str
    chains: dict[str, list[str]]
    unread: list[str]


class Nftables(TypedDict):
    state: TableState
    reason: str
    printer: str
    chains: dict[str, list[str]]


class Netfilter(TypedDict, total=False):
    unknown: str
    source: str
    printers: dict[str, Printer | None]
    tables: list[Table]
    nftables: Nftables


class KubeProxy(TypedDict, total=False):
    unknown: str
    source: str
    running: bool | None
    mode: str | None
    version: str | None
    masquerade_bit: int | None
    masquerade_all: bool | None
    cluster_cidr: str | None


class Cni(TypedDict, total=False):
    unknown: str
    source: str
    names: list[str]
    calico_version: str
    flannel_version: str
    flannel_network: str
    flannel_ipv6_network: str


class Services(TypedDict, total=False):
    unknown: str
    source: str
    dns: str | None  # the IPv4 address, or that of the only family
    kubernetes: str | None
    dns_ipv6: str | None
    kubernetes_ipv6: str | None


class Sysctl(TypedDict, total=False):
    unknown: str
    source: str
    values: dict[str, str | None]


class Counters(TypedDict, total=False):
    unknown: str
    source: str
    udp_in_csum_errors: int | None


class Applied(TypedDict, total=False):
    unknown: str
    source: str
    record: dict[str, Any] | None
    units: list[str]


class NodeFacts(TypedDict):
    schema: int
    collected: Collected
    kernel: Kernel
    vxlan: Vxlan
    links: Links
    routes: Routes
    netfilter: Netfilter
    kube_proxy: KubeProxy
    cni: Cni
    services: Services
    sysctl: Sysctl
    counters: Counters
    applied: Applied
