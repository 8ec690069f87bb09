# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: what auto takes, what is refused, that undoing is the inverse, and what goes into rules and units."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.catalogue import CATALOGUE
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.remedies import ranked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.simulate import apply_action, apply_actions
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.units import command, escape

from . import build as b

CIDR = "10.96.0.0/12"
RULES = sorted(path.stem for path in b.RULES.glob("*.rules"))
METHODS = [remedy.id for remedy in CATALOGUE]
AFFECTED = ["kube_1_17_before_fix", "calico_first_fixed", "custom_bit_before_fix", "kubelet_ahead", "ipvs_before_fix", "masquerade_all"]


def devices(**changes: Any) -> dict[str, Any]:
    """A device with the features that depend on its checksumming, one of them already off by request."""
    features = {
        "rx-checksum": b.feature(True),
        "tx-checksum-ip-generic": b.feature(True),
        "tx-tcp-segmentation": b.feature(True),
        "tx-tcp6-segmentation": b.feature(False),
        "tx-lockless": b.feature(True, fixed=True),
    }
    return b.vxlan(b.device(features=features, **changes))


def applied(facts: dict[str, Any], planned: Any) -> dict[str, Any]:
    """The node after the plan, its record included."""
    part = {"source": "", "record": planned["record"], "units": planned["record"]["units"]}
    return {**apply_actions(facts, planned["actions"]), "applied": part}


def normal(facts: Any) -> Any:
    """Facts without the difference between a table that is not there and one that is empty."""
    tables = []
    for entry in facts["netfilter"]["tables"]:
        chains = {name: texts for name, texts in entry["chains"].items() if texts}
        tables.append({**entry, "chains": chains, "state": "read" if chains else "absent"})
    return {**facts, "netfilter": {**facts["netfilter"], "tables": tables}, "applied": None}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rules", [*AFFECTED, "kube_1_30_fixed", "notrack_before_fix", "calico_3_29", "accept_underlay"])
def test_applying_then_undoing_changes_nothing(rules: str, method: str) -> None:
    facts = b.facts(rules, vxlan=devices())
    planned = plan(facts, method, accept_risk=True, service_cidr=CIDR)
    assert normal(apply_actions(applied(facts, planned), planned["undo"])) == normal(facts) if not planned["refused"] else True


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rules", AFFECTED)
def test_planning_again_gives_the_same_plan(rules: str, method: str) -> None:
    facts = b.facts(rules, vxlan=devices())
    planned = plan(facts, method, accept_risk=True, service_cidr=CIDR)
    assert planned["refused"] or plan(applied(facts, planned), method, accept_risk=True, service_cidr=CIDR) == planned


def test_planning_the_detached_jump_again_works_without_the_chain_that_nothing_leads_to() -> None:
    facts = b.facts("calico_first_before_fix")
    planned = plan(facts, "kube_postrouting_detached", accept_risk=True)
    after = applied(facts, planned)
    for entry in after["netfilter"]["tables"]:
        entry["chains"].pop("KUBE-POSTROUTING", None)
    again = plan(after, "kube_postrouting_detached", accept_risk=True)
    assert (again["actions"], again["undo"], again["units"]) == (planned["actions"], planned["undo"], planned["units"])


@pytest.mark.parametrize("rules", AFFECTED)
def test_auto_again_keeps_what_it_took(rules: str) -> None:
    facts = b.facts(rules)
    planned = plan(facts, "auto")
    assert plan(applied(facts, planned), "auto") == planned


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rules", AFFECTED)
def test_the_simulation_is_what_the_diagnosis_then_says(rules: str, method: str) -> None:
    facts = b.facts(rules, vxlan=devices())
    planned = plan(facts, method, accept_risk=True, service_cidr=CIDR)
    found = diagnose(applied(facts, planned)) if not planned["refused"] else planned["simulated"]
    assert planned["simulated"] == {key: found[key] for key in ("status", "tcp", "udp")}


@pytest.mark.parametrize("rules", RULES)
def test_auto_never_takes_what_is_refused_or_risky_and_always_cures(rules: str) -> None:
    facts = b.facts(rules)
    planned = plan(facts, "auto")
    assert not planned["refused"] and not planned["risk"]
    assert planned["simulated"]["status"] in ("mitigated", "unaffected")


AUTO = [
    ("kube_1_17_before_fix", "clear_mark"),
    ("calico_first_fixed", "clear_mark"),
    ("masquerade_all", "clear_mark"),
    ("snat_of_the_underlay", "notrack"),
    ("masquerade_everything_random", "notrack"),
    ("cali_only", "clear_mark"),
    ("kube_1_30_fixed", "none"),
    ("calico_3_29_before_fix", "none"),
]


@pytest.mark.parametrize(("rules", "method"), AUTO)
def test_auto_takes(rules: str, method: str) -> None:
    assert plan(b.facts(rules), "auto")["method"] == method


IPVS = {**b.facts()["kube_proxy"], "mode": "ipvs"}
NFT_MASQUERADING = ["meta mark & 0x00004000 == 0x00000000 return", "masquerade fully-random"]
NFT = b.netfilter(
    {},
    nftables={
        "state": "read", "reason": "", "printer": "", "chains": {
            "kube-proxy/nat-postrouting": ["jump masquerading"], "kube-proxy/masquerading": NFT_MASQUERADING,
            "kube-proxy/mark-for-masquerade": ["meta mark set meta mark | 0x00004000"],
        },
    },
)  # fmt: skip
STRICT = {"source": "", "values": {"net.ipv4.conf.all.rp_filter": "1"}}
REFUSED = [
    ("service_route", {"service_cidr": ""}, {}, "needs the service CIDR"),
    ("service_route", {"service_cidr": CIDR}, {"kube_proxy": IPVS}, "in IPVS mode"),
    ("service_route", {"service_cidr": CIDR}, {"vxlan": b.vxlan(b.device(addresses=[]))}, "has no IPv4 address"),
    ("felix_override", {}, {"vxlan": b.vxlan(b.device("flannel.1"))}, "Felix does not look after flannel.1"),
    ("tx_checksum_off", {}, {"vxlan": b.vxlan(b.device(features={}))}, "install ethtool"),
    ("tx_checksum_off", {}, {"vxlan": b.vxlan(b.device(features={"tx-checksum-ip-generic": b.feature(True, fixed=True)}))}, "is fixed"),
    ("underlay_accept", {}, {}, "set workaround_accept_risk"),
    ("kube_postrouting_detached", {}, {}, "set workaround_accept_risk"),
    ("masquerade_without_random", {}, {}, "set workaround_accept_risk"),
    ("kube_postrouting_detached", {"accept_risk": True}, {"sysctl": STRICT}, "rp_filter=1"),
    ("kube_postrouting_detached", {"accept_risk": True}, {"netfilter": NFT}, "kube-proxy is in nftables mode"),
    ("masquerade_without_random", {"accept_risk": True}, {"netfilter": NFT}, "kube-proxy is in nftables mode"),
    ("clear_mark", {}, {"vxlan": b.vxlan(b.device(outer="ipv6"))}, "ip6tables were not read"),
    ("clear_mark", {}, {"vxlan": {"unknown": "ip: not found"}}, "ip: not found"),
    ("clear_mark", {}, {"netfilter": b.netfilter(b.saved("snat_of_the_underlay"))}, "would not help on this node"),
    ("service_route", {"service_cidr": CIDR}, {"netfilter": b.netfilter(b.saved("masquerade_all"))}, "would not help on this node"),
    ("auto", {}, {"kernel": {"unknown": "cut"}}, "auto needs a verdict"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options", "parts", "reason"), REFUSED)
def test_refused_with_the_reason_in_one_line(method: str, options: dict[str, Any], parts: dict[str, Any], reason: str) -> None:
    planned = plan(b.facts("kube_1_17_before_fix", **parts), method, **options)
    assert reason in planned["refused"] and "\n" not in planned["refused"] and not planned["actions"]


@pytest.mark.parametrize("method", ["auto", "clear_mark", "tx_checksum_off"])
def test_a_node_without_vxlan_has_nothing_to_do_and_does_not_stop_a_mixed_fleet(method: str) -> None:
    planned = plan(b.facts("kube_1_17_before_fix", vxlan=b.vxlan()), method)
    assert (planned["method"], planned["refused"], planned["actions"]) == ("none", "", [])


BAD = [
    ("bogus", {}, {}, "unknown method 'bogus'"),
    ("service_route", {"service_cidr": "10.96.0.1/12"}, {}, "has host bits set"),
    ("service_route", {"service_cidr": "ten"}, {}, "is not a network"),
    ("service_route", {"service_cidr": "0.0.0.0/0"}, {}, "would route everything"),
    ("clear_mark", {}, {"vxlan": b.vxlan(b.device(port=0))}, "UDP port 0"),
    ("clear_mark", {}, {"vxlan": b.vxlan(b.device(port=70000))}, "UDP port 70000"),
    ("tx_checksum_off", {}, {"vxlan": b.vxlan(b.device(name="a; reboot"))}, "interface name"),
    ("tx_checksum_off", {}, {"vxlan": b.vxlan(b.device(name="-K"))}, "interface name"),
    ("underlay_accept", {"accept_risk": True}, {"vxlan": b.vxlan(b.device(underlay="eth0\nX"))}, "interface name"),
]


@pytest.mark.parametrize(("method", "options", "parts", "reason"), BAD)
def test_values_that_may_not_go_into_a_rule_or_unit(method: str, options: dict[str, Any], parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        plan(b.facts("kube_1_17_before_fix", **parts), method, **options)


def test_one_rule_for_each_port_with_the_bit_of_this_kube_proxy() -> None:
    two = b.vxlan(b.device(), b.device("flannel.1"))
    rules = [action["args"]["rule"] for action in plan(b.facts("custom_bit_before_fix", vxlan=two), "clear_mark")["actions"]]
    assert rules == [["-p", "udp", "-m", "udp", "--dport", port, "-j", "MARK", "--set-xmark", "0x0/0x8000000"] for port in ("4789", "8472")]


def test_rules_go_to_the_backend_of_kube_proxy() -> None:
    facts = b.facts(netfilter=b.netfilter(b.saved("kube_1_17_before_fix"), backend="legacy"))
    assert {action["args"]["backend"] for action in plan(facts, "notrack")["actions"]} == {"legacy"}


def test_nftables_mode_takes_iptables_nft() -> None:
    proxy = {**b.facts()["kube_proxy"], "cluster_cidr": "10.244.0.0/16"}
    planned = plan(b.facts(netfilter=NFT, kube_proxy=proxy), "auto")
    assert (planned["method"], planned["actions"][0]["args"]["backend"]) == ("clear_mark", "nft")


def test_the_undo_of_an_offload_restores_the_requested_bits() -> None:
    features = {"tx-checksum-ip-generic": b.feature(True), "rx-checksum": b.feature(False, requested=True)}
    planned = plan(b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(features=features))), "rx_tx_offload_off")
    assert planned["undo"][0]["args"]["features"] == {"tx-checksum-ip-generic": True, "rx-checksum": True}


def test_the_undo_of_the_detached_jump_knows_its_place() -> None:
    planned = plan(b.facts("calico_first_before_fix"), "kube_postrouting_detached", accept_risk=True)
    assert planned["undo"][0]["args"]["position"] == 2
    assert planned["undo"][0]["args"]["rule"][:4] == ["-m", "comment", "--comment", "kubernetes postrouting rules"]


def test_a_rule_that_was_there_before_is_not_taken_away() -> None:
    assert plan(b.facts("notrack_before_fix"), "notrack")["undo"] == []


def test_what_was_recorded_for_felix_is_kept() -> None:
    record = {"schema": 1, "method": "felix_override", "undo": [{"module": "felix_override", "args": {"value": "A=b"}}], "units": []}
    facts = b.facts("kube_1_17_before_fix", vxlan=b.vxlan(b.device(offload=False)), applied={"source": "", "record": record, "units": []})
    assert plan(facts, "felix_override")["undo"] == record["undo"]


def test_a_device_unit_is_bound_to_the_device() -> None:
    unit = plan(b.facts("kube_1_17_before_fix"), "tx_checksum_off")["units"][0]
    device = "sys-subsystem-net-devices-vxlan.calico.device"
    assert unit["name"] == "vxlan-offload-tx_checksum_off-vxlan.calico.service" and unit["wanted_by"] == [device]
    assert unit["content"].splitlines()[2:4] == [f"BindsTo={device}", f"After={device}"]
    assert "ExecStart=/usr/sbin/ethtool -K vxlan.calico tx-checksum-ip-generic off" in unit["content"].splitlines()


@pytest.mark.parametrize("method", ["clear_mark", "notrack", "masquerade_without_random", "kube_postrouting_detached", "underlay_accept"])
def test_a_rule_gets_a_timer(method: str) -> None:
    units = plan(b.facts("kube_1_17_before_fix"), method, accept_risk=True)["units"]
    assert [(unit["name"], unit["wanted_by"]) for unit in units] == [
        (f"vxlan-offload-{method}.service", ["multi-user.target"]),
        (f"vxlan-offload-{method}.timer", ["timers.target"]),
    ]
    assert "OnUnitActiveSec=15" in units[1]["content"] and "RemainAfterExit" not in units[0]["content"]


def test_a_route_gets_a_timer_that_runs_while_its_device_is_there() -> None:
    service, timer = plan(b.facts("kube_1_17_before_fix"), "service_route", service_cidr="10.96.0.0/12")["units"]
    device = "sys-subsystem-net-devices-vxlan.calico.device"
    assert service["wanted_by"] == timer["wanted_by"] == [device]
    assert all(f"BindsTo={device}" in unit["content"] for unit in (service, timer))
    assert {"OnActiveSec=3", "OnActiveSec=8", "OnUnitActiveSec=15"} <= set(timer["content"].splitlines())
    assert "RemainAfterExit" not in service["content"]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("clear_mark", "ExecStart=/bin/sh /var/lib/vxlan-offload/ensure-rule.sh present "),
        ("underlay_accept", "ExecStart=/bin/sh /var/lib/vxlan-offload/ensure-rule.sh first "),
        # Its chain may not be there yet.
        ("masquerade_without_random", "ExecStart=-/bin/sh /var/lib/vxlan-offload/ensure-rule.sh first "),
        ("kube_postrouting_detached", "ExecStart=-/bin/sh /var/lib/vxlan-offload/ensure-rule.sh absent "),
    ],
)
def test_a_rule_that_must_be_first_is_kept_first(method: str, words: str) -> None:
    assert words in plan(b.facts("kube_1_17_before_fix"), method, accept_risk=True)["units"][0]["content"]


def test_the_command_of_a_rule_unit_is_the_one_of_the_node() -> None:
    netfilter = b.netfilter(b.saved("kube_1_17_before_fix"), backend="legacy")
    netfilter["printers"]["legacy"]["command"] = "iptables"
    lines = plan(b.facts(netfilter=netfilter), "notrack")["units"][0]["content"].splitlines()
    rule = "raw OUTPUT -p udp -m udp --dport 4789 -j CT --notrack"
    assert [line for line in lines if line.startswith("ExecStart")] == [
        "ExecStart=/bin/sh /var/lib/vxlan-offload/ensure-rule.sh present /usr/sbin/iptables " + rule,
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vxlan.calico", "vxlan.calico"), ("flannel-v6.1", "flannel\\x2dv6.1"), (".a", "\\x2ea"), ("a/b", "a-b"), ("a@b", "a\\x40b")],
)
def test_escape_as_systemd_does(name: str, expected: str) -> None:
    assert escape(name) == expected


def test_specifiers_and_variables_mean_themselves_in_a_unit() -> None:
    assert command(["/bin/a", "50%", "$HOME", 'say "x"']) == '/bin/a "50%%" "$$HOME" "say \\"x\\""'


def test_ranked_puts_what_works_first_and_risk_behind() -> None:
    entries = ranked(b.facts("kube_1_17_before_fix"))
    keys = [(not one["applicable"], bool(one["risk"])) for one in entries]
    assert entries[0]["id"] == "clear_mark" and keys == sorted(keys)


def test_an_unknown_action_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown action 'reboot'"):
        apply_action({}, {"module": "reboot", "args": {}})
