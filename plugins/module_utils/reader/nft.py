# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the nf_tables backend, as iptables-nft and nft print them."""

import itertools
import os
import re
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import xtables
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run, which
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import walk
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import (
    NEEDS_ROOT,
    lines_of,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.xtables import Table, Tool

CHAINS = ("nat-postrouting", "masquerading", "mark-for-masquerade", "nat-output")
WAIT = 5
DENIED = re.compile(r"permission denied|not permitted|must be root", re.IGNORECASE)


def is_loaded():  # type: () -> bool
    """Whether the kernel has nf_tables now; asking iptables-nft would load the module."""
    builtin = "/lib/modules/%s/modules.builtin" % os.uname().release
    if not (os.path.exists("/proc/modules") and os.path.exists(builtin)):
        return True
    lines = itertools.chain(lines_of("/proc/modules"), lines_of(builtin))
    return any(line.startswith("nf_tables ") or "/nf_tables.ko" in line for line in lines)


def read_table(tool, name, run):  # type: (Tool, str, Run) -> Dict[str, Any]
    """The reachable chains of one table."""
    table = Table(tool, name, WAIT, run)

    def read_chain(chain, limit):  # type: (str, int) -> Optional[List[str]]
        try:
            rules = xtables.rules_of(table, chain)
        except NodeError:
            # a chain in the middle stays unread; without the first ones the table is unknown
            if chain in walk.ROOTS[name]:
                raise
            return None
        return None if rules is None else rules[: limit + 1]

    try:
        found = walk.walk(name, read_chain)
    except NodeError as error:
        reason = NEEDS_ROOT if DENIED.search(str(error)) else str(error)
        return {"state": "unknown", "reason": reason, "chains": {}, "unread": []}
    return dict(found, state="read", reason="")


def _rules(out):  # type: (str) -> List[str]
    lines = (line.strip() for line in out.splitlines())
    return [
        line
        for line in lines
        if line not in ("", "}") and not re.match(r"(table|chain|type|comment) .*", line)
    ]


def kube_proxy_table(run, mode, families):  # type: (Run, Optional[str], Sequence[str]) -> Dict[str, Any]
    """kube-proxy's own tables of its nftables mode."""
    answer = {"state": "absent", "reason": "", "printer": "", "chains": {}}  # type: Dict[str, Any]
    if not is_loaded():
        return dict(answer, reason="nf_tables is not loaded")
    if not which("nft"):
        if mode not in (None, "nftables"):
            return dict(answer, reason="kube-proxy runs in %s mode" % mode)
        reason = "this node has no nft to look for the table ip kube-proxy: install nftables"
        return dict(answer, state="unknown", reason=reason)
    return listed(run, families)


def listed(run, families):  # type: (Run, Sequence[str]) -> Dict[str, Any]
    """The chains as nft lists them. One state for all families: what failed in one may be what matters."""
    answer = {"state": "absent", "reason": "", "printer": "", "chains": {}}  # type: Dict[str, Any]
    for family in families:
        word, prefix = ("ip6", "ip6 ") if family == "ipv6" else ("ip", "")
        for name in CHAINS:
            code, out, err = run(["nft", "list", "chain", word, "kube-proxy", name])
            if code != 0 and "No such file" in err:
                break
            if code != 0:
                reason = NEEDS_ROOT if DENIED.search(err) else err.strip().split("\n")[0]
                return dict(answer, state="unknown", reason=reason, chains={})
            answer["chains"][prefix + "kube-proxy/" + name] = _rules(out)
    return dict(answer, state="read", printer="nft") if answer["chains"] else answer
