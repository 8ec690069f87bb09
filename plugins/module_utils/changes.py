# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each action of a plan does to a node: read, plan, change unless in check mode, and tell both states."""

import socket
from typing import Any, Callable, Dict

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import (
    backends,
    command,
    ethtool,
    features,
    route,
    rule_arguments,
    rule_state,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.privileges import (
    require,
    require_net_admin,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.rtnetlink import read_link
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Table, Tool

Params = Dict[str, Any]
Warn = Callable[[str], None]
ROUTE_SECONDS = 30
# on top of the time to wait for the xtables lock: a legacy table of 110,000 rules takes seconds to change
RULE_SECONDS = 30
RULES = "reading and changing netfilter rules"


def _wanted_features(params):  # type: (Params) -> Dict[str, bool]
    """The option as {name: bool}: YAML and extra vars may bring text for a boolean."""
    wanted = {}
    for name, state in params["features"].items():
        try:
            wanted[name] = bool(boolean(state))
        except TypeError:
            raise NodeError("feature %s must be true or false, not %s" % (name, state)) from None
    return wanted


def offload(params, check_mode, warn):  # type: (Params, bool, Warn) -> Dict[str, Any]
    """The features of a device."""
    device = params["device"]
    wanted = _wanted_features(params)
    kind = read_link(device).kind
    if params["require_vxlan"] and kind != "vxlan":
        raise NodeError(
            "device %s is no VXLAN device (kind %s): name the tunnel, or set require_vxlan to false"
            % (device, kind or "none")
        )
    before = ethtool.read(device)
    changes = features.plan(device, before, wanted)
    after = features.predict(before, changes)
    if changes:
        require_net_admin("changing the features of %s" % device)
        if not check_mode:
            after = ethtool.set_requested(device, changes)
            for sentence in features.shortfall(changes, after):
                warn(sentence)
    return {
        "changed": bool(changes),
        "before": features.changeable(before),
        "after": features.changeable(after),
        "diff": {
            "before": {name: before[name]["requested"] for name in sorted(changes)},
            "after": {name: changes[name] for name in sorted(changes)},
        },
    }


def _rule_request(params):  # type: (Params) -> rule_state.Request
    command.check_wait(params["wait"])
    if params["position"] is not None and params["position"] < 1:
        raise NodeError("position is counted from 1, %d is not possible" % params["position"])
    return rule_state.Request(
        chain=rule_arguments.chain_name(params["chain"]),
        rule=rule_arguments.rule(params["rule"]),
        position=params["position"],
        state=params["state"],
    )


def netfilter_rule(params, check_mode, _warn):  # type: (Params, bool, Warn) -> Dict[str, Any]
    """One rule of one chain."""
    request = _rule_request(params)
    require_net_admin(RULES)
    runner = command.runner(params["wait"] + RULE_SECONDS)
    legacy_exists = params["table"] in backends.legacy_tables(params["family"])

    def open_table(tool):  # type: (Tool) -> Table
        # iptables-legacy asks for its tables by a raw socket, iptables-nft by netlink
        if tool.backend == "legacy":
            require(["CAP_NET_RAW"], RULES)
        return Table(tool, params["table"], params["wait"], runner)

    found = backends.tools(params["family"], runner, command.which)
    tool = backends.choose(found, params["backend"], request.chain, legacy_exists, open_table)
    table = open_table(tool)
    outcome = rule_state.examine(table, request, tool.backend == "nft" or legacy_exists)
    if outcome.commands and not check_mode:
        outcome = rule_state.apply(table, request, outcome)
    return {
        "changed": bool(outcome.commands),
        "backend": tool.backend,
        "before": outcome.before,
        "after": outcome.after,
        "position": outcome.position,
        "diff": {
            "before": "".join("-A %s %s\n" % (request.chain, rule) for rule in outcome.before),
            "after": "".join("-A %s %s\n" % (request.chain, rule) for rule in outcome.after),
        },
    }


def service_route(params, check_mode, _warn):  # type: (Params, bool, Warn) -> Dict[str, Any]
    """The route of a Service network into a device."""
    wanted = route.Wanted(
        route.destination(params["destination"]), params["device"], params["state"]
    )
    link = read_link(wanted.device)
    program = command.which("ip")
    if program is None:
        raise NodeError("this node has no ip program: install iproute2")
    runner = command.runner(ROUTE_SECONDS)
    before = route.read(program, runner, wanted.destination)
    commands = route.plan(before, wanted)
    after = route.predict(before, wanted)
    if commands:
        if wanted.state == "present" and not link.up:
            raise NodeError("device %s is down: set it up first, a route needs it" % wanted.device)
        require_net_admin("changing the route for %s" % wanted.destination)
        if not check_mode:
            after = route.apply(program, runner, wanted, commands)
    return {
        "changed": bool(commands),
        "before": before,
        "after": after,
        "diff": {
            "before": "".join(line + "\n" for line in before),
            "after": "".join(line + "\n" for line in after),
        },
    }


Change = Callable[[Params, bool, Warn], Dict[str, Any]]
# the change, and what its arguments are when an action does not name them
ACTIONS = {
    "offload": (offload, {"require_vxlan": True}),
    "netfilter_rule": (
        netfilter_rule,
        {"backend": "auto", "family": "ipv4", "position": None, "state": "present", "wait": 30},
    ),
    "service_route": (service_route, {"state": "present"}),
}  # type: Dict[str, Any]


def run(action, check_mode, warn):  # type: (Dict[str, Any], bool, Warn) -> Dict[str, Any]
    """One action of a plan: {"module": ..., "args": {...}}."""
    change, defaults = ACTIONS[action["module"]]
    params = dict(defaults, **action["args"])
    try:
        done = change(params, check_mode, warn)  # type: Dict[str, Any]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # only a record or a plan that was not made by this version
        raise NodeError("action %s cannot be run: %r" % (action, error)) from None
    return done


def device_is_gone(action):  # type: (Dict[str, Any]) -> bool
    """What belonged to a device went away with it."""
    device = action["args"].get("device")
    if device is None:
        return False
    try:
        socket.if_nametoindex(device)
    except (OSError, TypeError, ValueError):
        return True
    return False
