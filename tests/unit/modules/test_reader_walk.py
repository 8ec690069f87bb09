# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which chains the python reader collects, whatever backend they come from."""

from __future__ import annotations

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import walk

DNS = "KUBE-SVC-TCOU7JCQXEZGVUNU"


def collect(table, chains):
    asked = []

    def read_chain(name, limit):
        asked.append(name)
        return chains[name][: limit + 1] if name in chains else None

    return walk.walk(table, read_chain), asked


def test_jumps_are_followed_and_targets_are_not_chains():
    found, asked = collect("mangle", {"OUTPUT": ["-j A"], "POSTROUTING": ["-g B"], "A": ["-j MARK --set-xmark 0x1"], "B": []})
    assert found == {"chains": {"OUTPUT": ["-j A"], "POSTROUTING": ["-g B"], "A": ["-j MARK --set-xmark 0x1"], "B": []}, "unread": []}
    assert "MARK" not in asked


def test_a_comment_is_no_jump():
    assert walk.jump('-m comment --comment "see -j NOPE" -j REAL') == "REAL"
    assert walk.jump('-m comment --comment "-j NOPE"') is None


def test_service_chains_are_not_followed_but_the_well_known_ones_are_read():
    chains = {
        "OUTPUT": ["-j KUBE-SERVICES"],
        "POSTROUTING": [],
        "PREROUTING": [],
        "KUBE-MARK-MASQ": [],
        "KUBE-SERVICES": ["-d 10.96.0.10/32 -j " + DNS],
        DNS: ["! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -j KUBE-MARK-MASQ", "-j KUBE-SEP-A"],
        "KUBE-SEP-A": ["-j DNAT"],
    }
    found, asked = collect("nat", chains)
    assert found["unread"] == ["KUBE-SEP-A", "KUBE-SERVICES"]
    assert "KUBE-SERVICES" not in asked
    assert walk.service_addresses([dict(found, table="nat")])[DNS] == "10.96.0.10"


def test_an_old_kube_proxy_marks_in_kube_services_of_which_forty_rules_are_read():
    chains = {"OUTPUT": ["-j KUBE-SERVICES"], "POSTROUTING": [], DNS: ["-j KUBE-SEP-A"]}
    chains["KUBE-SERVICES"] = ["-d 10.96.0.%d/32 -j KUBE-MARK-MASQ" % number for number in range(50)]
    found, _asked = collect("nat", chains)
    assert len(found["chains"]["KUBE-SERVICES"]) == 40
    assert "KUBE-SERVICES" in found["unread"]


def test_a_circle_of_chains_ends():
    found, _asked = collect("raw", {"OUTPUT": ["-j A"], "A": ["-j OUTPUT"]})
    assert sorted(found["chains"]) == ["A", "OUTPUT"]
