# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random rule sets: kube-proxy of some era, a CNI, workarounds, and random chains and rules around and between them."""

from __future__ import annotations

from collections.abc import Sequence

import rule_words as words
from hypothesis import strategies as st
from rule_sets import BACKENDS, DEVICES, STANDS, RuleSet, Tables

from lab import addresses as ip
from lab import rules_nftables_proxy
from lab.links import TUNNELS
from lab.rules_kube_proxy import KubeProxy
from lab.services import CLUSTER_DNS

BITS = (14, 0, 16, 27)
NUMBERS = {"vxlan.calico": 11, "flannel.1": 12}
_PORTS = {name: tunnel.port for name, tunnel in TUNNELS.items()}
POSTROUTING = ("P1", "P2", "P3")
OUTPUT = ("O1", "O2")

# goto: the fixed rules with a chain in the place of RETURN, from which no packet comes back to the rules behind it.
_SHAPES = ("old", "fixed", "plain", "old_then_fixed", "goto", "none", "random")
_CNIS = ("none", "calico", "calico", "flannel_0_20_1", "flannel_0_20_2", "flannel_0_12")
_WORKAROUNDS = (
    ("raw", "OUTPUT", "-p udp -m udp --dport {port} -j CT --notrack"),
    ("raw", "OUTPUT", "-p udp -m udp --dport {port} -j NOTRACK"),
    # No workaround: raw comes before connection tracking, where nothing is new.
    ("raw", "OUTPUT", "-p udp -m udp --dport {port} -m conntrack --ctstate NEW -j CT --notrack"),
    ("mangle", "OUTPUT", "-p udp -m udp --dport {port} -j MARK --set-xmark 0x0/{bit}"),
    ("filter", "OUTPUT", "-p udp -m udp --dport {port} -j MARK --set-xmark 0x0/0xffffffff"),
    ("nat", "POSTROUTING", "-o eth0 -j ACCEPT"),
    ("nat", "KUBE-POSTROUTING", "-m mark --mark {bit}/{bit} -j MASQUERADE"),
)


def _mostly(choices: Sequence[str], share: int) -> st.SearchStrategy[str]:
    """Nothing, but one time in `share`."""
    return st.sampled_from([words.NOTHING] * (len(choices) * (share - 1)) + list(choices))


_MATCHES = (
    _mostly(words.PROTOCOLS[1:], 3), _mostly(words.INTERFACES[1:], 4), _mostly(words.SOURCES[1:], 6), _mostly(words.DESTINATIONS[1:], 6),
    _mostly(words.MARKS[1:], 3), _mostly(words.STATES[1:], 8), _mostly(words.TYPES[1:], 8), _mostly(words.OTHERS[1:], 10),
    _mostly(words.SETS[1:], 8),
    _mostly(words.DOUBTFUL, 40),
)  # fmt: skip
_matches = st.tuples(*_MATCHES).map(lambda found: " ".join(one for one in found if one))


def _targets(table: str, source_nat: bool, chains: Sequence[str]) -> st.SearchStrategy[str]:
    """What a rule of this table may do; `chains` are those that it may lead to."""
    found: list[str] = [*words.MARKING, *words.PASSING * 5, *words.QUIET, *words.QUEUES]
    found += [word + name for name in chains for word in ("-j ", "-g ", "-j ")] * 2
    if table == "raw":
        found += words.UNTRACKING * 2
    if table == "mangle":
        found += words.MANGLING
    if table == "filter":
        found += words.STOPPING
    if source_nat:
        found += words.NAT * 3
        # The port of a packet of any protocol cannot be given: these are made with -p udp.
        found += ["-p udp " + word for word in words.NAT_OF_PORTS]
    return st.sampled_from(found)


def _rule(found: tuple[str, str]) -> str:
    matches, target = found
    if target.startswith("-p udp "):
        target = target[7:]
        matches = matches if "-p udp" in matches and "! -p" not in matches else "-p udp"
    # iptables-nft 1.8.9 prints a rule without any word as it prints what it cannot show, and nothing of that table is believed.
    return " ".join(one for one in (matches, target) if one) or "-m comment --comment plain"


def _rules(table: str, source_nat: bool, chains: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.tuples(_matches, _targets(table, source_nat, chains)).map(_rule), max_size=3)


def _chain_family(table: str, base: str, names: Sequence[str]) -> dict[str, st.SearchStrategy[list[str]]]:
    """A built-in chain and those below it; a chain leads to later ones only, the kernel refuses circles."""
    snat = (table, base) == ("nat", "POSTROUTING")
    found = {base: _rules(table, snat, names)}
    found.update({name: _rules(table, snat, names[place + 1 :]) for place, name in enumerate(names)})
    return found


_RANDOM = {
    "raw": _chain_family("raw", "OUTPUT", OUTPUT),
    "mangle": {**_chain_family("mangle", "OUTPUT", OUTPUT), **_chain_family("mangle", "POSTROUTING", POSTROUTING[:2])},
    "filter": _chain_family("filter", "OUTPUT", OUTPUT),
    "nat": {**_chain_family("nat", "OUTPUT", OUTPUT), **_chain_family("nat", "POSTROUTING", POSTROUTING)},
}
# What the tunnel will carry is not tracked, but may get a mark, and the tunnel packet is tracked all the same.
_UNTRACKED_INSIDE = ("-o {tunnel} -j NOTRACK", "-d 10.244.0.0/16 -j CT --notrack", "-p tcp -o {tunnel} -j CT --notrack")
# nat POSTROUTING decides, so it is nearly always filled; the others often are as they are on most nodes: empty.
_FILLED = {"raw": 4, "mangle": 2, "filter": 4, "nat": 1}
_RANDOM_KUBE_POSTROUTING = _rules("nat", True, POSTROUTING)


@st.composite
def _random_tables(draw: st.DrawFn) -> Tables:
    found: Tables = {}
    for table, chains in _RANDOM.items():
        if _FILLED[table] == 1 or draw(st.integers(0, _FILLED[table] - 1)) == _FILLED[table] - 1:
            found[table] = {name: draw(rules) for name, rules in chains.items()}
            if table == "nat" and draw(st.booleans()):  # rules in nat OUTPUT are rare
                found[table].update({name: [] for name in ("OUTPUT", *OUTPUT)})
            if table == "raw" and draw(st.booleans()):
                found[table]["OUTPUT"].insert(0, draw(st.sampled_from(_UNTRACKED_INSIDE)))
                found[table]["OUTPUT"].append("-o {tunnel} " + draw(st.sampled_from(words.MARKING)))
    return found


def _postrouting(shape: str, random: list[str], random_fully: str) -> list[str]:
    masquerade = "-j MASQUERADE" + random_fully
    old = "-m mark --mark {bit}/{bit} " + masquerade
    fixed = ["-m mark ! --mark {bit}/{bit} -j RETURN", "-j MARK --set-xmark {bit}/0x0", masquerade]
    plain = ["-m mark --mark {bit}/{bit} -j MASQUERADE"]
    goto = ["-m mark ! --mark {bit}/{bit} -g %s" % POSTROUTING[-1], *fixed[1:]]
    shapes = {"old": [old], "fixed": fixed, "goto": goto, "plain": plain, "old_then_fixed": [old, *fixed], "none": [], "random": random}
    return shapes[shape]


def _put(rules: list[str], place: int, rule: str) -> None:
    rules.insert(place % (len(rules) + 1), rule)


def _kube_proxy(nat: dict[str, list[str]], markers: str, places: Sequence[int], postrouting: list[str]) -> None:
    """The Service chains as 1.22 and later writes them; the jumps are at random places."""
    for chain in ("OUTPUT", "PREROUTING", "POSTROUTING"):
        nat.setdefault(chain, [])
    nat["KUBE-MARK-MASQ"] = ["-j MARK --set-xmark {bit}/{bit}"]
    nat["KUBE-POSTROUTING"] = postrouting
    nat["KUBE-SERVICES"] = []
    for service in CLUSTER_DNS:
        match = "-d %s/32 -p %s -m %s --dport %d" % (service.address, service.protocol, service.protocol, service.port)
        nat["KUBE-SERVICES"].append("%s -j %s" % (match, service.chain()))
        source = {"cidr": "! -s %s " % ip.CLUSTER_CIDR, "all": ""}.get(markers)
        mark = [] if source is None else ["%s%s -j KUBE-MARK-MASQ" % (source, match)]
        to = "-p %s -m %s -j DNAT --to-destination %s" % (service.protocol, service.protocol, service.endpoints[0])
        nat[service.chain()] = [*mark, to]
    nat["KUBE-SERVICES"].append("-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    nat["KUBE-NODEPORTS"] = []
    nat["PREROUTING"].append("-j KUBE-SERVICES")
    _put(nat["OUTPUT"], places[0], "-j KUBE-SERVICES")
    if places[1] != 7:
        _put(nat["POSTROUTING"], places[1], '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING')


def _cni(nat: dict[str, list[str]], name: str, place: int, own: str) -> None:
    if name == "none":
        return
    if name == "calico":
        rule = "-o {tunnel} -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --random-fully"
        nat["cali-POSTROUTING"] = ["-j cali-nat-outgoing", rule]
        nat["cali-nat-outgoing"] = []
        _put(nat["POSTROUTING"], place, "-j cali-POSTROUTING")
        return
    rules = [
        "-s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN", "-s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
        "! -s 10.244.0.0/16 -d %s -j RETURN" % own, "! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully",
    ]  # fmt: skip
    if name == "flannel_0_20_2":
        rules.insert(0, "-m mark --mark 0x4000/0x4000 -j RETURN")
    nat["FLANNEL-POSTRTG"] = rules
    _put(nat["POSTROUTING"], place if name != "flannel_0_12" else -1, "-j FLANNEL-POSTRTG")


def _filled_in(tables: Tables, known: dict[str, str]) -> Tables:
    def fill(rule: str) -> str:
        for name, value in known.items():
            rule = rule.replace("{%s}" % name, value)
        return rule

    return {table: {name: [fill(rule) for rule in rules] for name, rules in chains.items()} for table, chains in tables.items()}


_SETTINGS = st.tuples(
    st.sampled_from([*STANDS[:2] * 3, *STANDS[2:]]), st.sampled_from(["vxlan.calico"] * 4 + ["flannel.1"]),
    st.sampled_from([True] * 5 + [False]), st.sampled_from([14, 14, *BITS]), st.sampled_from(["cidr", "cidr", "cidr", "all", "none"]),
    st.sampled_from(_SHAPES),
    st.sampled_from([" --random-fully"] * 3 + [""]), st.sampled_from(_CNIS), st.lists(st.integers(0, 7), min_size=3, max_size=3),
    st.one_of(st.none(), st.sampled_from(_WORKAROUNDS)), st.integers(0, 1),
)  # fmt: skip


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    stand, device, offload, bit, markers, shape, random_fully, cni, places, workaround, side = draw(_SETTINGS)
    node = NUMBERS[device]
    known = {
        "bit": "%#x" % (1 << bit), "node": ip.underlay(node), "own": ip.pod_cidr(node), "tunnel": device, "port": str(_PORTS[device]),
    }  # fmt: skip
    backends = BACKENDS[stand]
    rules: dict[str, Tables] = {backend: draw(_random_tables()) for backend in backends}
    proxy_backend, cni_backend = backends[side % len(backends)], backends[(side + 1) % len(backends)]
    native = ""
    if "native" in stand:
        native = _native(bit, markers, random_fully, shape)
    else:
        random = draw(_RANDOM_KUBE_POSTROUTING) if shape == "random" else []
        _kube_proxy(rules[proxy_backend]["nat"], markers, places, _postrouting(shape, random, random_fully))
    _cni(rules[cni_backend]["nat"], cni, places[2], known["own"])
    if workaround:
        table, chain, rule = workaround
        if chain != "KUBE-POSTROUTING" or not native:
            _put(rules[proxy_backend].setdefault(table, {}).setdefault(chain, []), 0, rule)
    return RuleSet(stand, device, offload, {backend: _filled_in(tables, known) for backend, tables in rules.items()}, native)


def _native(bit: int, markers: str, random_fully: str, shape: str) -> str:
    """kube-proxy's table as 1.29 and later writes it, and with the clearing of the mark left out."""
    proxy = KubeProxy(
        "1.33.1", mode="nftables", masquerade_bit=bit, masquerade_all=markers == "all",
        cluster_cidr=ip.CLUSTER_CIDR if markers == "cidr" else None,
    )  # fmt: skip
    text = rules_nftables_proxy.text(proxy, CLUSTER_DNS)
    if not random_fully:
        text = text.replace("masquerade fully-random", "masquerade")
    if shape == "old":
        text = text.replace("mark set mark xor %s; " % proxy.mark, "")
    return text


assert set(NUMBERS) == set(DEVICES)
