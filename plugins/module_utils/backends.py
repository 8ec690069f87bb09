# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which iptables programs a node has, and in which backend a chain's rules live."""

import re
from typing import Callable, Dict, List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import xtables
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, Which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Table, Tool

PROGRAMS = {"ipv4": "iptables", "ipv6": "ip6tables"}
LOADED = {"ipv4": "/proc/net/ip_tables_names", "ipv6": "/proc/net/ip6_tables_names"}
# these are there without any rule of ours, so their existence tells nothing
BUILT_IN = frozenset(["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"])
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:.*\((nf_tables|legacy)\))?")


def parse_version(path, text):  # type: (str, str) -> Optional[Tool]
    """The tool that "iptables v1.8.9 (nf_tables)" describes; before 1.8 all are legacy."""
    found = VERSION.search(text)
    if not found:
        return None
    backend = "nft" if found.group(4) == "nf_tables" else "legacy"
    return Tool(path, backend, tuple(int(part) for part in found.groups()[:3]))


def tools(family, run, which):  # type: (str, Run, Which) -> Dict[str, Tool]
    """The programs by backend; "default" is the one that the plain name starts."""
    program = PROGRAMS[family]
    found = {}
    for name in (program, program + "-nft", program + "-legacy"):
        path = which(name)
        tool = parse_version(name, run([path, "-V"])[1]) if path else None
        if tool and path:
            tool = tool._replace(path=path)
            if name == program:
                found["default"] = tool
            # the explicit name goes before the plain one: update-alternatives may turn that
            found[tool.backend] = tool
    return found


def legacy_tables(family):  # type: (str) -> List[str]
    """The legacy tables of this node; looking with iptables-legacy itself would create one."""
    try:
        with open(LOADED[family]) as names:
            return names.read().split()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NodeError(
            "reading %s needs root (CAP_DAC_READ_SEARCH): %s: run with become" % (LOADED[family], error.strerror)
        ) from None


def _where_rules_live(candidates, chain):  # type: (List[Table], str) -> str
    """The only backend with rules in the chain, or that has the chain at all; empty when not one."""
    rules = {table.tool.backend: xtables.rules_of(table, chain) for table in candidates}
    holding = [backend for backend in rules if rules[backend]]
    if not holding and chain not in BUILT_IN:
        holding = [backend for backend in rules if rules[backend] is not None]
    return holding[0] if len(holding) == 1 else ""


def choose(found, wanted, chain, legacy_exists, open_table):
    # type: (Dict[str, Tool], str, str, bool, Callable[[Tool], Table]) -> Tool
    """The tool for backend auto, nft or legacy; legacy_exists tells whether the table is there."""
    if not found:
        raise NodeError("this node has no iptables program: install the iptables package")
    if wanted != "auto":
        if wanted not in found:
            raise NodeError(
                "this node has no iptables program for the %s backend: install it, or use backend auto"
                % wanted
            )
        return found[wanted]
    default = found["default"].backend if "default" in found else sorted(found)[-1]
    if "nft" in found and "legacy" in found:
        candidates = [found["nft"]] + ([found["legacy"]] if legacy_exists else [])
        return found[_where_rules_live([open_table(tool) for tool in candidates], chain) or default]
    return found[default]
