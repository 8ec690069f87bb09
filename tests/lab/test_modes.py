# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow-based devices, cross-subnet mode, several devices, nftables and IPVS mode: packets judge verdicts and remedies.

Which scenario has which verdict: test_verdicts.py. Here a node is changed while it runs. IPVS needs a kernel that has
it: `make kernel-lab` runs this file in one; elsewhere the tests of IPVS see to it that the lab says so.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from lab import addresses as ip
from lab import requirements, scenarios
from lab.errors import LabError

BROKEN = {"udp": "broken", "tcp": "broken"}
CURED = {"udp": "ok", "tcp": "ok"}
DNS_POD_ROUTE = ip.DNS_POD + "/32"
GATEWAY = ip.tunnel(ip.BACKEND_NUMBER)
FREE_REMEDIES = ("clear_mark", "notrack", "tx_checksum_off")


def judge_all(lab: Any, reader: str = "shell", nodes: str = "all") -> dict[str, Any]:
    settings = {"ansible_python_interpreter": sys.executable}  # it has pyroute2
    run = lab.ansible(nodes, "-m", "kubenet.vxlan_offload.node_info", "-a", "reader=" + reader, variables=settings)
    return {one["host"]: diagnose(one["result"]["node"]) for one in run.results}


def judge(lab: Any, node: str, reader: str = "shell") -> Any:
    return judge_all(lab, reader, node)[node]


def traffic_of(verdict: Any) -> dict[str, str]:
    return {kind: verdict[kind] for kind in ("udp", "tcp")}


def by_device(verdict: Any) -> dict[str, str]:
    return {one["name"]: one["status"] for one in verdict["devices"]}


def to_dns_pod_over(lab: Any, node: str, device: str) -> None:
    lab.run(node, "ip", "route", "replace", DNS_POD_ROUTE, "via", GATEWAY, "dev", device, "onlink")


def playbook(lab: Any, name: str, nodes: str, directory: Path, **variables: Any) -> Any:
    settings = {"vxlan_offload_report_dir": str(directory), "vxlan_offload_probe_address": ip.DNS_SERVICE, **variables}
    settings.setdefault("workaround_probe_address", ip.DNS_SERVICE)
    return lab.playbook("kubenet.vxlan_offload." + name, "--limit", nodes, variables=settings)


def report_of(directory: Path, node: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "fleet.json").read_text(encoding="utf-8"))["hosts"][node]
    return found


@pytest.fixture(scope="module")
def two_devices(make_lab: Any) -> Any:
    return make_lab("two_vxlan_devices_with_pods", backend="both")


def packets_by_device(lab: Any, node: str) -> dict[str, dict[str, str]]:
    """The DNS pod is moved from one device to the other."""
    seen = {}
    for device in ("vxlan.calico", "flannel.1"):
        to_dns_pod_over(lab, node, device)
        seen[device] = lab.verdict(node)
    lab.run(node, "ip", "route", "del", DNS_POD_ROUTE)
    return seen


class TestTwoDevicesWithPods:
    """Pods of one network over vxlan.calico, of the other over flannel.1."""

    def test_both_fail(self, two_devices: Any) -> None:
        node = two_devices.nodes[0]
        assert packets_by_device(two_devices, node) == {"vxlan.calico": BROKEN, "flannel.1": BROKEN}
        assert by_device(judge(two_devices, node)) == {"vxlan.calico": "affected", "flannel.1": "affected"}

    @pytest.mark.parametrize("mitigated", ["vxlan.calico", "flannel.1"])
    def test_one_is_mitigated_and_the_other_is_not(self, two_devices: Any, mitigated: str) -> None:
        node = two_devices.nodes[0]
        two_devices.run(node, "ethtool", "-K", mitigated, "tx-checksum-ip-generic", "off")
        try:
            seen, verdict = packets_by_device(two_devices, node), judge(two_devices, node)
        finally:
            two_devices.run(node, "ethtool", "-K", mitigated, "tx-checksum-ip-generic", "on")
        other = {"vxlan.calico": "flannel.1", "flannel.1": "vxlan.calico"}[mitigated]
        assert seen == {mitigated: CURED, other: BROKEN}
        assert by_device(verdict) == {mitigated: "mitigated", other: "affected"}
        assert verdict["status"] == "affected"

    def test_a_rule_for_one_port_does_not_help_the_other(self, two_devices: Any) -> None:
        node = two_devices.nodes[0]
        rule = ["OUTPUT", "-p", "udp", "--dport", "8472", "-j", "MARK", "--set-xmark", "0x0/0x4000"]
        two_devices.run(node, "iptables-nft", "-t", "mangle", "-A", *rule)
        try:
            seen, verdict = packets_by_device(two_devices, node), judge(two_devices, node)
        finally:
            two_devices.run(node, "iptables-nft", "-t", "mangle", "-D", *rule)
        assert seen == {"vxlan.calico": BROKEN, "flannel.1": CURED}
        assert by_device(verdict) == {"vxlan.calico": "affected", "flannel.1": "mitigated"}

    def test_checksum_modes_apart(self, two_devices: Any) -> None:
        """flannel.1 made again without the outer checksum: from Linux 5.7 on that device cannot fail."""
        node = two_devices.nodes[1]
        number = two_devices.state.nodes[node]["number"]
        second = "10.245.%d.0/24" % ip.BACKEND_NUMBER
        make = (
            "ip link del flannel.1;"
            "ip link add flannel.1 address {mac} type vxlan id 1 local {local} dev eth0 dstport 8472 nolearning noudpcsum;"
            "ip link set flannel.1 mtu 1450 up; ip addr add {own}/32 dev flannel.1;"
            "ip neigh replace {gateway} lladdr {far} dev flannel.1 nud permanent;"
            "bridge fdb append {far} dev flannel.1 dst {peer}; ip route add {second} via {gateway} dev flannel.1 onlink"
        ).format(
            mac=ip.tunnel_mac(1, number), local=ip.underlay(number), own=ip.tunnel(number), gateway=GATEWAY,
            far=ip.tunnel_mac(1, ip.BACKEND_NUMBER), peer=ip.underlay(ip.BACKEND_NUMBER), second=second,
        )  # fmt: skip
        two_devices.run(node, "sh", "-ec", make)
        seen, verdict = packets_by_device(two_devices, node), judge(two_devices, node)
        assert seen["vxlan.calico"] == BROKEN
        status = by_device(verdict)
        assert status["vxlan.calico"] == "affected"
        assert (seen["flannel.1"], status["flannel.1"]) == (CURED, "unaffected")


CASES = tuple((name, method) for name in ("external_with_checksum", "two_vxlan_devices_with_pods") for method in FREE_REMEDIES)


def state_of(lab: Any, node: str) -> str:
    rules = lab.run(node, "sh", "-c", "iptables-nft-save | grep ^-A")
    return str(
        rules + lab.run(node, "sh", "-c", "for d in flannel.1 vxlan.calico vxlan_sys_8472; do ethtool -k $d 2>/dev/null; done; true")
    )


def packets_on_every_way(lab: Any, node: str) -> list[dict[str, str]]:
    return list(packets_by_device(lab, node).values()) if node.startswith("two_") else [lab.verdict(node)]


class Story:
    """A flow-based device and two devices at once, each with every free remedy: one run of each playbook, a node per case."""

    def __init__(self, lab: Any, directory: Path, cases: tuple[tuple[str, str], ...]) -> None:
        self.lab, self.directory = lab, directory
        free = {name: [node for node in lab.nodes if node.startswith(name)] for name, _method in cases}
        self.nodes = {case: free[case[0]].pop(0) for case in cases}
        hosts = {node: {"workaround_method": case[1]} for case, node in self.nodes.items()}
        (directory / "methods.json").write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        self.before = {node: state_of(lab, node) for node in lab.nodes}
        self.apply = self.run("apply")
        self.applied = {node: packets_on_every_way(lab, node) for node in lab.nodes}
        self.again = self.run("apply")
        self.revert = self.run("revert")
        self.after = {node: state_of(lab, node) for node in lab.nodes}

    def run(self, name: str) -> Any:
        overlay = str(self.directory / "methods.json")
        settings = {"vxlan_offload_report_dir": str(self.directory), "workaround_probe_address": ip.DNS_SERVICE}
        return self.lab.playbook("kubenet.vxlan_offload." + name, "-i", overlay, variables=settings)


@pytest.fixture(scope="module")
def story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    names = tuple(dict.fromkeys(name for name, _method in CASES))
    return Story(make_lab(*names, backend="nft", nodes=len(CASES)), tmp_path_factory.mktemp("modes"), CASES)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_remedy_cures_every_way_and_its_revert_is_exact(story: Story, case: tuple[str, str]) -> None:
    check_remedy(story, case)


def check_remedy(story: Story, case: tuple[str, str]) -> None:
    node = story.nodes[case]
    runs = (story.apply, story.again, story.revert)
    failed = [one for run in runs for one in run.results if one["host"] == node and one["status"] == "failed"]
    assert [one["result"].get("msg") for one in failed] == []
    assert all(one == CURED for one in story.applied[node])
    assert not story.again.changed(node)
    assert story.after[node] == story.before[node]
    assert story.lab.verdict(node) == BROKEN


@pytest.fixture(scope="module")
def cross_subnet(make_lab: Any) -> Any:
    return make_lab("cross_subnet_same_subnet", backend="both")


class TestCrossSubnet:
    def test_nothing_is_lost_before_the_first_route(self, cross_subnet: Any) -> None:
        node = cross_subnet.nodes[0]
        verdict = judge(cross_subnet, node)
        assert cross_subnet.verdict(node) == CURED
        assert (verdict["status"], traffic_of(verdict)) == ("exposed", CURED)

    def test_the_first_node_in_another_subnet_brings_the_failure(self, cross_subnet: Any) -> None:
        node = cross_subnet.nodes[0]
        to_dns_pod_over(cross_subnet, node, "vxlan.calico")
        verdict = judge(cross_subnet, node)
        assert cross_subnet.verdict(node) == BROKEN
        assert (verdict["status"], traffic_of(verdict)) == ("affected", BROKEN)

    def test_a_remedy_applied_in_time_keeps_it_away(self, cross_subnet: Any, tmp_path: Path) -> None:
        node = cross_subnet.nodes[1]
        run = playbook(cross_subnet, "apply", node, tmp_path)
        assert run.returncode == 0, run.output
        to_dns_pod_over(cross_subnet, node, "vxlan.calico")
        assert cross_subnet.verdict(node) == CURED
        assert judge(cross_subnet, node)["status"] == "mitigated"


def test_flows_that_ask_for_a_checksum_among_others_that_do_not(make_lab: Any) -> None:
    """The routes to one node ask for it, those to another do not: the former are lost."""
    lab = make_lab("external_without_checksum", backend="nft")
    (node,) = lab.nodes
    route = "ip route add {} encap ip id 1 dst {} ttl 64 {} via {} dev vxlan_sys_8472 onlink"
    lab.run(node, "sh", "-c", route.format("10.244.2.0/24", "10.1.1.2", "", GATEWAY))
    assert judge(lab, node)["status"] == "unaffected"  # from Linux 5.7 on
    lab.run(node, "sh", "-c", route.format(DNS_POD_ROUTE, ip.underlay(ip.BACKEND_NUMBER), "csum", GATEWAY))
    assert lab.verdict(node) == BROKEN
    assert by_device(judge(lab, node)) == {"vxlan_sys_8472": "affected"} == by_device(judge(lab, node, "python"))


def test_service_probe_sees_the_tunnel_of_a_flow_based_device(make_lab: Any, tmp_path: Path) -> None:
    lab = make_lab("external_with_checksum", backend="nft")
    (node,) = lab.nodes
    assert playbook(lab, "verify", node, tmp_path).returncode == 2
    assert report_of(tmp_path, node)["probe"]["verdict"] == "vxlan_checksum"


@pytest.mark.parametrize(
    "scenario, status, said",
    [
        ("nft_kube_proxy_calico_registered_last", "affected", "vxlan_checksum"),
        ("nft_kube_proxy", "exposed", "works"),
        ("nftables_proxy_flannel_0_20_1_registered_last", "affected", "vxlan_checksum"),
    ],
)
def test_packets_decide_where_the_order_of_hooks_cannot_be_read(
    make_lab: Any, tmp_path: Path, scenario: str, status: str, said: str
) -> None:
    """What fails is certain after service_probe. What works may still change with the next registration, and says both."""
    lab = make_lab(scenario, backend="nft")
    (node,) = lab.nodes
    assert judge(lab, node)["status"] == "exposed"
    playbook(lab, "verify", node, tmp_path)
    found = report_of(tmp_path, node)
    assert (found["status"], found["probe"]["verdict"]) == (status, said)


IPVS = tuple(scenario.name for scenario in scenarios.SCENARIOS if scenario.needs == "ip_vs")
HAS_IPVS = requirements.kernel_has("ip_vs")


# A guest is slow: in short one of them is enough for what is special here, the node's own addresses of Services.
IPVS_REMEDIES = FREE_REMEDIES[:1] if os.environ.get("KERNEL_LAB_SHORT") else FREE_REMEDIES
IPVS_CASES = tuple(("ipvs_calico_first", method) for method in IPVS_REMEDIES)


@pytest.mark.parametrize("scenario", IPVS)
def test_ipvs_is_built_or_refused_with_what_to_do(make_lab: Any, scenario: str) -> None:
    if HAS_IPVS:
        assert make_lab(scenario, backend="nft").nodes == [scenario + "_nft"]
        return
    with pytest.raises(LabError, match="this kernel has no IPVS: run it in the kernel lab"):
        make_lab(scenario)


if HAS_IPVS:  # without it the test above has said so

    @pytest.fixture(scope="module")
    def ipvs(make_lab: Any) -> Any:
        return make_lab(*IPVS, backend="both")

    @pytest.fixture(scope="module")
    def ipvs_story(make_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
        lab = make_lab("ipvs_calico_first", backend="nft", nodes=len(IPVS_CASES))
        return Story(lab, tmp_path_factory.mktemp("ipvs"), IPVS_CASES)

    @pytest.mark.parametrize("reader", ["shell", "python"])
    def test_ipvs_verdict_equals_packets(ipvs: Any, reader: str) -> None:
        seen = {node: {kind: one[kind]["result"] for kind in ("udp", "tcp")} for node, one in ipvs.ask()["nodes"].items()}
        assert {node: traffic_of(verdict) for node, verdict in judge_all(ipvs, reader).items()} == seen
        wanted = {node: scenarios.get(ipvs.state.nodes[node]["scenario"]) for node in ipvs.nodes}
        assert seen == {node: {"udp": one.udp, "tcp": one.tcp} for node, one in wanted.items()}

    @pytest.mark.parametrize("case", IPVS_CASES, ids="-".join)
    def test_ipvs_remedy(ipvs_story: Story, case: tuple[str, str]) -> None:
        check_remedy(ipvs_story, case)

    def test_ipvs_a_route_is_no_remedy(ipvs: Any, tmp_path: Path) -> None:
        """Service addresses are local there: packets show what the catalogue says."""
        node = "ipvs_pre_fix_nft"
        ipvs.run(node, "ip", "route", "add", "10.96.0.0/12", "dev", "vxlan.calico")
        assert ipvs.verdict(node) == BROKEN
        ipvs.run(node, "ip", "route", "del", "10.96.0.0/12", "dev", "vxlan.calico")
        run = playbook(ipvs, "apply", node, tmp_path, workaround_method="service_route", workaround_service_cidr="10.96.0.0/12")
        assert run.returncode == 2
        assert "in IPVS mode Service addresses are local to the node" in run.output

    def test_ipvs_service_probe_needs_the_address_only(ipvs: Any, tmp_path: Path) -> None:
        node = "ipvs_pre_fix_legacy"
        assert playbook(ipvs, "verify", node, tmp_path).returncode == 2
        assert report_of(tmp_path, node)["probe"]["verdict"] == "vxlan_checksum"
