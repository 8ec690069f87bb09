# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What diagnosis and each module need of root: with exactly that they work, with one less they say so in one line and change nothing.

The tables are those of docs/privileges.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import user

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose

BACKENDS = ("nft", "legacy")
NODE = "pre_fix_kube_proxy_%s"
CHECKSUM = "tx-checksum-ip-generic"
MARK = {"table": "mangle", "chain": "OUTPUT", "rule": "-p udp --dport 4789 -j MARK --set-xmark 0x0/0x4000".split()}
NOTRACK = {"table": "raw", "chain": "OUTPUT", "rule": "-p udp --dport 4789 -j CT --notrack".split()}
ACCEPT = {"table": "nat", "chain": "POSTROUTING", "rule": "-o eth0 -j ACCEPT".split(), "position": 1}

# By backend of the rules; /proc/net/ip_tables_names is there on both.
DIAGNOSIS = {"nft": ("net_admin", "dac_read_search"), "legacy": ("net_admin", "net_raw", "dac_read_search")}
RULES = {backend: (*needed, "sys_admin") for backend, needed in DIAGNOSIS.items()}
# name: (module, arguments, arguments that take it back)
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "tx_checksum_off": (
        "offload", {"device": "vxlan.calico", "features": {CHECKSUM: False}}, {"features": {CHECKSUM: True}},
    ),
    "service_route": ("service_route", {"destination": "10.96.0.0/12", "device": "vxlan.calico"}, {"state": "absent"}),
    "clear_mark": ("netfilter_rule", MARK, {"state": "absent"}),
    "notrack": ("netfilter_rule", NOTRACK, {"state": "absent"}),
    "underlay_accept": ("netfilter_rule", ACCEPT, {"state": "absent"}),
}  # fmt: skip
VERDICTS = {(): "unknown", ("net_admin",): "unknown", ("net_raw",): "vxlan_checksum", ("net_admin", "net_raw"): "vxlan_checksum"}
SELFTEST = ("net_admin", "net_raw", "sys_admin")


def needs(change: str, backend: str) -> tuple[str, ...]:
    return RULES[backend] if CHANGES[change][0] == "netfilter_rule" else ("net_admin",)


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    found = make_lab("pre_fix_kube_proxy", backend="both")
    for node in found.nodes:
        user.add(found, node)
    return found


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with user.readable_tree() as folder:
        yield folder


def judged(facts: dict[str, Any]) -> dict[str, Any]:
    return diagnose(facts)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("backend", BACKENDS)
def test_diagnosis_with_exactly_these(backend: str, lab: Any) -> None:
    """The same facts as root's, part by part."""
    node = NODE % backend
    mine, roots = user.probe(lab, node, user.only(DIAGNOSIS[backend])), user.probe(lab, node, [])
    assert mine["collected"] == {**roots["collected"], "root": False}
    for part in roots:
        assert part in ("collected", "counters") or mine[part] == roots[part], part
    assert judged(mine)["status"] == "affected" and judged(mine)["missing"] == []


@pytest.mark.parametrize(("backend", "without"), [(backend, one) for backend in BACKENDS for one in (*DIAGNOSIS[backend], None)])
def test_diagnosis_with_one_less_is_unknown(backend: str, without: str | None, lab: Any) -> None:
    """`None`: with nothing at all. Each fact that is missing says why and how to get it; nothing is guessed, nothing is changed."""
    node = NODE % backend
    given = () if without is None else tuple(one for one in DIAGNOSIS[backend] if one != without)
    before = user.state(lab, node)
    verdict = judged(user.probe(lab, node, user.only(given)))
    assert user.state(lab, node) == before
    assert verdict["status"] == "unknown" and verdict["missing"]
    assert {(one["reason"], one["how"]) for one in verdict["missing"]} == {("needs root: run with become", "run with become: true")}
    assert all(one["fact"].startswith("netfilter.") for one in verdict["missing"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_needs_no_right_is_read_without_one(backend: str, lab: Any) -> None:
    node = NODE % backend
    mine, roots = user.probe(lab, node, user.only(())), user.probe(lab, node, [])
    for part in ("kernel", "vxlan", "links", "cni", "sysctl", "applied"):
        assert mine[part] == roots[part] and "unknown" not in mine[part], part


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_with_exactly_these(change: str, backend: str, lab: Any, tree: Path) -> None:
    node = NODE % backend
    name, do, undo = CHANGES[change]
    rights = user.only(needs(change, backend))
    before = user.state(lab, node)
    done = user.module(lab, node, tree, rights, name, do)
    assert done["changed"] is True, done
    assert user.state(lab, node) != before
    assert user.module(lab, node, tree, rights, name, {**do, **undo})["changed"] is True
    assert user.state(lab, node) == before


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_with_one_less_is_refused_in_one_line(change: str, backend: str, check: bool, lab: Any, tree: Path) -> None:
    node = NODE % backend
    name, do, _undo = CHANGES[change]
    before = user.state(lab, node)
    for without in needs(change, backend):
        rights = user.only(one for one in needs(change, backend) if one != without)
        refused = user.module(lab, node, tree, rights, name, do, check=check)
        assert refused.get("failed") is True and not refused.get("changed"), (without, refused)
        assert "\n" not in refused["msg"] and "root" in refused["msg"] and "become" in refused["msg"], refused["msg"]
    assert user.state(lab, node) == before


def test_the_selftest_with_exactly_these(lab: Any, tree: Path) -> None:
    node = NODE % "nft"
    found = user.module(lab, node, tree, user.only(SELFTEST), "kernel_selftest", {})
    assert {found["lco_checksum"], found["zero_checksum"]} <= {"present", "absent"}, found
    for without in SELFTEST:
        refused = user.module(lab, node, tree, user.only(one for one in SELFTEST if one != without), "kernel_selftest", {})
        assert "needs root (CAP_%s): run with become" % without.upper() in str(refused), refused


@pytest.mark.parametrize("rights", [(), ("net_admin",), ("net_raw",), ("net_admin", "net_raw")], ids="+".join)
def test_asking_the_service(rights: tuple[str, ...], lab: Any, tree: Path) -> None:
    """The answers count for everybody; that packets are corrupted is seen by those who may look at them."""
    found = user.module(lab, NODE % "nft", tree, user.only(rights), "service_probe", {"address": "10.96.0.10", "device": "vxlan.calico"})
    evidence = found["evidence"]
    assert found["changed"] is False
    assert found["verdict"] == VERDICTS[rights], found
    assert ("packets cannot be captured: operation not permitted" in evidence["reason"]) is ("net_raw" not in rights)
    assert (evidence["source_port_rewritten"] == "unknown") is (rights != ("net_admin", "net_raw"))
