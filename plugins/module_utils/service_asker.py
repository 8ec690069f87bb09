# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One probe: ask a Service over UDP and TCP at the same time, watch the own packets, judge."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import conntrack, packet_capture, probe_evidence
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.dns_client import Attempt, Server, ask, build_query
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import one_line
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.probe_verdict import judge

# A connection's first SYN is repeated after 1 s (TCP_TIMEOUT_INIT, RFC 6298): a slower connect lost it.
SYN_LOST_MS = 900.0

Watch = NamedTuple("Watch", [("device", Optional[str]), ("vxlan_port", Optional[int]), ("underlay", Optional[str])])


def summarize(attempts: Sequence[Attempt]) -> Dict[str, Any]:
    """The udp or tcp part of the result; error and detail are those of the first attempt that failed."""
    failed = [attempt for attempt in attempts if attempt.error != "none"]
    answered = [attempt for attempt in attempts if attempt.error == "none"]
    return {
        "asked": len(attempts),
        "answered": len(answered),
        "latencies_ms": [attempt.latency_ms for attempt in answered],
        "error": failed[0].error if failed else "none",
        "detail": failed[0].detail if failed else "",
        "rcodes": sorted({attempt.rcode for attempt in answered}),
    }


def summarize_tcp(attempts: Sequence[Attempt]) -> Dict[str, Any]:
    """The same with what only a connection can tell."""
    slow = [attempt for attempt in attempts if attempt.connect_ms >= SYN_LOST_MS and (attempt.connected or attempt.error == "timeout")]
    return dict(
        summarize(attempts),
        connected=len([attempt for attempt in attempts if attempt.connected]),
        first_syn_lost=bool(slow),
    )


def ask_all(server: Server, name: str, attempts: int, identifier: int) -> Tuple[List[Attempt], List[Attempt]]:
    """(UDP attempts, TCP attempts), all asked at the same time, each with its own socket and identifier."""
    with ThreadPoolExecutor(max_workers=2 * attempts) as pool:
        waiting = [
            pool.submit(ask, protocol, server, build_query(identifier + number * attempts + index, name))
            for number, protocol in enumerate(("udp", "tcp"))
            for index in range(attempts)
        ]
        done = [future.result() for future in waiting]
    return done[:attempts], done[attempts:]


def _plan_capture(watch: Watch, run: Run) -> Tuple[List[int], str]:
    """(VXLAN ports, underlay); Unavailable when this node has no VXLAN device or it cannot be read."""
    code, output, errors = run(["ip", "-d", "link", "show", "type", "vxlan"])
    if code and watch.vxlan_port:
        return [watch.vxlan_port], watch.underlay or ""
    if code:
        raise packet_capture.Unavailable("'ip -d link show type vxlan' failed: %s; give vxlan_port" % one_line(errors))
    ports, underlay = probe_evidence.choose(probe_evidence.parse_devices(output), *watch)
    if not ports:
        raise packet_capture.Unavailable("this node has no VXLAN device")
    return ports, underlay


def _weigh(capture: packet_capture.Capture, attempts: Sequence[Attempt], server: Server, where: str) -> Dict[str, Any]:
    packets = capture.packets()
    try:
        find, source = conntrack.open_table()  # type: Tuple[Optional[conntrack.Find], str]
        return probe_evidence.weigh(packets, attempts, server, find, "%s, %s" % (where, source))
    except conntrack.Unavailable as problem:
        evidence = probe_evidence.weigh(packets, attempts, server, None, where)
        return dict(evidence, reason=evidence["reason"] or str(problem))


def probe(server: Server, name: str, attempts: int, watch: Optional[Watch], run: Run) -> Dict[str, Any]:
    """The whole result of the module; watch is None when no evidence is wanted. ValueError for bad input."""
    identifier = random.randrange(0, 0x10000, packet_capture.IDENTIFIERS)
    capture = None
    evidence = probe_evidence.unknown("not asked for (evidence is false)")
    if watch:
        try:
            ports, underlay = _plan_capture(watch, run)
            capture = packet_capture.open_capture(underlay, ports, identifier)
        except packet_capture.Unavailable as problem:
            evidence = probe_evidence.unknown(str(problem))
    try:
        udp, tcp = ask_all(server, name, attempts, identifier)
        if capture:
            evidence = _weigh(capture, udp + tcp, server, "packets sent by %s" % (underlay or "any device"))
    finally:
        if capture:
            capture.close()
    result = {"udp": summarize(udp), "tcp": summarize_tcp(tcp), "evidence": evidence}  # type: Dict[str, Any]
    result["verdict"], result["reason"] = judge(result["udp"], result["tcp"], evidence)
    return result
