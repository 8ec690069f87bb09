# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one node can cost the controller: the limits, and what a node gets that is above them.

Counted are comparisons of rules, which are the same on every machine, and CPU time and memory only as a rough guard.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from reasoning import build as b
from transcripts import NONCE, recorded

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import effort, transcript_frames
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.progress_text import Tally
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.traversal import MAX_TRACE

TEXT = recorded("kube_proxy_1_17_nft")
TEXT = TEXT.replace(TEXT.split("\n", 1)[0].rsplit(" ", 1)[-1], NONCE)
HEAD = f"{NONCE} begin chain nft nat POSTROUTING\n-P POSTROUTING ACCEPT\n"
MAYBE = "-m statistic --mode random --probability 0.5"
MARK = "-j MARK --set-xmark"
# Generous: CI's machine is shared.
SECONDS, MEGABYTES = 60, 1024


def with_rules(rules: Iterator[str]) -> str:
    assert HEAD in TEXT
    return TEXT.replace(HEAD, HEAD + "".join(f"-A POSTROUTING {rule}\n" for rule in rules))


def with_chains(first: str, chains: dict[str, list[str]]) -> str:
    lines = [
        f"{NONCE} begin chain nft nat {name}\n-N {name}\n" + "".join(f"-A {name} {rule}\n" for rule in rules) + f"{NONCE} end chain 0\n"
        for name, rules in chains.items()
    ]
    text = TEXT.replace(HEAD, HEAD + f"-A POSTROUTING {first}\n")
    return text.replace(f"{NONCE} complete", "".join(lines) + f"{NONCE} complete")


def device(number: int) -> str:
    return (
        f"{number + 9}: vx{number}: <BROADCAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN \\    link/ether 66:76:de:38:cd:64 \\    "
        f"vxlan id {number} local 10.1.0.11 dev eth0 srcport 0 0 dstport 4789 udpcsum"
    )


# What a lying node can send, and the words of the verdict that it gets; none: any verdict, but within the limits.
LIES: dict[str, tuple[Callable[[], str], str]] = {
    "50 MB of nothing": (lambda: TEXT + "\n" * 50_000_000, "more than 16 MiB"),
    "50 MB before the first line": (lambda: "x\n" * 25_000_000 + TEXT, "more than 16 MiB"),
    "a million rules": (lambda: with_rules(f"-m comment --comment x{n} -j ACCEPT" for n in range(1_000_000)), "more than 16 MiB"),
    "a rule of 10 MB": (lambda: with_rules(iter(["x" * 10_000_000])), "a line of more than 65,536 characters"),
    "200,000 short rules": (lambda: with_rules(f"-s 10.0.0.0/8 -j LOG -m {n}" for n in range(200_000)), ""),
    "forks that each have a mark of their own": (
        lambda: with_rules(rule for n in range(1000) for rule in (f"{MAYBE} {MARK} {n:#x}/0xffff", f"{MAYBE} -j ACCEPT")),
        "",
    ),
    "forks that each end in another NAT": (
        lambda: with_rules(
            rule for n in range(1000) for rule in (f"{MAYBE} {MARK} {n:#x}/0xffff", f"{MAYBE} -j MASQUERADE --to-ports {n}")
        ),
        "",
    ),
    "forks of every bit": (lambda: with_rules(f"{MAYBE} {MARK} {1 << n % 32:#x}/{1 << n % 32:#x}" for n in range(2000)), ""),
    "chains that are jumped to twice, 60 deep": (lambda: with_chains("-j C0", {f"C{n}": [f"-j C{n + 1}"] * 2 for n in range(60)}), ""),
    "chains that fork and are jumped to 200 times, 60 deep": (
        lambda: with_chains(
            "-j C0",
            {f"C{n}": [f"{MAYBE} {MARK} {n * 4 + k:#x}/0xff" for k in range(30)] + [f"{MAYBE} -j C{n + 1}"] * 200 for n in range(60)},
        ),
        "comparisons",
    ),
    "a chain that leads to itself": (lambda: with_chains("-j C0", {"C0": ["-j C1"], "C1": ["-j C0", "-j C1"]}), ""),
    "1,000 devices": (
        lambda: TEXT.replace(f"{NONCE} begin vxlan\n", f"{NONCE} begin vxlan\n" + "\n".join(map(device, range(1000))) + "\n"),
        "256",
    ),
    "200 devices": (
        lambda: TEXT.replace(f"{NONCE} begin vxlan\n", f"{NONCE} begin vxlan\n" + "\n".join(map(device, range(200))) + "\n"),
        "",
    ),
    "100,000 sections": (
        lambda: TEXT.replace(
            f"{NONCE} complete", "".join(f"{NONCE} begin addr d{n}\nx\n{NONCE} end addr 0\n" for n in range(100_000)) + f"{NONCE} complete"
        ),
        "more than 4,000 sections",
    ),
}


def _lie(make: Callable[[], str], answer: Any) -> None:
    text = make()
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 30, SECONDS + 30))
    try:
        result: dict[str, Any] = {"node": parse(text)}
    except ValueError as error:
        result = {"failed": True, "msg": str(error)}
    report = fleet({"liar": result, "other": {"unreachable": True, "msg": "timed out"}})
    used = time.process_time() - begun, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    answer.put((report["hosts"]["liar"]["summary"], len(json.dumps(report)), used))


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_bounded(name: str) -> None:
    make, said = LIES[name]
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    child = context.Process(target=_lie, args=(make, answer))
    child.start()
    summary, size, (seconds, megabytes) = answer.get(timeout=10 * SECONDS)
    child.join()
    print(f"{name}: {seconds:.1f} s, {megabytes} MB, report {size >> 10} kB: {summary}")
    assert summary and "\n" not in summary and "in this collection" not in summary and len(summary) <= 1000
    assert said in summary and seconds < SECONDS and megabytes < MEGABYTES and size < 8 << 20


def test_the_limits_are_far_from_what_real_nodes_need() -> None:
    needed = []
    for rules in sorted(b.RULES.glob("*.rules")):
        diagnose(b.facts(rules.stem))
        needed.append(effort.MOST - effort._Effort.left)
    assert 10 < max(needed) < effort.MOST / 100
    assert len(TEXT) < transcript_frames.LARGEST / 100
    assert max(map(len, TEXT.split("\n"))) < transcript_frames.LONGEST_LINE / 10


def test_a_host_with_2000_published_ports_is_judged() -> None:
    ports = (f"-s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport {port} -j MASQUERADE" for port in range(1, 1990))
    assert diagnose(parse(with_rules(ports)))["status"] == "affected"
    assert effort.MOST - effort._Effort.left < effort.MOST / 4


def test_the_work_of_one_node_is_not_that_of_the_next() -> None:
    lie = parse(LIES["chains that fork and are jumped to 200 times, 60 deep"][0]())
    found = fleet({"liar": {"node": lie}, "other": {"node": parse(TEXT)}})["hosts"]
    assert found["other"]["status"] == "affected" and "comparisons" in found["liar"]["summary"]


def test_the_progress_line_is_bounded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rules that were walked before in this process cost nothing, so these are its own.
    lie = parse(with_rules(f"{MAYBE} {MARK} {1 << n % 32:#x}/{1 << n % 32:#x} -m comment --comment progress" for n in range(200)))
    monkeypatch.setattr(effort, "MOST", 500)
    tally = Tally(clock=lambda: 0.0)
    tally.total = 1
    tally.read("liar", {"node": lie})
    assert "1 unknown" in tally.line()


def test_a_way_that_is_too_long_is_shown_in_part() -> None:
    facts = parse(with_rules(f"{MAYBE} -j LOG --log-prefix {n}" for n in range(1500)))
    walk = diagnose(facts)["devices"][0]["walk"]
    assert len(walk) <= 2 * MAX_TRACE
