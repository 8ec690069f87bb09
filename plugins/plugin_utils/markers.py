# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which traffic does kube-proxy mark for masquerading: that of the node itself, that of pods, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.matching import Mark, all_of, mark_and_mask, negate
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    DEFAULT_BIT,
    Facts,
    kube_proxy,
    lookups,
    nftables_chain,
    own_addresses,
    part,
    tables,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.packets import Address, Network, Tri, lies_in, network, networks
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import short
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import Option, Rule, parse_rule, shown_text
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import apply_mark

MARKER = "KUBE-MARK-MASQ"


@dataclass(frozen=True)
class Marking:
    """Is the traffic of the node, and of its pods, marked; `present` is whether kube-proxy's rules are there."""

    present: bool
    host: Tri
    pod: Tri
    evidence: str
    only_node_ports: bool = False


def _rules(facts: Facts, chain: str) -> list[Rule]:
    """The rules of a nat chain in every backend that has it."""
    return [parse_rule(text) for entry in tables(facts, "nat") for text in (entry.get("chains") or {}).get(chain) or []]


def _mark_set(rules: Iterable[Rule]) -> int:
    """The mark that a packet without one has behind these rules."""
    mark = Mark()
    for rule in rules:
        for target in rule.targets:
            mark = apply_mark(target, mark) if target.name == "MARK" else mark
    return mark.value & ~mark.unknown


def _mark_asked(rules: Iterable[Rule]) -> int:
    for rule in rules:
        for option in rule.options("--mark"):
            pair = mark_and_mask(option.value)
            if pair and pair[1] != 0xFFFFFFFF:
                return pair[1]
    return 0


def masquerade_mark(facts: Facts) -> Mark:
    """The mark that asks for masquerading: from the rules, else from kube-proxy's configuration, else its default.

    Of two kube-proxies with marks of their own (one has left its rules in the other backend) nobody knows which marks.
    """
    chains = [(entry.get("chains") or {}).get(MARKER) or [] for entry in tables(facts, "nat")]
    native = [rule for _text, rule in nftables_chain(facts, "mark-for-masquerade") or []]
    found = {value for value in (*(_mark_set(map(parse_rule, texts)) for texts in chains), _mark_set(native)) if value}
    if len(found) > 1:
        return Mark(0, reduce(or_, found))
    seen = kube_proxy(facts, "masquerade_bit")
    return Mark(
        (found.pop() if found else 0)
        or _mark_asked(_rules(facts, "KUBE-POSTROUTING"))
        or _mark_asked(rule for _text, rule in nftables_chain(facts, "masquerading") or [])
        or (1 << seen if isinstance(seen, int) and 0 <= seen < 32 else DEFAULT_BIT)
    )


def masquerade_bit(facts: Facts) -> int:
    """All bits of that mark, nearly always one."""
    mark = masquerade_mark(facts)
    return mark.value | mark.unknown


def present(facts: Facts) -> bool:
    """Whether kube-proxy's Service rules can be reached by the node's own traffic."""
    if nftables_chain(facts, "nat-output") or nftables_chain(facts, "mark-for-masquerade") is not None:
        return True
    return any(rule.target == "KUBE-SERVICES" for rule in _rules(facts, "OUTPUT"))


def _marker_rules(facts: Facts) -> list[tuple[str, Rule]]:
    """The rules that mark traffic to a ClusterIP."""
    found = []
    services = part(facts, "services") or {}
    known = networks(str(services.get(name)) for name in ("dns", "kubernetes") if services.get(name))
    for entry in tables(facts, "nat"):
        for chain, texts in (entry.get("chains") or {}).items():
            if not chain.startswith(("KUBE-SVC-", "KUBE-SERVICES")):
                continue
            for text in texts:
                rule = parse_rule(text)
                if rule.target == MARKER and (chain != "KUBE-SERVICES" or _for_cluster_ip(rule, known)):
                    found.append((text, rule))
    return found


def _for_cluster_ip(rule: Rule, known: tuple[Any, ...]) -> bool:
    """KUBE-SERVICES also marks traffic to external addresses, without a source; those are no ClusterIP markers."""
    if rule.options("-s") or rule.options("--match-set"):
        return True
    wanted = [network(option.value) for option in rule.options("-d")]
    return not known or any(one in known for one in wanted)


# Modules of marker rules that ask for the Service and for the source, and for nothing else.
_OF_MARKERS = frozenset({"", "comment", "tcp", "udp", "sctp", "set"})


def _marks(rule: Rule, source: Optional[Address], own: Sequence[Network]) -> Tri:
    """Whether a marker rule holds for the node (its source address) or for its pods (None).

    The Service's address and port are those that the rule asks for. `own` are the addresses of the VXLAN device: `! -s CIDR` spares this
    node's pods when it spares those; the CIDR is that of the cluster or that of the node.
    """
    if rule.broken or any(match.module not in _OF_MARKERS for match in rule.matches):
        return None
    answers: list[Tri] = []
    for option in rule.options("-s"):
        wanted = network(option.value)
        inside = None if wanted is None else _pods_within(wanted, own) if source is None else source.within(wanted)
        answers.append(negate(inside, option.negated))
    # A packet of the node came in by no interface. Whether those of pods come in by this one (detectLocalMode) is not known.
    answers += [negate(None if source is None else False, option.negated) for option in rule.options("-i")]
    client = "pod" if source is None else "host"
    answers += [negate(_in_set(option, client), option.negated) for option in rule.options("--match-set")]
    return all_of(answers)


def _pods_within(wanted: Network, own: Sequence[Network]) -> Tri:
    return True if not own or any(lies_in(one, wanted) for one in own) else None


def _in_set(option: Option, client: str) -> Tri:
    """IPVS: a ClusterIP is a local address, so the node's own packets to it also have it as their source."""
    if option.value in ("KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP"):
        direction = option.values[1] if len(option.values) > 1 else ""
        return client == "host" if direction.startswith("src") else True
    return False if option.value in ("KUBE-LOOP-BACK", "KUBE-6-LOOP-BACK") else None


def host_sources(facts: Facts, device: Mapping[str, Any]) -> list[Address]:
    """The addresses that the node's own packets to Services have, one for each route looked up."""
    texts = [str(found.get("source") or "") for found in lookups(facts)]
    found = networks(text for text in texts if text) or networks([str(device.get("local") or "")])
    return [Address(inside=(one,)) for one in found] or [Address()]


def _worst(answers: list[Tri]) -> Tri:
    return True if True in answers else None if None in answers else False


def _from_rules(rules: list[tuple[str, Rule]], hosts: list[Address], own: Sequence[Network]) -> Marking:
    host_answers = [_worst([_marks(rule, host, own) for host in hosts]) for _text, rule in rules]
    pods = _worst([_marks(rule, None, own) for _text, rule in rules])
    shown = next((text for (text, _rule), answer in zip(rules, host_answers) if answer), rules[0][0])
    return Marking(True, _worst(host_answers), pods, shown_text(shown))


def _from_configuration(facts: Facts, hosts: list[Address]) -> Optional[Marking]:
    """What kube-proxy's configuration says, when no marker rule was read."""
    if kube_proxy(facts, "masquerade_all"):
        return Marking(True, True, True, "kube-proxy masqueradeAll is on")
    text = str(kube_proxy(facts, "cluster_cidr") or "")
    inside = networks(text.split(","))
    if not inside:
        return None
    answers: list[Tri] = [negate(_worst([host.within(one) for one in inside]), True) for host in hosts]
    return Marking(True, _worst(answers), False, f"kube-proxy clusterCIDR {short(text)}")


def marking(facts: Facts, device: Mapping[str, Any]) -> Marking:
    """Which clients' packets carry the mark when they leave by this device."""
    if not present(facts):
        return Marking(False, None, None, "no kube-proxy rules on this node yet")
    hosts = host_sources(facts, device)
    rules = _marker_rules(facts)
    if rules:
        return _from_rules(rules, hosts, own_addresses(device))
    configured = _from_configuration(facts, hosts)
    if configured:
        return configured
    read = any(chain.startswith("KUBE-SVC-") for entry in tables(facts, "nat") for chain in entry.get("chains") or {})
    whole = any(
        "KUBE-SERVICES" in (entry.get("chains") or {}) and "KUBE-SERVICES" not in (entry.get("unread") or [])
        for entry in tables(facts, "nat")
    )
    if read or whole:
        text = "no rule marks traffic to ClusterIPs (kube-proxy has no cluster CIDR); NodePorts are still marked"
        return Marking(True, None, False, text, only_node_ports=True)
    return Marking(True, None, None, "the rules that mark Service traffic were not read")
