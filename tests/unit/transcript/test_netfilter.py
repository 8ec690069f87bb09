# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netfilter: which chains count, what is absent, what is unknown and why."""

from __future__ import annotations

import pytest
from transcripts import facts, parse, recorded, section

from ansible_collections.kubenet.vxlan_offload.plugins.action.node_info import PROBE
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import nft
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_tables import select, target

NFT = ("nft iptables-nft iptables v1.8.9 (nf_tables)", "nf_tables")
ROOT = "needs root: run with become"


def tables(*sections, **options):
    found = facts(*sections, section("lookup"), section("processes"), **options)["netfilter"]
    return {(one["backend"], one["table"]): one for one in found["tables"]}


def saved(*lines):
    return section("legacy", "*nat", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", *lines, "COMMIT", "#rc 0")


LEGACY = section("printers", "legacy iptables-legacy iptables v1.8.9 (legacy)", "legacy_table nat")


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("-j KUBE-POSTROUTING", "KUBE-POSTROUTING"),
        ("-o eth0 -g cali-x", "cali-x"),
        ("-j MASQUERADE --random-fully", None),
        ('-m comment --comment "a -j KUBE-B" -j KUBE-A', "KUBE-A"),
        (r'-m comment --comment "a \" -j KUBE-B" -j ACCEPT', None),
        ('-j LOG --log-prefix "x -j KUBE-B "', None),
        ("-m conntrack --ctstate NEW", None),
        ("-j DOCKER", "DOCKER"),
        ("-j CT --notrack", None),
    ],
)
def test_target(rule, expected):
    assert target(rule) == expected


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("scenario", ["fixed_kube_proxy_calico_first", "kube_proxy_1_17"])
def test_the_same_rules_give_the_same_chains_in_both_backends(scenario, backend):
    own, nft = (_sizes(parse(recorded(f"{scenario}_{one}")), one) for one in (backend, "nft"))
    assert (own["nat"], own["filter"]) == (nft["nat"], nft["filter"])


def _sizes(found, backend):
    """Each node has addresses of its own in its rules, so only their numbers can be equal."""
    return {
        one["table"]: ({name: len(rules) for name, rules in one["chains"].items()}, one["unread"])
        for one in found["netfilter"]["tables"]
        if one["backend"] == backend
    }


def test_chains_of_services_are_not_followed_and_the_marker_of_1_22_makes_kube_services_needless():
    nat = parse(recorded("fixed_kube_proxy_calico_first_nft"))["netfilter"]["tables"][3]
    assert "KUBE-SERVICES" in nat["unread"] and "KUBE-SERVICES" not in nat["chains"]
    assert any("KUBE-MARK-MASQ" in rule for rule in nat["chains"]["KUBE-SVC-TCOU7JCQXEZGVUNU"])


def test_kube_proxy_before_1_22_has_its_marker_in_kube_services():
    nat = parse(recorded("kube_proxy_1_17_nft"))["netfilter"]["tables"][3]
    assert any("KUBE-MARK-MASQ" in rule for rule in nat["chains"]["KUBE-SERVICES"])
    assert "KUBE-SERVICES" not in nat["unread"]


def test_only_40_rules_of_kube_services_are_kept():
    chains = {"OUTPUT": ["-j KUBE-SERVICES"], "POSTROUTING": [], "KUBE-SERVICES": ["-j KUBE-MARK-MASQ"] * 41, "KUBE-MARK-MASQ": []}
    nat = select("nft", "nat", chains, set())
    assert (len(nat["chains"]["KUBE-SERVICES"]), nat["unread"]) == (40, ["KUBE-SERVICES"])


def test_limits_of_chains_and_rules_are_said():
    chains = {"OUTPUT": [f"-j c{number}" for number in range(70)] + ["-j big"], **{f"c{number}": [] for number in range(70)}, "big": []}
    found = select("nft", "filter", chains, set())
    assert len(found["chains"]) == 64 and found["unread"] == sorted(["big", *(f"c{number}" for number in range(63, 70))])
    found = select("nft", "filter", {"OUTPUT": ["-j big"], "big": ["-j ACCEPT"] * 2001}, set())
    assert len(found["chains"]["big"]) == 2000 and found["unread"] == ["big"]


def test_a_loop_of_jumps_ends():
    found = select("nft", "filter", {"OUTPUT": ["-j a"], "a": ["-j b"], "b": ["-j a"]}, set())
    assert list(found["chains"]) == ["OUTPUT", "a", "b"]


def test_a_chain_nobody_jumps_to_is_left_out():
    nat = tables(LEGACY, saved(":cali-fw-x - [0:0]", "-A cali-fw-x -j ACCEPT"))["legacy", "nat"]
    assert list(nat["chains"]) == ["OUTPUT", "POSTROUTING"]


def test_tables_that_ip_tables_names_does_not_list_are_absent():
    found = tables(LEGACY, saved())
    assert [found["legacy", name]["state"] for name in ("raw", "mangle", "filter", "nat")] == ["absent", "absent", "absent", "read"]


@pytest.mark.parametrize(
    "lines, code, reason",
    [
        (("# Table `nat' is incompatible, use 'nft' tool.",), 0, "printed no whole table nat"),
        (("*nat", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -j MASQ"), 0, "its output is cut off"),
        (("*nat", ":OUTPUT ACCEPT [0:0]", "COMMIT"), 0, "its output is cut off"),
        (("iptables-save v1.8.9 (legacy): Cannot initialize: Permission denied (you must be root)",), 0, ROOT),
        (("sh: 1: iptables-legacy-save: not found", "#rc 127"), 0, "not found"),
        (("*nat", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", "junk", "COMMIT"), 0, "junk"),
        (("*nat", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", "-A NOWHERE -j ACCEPT", "COMMIT"), 0, "no whole table"),
    ],
)
def test_a_legacy_table_that_is_not_whole_is_unknown(lines, code, reason):
    found = tables(LEGACY, section("legacy", *lines, code=code))["legacy", "nat"]
    assert (found["state"], found["chains"]) == ("unknown", {}) and reason in found["reason"]


def test_legacy_tables_without_a_legacy_tool_are_unknown_and_say_what_to_do():
    found = tables(section("printers", *NFT, "legacy_table nat"))["legacy", "nat"]
    assert found["state"] == "unknown" and "iptables-legacy-save: install it" in found["reason"]


def test_nf_tables_without_a_tool_that_reads_it_is_unknown():
    found = tables(section("printers", "legacy iptables iptables v1.4.21", "nf_tables"))["nft", "nat"]
    assert found["state"] == "unknown" and "install iptables" in found["reason"]


def test_without_nf_tables_the_nft_backend_is_absent():
    assert tables(section("printers", "legacy iptables iptables v1.4.21"))["nft", "nat"]["state"] == "absent"


@pytest.mark.parametrize(
    "text, code, reason",
    [
        ("iptables v1.8.9 (nf_tables): table `nat' is incompatible, use 'nft' tool.", 1, "rules that nft wrote"),
        ("iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)", 4, ROOT),
        ("Another app is currently holding the xtables lock", 4, "xtables lock"),
        ("", 0, "ended with return code 0"),
        ("-P OUTPUT ACCEPT", 0, ""),
    ],
)
def test_a_built_in_chain_that_cannot_be_printed_makes_the_table_unknown(text, code, reason):
    output = section("chain nft nat OUTPUT", "-P OUTPUT ACCEPT")
    found = tables(section("printers", *NFT), output, section("chain nft nat POSTROUTING", text, code=code))["nft", "nat"]
    assert found["state"] == "unknown" and reason in found["reason"]


def test_a_chain_that_nft_wrote_into_is_unread_but_the_others_count():
    sections = [
        section("chain nft nat OUTPUT", "-P OUTPUT ACCEPT"),
        section("chain nft nat POSTROUTING", "-P POSTROUTING ACCEPT", "-A POSTROUTING -j mixed", "-A POSTROUTING -j MASQUERADE"),
        section(
            "chain nft nat mixed", "iptables v1.8.9 (nf_tables): chain `mixed' in table `nat' is incompatible, use 'nft' tool.", code=1
        ),
    ]
    found = tables(section("printers", *NFT), *sections)["nft", "nat"]
    assert (found["state"], found["unread"]) == ("read", ["mixed"])


def test_a_rule_that_spans_lines_makes_its_chain_unread():
    sections = [
        section("chain nft nat OUTPUT", "-P OUTPUT ACCEPT"),
        section("chain nft nat POSTROUTING", "-P POSTROUTING ACCEPT", "-A POSTROUTING -j a"),
        section("chain nft nat a", "-N a", '-A a -m comment --comment "first', '-A POSTROUTING -j MASQUERADE" -j RETURN'),
    ]
    found = tables(section("printers", *NFT), *sections)["nft", "nat"]
    assert found["chains"]["POSTROUTING"] == ["-j a"] and found["unread"] == ["a"]


def test_not_root():
    found = parse(recorded("not_root"))
    assert not found["collected"]["root"]
    assert {one["reason"] for one in found["netfilter"]["tables"]} == {ROOT}
    assert {one["state"] for one in found["netfilter"]["tables"]} == {"unknown"}
    assert found["netfilter"]["nftables"] == {"state": "unknown", "reason": ROOT, "printer": "", "chains": {}}
    assert found["services"] == {"unknown": ROOT}
    assert found["vxlan"]["devices"][0]["features"]["tx-checksum-ip-generic"]["active"]


def test_kube_proxy_in_nftables_mode():
    found = parse(recorded("nft_kube_proxy_nft"))["netfilter"]["nftables"]
    assert found["state"] == "read"
    assert found["chains"]["kube-proxy/nat-postrouting"] == ["jump masquerading"]
    assert found["chains"]["kube-proxy/masquerading"][-1] == "masquerade fully-random"


def test_no_nft_command_matters_only_when_kube_proxy_may_use_it():
    printers = section("printers", *NFT)
    assert facts(printers)["netfilter"]["nftables"]["state"] == "unknown"
    metrics = section("metrics", "url proxyMode", "iptables", "url configz", "url metrics")
    assert facts(printers, metrics)["netfilter"]["nftables"]["state"] == "absent"


NO_FILE = "Error: No such file or directory; did you mean table 'nat' in family ip?"
DENIED = "Operation not permitted (you must be root)"
RULES = "jump masquerading"
# what nft answers for the chains of kube-proxy's tables of IPv4 and of IPv6; None: it was not asked
NFTABLES = [
    (RULES, RULES, "read", ""),
    (RULES, NO_FILE, "read", ""),
    (NO_FILE, RULES, "read", ""),
    (NO_FILE, NO_FILE, "absent", ""),
    (RULES, DENIED, "unknown", ROOT),
    (DENIED, RULES, "unknown", ROOT),
    (NO_FILE, DENIED, "unknown", ROOT),
    (NO_FILE, "Error: netlink: out of memory", "unknown", "Error: netlink: out of memory"),
]
TUNNEL_6 = "5: vxlan-v6.calico: <BROADCAST,UP> mtu 1430 \\    vxlan id 4096 local fd00::1 dev eth0 dstport 4789 udpcsum"


def both_families(*sections, looked=True):
    printers = section("printers", *NFT, "nftables", *(["legacy6_looked"] if looked else []))
    tunnels = [section("vxlan", TUNNEL_6), section("default"), section("lookup"), section("processes")]
    return facts(section("uname", "6.1.0 #1 SMP x86_64"), printers, *tunnels, *sections)["netfilter"]


@pytest.mark.parametrize("ipv4, ipv6, state, reason", NFTABLES)
def test_one_failure_in_either_family_makes_the_state_unknown(ipv4, ipv6, state, reason):
    answers = [
        section(f"chain nftables{digit} kube-proxy nat-postrouting", text, code=0 if text == RULES else 1)
        for digit, text in (("", ipv4), ("6", ipv6))
    ]
    found = both_families(*answers)["nftables"]
    assert (found["state"], found["reason"], bool(found["chains"])) == (state, reason, state == "read")


@pytest.mark.parametrize("ipv4, ipv6, state, reason", NFTABLES)
def test_the_python_reader_says_the_same(ipv4, ipv6, state, reason):
    texts = {"ip": ipv4, "ip6": ipv6}
    found = nft.listed(lambda argv: (0, RULES, "") if texts[argv[3]] == RULES else (1, "", texts[argv[3]]), ("ipv4", "ipv6"))
    assert (found["state"], found["reason"], bool(found["chains"])) == (state, reason, state == "read")


def test_nftables_of_ipv6_that_an_older_probe_did_not_ask_for_are_unknown():
    found = both_families(section("chain nftables kube-proxy nat-postrouting", NO_FILE, code=1))["nftables"]
    assert found["state"] == "unknown" and "collect again" in found["reason"]


def test_legacy_tables_of_ipv6_are_absent_only_when_the_probe_has_looked():
    for looked, state in ((True, "absent"), (False, "unknown")):
        found = [one for one in both_families(looked=looked)["tables"] if (one["backend"], one["family"]) == ("legacy", "ipv6")]
        assert [one["state"] for one in found] == [state] * 4
    assert "collect the transcript again" in found[0]["reason"]


def test_the_probe_says_that_it_has_looked():
    assert "legacy6_looked" in PROBE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["fixed_kube_proxy_calico_first_legacy", "kube_proxy_1_17_nft", "centos_7_flannel"])
def test_addresses_of_well_known_services_and_the_route_to_them(name):
    found = parse(recorded(name))
    assert (found["services"]["dns"], found["services"]["kubernetes"]) == ("10.96.0.10", "10.96.0.1")
    assert [one["destination"] for one in found["routes"]["lookups"]] == ["10.96.0.1", "10.96.0.10"]
