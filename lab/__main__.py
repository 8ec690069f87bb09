# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m lab up|down|status|exec|traffic|throughput|inventory|scenarios."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import Any, Optional

from . import holder, inventory, removal, requirements, scenarios, state, throughput, traffic
from .errors import LabError
from .ruleset import enter

DEFAULT_NAME = "vxlan-offload"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m lab", description="Kubernetes-like nodes on which the failure is real.")
    commands = top.add_subparsers(dest="command", required=True)
    up = _command(commands, "up", "build a lab")
    up.add_argument("--scenario", action="append", metavar="NAME", help="repeatable; 'all' for every one; see scenarios")
    up.add_argument("--backend", choices=("nft", "legacy", "both"), default="", help="default: nft where a scenario allows it")
    up.add_argument("--nodes", type=int, default=0, help="how many; scenarios repeat")
    up.add_argument("--services", type=int, default=0, metavar="N", help="N more Services of three endpoints (11 rules each)")
    up.add_argument("--interfaces", type=int, default=0, metavar="N", help="N cali* interfaces on each node")
    up.add_argument("--no-python", action="store_true", help="nodes on which no Python can be found")
    up.add_argument("--no-kube-proxy-api", action="store_true", help="nothing answers on 127.0.0.1:10249")
    up.add_argument("--python", default="/usr/bin/python3", help="ansible_python_interpreter of the nodes")
    _command(commands, "down", "remove a lab")
    _command(commands, "status", "what runs")
    run = _command(commands, "exec", "run a command in a node")
    run.add_argument("node")
    run.epilog = "the command follows after --; without one: a shell"
    ask = _command(commands, "traffic", "ask the cluster DNS from the nodes")
    ask.add_argument("node", nargs="*")
    ask.add_argument("--json", action="store_true")
    speed = _command(commands, "throughput", "one TCP stream from a node to the pod, by iperf3")
    speed.add_argument("node")
    speed.add_argument("--seconds", type=int, default=2)
    speed.add_argument("--json", action="store_true")
    hosts = _command(commands, "inventory", "print the Ansible inventory")
    hosts.add_argument("--with-backend", action="store_true", help="the receiving node too, in group receiver")
    hosts.add_argument("--path", action="store_true", help="print where the written one is instead")
    _command(commands, "scenarios", "list the kinds of nodes")
    return top


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=text)
    made.add_argument("--name", default=DEFAULT_NAME, help="several labs can exist side by side (default: %(default)s)")
    return made


def up(arguments: argparse.Namespace) -> int:
    requirements.check()
    from . import topology  # only here: pyroute2 may be missing, and takes 0.2 s to import

    names = tuple(arguments.scenario or scenarios.DEFAULT_FLEET)
    options = topology.Options(
        scenarios=_all() if names == ("all",) else names,
        backend=arguments.backend,
        nodes=arguments.nodes,
        services=arguments.services,
        interfaces=arguments.interfaces,
        hide_python=arguments.no_python,
        kube_proxy_api=not arguments.no_kube_proxy_api,
        python=arguments.python,
    )
    lab = topology.up(arguments.name, options)
    print("lab %s: %d nodes, inventory %s" % (lab.name, len(lab.scenario_nodes()), inventory.inventory_path(lab)))
    return 0


def _all() -> tuple[str, ...]:
    """Every scenario that the running kernel can build; says which it leaves out."""
    names = scenarios.on_this_kernel()
    for name in scenarios.BY_NAME:
        if name not in names:
            print("left out, %s: %s" % (name, requirements.KERNEL[scenarios.get(name).needs][1]))
    return names


def down(arguments: argparse.Namespace) -> int:
    removed = removal.down(arguments.name)
    print("lab %s: %s" % (arguments.name, "removed" if removed else "there is none"))
    return 0


def status(arguments: argparse.Namespace) -> int:
    lab = state.require(arguments.name)
    print("lab %s: %s" % (lab.name, "complete" if lab.data["complete"] else "incomplete, remove it with down"))
    for name, node in lab.nodes.items():
        running = "running" if holder.is_running(node["holder"]) else "gone"
        print("%-48s %-8s %-11s %s" % (name, running, node["address"], node.get("scenario", node["role"])))
    return 0


def execute(arguments: argparse.Namespace) -> int:
    lab = state.require(arguments.name)
    command = enter(lab.pid(arguments.node)) + (arguments.argv or ["/bin/sh"])
    os.execvp(command[0], command)


def ask(arguments: argparse.Namespace) -> int:
    """Exit code 0 when every node was served, 2 when at least one was not."""
    result = traffic.ask(state.require(arguments.name), arguments.node)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        for name, seen in result["nodes"].items():
            took = seen["tcp"]["connect_s"]
            print(
                "%-48s UDP %-7s %d of %d answered   TCP %-7s %s"
                % (
                    name,
                    seen["udp"]["result"],
                    seen["udp"]["answered"],
                    seen["udp"]["asked"],
                    seen["tcp"]["result"],
                    "no connection" if took is None else "connected in %.3f s" % took,
                )
            )
        print("receiver: Udp InCsumErrors +%d" % result["in_csum_errors"])
    served = all(seen["udp"]["result"] == seen["tcp"]["result"] == "ok" for seen in result["nodes"].values())
    return 0 if served else 2


def speed(arguments: argparse.Namespace) -> int:
    result = throughput.measure(state.require(arguments.name), arguments.node, arguments.seconds)
    if arguments.json:
        print(json.dumps(result))
    else:
        print("%s: %.2f Gbit/s over %d s" % (arguments.node, result["gbit_per_s"], result["seconds"]))
    return 0


def hosts(arguments: argparse.Namespace) -> int:
    lab = state.require(arguments.name)
    if arguments.path:
        print(inventory.inventory_path(lab))
    else:
        sys.stdout.write(inventory.text(lab, arguments.with_backend))
    return 0


def list_scenarios(_arguments: argparse.Namespace) -> int:
    for one in scenarios.SCENARIOS:
        print("%-40s UDP %-7s TCP %-7s %s" % (one.name, one.udp, one.tcp, one.description))
    return 0


COMMANDS = {
    "up": up,
    "down": down,
    "status": status,
    "exec": execute,
    "traffic": ask,
    "throughput": speed,
    "inventory": hosts,
    "scenarios": list_scenarios,
}


def _interrupted(number: int, _frame: Any) -> None:
    """The first signal starts the removal; later ones must not stop it."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(argv: Optional[list[str]] = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    arguments = parser().parse_args(words[:cut])
    arguments.argv = words[cut + 1 :]
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, _interrupted)
    try:
        return COMMANDS[arguments.command](arguments)
    except LabError as error:
        print("lab: %s" % error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
