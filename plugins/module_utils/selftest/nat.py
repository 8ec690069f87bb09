# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool that adds the one NAT rule of the test: nft, iptables-nft or iptables-legacy, whichever this node can use.

The rule is for packets to the port of the tunnels with NAT and gives them a source port of a range that theirs is not in:
that surely rewrites it, also on kernels and tools without fully-random.
"""

from typing import List, NamedTuple, Sequence

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.backends import tools
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, Which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError, one_line
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.kernel_parts import (
    LOAD,
    Parts,
    if_it_exists,
    need,
    obstacles,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.selftest.network import (
    NAT_PORTS,
    PORT_WITH_NAT,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import waiting

_CONNTRACK = if_it_exists("nf_conntrack_ipv4")  # until 4.19
_CHAIN = [need("nf_tables"), if_it_exists("nf_tables_ipv4"), need("nft_chain_nat", "nft_chain_nat_ipv4")]
_TARGET = [need("xt_MASQUERADE", "ipt_MASQUERADE"), need("xt_tcpudp"), _CONNTRACK]
NEEDS = {
    "nft": _CHAIN + [need("nft_masq"), if_it_exists("nft_meta"), if_it_exists("nft_masq_ipv4"), _CONNTRACK],
    "iptables-nft": _CHAIN + [need("nft_compat"), if_it_exists("nft_counter"), if_it_exists("nft_meta")] + _TARGET,
    "iptables-legacy": [need("ip_tables"), need("iptable_nat")] + _TARGET,
}
# No match by meta as far as the rule goes: that was a module of its own until 4.19. The payload, cmp and immediate expressions never were.
NFT_RULE = (
    "add table ip selftest;"
    " add chain ip selftest post { type nat hook postrouting priority 100 ; };"
    " add rule ip selftest post ip protocol udp udp dport %d masquerade to :%d-%d"
) % ((PORT_WITH_NAT,) + NAT_PORTS)
# An idle node never holds the lock for long, and the time of the test is limited.
LOCK_SECONDS = 3

# name: nft, iptables-nft or iptables-legacy
Tool = NamedTuple("Tool", [("name", str), ("argv", List[str])])


def _iptables_rule():  # type: () -> List[str]
    ports = "%d-%d" % NAT_PORTS
    match = ["-p", "udp", "--dport", str(PORT_WITH_NAT)]
    return ["-t", "nat", "-A", "POSTROUTING"] + match + ["-j", "MASQUERADE", "--to-ports", ports]


def installed(run, which):  # type: (Run, Which) -> List[Tool]
    """The tools that this node has, the best first."""
    nft = which("nft")
    found = [Tool("nft", [nft, NFT_RULE])] if nft else []
    programs = tools("ipv4", run, which)
    for backend in ("nft", "legacy"):
        if backend in programs:
            program = programs[backend]
            argv = [program.path] + waiting(program, LOCK_SECONDS) + _iptables_rule()
            found.append(Tool("iptables-" + backend, argv))
    return found


def usable(found, parts, may_load):  # type: (Sequence[Tool], Parts, bool) -> List[Tool]
    """Those whose kernel parts are there, then, if modules may be loaded, those whose parts could be."""
    ready = [tool for tool in found if not obstacles(parts, NEEDS[tool.name], False)]
    later = [tool for tool in found if may_load and tool not in ready and not obstacles(parts, NEEDS[tool.name], True)]
    return ready + later


def why_none(found, parts, may_load):  # type: (Sequence[Tool], Parts, bool) -> str
    """Why none of the tools is usable."""
    if not found:
        return "there is no program to add a NAT rule with: install nftables or iptables"
    reasons = ["%s (%s)" % (tool.name, ", ".join(obstacles(parts, NEEDS[tool.name], may_load))) for tool in found]
    return "NAT cannot be tried: %s%s" % ("; ".join(reasons), "" if may_load else ": " + LOAD)


def add_rule(usable_tools, run, run_without_lock):  # type: (Sequence[Tool], Run, Run) -> str
    """Add the rule in the namespace of this process with the first tool that can; its name."""
    failures = []
    for tool in usable_tools:
        # only the legacy program takes the xtables lock, which is the node's
        code, out, err = (run_without_lock if tool.name == "iptables-legacy" else run)(tool.argv)
        if code == 0:
            return tool.name
        failures.append("%s: %s" % (tool.name, one_line(err or out) or "return code %d" % code))
    raise NodeError("no tool could add a NAT rule: %s" % "; ".join(failures))
