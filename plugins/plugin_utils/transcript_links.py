# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VXLAN devices, their underlay, features and routes: what `ip -d link`, `ip addr`, `ethtool` and `ip route` print."""

from __future__ import annotations

import re
from typing import Literal, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    Feature,
    LinkDevice,
    Links,
    Lookup,
    Routes,
    Vxlan,
    VxlanDevice,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    Section,
    Transcript,
    said,
)

Checksum = Literal["udpcsum", "noudpcsum", "external", "unknown"]
FlowChecksum = Optional[Literal["udpcsum", "noudpcsum"]]
LINK = re.compile(r"[0-9]+: (?P<name>[^ @]+)(?:@\S+)?: <(?P<flags>[^>]*)> mtu (?P<mtu>[0-9]{1,10})(?![0-9])")
FEATURE = re.compile(r"\s*([\w-]+): (on|off)(?: \[(fixed|requested on|requested off|not requested)\])?\s*$")
# what ethtool calls the features that have an old name of their own (its off_flag_def); the others are sums of several
VXLAN = re.compile(r"\bvxlan (?=(?:id|external)\b)")
MASTER = re.compile(r" master \S+")
ENCAP = re.compile(r" encap ip6? +id ")
CALICO = re.compile(r"vxlan(-v6)?\.calico$")
FLANNEL = re.compile(r"flannel(-v6)?\.\d+$")
INET = re.compile(r"^ *inet (\S+?)(/\d+)?(?: peer \S+?(/\d+))? ", re.MULTILINE)
INET6 = re.compile(r"^ *inet6 (\S+?)(/\d+)?(?: peer \S+?(/\d+))? ", re.MULTILINE)
AFTER = {word: re.compile(rf"\b{word} (\S+)") for word in ("dev", "src")}
DRIVER = re.compile(r"^driver: (\S+)", re.MULTILINE)
OLD_NAMES = {
    "rx-checksumming": "rx-checksum",
    "udp-fragmentation-offload": "tx-udp-fragmentation",
    "generic-segmentation-offload": "tx-generic-segmentation",
    "generic-receive-offload": "rx-gro",
    "large-receive-offload": "rx-lro",
    "rx-vlan-offload": "rx-vlan-hw-parse",
    "tx-vlan-offload": "tx-vlan-hw-insert",
    "ntuple-filters": "rx-ntuple-filter",
    "receive-hashing": "rx-hashing",
}
SUMS = ("tx-checksumming", "scatter-gather", "tcp-segmentation-offload")


def vxlan(transcript: Transcript, canal: bool, old_kernel: bool) -> Vxlan:
    """`old_kernel`: before 4.6, where a device without the word udpcsum sends zero checksums."""
    section = transcript.find("vxlan")
    if section is None:
        return {"unknown": transcript.missing("vxlan")}
    if not section.ok or section.cut:
        return {"unknown": section.reason() if not section.ok else "too many VXLAN devices to read"}
    devices = []
    for line in section.lines:
        match = LINK.match(line)
        if match and VXLAN.search(line):
            devices.append(_device(transcript, match, line, canal, old_kernel))
        elif line.strip() and not match:
            return {"unknown": f"ip -d link printed a line that is no device: {said(line[:80])}"}
    return {
        "source": "ip -d link show type vxlan, ethtool -k",
        "devices": sorted(devices, key=lambda device: device["name"]),
    }


def _device(transcript: Transcript, match: re.Match[str], line: str, canal: bool, old_kernel: bool) -> VxlanDevice:
    words = VXLAN.split(line, maxsplit=1)[1].split()
    value = {key: words[words.index(key) + 1] for key in ("id", "local", "remote", "group", "dev", "dstport") if key in words[:-1]}
    name = match["name"]
    device: VxlanDevice = {
        "name": name,
        "vni": _number(value.get("id")),
        "port": _number(value.get("dstport")),
        "local": value.get("local"),
        "underlay": value.get("dev"),
        "outer": _outer(value, "external" in words),
        "checksum": _checksum(words, old_kernel),
        "udp6zerocsumtx": "udp6zerocsumtx" in words,
        "udp6zerocsumrx": "udp6zerocsumrx" in words,
        "mtu": int(match["mtu"]),
        "up": "UP" in match["flags"].split(","),
        "owner": owner(name, canal),
        "addresses": _addresses(transcript.find("addr", name)),
        "addresses_ipv6": _addresses_ipv6(transcript.find("addr", name)),
        "features": {},
    }
    device["features"], unknown = _features(transcript, name)
    if unknown:
        device["features_unknown"] = unknown
    bridged = bool(MASTER.search(line[: line.index("vxlan ")]))
    device["routed"], device["flow_checksum"] = _over(transcript.find("over", name), device, bridged)
    return device


def _over(section: Section | None, device: VxlanDevice, bridged: bool) -> tuple[bool | None, FlowChecksum]:
    """Whether a route leads over the device, and the checksum that routes to an external device ask for."""
    if section is None or not section.ok or bridged or device["outer"] == "ipv6":
        return None, None
    first, wanted = (*section.lines, "", "")[:2]
    if device["checksum"] != "external":
        return bool(first), None
    if not ENCAP.search(first):  # eBPF or Open vSwitch choose the tunnel for each packet
        return None, None
    if " encap ip6 " in first:  # judged by other rules than those of IPv4, which were read
        return True, None
    # iproute2 before 4.15 prints the flags as a number
    return True, "udpcsum" if wanted else None if " flags " in first else "noudpcsum"


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,10}", text) else None


def _outer(value: dict[str, str], external: bool) -> Literal["ipv4", "ipv6", "unknown"]:
    addresses = [value[key] for key in ("local", "remote", "group") if key in value]
    if not addresses:
        return "unknown" if external else "ipv4"
    return "ipv6" if any(":" in address for address in addresses) else "ipv4"


def _checksum(words: list[str], old_kernel: bool) -> Checksum:
    if "external" in words:
        return "external"
    if "udpcsum" in words:
        return "udpcsum"
    if "noudpcsum" in words or old_kernel:
        return "noudpcsum"
    return "unknown"  # iproute2 older than 4.x prints the word only when it is set


def owner(name: str, canal: bool) -> str:
    if CALICO.match(name):
        return "calico"
    if FLANNEL.match(name):
        return "canal" if canal else "flannel"
    return "cilium" if name == "cilium_vxlan" else "other"


def _addresses(section: Section | None) -> list[str]:
    if section is None or not section.ok:
        return []
    found = INET.findall("\n".join(section.lines))
    return sorted(address + (length or peer) for address, length, peer in found)


def _addresses_ipv6(section: Section | None) -> list[str]:
    """Without link-local ones: no tunnel and no Service traffic has them."""
    if section is None or not section.ok:
        return []
    found = INET6.findall("\n".join(section.lines))
    return sorted(address + (length or peer) for address, length, peer in found if not address.startswith("fe80:"))


def _features(transcript: Transcript, name: str) -> tuple[dict[str, Feature], str]:
    section = transcript.find("features", name)
    if section is None:
        return {}, transcript.missing(f"features {name}")
    if not section.ok:
        return {}, section.reason()
    found = features(section.lines)
    return found, "" if found else f"ethtool -k {name} printed no feature"


def features(lines: tuple[str, ...]) -> dict[str, Feature]:
    """Kernel feature names from `ethtool -k`."""
    found: dict[str, Feature] = {}
    for line in lines:
        match = FEATURE.match(line)
        if not match or match[1] in SUMS:
            continue
        active = match[2] == "on"
        requested = {"requested on": True, "requested off": False}.get(match[3] or "", active)
        found[OLD_NAMES.get(match[1], match[1])] = {
            "active": active,
            "requested": requested,
            "fixed": match[3] == "fixed",
        }
    return found


def links(transcript: Transcript, vxlan_names: list[str]) -> Links:
    if transcript.find("default") is None:
        return {"unknown": transcript.missing("default")}
    names = {section.args for section in transcript.all("addr")} - set(vxlan_names)
    return {
        "source": "ethtool -i, ethtool -k, ip addr show",
        "devices": [_link(transcript, name) for name in sorted(names)],
    }


def _link(transcript: Transcript, name: str) -> LinkDevice:
    section = transcript.find("addr", name)
    mtu = LINK.match(section.lines[0]) if section and section.ok and section.lines else None
    driver = transcript.find("driver", name)
    text = "\n".join(driver.lines) if driver and driver.ok else ""
    match = DRIVER.search(text)
    device: LinkDevice = {
        "name": name,
        "driver": match[1] if match else None,
        "mtu": int(mtu["mtu"]) if mtu else None,
        "addresses": _addresses(section),
        "addresses_ipv6": _addresses_ipv6(section),
        "features": {},
    }
    device["features"], unknown = _features(transcript, name)
    if unknown:
        device["features_unknown"] = unknown
    return device


def routes(transcript: Transcript) -> Routes:
    default, default6 = transcript.find("default"), transcript.find("default6")
    if default is None:
        return {"unknown": transcript.missing("default")}
    if not default.ok:
        return {"unknown": default.reason()}
    return {
        "source": "ip -4 route show default, ip -4 route get",
        "default_device": _after("dev", " ".join(default.lines)),
        "default_device_ipv6": _after("dev", " ".join(default6.lines)) if default6 and default6.ok else None,
        "lookups": sorted(
            (_lookup(section) for section in transcript.all("lookup")),
            key=lambda lookup: lookup["destination"],
        ),
    }


def _lookup(section: Section) -> Lookup:
    text = " ".join(section.lines) if section.ok else ""
    return {
        "destination": section.args,
        "device": _after("dev", text),
        "source": _after("src", text),
    }


def _after(word: str, text: str) -> str | None:
    match = AFTER[word].search(text)
    return match[1] if match else None
