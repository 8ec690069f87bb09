# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight in front of a stand-in for kubespray, for inventories of its eras: the return code, which plays ran, and the message.

The lab has nodes before kubespray (bare), of a cluster without VXLAN (routed, as with IPIP or host-gw), of one that fails (bad) and of
one that works (good).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from kubespray_site import APPS, EXAMPLES, NO_NODE, PREFLIGHT, STAND_IN, STOP, Site, failure, make_bare, ran

NODES = ("node1", "node2", "node3")
ALL = sorted(NODES)
GO_ON = "To go on all the same: -e vxlan_offload_preflight_ignore_errors=true"
KUBE_1_17 = (
    "planned by kubespray 2.12.6 to 2.14.2: node to Service traffic over VXLAN will fail: kube-proxy v1.17.5 leaves its mark on the outer "
    "packet and masquerades it again -> plan Kubernetes 1.16.13, 1.17.9, 1.18.6, 1.19.0 or later, or apply the workaround "
    "role (method auto) when the nodes are up"
)


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    found = make_lab("no_vxlan", "pre_fix_kube_proxy", "fixed_kube_proxy", nodes=12, kube_proxy_api=False)
    make_bare(found, *BARE)
    return found


BARE = tuple("no_vxlan_nft" + number for number in ("", "_2", "_3"))
ROUTED = "no_vxlan_nft_4"
BAD = tuple("pre_fix_kube_proxy_nft" + number for number in ("", "_2", "_3", "_4"))
GOOD = tuple("fixed_kube_proxy_nft" + number for number in ("", "_2", "_3"))


@pytest.fixture
def site(lab: Any, tmp_path: Path) -> Any:
    def make(era: str, nodes: tuple[str, ...] = BARE) -> Site:
        return Site(tmp_path, lab, era, dict(zip(NODES, nodes)))

    return make


# The eras


ERAS: list[tuple[str, str, str, dict[str, Any], tuple[str, ...], int, str]] = [
    # name, era, kubespray's own word, variables, nodes, rc, statuses
    ("flannel_of_2_13", "2.13", "", {}, BARE, 2, "affected"),
    ("flannel_of_2_13_with_a_fixed_kubernetes", "2.13", "", {"kube_version": "v1.17.9"}, BARE, 0, "unaffected"),
    ("calico_of_2_13_is_ipip", "2.13", "", {"kube_network_plugin": "calico"}, BARE, 0, "unaffected"),
    ("calico_of_2_13_with_vxlan", "2.13", "", {"kube_network_plugin": "calico", "calico_vxlan_mode": "Always"}, BARE, 2, "affected"),
    ("calico_of_2_19_is_vxlan", "2.19", "", {}, BARE, 2, "affected"),
    ("calico_of_2_19_with_ipip", "2.19", "", {"calico_ipip_mode": "Always"}, BARE, 0, "unaffected"),
    ("calico_of_2_26_turns_the_offload_off", "2.26", "2.26.0", {}, BARE, 0, "mitigated"),
    ("calico_of_2_26_with_an_older_calico", "2.26", "2.26.0", {"calico_version": "v3.28.0"}, BARE, 2, "affected"),
    ("variable_that_only_kubespray_can_resolve", "2.26", "2.26.0", {"calico_version": "{{ calico_of_the_roles }}"}, BARE, 0, "mitigated"),
    ("calico_of_2_31", "2.31", "2.31.0", {}, BARE, 0, "unaffected"),
    ("release_not_known", "2.31", "", {}, BARE, 0, "unknown"),
    ("release_named_by_the_user", "2.31", "", {"vxlan_offload_kubespray_version": "2.31"}, BARE, 0, "unaffected"),
    ("cluster_that_fails_under_a_good_plan", "2.31", "2.31.0", {}, BAD, 2, "affected"),
    ("cluster_that_works_under_a_bad_plan", "2.13", "", {}, GOOD, 0, "unaffected"),
    ("cluster_without_vxlan_under_a_bad_plan", "2.19", "", {}, (ROUTED, *GOOD), 0, "unaffected"),
]


@pytest.mark.parametrize(
    ("era", "word", "variables", "nodes", "returncode", "status"), [row[1:] for row in ERAS], ids=[row[0] for row in ERAS]
)
def test_era(
    era: str, word: str, variables: dict[str, Any], nodes: tuple[str, ...], returncode: int, status: str, site: Any
) -> None:
    here = site(era, nodes)
    if word:
        here.checkout(word)
    run = here.run(**variables)
    assert run.returncode == returncode, run.output
    assert here.statuses() == dict.fromkeys(NODES, status)
    assert ran(run, STAND_IN) == ([] if returncode else ALL)
    assert not any(run.changed(node) for node in NODES)


def test_the_message_names_nodes_reason_cure_and_override(site: Any) -> None:
    run = site("2.13", (BARE[0], BARE[1], ROUTED)).run()
    assert failure(run, STOP) == "2 of 3 checked nodes stop this run. node1, node2 affected: %s. %s" % (KUBE_1_17, GO_ON)
    assert "checked 3 of 3 hosts" in run.output


def test_a_node_that_fails_hears_that_the_planned_upgrade_ends_it(site: Any) -> None:
    here = site("2.31", BAD)
    here.checkout("2.31.0")
    message = failure(here.run(), STOP)
    assert "; this run ends it (planned by kubespray 2.31.0: kube-proxy 1.35.4 clears the mark before the tunnel)" in message


def test_unknown_says_which_variable_to_set(site: Any) -> None:
    here = site("2.31")
    run = here.run(vxlan_offload_preflight_fail_on=["unknown"])
    assert run.returncode == 2 and ran(run, STAND_IN) == []
    wanted = "set vxlan_offload_kubespray_version to kubespray's release, or kube_version and calico_version and calico_vxlan_mode"
    assert wanted in failure(run, STOP)


# How it is run


def test_limit_hides_no_node_silently(site: Any) -> None:
    here = site("2.13", (BAD[0], GOOD[0], GOOD[1]))
    run = here.run("--limit", "node2")
    assert (run.returncode, ran(run, STAND_IN)) == (0, ["node2"])
    assert "checked 1 of 3 hosts; not checked: node1, node3" in run.output
    assert here.report()["summary"]["not_checked"] == ["node1", "node3"]


def test_the_preflight_runs_whatever_tag_is_asked_for(site: Any) -> None:
    run = site("2.13").run("--tags", "network")
    assert (run.returncode, ran(run, STAND_IN)) == (2, [])
    assert failure(run, STOP).startswith("3 of 3 checked nodes stop this run. node1, node2, node3 affected: ")


def test_tags_of_kubespray_keep_their_meaning(site: Any) -> None:
    run = site("2.13", GOOD).run("--tags", "network")
    assert (run.returncode, ran(run, STAND_IN), ran(run, APPS)) == (0, ALL, [])


def test_override_goes_on_and_still_reports(site: Any) -> None:
    here = site("2.13")
    run = here.run(vxlan_offload_preflight_ignore_errors="true")
    assert (run.returncode, ran(run, STAND_IN)) == (0, ALL)
    assert here.statuses() == dict.fromkeys(NODES, "affected")


def test_no_python_on_the_nodes(site: Any) -> None:
    here = site("2.13", (BARE[0], BAD[0], GOOD[0]))
    for name in NODES:
        here.variables[name]["ansible_python_interpreter"] = "/nonexistent"
    run = here.run()
    assert run.returncode == 2
    assert here.statuses() == {"node1": "affected", "node2": "affected", "node3": "unaffected"}


def test_a_node_that_cannot_be_reached_is_unknown(site: Any) -> None:
    here = site("2.13", GOOD)
    here.variables["node3"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    run = here.run(vxlan_offload_preflight_fail_on=["affected", "unknown"])
    assert (run.returncode, ran(run, STAND_IN)) == (2, [])
    assert here.statuses() == {"node1": "unaffected", "node2": "unaffected", "node3": "unknown"}
    assert failure(run, STOP).startswith("1 of 3 checked nodes stop this run. node3 unknown: unreachable: ")


@pytest.mark.parametrize("how", ["sample", "folder"])
def test_no_node_is_an_error(how: str, site: Any, tmp_path: Path) -> None:
    """kubespray's sample has groups without hosts; its ansible.cfg makes a folder with inventory.ini in it an empty inventory."""
    here = site("2.31", ())
    if how == "sample":
        here.write("inventory/inventory.ini", "[kube_control_plane]\n# node1\n\n[kube_node]\n# node2\n")
    settings = {"ANSIBLE_INVENTORY_IGNORE": ".ini,.cfg"} if how == "folder" else {}
    run = here.run(inventory="inventory" if how == "folder" else "inventory/inventory.ini", environment=settings)
    assert (run.returncode, ran(run, STAND_IN)) == (2, [])
    wanted = "no node of a kubespray cluster, so nothing would be checked: fill kube_control_plane and kube_node"
    assert failure(run, NO_NODE).startswith(wanted)


def test_a_limit_without_a_cluster_node_is_an_error(site: Any) -> None:
    run = site("2.13").run("--limit", "bastion")
    assert (run.returncode, ran(run, STAND_IN)) == (2, [])
    assert failure(run, NO_NODE).startswith("no node of a kubespray cluster within --limit bastion, so nothing would be checked")


def test_a_limit_on_an_empty_inventory_is_an_error(site: Any) -> None:
    here = site("2.31", ())
    run = here.run("--limit", "node1", inventory="inventory", environment={"ANSIBLE_INVENTORY_IGNORE": ".ini,.cfg"})
    assert run.returncode not in (0, None), run.output
    assert ran(run, STAND_IN) == []
    assert "the inventory has no host: name one that has, with -i FILE" in run.output


def test_a_limit_without_a_cluster_node_can_be_meant(site: Any) -> None:
    """As kubespray with --limit of hosts that have etcd alone."""
    run = site("2.13").run("--limit", "bastion", vxlan_offload_preflight_ignore_errors=True)
    assert (run.returncode, ran(run, "The stand-in checks")) == (0, ["bastion"]), run.output


def test_a_variable_that_is_not_understood_is_unknown_with_its_name(site: Any) -> None:
    """kubespray checks its variables itself, and where it does not the preflight must not be what stops it."""
    here = site("2.19")
    run = here.run(calico_vxlan_mode="Sometimes")
    assert (run.returncode, ran(run, STAND_IN)) == (0, ALL)
    assert here.statuses() == dict.fromkeys(NODES, "unknown")
    assert "the plan cannot be judged: calico_vxlan_mode 'Sometimes' is not one of Always, CrossSubnet, Never" in run.output


# Where kubespray lies


def test_as_a_submodule_with_the_example(site: Any, tmp_path: Path) -> None:
    here = site("2.31")
    (tmp_path / "3d/kubespray").mkdir(parents=True)
    (tmp_path / "cluster.yml").rename(tmp_path / "3d/kubespray/cluster.yml")
    here.checkout("2.31.0", "3d/kubespray")
    shutil.copy(EXAMPLES / "site.yml", tmp_path)
    run = here.run("--tags", "network")
    assert (run.returncode, ran(run, STAND_IN)) == (0, ALL), run.output
    assert here.report()["hosts"]["node1"]["planned"]["told_by"] == str(tmp_path / "3d/kubespray")


def test_as_a_collection_with_the_example(site: Any, tmp_path: Path) -> None:
    here = site("2.31")
    home = tmp_path / "collections/ansible_collections/kubernetes_sigs/kubespray"
    (home / "playbooks").mkdir(parents=True)
    (tmp_path / "cluster.yml").rename(home / "playbooks/cluster.yml")
    (home / "MANIFEST.json").write_text('{"collection_info": {"name": "kubespray", "version": "2.31.0"}}', encoding="utf-8")
    shutil.copy(EXAMPLES / "site-collection.yml", tmp_path)
    paths = {"ANSIBLE_COLLECTIONS_PATH": "%s:%s" % (tmp_path / "collections", here.lab.collections)}
    run = here.run("--tags", "network", playbook="site-collection.yml", environment=paths)
    assert (run.returncode, ran(run, STAND_IN)) == (0, ALL), run.output
    assert here.report()["hosts"]["node1"]["planned"]["told_by"] == str(home)


# After kubespray


def upgrade(here: Site, **variables: Any) -> Any:
    shutil.copytree(EXAMPLES / "hooks", here.folder / "inventory/hooks")
    hook = "{{ inventory_dir }}/hooks/vxlan_offload.yml"
    # inventory_dir is the folder of the source that named the host last, here that of the lab's variables.
    hook = hook.replace("{{ inventory_dir }}", str(here.folder / "inventory"))
    return here.run(playbook="upgrade-cluster.yml", post_upgrade_hooks=[hook], **variables)


def test_the_post_upgrade_hook_keeps_a_bad_node_cordoned(site: Any) -> None:
    here = site("2.26", (GOOD[0], GOOD[1], BAD[0]))
    run = upgrade(here)
    assert (run.returncode, ran(run, "Uncordon node")) == (2, ["node2"]), run.output
    message = failure(run, "kubenet.vxlan_offload.kubespray : Keep a bad node cordoned")
    assert message.startswith("node3 stays cordoned, it is affected: ") and message.endswith(
        "To uncordon it all the same: -e vxlan_offload_preflight_ignore_errors=true"
    )


def test_the_post_upgrade_hook_can_be_overridden(site: Any) -> None:
    run = upgrade(site("2.26", (GOOD[0], GOOD[1], BAD[0])), vxlan_offload_preflight_ignore_errors=True)
    assert (run.returncode, ran(run, "Uncordon node")) == (0, ["node2", "node3"]), run.output


WAIT = "kubenet.vxlan_offload.kubespray : Wait for the VXLAN device"


def wait(here: Site, **variables: Any) -> Any:
    here.write("wait.yml", PREFLIGHT.replace("kubespray_preflight", "kubespray_apply"))
    return here.run(playbook="wait.yml", workaround_probe=False, **variables)


def test_the_wait_ends_in_an_error_when_the_device_does_not_come(site: Any) -> None:
    run = wait(site("2.19"), vxlan_offload_device_timeout=1)
    messages = {one["result"]["msg"] for one in run.results if one["task"] == WAIT and one["status"] == "failed"}
    assert run.returncode == 2
    assert messages == {
        "no vxlan.calico after 1 s although calico is planned with VXLAN: look at the pods of calico on this node, "
        "or wait longer with vxlan_offload_device_timeout"
    }


def test_no_wait_where_no_vxlan_is_planned(site: Any) -> None:
    run = wait(site("2.19"), calico_ipip_mode="Always")
    assert run.returncode == 0, run.output
    assert ran(run, WAIT) == []
    assert {one["msg"] for one in run.of("node1", "debug")} == {"not applicable: no VXLAN is planned with calico"}


def test_the_wait_is_no_error_where_it_is_not_known_whether_vxlan_is_planned(site: Any) -> None:
    run = wait(site("2.31"), vxlan_offload_device_timeout=1)
    assert (run.returncode, ran(run, WAIT)) == (0, ALL), run.output


def test_apply_after_kubespray_waits_for_the_device_and_cures(site: Any, lab: Any) -> None:
    """Felix makes its device some seconds after its pod has started."""
    late = BARE[2]
    lab.run(late, "sh", "-c", "(sleep 3; ip link add vxlan.calico type veth) >/dev/null 2>&1 &")
    here = site("2.19", (BAD[3], GOOD[2], late))
    run = wait(here)
    assert (run.returncode, ran(run, WAIT)) == (0, ALL), run.output
    lab.run(late, "ip", "link", "delete", "vxlan.calico")
    assert here.statuses() == {"node1": "mitigated", "node2": "unaffected", "node3": "unaffected"}
    assert lab.verdict(BAD[3]) == {"udp": "ok", "tcp": "ok"}


def test_plain_apply_as_the_third_import(site: Any, lab: Any) -> None:
    here = site("2.31", (GOOD[0], GOOD[1], BAD[2]))
    here.write("site.yml", (here.folder / "site.yml").read_text() + PREFLIGHT.replace("kubespray_preflight", "apply"))
    run = here.run(vxlan_offload_preflight_ignore_errors=True, vxlan_offload_hosts="k8s_cluster")
    assert run.returncode == 0, run.output
    assert lab.verdict(BAD[2]) == {"udp": "ok", "tcp": "ok"}
