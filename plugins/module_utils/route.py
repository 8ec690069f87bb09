# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route of a Service network into a device: what ip(8) prints, and what has to be done (pure)."""

import ipaddress
from typing import List, NamedTuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import (
    NOT_FOUND,
    Run,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import (
    NodeError,
    one_line,
)

Wanted = NamedTuple("Wanted", [("destination", str), ("device", str), ("state", str)])

# the words after a route's destination that choose this one among others (ip-route(8))
SELECTORS = ("dev", "proto", "scope", "src", "metric")


def destination(text):  # type: (str) -> str
    """The CIDR in its usual form. Raises NodeError for what is no network."""
    try:
        network = ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        raise NodeError("destination %r is no network such as 10.96.0.0/12: %s" % (text, error)) from None
    if network.prefixlen == 0:
        raise NodeError("destination %s is the default route: name the network of the Services" % text)
    return str(network)


def parse(out):  # type: (str) -> List[str]
    """The routes of "ip route show", one text each; the next hops of a route are joined to it."""
    routes = []  # type: List[str]
    for line in out.splitlines():
        if line[:1].isspace() and routes:
            routes[-1] += " " + " ".join(line.split())
        elif line.strip():
            routes.append(" ".join(line.split()))
    return routes


def _device_only(route, device):  # type: (str, str) -> bool
    """Whether the route is DESTINATION dev DEVICE without a gateway, which is what we write."""
    words = route.split()
    return words[1:3] == ["dev", device] and "nexthop" not in words and "via" not in words


def plan(routes, wanted):  # type: (List[str], Wanted) -> List[List[str]]
    """The ip route commands, without the program, that make the routes as wanted."""
    own = [route for route in routes if _device_only(route, wanted.device)]
    if wanted.state == "absent":
        return [["del"] + _selection(route) for route in own]
    others = [route for route in routes if route not in own]
    if others:
        raise NodeError(
            "there is another route for %s already: %s: remove it first, or leave it and choose another method"
            % (wanted.destination, others[0])
        )
    return [] if own else [["replace", wanted.destination, "dev", wanted.device]]


def _selection(route):  # type: (str) -> List[str]
    words = route.split()
    chosen = words[:1]
    for option, value in zip(words[1:], words[2:]):
        if option in SELECTORS:
            chosen += [option, value]
    return chosen


def predict(routes, wanted):  # type: (List[str], Wanted) -> List[str]
    """The routes after the plan, as ip prints them."""
    commands = plan(routes, wanted)
    if wanted.state == "absent":
        return [route for route in routes if not _device_only(route, wanted.device)]
    # ip prints a network of one address without its length
    ipv6 = ":" in wanted.destination
    network, _slash, length = wanted.destination.partition("/")
    shown = network if length == ("128" if ipv6 else "32") else wanted.destination
    text = "%s dev %s metric 1024 pref medium" if ipv6 else "%s dev %s scope link"
    return routes + [text % (shown, wanted.device) for _command in commands]


def _ip(program, run, network, arguments):  # type: (str, Run, str, List[str]) -> str
    family = "-6" if ":" in network else "-4"
    code, out, err = run([program, family, "route"] + arguments)
    if code == NOT_FOUND:
        raise NodeError("%s is not there: install iproute2" % program)
    if code != 0:
        raise NodeError(
            "ip %s route %s failed with return code %d: %s"
            % (family, " ".join(arguments), code, one_line(err) or "no message")
        )
    return out


def read(program, run, network):  # type: (str, Run, str) -> List[str]
    """The routes of the main table whose destination is exactly this network."""
    return parse(_ip(program, run, network, ["show", "exact", network]))


def apply(program, run, wanted, commands):
    # type: (str, Run, Wanted, List[List[str]]) -> List[str]
    """Run the planned commands, read again, and refuse to call it done when it is not."""
    for command in commands:
        _ip(program, run, wanted.destination, command)
    after = read(program, run, wanted.destination)
    if plan(after, wanted):
        raise NodeError(
            "the route for %s was changed by another program at the same time: run again"
            % wanted.destination
        )
    return after
