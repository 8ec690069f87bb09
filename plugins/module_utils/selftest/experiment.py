# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running kernel does to the outer checksum of a VXLAN packet that NAT rewrites, tried in private namespaces."""

import os
import time
from typing import Any, Dict, List, Sequence

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import ethtool
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, runner, which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError, one_line
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.privileges import (
    missing_capabilities,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest import (
    child,
    judgment,
    nat,
    network,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.exchange import (
    exchange,
    receiver_socket,
    sender_socket,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.kernel_parts import (
    LOAD,
    need,
    obstacles,
    read_parts,
)

# To say its version takes a program no time; up to three are asked before the time of the test begins.
VERSION_SECONDS = 2
LINKS = [need("veth"), need("vxlan"), need("af_packet")]
NO_IPV6 = "/proc/sys/net/ipv6/conf/%s/disable_ipv6"


def version_runner(seconds):  # type: (float) -> Run
    """Gives a program that hangs less than the time of the whole test."""
    return runner(min(VERSION_SECONDS, seconds))


def _batch(ip, commands):  # type: (str, Sequence[str]) -> None
    code, out, err = child.run_tool([ip, "-batch", "-"], "\n".join(commands) + "\n")
    if code != 0:
        raise NodeError("the test network cannot be made: %s" % (one_line(err or out) or "ip: return code %d" % code))


def _quiet():  # type: () -> None
    """Without IPv6 no device says anything by itself. Not possible where /proc/sys is read-only, and not needed."""
    for name in ("all", "default"):
        try:
            with open(NO_IPV6 % name, "w") as setting:
                setting.write("1")
        except OSError:
            pass


def _finish_checksums(device):  # type: (str) -> None
    """Let the kernel compute what a veth would leave open, as it does for the wire."""
    active = [name for name, state in ethtool.read(device).items() if state["active"] and not state["fixed"]]
    names = [name for name in active if name in ("tx-checksum-ip-generic", "tx-checksum-ipv4")]
    ethtool.set_requested(device, dict.fromkeys(names, False))


def _try(ip, tools):  # type: (str, List[nat.Tool]) -> Dict[str, Any]
    """Runs in the child: the namespaces, the tunnels, the rule, the packets."""
    there = child.new_network()
    _quiet()
    here = child.new_network()
    _quiet()
    _batch(ip, network.underlay_commands("/proc/%d/fd/%d" % (os.getpid(), there)))
    _finish_checksums(network.SENDER_DEVICE)
    child.enter_network(there)
    _batch(ip, network.receiver_commands())
    with receiver_socket(network.RECEIVER_DEVICE) as receiver:
        child.enter_network(here)
        _batch(ip, network.tunnel_commands())
        used = nat.add_rule(tools, child.run_tool, child.run_without_lock)
        with sender_socket() as sender:
            open_inner, arrived = exchange(sender, receiver)
    return dict(judgment.judge_all(open_inner, arrived), nat=used)


def _test(may_load, seconds):  # type: (bool, float) -> Dict[str, Any]
    """Look first: nothing may be loaded, and nobody may be asked for what cannot be."""
    missing = missing_capabilities(["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW"])
    if missing:
        raise NodeError("needs root (%s): run with become" % ", ".join(missing))
    ip = which("ip")
    if not ip:
        raise NodeError("there is no ip command: install iproute2")
    parts = read_parts(os.uname().release)
    missing = obstacles(parts, LINKS, may_load)
    if missing:
        raise NodeError("%s%s" % ("; ".join(missing), "" if may_load else ": " + LOAD))
    found = nat.installed(version_runner(seconds), which)
    tools = nat.usable(found, parts, may_load)
    if not tools:
        raise NodeError(nat.why_none(found, parts, may_load))
    return child.in_child(lambda: _try(ip, tools), seconds)


def selftest(may_load, seconds):  # type: (bool, float) -> Dict[str, Any]
    """The module's result. Never raises for what it cannot find out: that is unknown, with its reason."""
    start = time.monotonic()
    try:
        result = _test(may_load, seconds)
    except (NodeError, OSError) as error:  # OSError: no process, no descriptor is left
        result = dict(judgment.unknown(str(error)), nat="")
    result["kernel"] = os.uname().release
    result["duration"] = round(time.monotonic() - start, 3)
    return result
