# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table: what the probe saw, and what a tired person is told."""

import itertools

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_evidence import unknown
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_verdict import VERDICTS, judge

DETAILS = {"none": "", "timeout": "no answer in time", "refused": "connection refused", "no_route": "no route to host"}


def udp(answered, error="none"):
    return {"asked": 3, "answered": answered, "error": error, "detail": DETAILS.get(error, "the answer is no DNS")}


def tcp(answered, error="none", syn_lost=False, connected=None):
    known = answered if connected is None else connected
    return dict(udp(answered, error), connected=known, first_syn_lost=syn_lost)


def seen(rewritten, checksum, bad=0, packets=6):
    return dict(
        unknown("", "test"),
        source_port_rewritten=rewritten,
        outer_checksum=checksum,
        outer_bad=bad,
        outer_packets=packets,
        backends=["10.244.2.2:53"],
    )


def unseen(backends=(), reason="needs CAP_NET_RAW"):
    return dict(unknown(reason), backends=list(backends))


DEAD_UDP, DEAD_TCP = udp(0, "timeout"), tcp(0, "timeout", syn_lost=True)
GOOD, ZERO, BAD = seen("no", "good"), seen("no", "zero"), seen("yes", "bad", bad=4)

CASES = [
    ("all_answered", udp(3), tcp(3), GOOD, "works", "UDP answered 3 of 3, TCP 3 of 3"),
    ("all_answered_and_not_root", udp(3), tcp(3), unseen(), "works", "3 of 3"),
    ("pod_on_this_node", udp(3), tcp(3), unseen(["10.244.1.5:53"], "x"), "works", "says nothing about the tunnel"),
    ("link_that_verifies_nothing", udp(3), tcp(3), BAD, "works", "nothing on this way verifies them"),
    ("this_failure", DEAD_UDP, tcp(3, syn_lost=True), BAD, "vxlan_checksum", "4 of 6 VXLAN packets left with a wrong"),
    ("this_failure_on_an_old_kernel", DEAD_UDP, DEAD_TCP, BAD, "vxlan_checksum", "apply the workaround role"),
    ("this_failure_for_tcp_only", udp(3), tcp(3, syn_lost=True), BAD, "vxlan_checksum", "first SYN was lost"),
    ("one_of_two_pods_is_local", udp(1, "timeout"), tcp(3, syn_lost=True), BAD, "vxlan_checksum", "UDP answered 1 of 3"),
    (
        "conntrack_unreadable",
        DEAD_UDP,
        DEAD_TCP,
        dict(BAD, source_port_rewritten="unknown", reason="no conntrack"),
        "vxlan_checksum",
        "(no conntrack)",
    ),
    ("bad_but_not_rewritten", DEAD_UDP, DEAD_TCP, seen("no", "bad", bad=6), "unknown", "another address translation"),
    ("rewritten_but_intact", DEAD_UDP, DEAD_TCP, seen("yes", "good"), "dns_server_down", "left this node intact"),
    ("server_gone", DEAD_UDP, DEAD_TCP, GOOD, "dns_server_down", "6 VXLAN packets left this node intact"),
    ("server_gone_noudpcsum", DEAD_UDP, DEAD_TCP, ZERO, "dns_server_down", "check the DNS pods"),
    ("server_hangs", DEAD_UDP, tcp(0, "timeout", connected=3), unseen(), "dns_server_down", "TCP connects"),
    ("local_server_gone", DEAD_UDP, DEAD_TCP, unseen(["10.244.1.5:53"]), "dns_server_down", "10.244.1.5:53 does not"),
    ("nothing_known", DEAD_UDP, DEAD_TCP, unseen(), "unknown", "needs CAP_NET_RAW"),
    ("refused", udp(0, "refused"), tcp(0, "refused"), GOOD, "refused", "UDP and TCP refused"),
    ("udp_refused", udp(0, "refused"), tcp(3), GOOD, "refused", ": UDP refused"),
    ("no_route", udp(0, "no_route"), tcp(0, "no_route"), unseen(), "no_route", "no route to host; check 'ip route get'"),
    ("not_dns", udp(0, "bad_answer"), tcp(0, "bad_answer"), GOOD, "unknown", "is there a DNS server"),
    ("shape_of_this_failure_not_root", DEAD_UDP, tcp(3, syn_lost=True), unseen(), "unknown", "exactly what wrong VXLAN"),
    ("syn_lost_not_root", udp(3), tcp(3, syn_lost=True), unseen(), "unknown", "wrong VXLAN checksums are possible"),
    ("only_udp_silent", DEAD_UDP, tcp(3), GOOD, "unknown", "only UDP gets no answer"),
    ("only_tcp_silent", udp(3), DEAD_TCP, GOOD, "unknown", "only TCP gets no answer"),
    ("some_lost", udp(2, "timeout"), tcp(3), GOOD, "lossy", "some packets are lost"),
    ("syn_lost_but_intact", udp(3), tcp(3, syn_lost=True), GOOD, "lossy", "first SYN was lost"),
]


@pytest.mark.parametrize(
    ("over_udp", "over_tcp", "evidence", "verdict", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_verdict(over_udp, over_tcp, evidence, verdict, words):
    found, reason = judge(over_udp, over_tcp, evidence)
    assert (found, words in reason) == (verdict, True), reason


def test_every_combination_has_one_verdict_and_a_one_line_reason():
    errors = ("timeout", "refused", "no_route", "bad_answer")
    results = [(3, "none"), *itertools.product((0, 2), errors)]
    for (u, v), lost, connected, evidence in itertools.product(
        itertools.product(results, results), (False, True), (0, 3), (GOOD, ZERO, BAD, unseen(), unseen(["a:1"]))
    ):
        verdict, reason = judge(udp(*u), tcp(*v, syn_lost=lost, connected=connected), evidence)
        assert verdict in VERDICTS
        assert reason and "\n" not in reason
        # a wrong outer checksum that was rewritten, and a loss: never called anything else
        assert verdict != "dns_server_down" or evidence is not BAD or connected
