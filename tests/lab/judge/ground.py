# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces that rule sets are tried in: nodes with a VXLAN device and a pod, a switch, and the end of the wire.

They stay for the whole run. Nothing answers at the far end: one packet is one question to the rules. Each namespace is held by a
process that dies with this one, so nothing is left behind, whatever happens.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field

from generator import NUMBERS
from pyroute2 import IPSet
from pyroute2.ipset import PortEntry
from rule_sets import DEVICES

from lab import addresses as ip
from lab import ipvs, links
from lab import namespaces as ns
from lab.namespaces import network_of

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_RECEIVER_MAC = "02:00:00:00:00:01"


def _prepare() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    ns.unshare(ns.CLONE_NEWNET)


@dataclass
class Ground:
    """All namespaces of one worker, by the pid of their holder."""

    _holders: list[subprocess.Popen[bytes]] = field(default_factory=list)
    switch: int = 0
    receiver: int = 0

    def __enter__(self) -> Ground:
        self.switch, self.receiver = self.namespace(), self.namespace()
        links.build_switch(self.switch)
        links.plug_in(self.switch, self.receiver, ip.BACKEND_NUMBER)
        # Without an address the far end takes no packet in and sends none back; a packet socket sees all.
        self.ip(self.receiver, "link", "set", "eth0", "address", _RECEIVER_MAC, "up")
        run_in(self.switch, "bridge", "fdb", "replace", _RECEIVER_MAC, "dev", "port%d" % ip.BACKEND_NUMBER, "master", "static")
        return self

    def __exit__(self, *_error: object) -> None:
        for holder in self._holders:
            holder.kill()
        for holder in self._holders:
            holder.wait()

    def namespace(self) -> int:
        """A new, empty network namespace."""
        # Popen returns when the program has been started, which is after _prepare.
        holder = subprocess.Popen(["sleep", "infinity"], preexec_fn=_prepare, stdin=subprocess.DEVNULL)
        self._holders.append(holder)
        return holder.pid

    def ip(self, pid: int, *words: str) -> None:
        run_in(pid, "ip", *words)


def run_in(pid: int, *command: str, text: str = "", lock: str = "") -> str:
    """What a command prints, run in the network namespace of a process; its error is a failure."""
    environment = {**os.environ, **({"XTABLES_LOCKFILE": lock} if lock else {})}
    with network_of(pid):
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError("%s: %s\n%s" % (" ".join(command), done.stderr.strip(), text))
    return done.stdout


@dataclass(frozen=True)
class Node:
    """One node: its namespace, that of its pod, its number and its VXLAN device."""

    pid: int
    pod: int
    number: int
    tunnel: links.Tunnel


def build_node(ground: Ground, device: str, place: int) -> Node:
    """A node whose eth0 leaves checksums to hardware, as a real NIC does; `place` is its port of the switch."""
    tunnel, number = links.TUNNELS[device], NUMBERS[device]
    node = Node(ground.namespace(), ground.namespace(), number, tunnel)
    links.plug_in(ground.switch, node.pid, place)
    links.configure_node(node.pid, number)
    links.add_tunnel(node.pid, number, tunnel, udp_checksum=DEVICES[device])
    links.connect_tunnel(node.pid, tunnel, ip.BACKEND_NUMBER)
    links.add_pod(node.pid, node.pod, "10.244.%d.2" % number)
    _add_sets(node)
    for address, device_name in ((ip.underlay(ip.BACKEND_NUMBER), "eth0"), (ip.GATEWAY, "eth0")):
        ground.ip(node.pid, "neigh", "replace", address, "lladdr", _RECEIVER_MAC, "dev", device_name, "nud", "permanent")
    return node


def _add_sets(node: Node) -> None:
    """The sets whose names the walk knows, as Calico and kube-proxy fill them, and one that it does not know."""
    with network_of(node.pid), IPSet() as sets:
        networks = {"cali40all-ipam-pools": ip.CLUSTER_CIDR, "cali40masq-ipam-pools": ip.CLUSTER_CIDR, "blocked": "10.1.0.0/16"}
        for name, network in networks.items():
            sets.create(name, stype="hash:net")
            sets.add(name, network, etype="net")
        sets.create(ipvs.LOOP_BACK, stype="hash:ip,port,ip")
        pod = "10.244.%d.2" % node.number
        sets.add(ipvs.LOOP_BACK, (pod, PortEntry(53, protocol=socket.IPPROTO_UDP), pod), etype="ip,port,ip")
