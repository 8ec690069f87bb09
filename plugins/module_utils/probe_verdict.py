# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a probe saw to one verdict with its reason. Pure: dicts in, texts out.

The order of CHECKS is the order of certainty: the first that speaks decides.
"""

from typing import Any, Dict, Optional, Tuple

Result = Dict[str, Any]
Verdict = Tuple[str, str]

VERDICTS = ("works", "vxlan_checksum", "dns_server_down", "refused", "no_route", "lossy", "unknown")


def _seen(udp: Result, tcp: Result) -> str:
    """What a person would have seen, for the reason."""
    text = "UDP answered %d of %d, TCP %d of %d" % (udp["answered"], udp["asked"], tcp["answered"], tcp["asked"])
    return text + (", TCP's first SYN was lost" if tcp["first_syn_lost"] else "")


def _all_well(udp: Result, tcp: Result) -> bool:
    return bool(udp["answered"] == udp["asked"] and tcp["answered"] == tcp["asked"] and not tcp["first_syn_lost"])


def _all_lost(udp: Result, tcp: Result) -> bool:
    return bool(udp["answered"] == 0 and tcp["answered"] == 0)


def _lost_in_silence(udp: Result, tcp: Result) -> bool:
    """Something got no answer at all, as opposed to a refusal."""
    return bool(tcp["first_syn_lost"] or "timeout" in (udp["error"], tcp["error"]))


def _works(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    if not _all_well(udp, tcp):
        return None
    if evidence["outer_checksum"] == "bad":
        return "works", "%s, although outer checksums are wrong: nothing on this way verifies them" % _seen(udp, tcp)
    if evidence["backends"] and not evidence["outer_packets"]:
        return "works", "%s, but %s, so this says nothing about the tunnel" % (_seen(udp, tcp), evidence["reason"])
    return "works", _seen(udp, tcp)


def _vxlan_checksum(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    if evidence["outer_checksum"] != "bad" or not _lost_in_silence(udp, tcp):
        return None
    sent = "%d of %d VXLAN packets left with a wrong UDP checksum" % (evidence["outer_bad"], evidence["outer_packets"])
    if evidence["source_port_rewritten"] == "no":
        return "unknown", (
            "%s: %s although connection tracking rewrote none: look for another address translation "
            "(tc, OVS) or a NIC driver fault" % (_seen(udp, tcp), sent)
        )
    known = evidence["source_port_rewritten"] == "yes"
    why = "after NAT rewrote them" if known else "(%s)" % evidence["reason"]
    return "vxlan_checksum", "%s: %s %s, the receiver drops them; apply the workaround role" % (
        _seen(udp, tcp),
        sent,
        why,
    )


def _no_route(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    if "no_route" not in (udp["error"], tcp["error"]):
        return None
    return "no_route", "%s: %s; check 'ip route get' for the Service and the pods, and this node's firewall" % (
        _seen(udp, tcp),
        udp["detail"] if udp["error"] == "no_route" else tcp["detail"],
    )


def _refused(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    which = [name for name, result in (("UDP", udp), ("TCP", tcp)) if result["error"] == "refused"]
    if not which:
        return None
    return "refused", "%s: %s refused: the Service has no ready pod, or nothing listens in the pod on that port" % (
        _seen(udp, tcp),
        " and ".join(which),
    )


def _bad_answer(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    for name, result in (("UDP", udp), ("TCP", tcp)):
        if result["error"] == "bad_answer":
            return "unknown", "%s: over %s %s; is there a DNS server behind this address and port?" % (
                _seen(udp, tcp),
                name,
                result["detail"],
            )
    return None


def _silent_server(udp: Result, tcp: Result, evidence: Result) -> Optional[Verdict]:
    if not _all_lost(udp, tcp):
        return None
    if tcp["connected"]:
        return "dns_server_down", "%s, but TCP connects: the way is fine, the DNS server itself hangs" % _seen(udp, tcp)
    if evidence["outer_checksum"] in ("good", "zero"):
        return "dns_server_down", (
            "%s: %d VXLAN packets left this node intact: check the DNS pods, their node, "
            "and filters on the way" % (_seen(udp, tcp), evidence["outer_packets"])
        )
    if evidence["backends"]:
        return "dns_server_down", "%s: %s does not answer; check the DNS pods" % (
            _seen(udp, tcp),
            " and ".join(evidence["backends"]),
        )
    return None


def _partial(udp: Result, tcp: Result, evidence: Result) -> Verdict:
    shape = not udp["answered"] and tcp["answered"] and tcp["first_syn_lost"]
    if evidence["outer_checksum"] == "unknown" and not evidence["backends"] and tcp["first_syn_lost"]:
        likeness = "exactly what wrong VXLAN checksums look like" if shape else "wrong VXLAN checksums are possible"
        return "unknown", "%s: %s, but the packets were not seen (%s)" % (_seen(udp, tcp), likeness, evidence["reason"])
    if not udp["answered"] and not tcp["first_syn_lost"] and tcp["error"] == "none":
        return "unknown", "%s: only UDP gets no answer; check filters for UDP, and the DNS server" % _seen(udp, tcp)
    if not tcp["answered"] and udp["error"] == "none":
        return "unknown", "%s: only TCP gets no answer; check filters for TCP, and the DNS server" % _seen(udp, tcp)
    return "lossy", "%s: some packets are lost; check links, and ask more than once (attempts)" % _seen(udp, tcp)


def _nothing_known(udp: Result, tcp: Result, evidence: Result) -> Verdict:
    return "unknown", "%s and the packets were not seen (%s): check the DNS pods, or run with become on the node" % (
        _seen(udp, tcp),
        evidence["reason"],
    )


CHECKS = (_works, _vxlan_checksum, _no_route, _refused, _bad_answer, _silent_server)


def judge(udp: Result, tcp: Result, evidence: Result) -> Verdict:
    """(verdict, reason): one of VERDICTS and one line for a tired person."""
    for check in CHECKS:
        verdict = check(udp, tcp, evidence)
        if verdict:
            return verdict
    if _all_lost(udp, tcp):
        return _nothing_known(udp, tcp, evidence)
    return _partial(udp, tcp, evidence)
