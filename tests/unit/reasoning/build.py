# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node facts for tests: a healthy-looking Calico node, changed by the few words that a scenario is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

RULES = Path(__file__).resolve().parents[2] / "data" / "rules"
TABLES = ("raw", "mangle", "filter", "nat")


def feature(active: bool, requested: Optional[bool] = None, fixed: bool = False) -> dict[str, bool]:
    """The three bits of one feature."""
    return {"active": active, "requested": active if requested is None else requested, "fixed": fixed}


def device(name: str = "vxlan.calico", **changes: Any) -> dict[str, Any]:
    """A VXLAN device."""
    flannel = name.startswith("flannel")
    offload = changes.pop("offload", True)
    found: dict[str, Any] = {
        "name": name, "vni": 1 if flannel else 4096, "port": 8472 if flannel else 4789, "local": "10.1.0.11",
        "underlay": "eth0", "outer": "ipv4", "checksum": "udpcsum", "udp6zerocsumtx": False, "udp6zerocsumrx": False,
        "mtu": 1450, "up": True, "owner": "flannel" if flannel else "calico", "addresses": ["10.244.0.0/32"],
        "features": {"rx-checksum": feature(True), "tx-checksum-ip-generic": feature(offload)},
    }  # fmt: skip
    return {**found, **changes}


def table(backend: str, name: str, chains: Optional[dict[str, list[str]]] = None, **changes: Any) -> dict[str, Any]:
    """One netfilter table."""
    state = "absent" if chains is None else "read"
    found = {"backend": backend, "table": name, "state": state, "reason": "", "chains": chains or {}, "unread": []}
    return {**found, **changes}


def read_save(text: str) -> dict[str, dict[str, list[str]]]:
    """Tables and chains of iptables-save text."""
    tables: dict[str, dict[str, list[str]]] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("*"):
            current = line[1:]
            tables[current] = {}
        elif line.startswith(":"):
            tables[current][line[1:].split()[0]] = []
        elif line.startswith("-A "):
            _add, chain, rule = (line + " ").split(" ", 2)
            tables[current].setdefault(chain, []).append(rule.strip())
    return tables


def netfilter(tables: dict[str, dict[str, list[str]]], backend: str = "nft", version: str = "1.8.9", **changes: Any) -> dict[str, Any]:
    """The netfilter part with these tables in one backend."""
    other = "legacy" if backend == "nft" else "nft"
    found = {name: table(backend, name, tables.get(name)) for name in TABLES}
    both = [found[name] for name in TABLES] + [table(other, name) for name in TABLES]
    entries = sorted(both, key=lambda one: one["backend"] == "legacy")
    printers = {backend: {"command": f"iptables-{backend}", "version": version}}
    nftables = {"state": "absent", "reason": "", "printer": "", "chains": {}}
    return {"source": "iptables-save", "printers": printers, "tables": entries, "nftables": nftables, **changes}


def saved(name: str) -> dict[str, dict[str, list[str]]]:
    """A rule set of tests/data/rules."""
    return read_save((RULES / f"{name}.rules").read_text())


def facts(rules: Optional[str] = None, **parts: Any) -> dict[str, Any]:
    """Facts of a node; `rules` names a file of tests/data/rules."""
    tables = saved(rules) if rules else {}
    found: dict[str, Any] = {
        "schema": 1,
        "collected": {"reader": "shell", "complete": True, "root": True, "subset": ["all"]},
        "kernel": kernel(),
        "vxlan": {"source": "ip -d link show type vxlan, ethtool -k", "devices": [device()]},
        "links": {"source": "ethtool -i", "devices": [nic()]},
        "routes": {
            "source": "ip -4 route get", "default_device": "eth0",
            "lookups": [{"destination": "10.96.0.10", "device": "eth0", "source": "10.1.0.11"}],
        },
        "netfilter": netfilter(tables),
        "kube_proxy": {
            "source": "127.0.0.1:10249", "running": True, "mode": "iptables", "version": None, "masquerade_bit": None,
            "masquerade_all": None, "cluster_cidr": None,
        },
        "cni": {"source": "/etc/cni/net.d", "names": ["calico"], "calico_version": "", "flannel_version": "", "flannel_network": ""},
        "services": {"source": "nat KUBE-SVC-*", "dns": "10.96.0.10", "kubernetes": "10.96.0.1"},
        "sysctl": {"source": "/proc/sys", "values": {}},
        "counters": {"source": "/proc/net/snmp", "udp_in_csum_errors": 0},
        "applied": {"source": "/var/lib/vxlan-offload", "record": None, "units": []},
    }  # fmt: skip
    return {**found, **parts}


def kernel(release: str = "6.18.44", version: str = "#1 SMP @0") -> dict[str, Any]:
    """The kernel part."""
    return {
        "release": release, "version": version, "machine": "x86_64", "version_signature": "",
        "os": {"id": "debian", "version_id": "12", "id_like": "", "name": "Debian GNU/Linux 12 (bookworm)"}, "upstream": "",
        "changelog": {"asked": False, "line": "", "newest": "", "source": ""}, "source": "uname -r -v -m",
    }  # fmt: skip


def nic(offload: bool = True, driver: str = "veth", name: str = "eth0", **changes: Any) -> dict[str, Any]:
    """An underlay NIC."""
    found = {"name": name, "driver": driver, "mtu": 1500, "addresses": ["10.1.0.11/24"],
             "features": {"tx-checksum-ip-generic": feature(offload)}}  # fmt: skip
    return {**found, **changes}


def vxlan(*devices: dict[str, Any]) -> dict[str, Any]:
    """The vxlan part."""
    return {"source": "ip -d link show type vxlan, ethtool -k", "devices": list(devices)}
