# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins for kubelet, kube-proxy, Felix and flanneld do to a node what the lab's scenario of their release says, and no more."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from lab import agents, scenarios
from lab.iptables import seen_tables
from lab.services import Service

# Each release and CNI of which a scenario has iptables rules of one backend, and the skew of kubelet and kube-proxy.
IPTABLES = (
    "pre_fix_kube_proxy",
    "fixed_kube_proxy",
    "fixed_kube_proxy_calico_first",
    "flannel_0_20_1",
    "custom_masquerade_bit",
    "calico_3_29_notrack",
    "kube_proxy_1_17",
    "skew_old_then_new",
    "flannel_0_21",
    "calico_3_28_2",
    "masquerade_all",
    "no_cluster_cidr",
    "pre_fix_without_random_fully",
)
PARTIAL = ("fixed_kube_proxy_calico_first", "calico_3_28_2")  # 1.28.3
STALE = "-m mark --mark 0x4000/0x4000 -j MASQUERADE"
OURS = "-p udp -m udp --dport 4789 -j MARK --set-xmark 0x0/0x4000"
NEW = Service("default/new:http", "10.99.0.1", 80, "tcp", ("10.244.9.9:8080",))


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab(*IPTABLES, backend="both")


def of(lab: Any, name: str, backend: str) -> agents.Agents:
    return agents.of(lab.state, "%s_%s" % (name, backend))


def empty(node: agents.Agents) -> None:
    """What a reboot leaves of the rules."""
    for table in ("raw", "mangle", "filter", "nat"):
        node.iptables.restore("*%s\nCOMMIT\n" % table)
    assert seen_tables(node.iptables) == {}


backends = pytest.mark.parametrize("backend", ["nft", "legacy"])


@backends
@pytest.mark.parametrize("name", IPTABLES)
def test_a_start_with_empty_tables_leads_to_what_the_scenario_loads(lab: Any, name: str, backend: str) -> None:
    node = of(lab, name, backend)
    before = seen_tables(node.iptables)
    empty(node)
    node.start()
    if name == "skew_old_then_new":
        node.kubelet.start()  # upgraded after kube-proxy's last sync
    assert seen_tables(node.iptables) == before


@backends
@pytest.mark.parametrize("name", IPTABLES)
def test_syncs_and_refreshes_of_an_untouched_node_change_nothing(lab: Any, name: str, backend: str) -> None:
    node = of(lab, name, backend)
    before = seen_tables(node.iptables)
    node.kubelet.sync()
    node.sync()
    assert not node.refresh_cni()
    if name != "skew_old_then_new":  # an old kube-proxy writes its own rule alone; kubelet does not come again before its canary is gone
        assert seen_tables(node.iptables) == before
    node.kubelet.sync()
    assert seen_tables(node.iptables) == before


def both_kinds(lab: Any, backend: str) -> list[tuple[agents.Agents, Callable[[agents.Agents], None]]]:
    old, new = of(lab, "pre_fix_kube_proxy", backend), of(lab, PARTIAL[0], backend)
    return [(old, lambda node: node.kube_proxy.full()), (new, lambda node: node.kube_proxy.full()), (new, lambda node: node.sync())]


@backends
def test_a_sync_erases_what_it_does_not_know_in_its_own_chain_and_leaves_others_alone(lab: Any, backend: str) -> None:
    for node, sync in both_kinds(lab, backend):
        before = seen_tables(node.iptables)
        node.iptables.ensure_rule("nat", "KUBE-POSTROUTING", STALE, prepend=True)
        node.iptables.ensure_rule("mangle", "OUTPUT", OURS, prepend=False)
        node.iptables.ensure_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT", prepend=True)
        node.kubelet.sync()
        assert node.iptables.has_rule("nat", "KUBE-POSTROUTING", STALE), "kubelet flushes nothing"
        sync(node)
        assert not node.iptables.has_rule("nat", "KUBE-POSTROUTING", STALE)
        assert node.iptables.save("mangle")["OUTPUT"] == [OURS]
        assert node.iptables.save("nat")["POSTROUTING"][0] == "-o eth0 -j ACCEPT"
        node.iptables.delete_rule("mangle", "OUTPUT", OURS)
        node.iptables.delete_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT")
        assert seen_tables(node.iptables) == before


@backends
def test_a_jump_that_was_deleted_comes_back_with_a_full_sync_only_and_at_the_top(lab: Any, backend: str) -> None:
    node = of(lab, PARTIAL[1], backend)
    before = node.iptables.save("nat")["POSTROUTING"]
    jump = next(rule for rule in before if rule.endswith("-j KUBE-POSTROUTING"))
    node.iptables.delete_rule("nat", "POSTROUTING", jump)
    node.iptables.ensure_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT", prepend=True)
    node.sync()
    assert not node.iptables.has_rule("nat", "POSTROUTING", jump)
    node.kube_proxy.full()
    assert node.iptables.save("nat")["POSTROUTING"][:2] == [jump, "-o eth0 -j ACCEPT"]
    node.iptables.delete_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT")
    assert node.iptables.save("nat")["POSTROUTING"] == before


@backends
def test_an_older_kube_proxy_puts_the_jump_back_with_every_sync(lab: Any, backend: str) -> None:
    node = of(lab, "pre_fix_kube_proxy", backend)
    rules = node.iptables.save("nat")["POSTROUTING"]
    node.iptables.delete_rule("nat", "POSTROUTING", next(rule for rule in rules if rule.endswith("-j KUBE-POSTROUTING")))
    node.sync()
    assert node.iptables.save("nat")["POSTROUTING"][0].endswith("-j KUBE-POSTROUTING")
    assert node.refresh_cni(), "Felix puts its jump on top again"
    assert node.iptables.save("nat")["POSTROUTING"] == rules


@backends
def test_a_partial_sync_writes_the_changed_services_alone(lab: Any, backend: str) -> None:
    node = of(lab, PARTIAL[0], backend)
    before = seen_tables(node.iptables)
    other = node.kube_proxy.services[0].chain()
    node.iptables.ensure_rule("nat", other, "-j RETURN", prepend=True)
    node.kube_proxy.services.append(NEW)
    node.kube_proxy.partial([NEW])
    assert NEW.chain() in node.iptables.save("nat")
    assert node.iptables.has_rule("nat", other, "-j RETURN"), "the chain of a Service without a change"
    node.kube_proxy.services.remove(NEW)
    node.kube_proxy.partial([])
    assert NEW.chain() in node.iptables.save("nat"), "left for the next clean-up"
    node.kube_proxy.full()
    assert seen_tables(node.iptables) == before


@backends
def test_only_the_canary_in_mangle_is_watched(lab: Any, backend: str) -> None:
    node = of(lab, "kube_proxy_1_17", backend)
    before = seen_tables(node.iptables)
    node.iptables.restore("*nat\n:KUBE-POSTROUTING - [0:0]\nCOMMIT\n", "--noflush")
    assert not node.kube_proxy.poll()
    assert node.iptables.save("nat")["KUBE-POSTROUTING"] == []
    node.iptables.restore("*mangle\nCOMMIT\n")
    assert node.kube_proxy.poll() and node.kubelet.poll()
    assert seen_tables(node.iptables) == before


@backends
def test_felix_puts_its_jumps_on_top_and_touches_no_other_rule(lab: Any, backend: str) -> None:
    node = of(lab, "pre_fix_kube_proxy", backend)
    before = seen_tables(node.iptables)
    node.iptables.ensure_rule("mangle", "OUTPUT", OURS, prepend=True)
    node.iptables.ensure_rule("raw", "OUTPUT", "-p udp -j CT --notrack", prepend=True)
    assert node.refresh_cni()
    assert node.iptables.save("raw")["OUTPUT"][1:] == ["-p udp -j CT --notrack"]
    assert node.iptables.has_rule("mangle", "OUTPUT", OURS)
    assert not node.refresh_cni()
    node.iptables.delete_rule("mangle", "OUTPUT", OURS)
    node.iptables.delete_rule("raw", "OUTPUT", "-p udp -j CT --notrack")
    assert seen_tables(node.iptables) == before


@backends
def test_felix_appends_its_postrouting_jump_since_3_28_2(lab: Any, backend: str) -> None:
    node = of(lab, "calico_3_28_2", backend)
    before = node.iptables.save("nat")["POSTROUTING"]
    node.iptables.ensure_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT", prepend=False)
    assert node.refresh_cni()
    assert node.iptables.save("nat")["POSTROUTING"] == [before[0], "-o eth0 -j ACCEPT", before[1]]
    node.iptables.delete_rule("nat", "POSTROUTING", "-o eth0 -j ACCEPT")


def test_felix_removes_a_route_that_is_not_its_own_and_flannel_does_not(lab: Any) -> None:
    for name, left in (("pre_fix_kube_proxy", False), ("flannel_0_21", True)):
        node = of(lab, name, "nft")
        device = node.scenario.devices[0]
        lab.run(name + "_nft", "ip", "route", "add", "10.96.0.0/12", "dev", device)
        node.refresh_cni()
        assert ("10.96.0.0/12" in lab.run(name + "_nft", "ip", "route")) == left
        if left:
            lab.run(name + "_nft", "ip", "route", "del", "10.96.0.0/12", "dev", device)


def test_a_device_that_was_made_again_has_the_kernel_s_offload_and_the_same_neighbours(lab: Any) -> None:
    name = "pre_fix_kube_proxy_legacy"
    node = of(lab, "pre_fix_kube_proxy", "legacy")
    look = ("sh", "-c", "ip route; ip neigh show dev vxlan.calico; bridge fdb show dev vxlan.calico; ip addr show vxlan.calico | grep inet")
    before, index = lab.run(name, *look), lab.run(name, "cat", "/sys/class/net/vxlan.calico/ifindex")
    lab.run(name, "ethtool", "-K", "vxlan.calico", "tx-checksum-ip-generic", "off")
    assert lab.verdict(name) == {"udp": "ok", "tcp": "ok"}
    assert node.recreate_tunnel() == "vxlan.calico"
    assert lab.run(name, *look) == before
    assert lab.run(name, "cat", "/sys/class/net/vxlan.calico/ifindex") != index
    assert lab.verdict(name) == {"udp": "broken", "tcp": "broken"}


@pytest.fixture(scope="module")
def nft_lab(make_lab: Any) -> Any:
    return make_lab("nftables_proxy_alone", "nft_kube_proxy_calico_registered_last")


class TestNftables:
    """kube-proxy in nftables mode, alone and beside Calico."""

    def test_a_sync_leads_to_what_the_scenario_loads(self, nft_lab: Any) -> None:
        for name in nft_lab.nodes:
            node = agents.of(nft_lab.state, name)
            before = nft_lab.run(name, "nft", "-s", "list", "table", "ip", "kube-proxy")
            node.kube_proxy.full()
            assert nft_lab.run(name, "nft", "-s", "list", "table", "ip", "kube-proxy") == before

    def test_a_sync_erases_foreign_rules_of_its_table_keeps_the_order_of_hooks_and_leaves_other_tables(self, nft_lab: Any) -> None:
        name = "nft_kube_proxy_calico_registered_last_nft"
        node = agents.of(nft_lab.state, name)
        before, rules = nft_lab.run(name, "nft", "-s", "list", "table", "ip", "kube-proxy"), seen_tables(node.iptables)
        assert nft_lab.verdict(name) == {"udp": "broken", "tcp": "broken"}
        nft_lab.run(name, "nft", "insert rule ip kube-proxy masquerading meta mark 0x4000 return")
        node.kube_proxy.services.append(NEW)
        node.kube_proxy.full()
        assert NEW.chain()[9:] in nft_lab.run(name, "nft", "list", "table", "ip", "kube-proxy")
        node.kube_proxy.services.remove(NEW)
        node.kube_proxy.full()
        assert nft_lab.run(name, "nft", "-s", "list", "table", "ip", "kube-proxy") == before
        assert seen_tables(node.iptables) == rules
        assert nft_lab.verdict(name) == {"udp": "broken", "tcp": "broken"}, "Calico's hook was registered last and still runs first"


@backends
def test_a_change_of_the_mode_removes_what_the_other_has_left(make_lab: Any, backend: str) -> None:
    lab = make_lab("fixed_kube_proxy_calico_first", backend=backend)
    (name,) = lab.nodes
    node = agents.of(lab.state, name)
    before = seen_tables(node.iptables)
    nftables = agents.NftablesProxySync(lab.state.pid(name), scenarios.NFTABLES, node.kube_proxy.services)
    nftables.start([node.kube_proxy])
    left = seen_tables(node.iptables)
    assert {chain for chain in left["nat"] if "KUBE" in chain} == {"KUBE-MARK-MASQ", "KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY"}
    assert not [rule for chain in ("POSTROUTING", "OUTPUT", "PREROUTING") for rule in left["nat"].get(chain, []) if "KUBE" in rule]
    assert "masquerading" in lab.run(name, "nft", "list", "table", "ip", "kube-proxy")
    node.kube_proxy.start()
    node.refresh_cni()
    assert seen_tables(node.iptables) == before
    assert "kube-proxy" not in lab.run(name, "nft", "list", "tables")
