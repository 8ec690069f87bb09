# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of the Service network: plan, prediction and refusals."""

from __future__ import annotations

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import route
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

OURS = "10.96.0.0/12 dev vxlan.calico scope link"
WEIGHED = "10.96.0.0/12 dev vxlan.calico proto static scope link metric 50 linkdown"
GATEWAY = "10.96.0.0/12 via 10.9.0.7 dev vxlan.calico"
OTHER = "10.96.0.0/12 dev eth0 scope link"
HOPS = "10.96.0.0/12 nexthop via 10.9.0.7 dev vxlan.calico weight 1"
TYPED = "unreachable 10.96.0.0/12 metric 70"


def wanted(state="present"):
    return route.Wanted("10.96.0.0/12", "vxlan.calico", state)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("routes", [[], [OURS], [WEIGHED]])
def test_the_second_plan_is_empty(routes, state):
    assert route.plan(route.predict(routes, wanted(state)), wanted(state)) == []


def test_commands():
    assert route.plan([], wanted()) == [["replace", "10.96.0.0/12", "dev", "vxlan.calico"]]
    assert route.plan([OURS], wanted("absent")) == [["del", "10.96.0.0/12", "dev", "vxlan.calico", "scope", "link"]]
    assert route.plan([WEIGHED], wanted("absent")) == [
        ["del", "10.96.0.0/12", "dev", "vxlan.calico", "proto", "static", "scope", "link", "metric", "50"]
    ]


@pytest.mark.parametrize("other", [GATEWAY, OTHER, HOPS, TYPED])
def test_another_route_is_named_and_left_alone(other):
    with pytest.raises(NodeError, match="another route for 10.96.0.0/12 already: " + other):
        route.plan([other], wanted())
    assert route.plan([other], wanted("absent")) == []
    assert route.predict([other, OURS], wanted("absent")) == [other]


def test_next_hops_belong_to_their_route():
    out = "10.96.0.0/12 \n\tnexthop via 10.9.0.7 dev vxlan.calico weight 1 \n" + OTHER + " \n"
    assert route.parse(out) == [HOPS, OTHER]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.96.0.0/33", "is no network"),
        ("10.96.0.1/12", "host bits"),
        ("$(id)", "is no network"),
        ("fd00::1/64", "host bits"),
        ("::/0", "default route"),
        ("0.0.0.0/0", "default route"),
        ("", "is no network"),
    ],
)
def test_bad_destinations(text, reason):
    with pytest.raises(NodeError, match=reason):
        route.destination(text)


def test_a_single_address_is_a_network_of_one():
    assert route.destination("10.96.0.10") == "10.96.0.10/32"
    single = route.Wanted("10.96.0.10/32", "flannel.1", "present")
    assert route.predict([], single) == ["10.96.0.10 dev flannel.1 scope link"]


def test_a_network_of_ipv6_is_asked_for_and_predicted_as_ip_prints_it():
    asked = []

    def run(argv):
        asked.append(argv)
        return 0, "fd00:10:96::/112 dev vxlan-v6.calico metric 1024 pref medium\n", ""

    wanted = route.Wanted(route.destination("fd00:10:96::/112"), "vxlan-v6.calico", "present")
    assert route.predict([], wanted) == route.read("ip", run, wanted.destination)
    assert asked == [["ip", "-6", "route", "show", "exact", "fd00:10:96::/112"]]
    assert route.plan(route.predict([], wanted), wanted) == []
