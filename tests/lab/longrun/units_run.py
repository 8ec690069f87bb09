# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd and udev would do for the units that apply has written: no systemd runs in a lab node.

A unit bound to a device runs its ExecStart lines when the kernel announces a new device of that name (RTM_NEWLINK with a new index, which
is what udev hears), after the time that udev and systemd take; a timer runs its service every OnUnitActiveSec.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass

from windows import Windows

from lab import ruleset
from lab.namespaces import network_of

UNITS = "/etc/systemd/system"
REACTION = 0.2  # seconds
MEMORY_MIB = 64  # of address space; a command that needs more fails
_RTMGRP_LINK, _RTM_NEWLINK, _IFLA_IFNAME = 1, 16, 3


@dataclass
class Unit:
    """A service. `device`: it is started with it; `every`: its timer's seconds."""

    node: str
    pid: int
    name: str
    commands: list[tuple[list[str], bool]]  # words, may fail
    device: str = ""
    every: float = 0.0

    @property
    def in_kube_chain(self) -> bool:
        """Whether a kube-proxy sync erases what it keeps."""
        return any(word.startswith("KUBE-") for words, _may_fail in self.commands for word in words)


def _unescape(name: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), name)


def folder_of(pid: int) -> str:
    return "/proc/%d/root%s" % (pid, UNITS)


def units_of(node: str, pid: int) -> list[Unit]:
    """Read from the node's own files."""
    folder = folder_of(pid)
    found = []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("vxlan-offload-") or not name.endswith(".service"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            text = stream.read()
        commands = []
        for line in re.findall(r"^ExecStart(?:Pre)?=(.*)$", text, re.M):
            commands.append((shlex.split(line.lstrip("-").replace("%%", "%").replace("$$", "$")), line.startswith("-")))
        unit = Unit(node, pid, name, commands)
        device = re.search(r"^BindsTo=sys-subsystem-net-devices-(\S+)\.device$", text, re.M)
        unit.device = _unescape(device.group(1)) if device else ""
        timer = os.path.join(folder, name.replace(".service", ".timer"))
        if os.path.exists(timer):
            with open(timer, encoding="utf-8") as stream:
                unit.every = float(re.findall(r"^OnUnitActiveSec=(\d+)$", stream.read(), re.M)[0])
        found.append(unit)
    return found


def new_links(data: bytes) -> list[tuple[int, str]]:
    """Index and name of each RTM_NEWLINK in what a route netlink socket has received."""
    found = []
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            break
        if kind == _RTM_NEWLINK:
            index = struct.unpack_from("=i", data, at + 20)[0]
            place = at + 32
            while place + 4 <= at + length:
                size, attribute = struct.unpack_from("=HH", data, place)
                if size < 4:
                    break
                if attribute == _IFLA_IFNAME:
                    found.append((index, data[place + 4 : place + size].rstrip(b"\0").decode()))
                place += (size + 3) & ~3
        at += (length + 3) & ~3
    return found


class Systemd(threading.Thread):
    """`runs` by kind of unit, `failed` with what a command that may not fail has said."""

    def __init__(self, units: list[Unit], windows: Windows) -> None:
        super().__init__(name="systemd")
        self.units = units
        self.windows = windows
        self.runs: Counter[str] = Counter()
        self.failed: list[str] = []
        self.commands = 0
        self.error: BaseException | None = None
        self._ending = threading.Event()
        self._known: dict[int, set[int]] = {}
        self._listening: dict[int, socket.socket] = {}
        # When each is to run next, timers spread over their period.
        now = time.monotonic()
        self._due = {number: now + unit.every * number / len(units) for number, unit in enumerate(units) if unit.every}
        self._listen()

    def _listen(self) -> None:
        """One socket for each unit that is bound to a device."""
        for number, unit in enumerate(self.units):
            if unit.device:
                with network_of(unit.pid):
                    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
                channel.bind((0, _RTMGRP_LINK))
                self._listening[number] = channel
                with open("/proc/%d/root/sys/class/net/%s/ifindex" % (unit.pid, unit.device), encoding="ascii") as stream:
                    self._known[number] = {int(stream.read())}

    def end(self) -> None:
        self._ending.set()
        self.join()
        for channel in self._listening.values():
            channel.close()
        if self.error:
            raise self.error

    def run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                for number, channel in self._listening.items():
                    selector.register(channel, selectors.EVENT_READ, number)
                while not self._ending.is_set():
                    self._turn(selector)
        except BaseException as error:  # told by end(), in the thread of the test
            self.error = error

    def _turn(self, selector: selectors.BaseSelector) -> None:
        wait = max(0.0, min(0.05, min(self._due.values(), default=float("inf")) - time.monotonic()))
        for key, _seen in selector.select(wait):
            number: int = key.data
            for index, name in new_links(key.fileobj.recv(65536)):
                if name == self.units[number].device and index not in self._known[number]:
                    self._known[number].add(index)
                    self._due[number] = time.monotonic() + REACTION
                    self.runs["devices announced"] += 1
        for number, at in list(self._due.items()):
            if at <= time.monotonic():
                del self._due[number]
                self.start_unit(self.units[number])
                if self.units[number].every:
                    self._due[number] = time.monotonic() + self.units[number].every

    def start_unit(self, unit: Unit) -> None:
        """What systemctl start does: its commands one after the other, until one fails that may not."""
        began = time.monotonic()
        self.runs["runs, bound to a device" if unit.device else "runs, with a timer"] += 1
        for words, may_fail in unit.commands:
            command = ["prlimit", "--as=%d" % (MEMORY_MIB << 20), *ruleset.enter(unit.pid), *words]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self.commands += 1
            if done.returncode != 0 and not may_fail:
                self.failed.append("%s: %s: %s" % (unit.node, " ".join(words), done.stdout.strip()))
                return
        self.windows.close(unit.node, unit.name, began, time.monotonic())
