# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's own view of the file system: /run, /etc, /var/lib, /sys and, when asked, no Python.

/run is a fresh tmpfs: it has the node's own xtables lock, and the host's systemd and D-Bus sockets cannot be
reached from inside. /etc and /var/lib are overlays whose writes stay in that tmpfs. All of it vanishes
with the namespace.
"""

from __future__ import annotations

import glob
import os
import socket
import sys

from . import namespaces as ns

OVERLAID = ("/etc", "/var/lib")
PYTHON_PLACES = ("/usr/bin", "/usr/local/bin", "/bin", "/usr/libexec", "/opt/*/bin", "/root/.pyenv/versions/*/bin")


def remote_tmp(node_directory: str) -> str:
    """The one folder that host and node share: a local connection copies files into it from the host."""
    return os.path.join(node_directory, "tmp")


def prepare_folders(node_directory: str) -> None:
    """Made on the host, before the node exists."""
    os.makedirs(os.path.join(node_directory, "run"), mode=0o755)
    os.makedirs(remote_tmp(node_directory), mode=0o700)


def mount_all(node_directory: str, hide_python: bool) -> None:
    """Runs in the node's new mount namespace."""
    ns.mount("none", "/", None, ns.MS_REC | ns.MS_PRIVATE)
    # A sysfs mounted here shows the devices of the node's own network namespace.
    ns.mount("sysfs", "/sys", "sysfs", ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    run = os.path.join(node_directory, "run")
    ns.mount("tmpfs", run, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=755")
    for folder in ("lock", ".lab"):
        os.mkdir(os.path.join(run, folder))
    shared = remote_tmp(node_directory)
    inside = os.path.join(run, os.path.relpath(shared, "/run"))
    os.makedirs(inside)
    ns.mount(shared, inside, None, ns.MS_BIND)
    for path in OVERLAID:
        _overlay(path, os.path.join(run, ".lab", path.strip("/").replace("/", "-")))
    know_own_name("/etc/hosts", socket.gethostname())
    if hide_python:
        _hide_python()
    ns.mount(run, "/run", None, ns.MS_MOVE)


def know_own_name(hosts: str, name: str) -> None:
    """As installers write it (Debian's 127.0.1.1): without it sudo and ansible's `setup` ask a DNS server that is not there."""
    with open(hosts, "a", encoding="utf-8") as stream:
        stream.write("127.0.1.1 %s\n" % name)


def _overlay(path: str, store: str) -> None:
    upper, work = store + "-upper", store + "-work"
    os.mkdir(upper)
    os.mkdir(work)
    ns.mount("overlay", path, "overlay", 0, "lowerdir=%s,upperdir=%s,workdir=%s" % (path, upper, work))


def _hide_python() -> None:
    found = {os.path.realpath(sys.executable)}
    # The controller's PATH reaches the node through a local connection.
    for place in (*PYTHON_PLACES, *os.environ.get("PATH", "").split(":")):
        found.update(os.path.realpath(path) for path in glob.glob(place + "/*python*"))
    for path in sorted(found):
        if os.path.isfile(path):
            ns.mount("/dev/null", path, None, ns.MS_BIND)
