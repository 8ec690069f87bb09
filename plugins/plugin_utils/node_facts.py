# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the node facts: a part or the reason why it is missing, and the tables of one hook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Callable, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.effort import spend
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.nft_rules import parse_nft_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Network, network, networks
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import Rule, parse_rule
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import BaseChain

Facts = Mapping[str, Any]
Parser = Callable[[str], Rule]
RANDOM_FULLY_PRINTED_SINCE = (1, 6, 2)
DEFAULT_BIT = 0x4000
NFTABLES = "nftables"
_KUBE_PROXY = "kube-proxy/"
_NFTABLES_HOOKS = {"OUTPUT": "nat-output", "POSTROUTING": "nat-postrouting"}
# A network that is narrower may be the block of one node, by the version of IP.
_NARROWEST_CLUSTER = {4: 20, 6: 63}


def part(facts: Facts, name: str) -> Optional[Mapping[str, Any]]:
    """One part of the facts, or None when it is missing or unknown."""
    found = facts.get(name)
    # Asked a thousand times for each node: the abstract type is slow, so it is asked for last.
    return found if isinstance(found, (dict, Mapping)) and "unknown" not in found else None


def why_unknown(facts: Facts, name: str) -> str:
    """Why a part is missing."""
    found = facts.get(name)
    if isinstance(found, Mapping) and "unknown" in found:
        return str(found["unknown"])
    return "it was not gathered (gather_subset)"


def source_of(facts: Facts, name: str) -> str:
    """The command or file that a part comes from."""
    found = part(facts, name)
    return str(found.get("source") or "") if found else ""


def vxlan_devices(facts: Facts) -> list[Mapping[str, Any]]:
    """All VXLAN devices of the node."""
    return list((part(facts, "vxlan") or {}).get("devices") or [])


def link(facts: Facts, name: Optional[str]) -> Optional[Mapping[str, Any]]:
    """A network device by name."""
    devices = (part(facts, "links") or {}).get("devices") or []
    return next((device for device in devices if device.get("name") == name), None)


def lookups(facts: Facts) -> list[Mapping[str, Any]]:
    """What the kernel answered to `ip route get SERVICE`."""
    return list((part(facts, "routes") or {}).get("lookups") or [])


def underlay_of(facts: Facts, device: Mapping[str, Any]) -> str:
    """The device that the outer packets leave by: its own, else that of the default route."""
    return str(device.get("underlay") or (part(facts, "routes") or {}).get("default_device") or "")


def kube_proxy(facts: Facts, name: str) -> Any:
    """One value that kube-proxy was seen to have, or None."""
    return (part(facts, "kube_proxy") or {}).get(name)


def tables(facts: Facts, table: str) -> list[Mapping[str, Any]]:
    """The entries of one table in both backends, without those that surely do not exist."""
    found = (part(facts, "netfilter") or {}).get("tables") or []
    return [entry for entry in found if entry.get("table") == table and entry.get("state") != "absent"]


def prints_random_fully(facts: Facts, backend: str) -> bool:
    """Whether the tool that printed these rules can show --random-fully."""
    printers = (part(facts, "netfilter") or {}).get("printers") or {}
    return _shows_random_fully(str((printers.get(backend) or {}).get("version") or ""))


@lru_cache(maxsize=256)
def _shows_random_fully(version: str) -> bool:
    found = re.match(r"v?([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?", version)
    return found is not None and tuple(int(one or 0) for one in found.groups()) >= RANDOM_FULLY_PRINTED_SINCE


def _reached(chains: Mapping[str, Sequence[str]], hook: str, parse: Parser) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The chains that a packet can come to from this hook, with their rules: a change elsewhere leaves the base chain as it is."""
    found: dict[str, tuple[str, ...]] = {}
    waiting = [hook]
    while waiting:
        name = waiting.pop()
        if name in chains and name not in found:
            found[name] = tuple(chains[name])
            waiting += [target.name for text in found[name] for target in parse(text).targets]
    return tuple(found.items())


def iptables_base(facts: Facts, entry: Mapping[str, Any], hook: str) -> BaseChain:
    """One iptables table at one hook."""
    backend = str(entry.get("backend"))
    texts = _reached(entry.get("chains") or {}, hook, parse_rule)
    unread = frozenset(entry.get("unread") or ())
    shows = prints_random_fully(facts, backend)
    return _base(backend, str(entry.get("table")), hook, texts, unread, shows, entry.get("state") == "read")


@lru_cache(maxsize=1024)
def _base(
    backend: str, table: str, hook: str, texts: tuple[tuple[str, tuple[str, ...]], ...], unread: frozenset[str], shows: bool, known: bool
) -> BaseChain:
    """The same object for the same rules: a diagnosis asks for them some hundred times, and remembers walks by it."""
    spend(sum(len(rules) for _name, rules in texts) // 4)
    parse = parse_nft_rule if backend == NFTABLES else parse_rule
    chains = {name: [(text, parse(text)) for text in rules] for name, rules in texts}
    chains.setdefault(hook, [])
    return BaseChain(backend, table, hook, chains, unread, shows, known)


def nftables_part(facts: Facts) -> Mapping[str, Any]:
    """kube-proxy's own nftables table."""
    return (part(facts, "netfilter") or {}).get("nftables") or {"state": "absent"}


def nftables_chain(facts: Facts, name: str) -> Optional[list[tuple[str, Rule]]]:
    """A chain of kube-proxy's nftables table, or None when it is not there."""
    texts = (nftables_part(facts).get("chains") or {}).get(_KUBE_PROXY + name)
    return None if texts is None else [(text, parse_nft_rule(text)) for text in texts]


def nftables_base(facts: Facts, hook: str) -> Optional[BaseChain]:
    """kube-proxy's nftables table at one hook, by the name of its base chain."""
    found = nftables_part(facts)
    if found.get("state") == "absent":
        return None
    chains = {name[len(_KUBE_PROXY) :]: texts for name, texts in (found.get("chains") or {}).items() if name.startswith(_KUBE_PROXY)}
    return _base(NFTABLES, "nat", hook, _reached(chains, hook, parse_nft_rule), frozenset(), True, found.get("state") == "read")


def base_chains(facts: Facts, table: str, hook: str) -> list[BaseChain]:
    """Every base chain of this table at this hook, in all backends, that can do something."""
    found = [iptables_base(facts, entry, hook) for entry in tables(facts, table)]
    nftables = nftables_base(facts, _NFTABLES_HOOKS[hook]) if table == "nat" else None
    found += [nftables] if nftables else []
    return [base for base in found if not base.known or base.chains[base.hook]]


def own_addresses(device: Mapping[str, Any]) -> tuple[Network, ...]:
    """The addresses of a VXLAN device itself, which CNIs take from those of the pods."""
    return networks(str(text).split("/", 1)[0] for text in device.get("addresses") or [])


def pod_network(facts: Facts) -> Optional[Network]:
    """The network that all pods of the cluster have their addresses in, when it can be known."""
    for text in ((part(facts, "cni") or {}).get("flannel_network"), kube_proxy(facts, "cluster_cidr")):
        found = networks(str(text or "").split(","))
        if len(found) == 1:
            return found[0]
    for entry in tables(facts, "nat"):
        for texts in (entry.get("chains") or {}).values():
            for text in texts:
                rule = parse_rule(text)
                wanted = network(next((o.value for o in rule.options("-s") if o.negated), ""))
                # A longer prefix may be this node's own block (kube-proxy's NodeCIDR mode).
                if rule.target == "KUBE-MARK-MASQ" and wanted is not None and wanted.prefixlen <= _NARROWEST_CLUSTER[wanted.version]:
                    return wanted
    return None
