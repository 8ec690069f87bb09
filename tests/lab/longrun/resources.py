# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may leave behind: on a node, and on the controller."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import stat
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import holder
from lab.namespaces import network_of

OVERLAID = {"/etc": "etc-upper", "/var/lib": "var-lib-upper"}
NETLINK_NETFILTER = 12
_CONNTRACK, _GET_CONNTRACK, _DONE, _REQUEST_DUMP = 1 << 8, (1 << 8) | 1, 3, 0x301
CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"


# What remembers a flow for 60 or 120 s by default, too long to wait for at the end: connections that have ended, or got no answer, and
# a question that was asked again from the same socket.
TIMEOUTS = (
    "tcp_timeout_time_wait", "tcp_timeout_syn_sent", "tcp_timeout_syn_recv", "tcp_timeout_fin_wait", "tcp_timeout_close_wait",
    "udp_timeout_stream",
)  # fmt: skip


def shorten_timeouts(pid: int, seconds: int) -> None:
    for name in TIMEOUTS:
        with network_of(pid), open(CONNTRACK + name, "w", encoding="ascii") as stream:
            stream.write(str(seconds))


def conntrack_entries(pid: int) -> int:
    """By a dump: the kernel's own count has entries that have expired and were not collected yet."""
    with network_of(pid), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as channel:
        channel.bind((0, 0))
        channel.settimeout(10)
        channel.send(struct.pack("=IHHIIBBH", 20, _GET_CONNTRACK, _REQUEST_DUMP, 1, 0, socket.AF_INET, 0, 0))
        found = 0
        while True:
            data = channel.recv(1 << 16)
            at = 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == _DONE:
                    return found
                found += kind == _CONNTRACK
                at += (length + 3) & ~3


# One shell for each look at a node: 20 nodes are looked at five times in a run. A section ends with a line of its own.
LOOK = r"""
end() { echo "== $1"; }
iptables-nft-save; iptables-legacy-save; end rules
ip6tables-nft-save; ip6tables-legacy-save; end rules6
for d in eth0 vxlan.calico flannel.1; do ethtool -k $d 2>/dev/null; done; end features
ip -4 route show table all; ip -6 route show table main; ip rule; end routes
nft -s list table ip kube-proxy 2>/dev/null; end nft
ls -d /etc/systemd/system/vxlan-offload* /etc/systemd/system/*/vxlan-offload* 2>/dev/null; end units
ls /run; end temporary
"""
_COUNTER = re.compile(r"\[\d+:\d+\]")


def look(lab: Any, node: str) -> dict[str, Any]:
    """What a node has: rules in their order with counters left out, chains, features, routes, units, files with their contents."""
    pid = lab.state.pid(node)
    seen: dict[str, Any] = {}
    lines: list[str] = []
    for line in lab.run(node, "sh", "-c", LOOK).splitlines():
        if line.startswith("== "):
            seen[line[3:]] = lines
            lines = []
        elif not line.startswith("# "):
            lines.append(_COUNTER.sub("", line).rstrip())
    # Which empty tables exist, and in which order chains were made, is not part of what traffic sees.
    seen["chains"] = sorted(line for line in seen["rules"] if line.startswith(":") and line.endswith(" -"))
    seen["rules"] = [line for line in seen["rules"] + seen.pop("rules6") if line.startswith("-")]
    seen["contents"] = files(pid)
    shared = Path(lab.state.node_directory(node)) / "tmp"
    seen["temporary"] += [str(path) for path in shared.rglob("*")]
    seen["processes"] = len(list(holder.members({holder.netns_inode(pid) or 0})))
    return seen


COUNTED = ("rules", "nft", "units", "contents", "temporary", "routes")


def counts(seen: Mapping[str, Any]) -> dict[str, int]:
    """Of what must not grow."""
    return {**{name: len(seen[name]) for name in COUNTED}, "processes": seen["processes"]}


def of_controller(scratch: Path, temporary: Path) -> dict[str, int]:
    """Of this process, and of the folders that ansible may use."""
    with open("/proc/self/status", encoding="ascii") as stream:
        memory = next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:"))
    children = Path("/proc/self/task/%d/children" % os.getpid()).read_text(encoding="ascii").split()
    return {
        "file descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "child processes": len(children),
        "temporary files": sum(1 for path in temporary.rglob("*")) + sum(1 for path in (scratch / "ansible-home" / "tmp").rglob("*")),
        "memory MB": memory // 1024,
    }


def changed_paths(pid: int) -> list[str]:
    """Everything below /etc and /var/lib of the node that is not the host's: what its overlays hold."""
    found = []
    for place, store in OVERLAID.items():
        top = "/proc/%d/root/run/.lab/%s" % (pid, store)
        for folder, folders, files in os.walk(top):
            found.extend(place + os.path.join(folder, name)[len(top) :] for name in folders + files)
    return sorted(found)


def describe(path: str) -> str:
    """Type, mode, owner and content; empty where there is nothing."""
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return ""
    head = "%o %d %d " % (seen.st_mode, seen.st_uid, seen.st_gid)
    if stat.S_ISLNK(seen.st_mode):
        return head + os.readlink(path)
    if stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as stream:
            return head + hashlib.sha256(stream.read()).hexdigest()
    return head


def files(pid: int) -> dict[str, str]:
    """What the node sees at each path that its overlays hold."""
    return {path: describe("/proc/%d/root%s" % (pid, path)) for path in changed_paths(pid)}


def different_files(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Paths at which a node sees something else than before. What an overlay did not hold was the host's."""
    paths = sorted({*before, *after})
    return [path for path in paths if before.get(path, describe(path)) != after.get(path, describe(path))]
