# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a node prints: facts, `unknown` with a reason, or one line that says what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hostile import WORDS, mutated, plain, tried, words
from hypothesis import given
from hypothesis import strategies as st
from transcripts import NAMES, NONCE, recorded, section, transcript

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import frames
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

TEXTS = [recorded(name).replace(recorded(name).split("\n", 1)[0].rsplit(" ", 1)[-1], NONCE) for name in NAMES]
# What each parser of a section gets for the rest of a node that is as it was recorded.
SECTIONS = sorted({" ".join(line.split(" ")[2:]) for text in TEXTS for line in text.split("\n") if line.startswith(f"{NONCE} begin ")})
STARTS = (
    "",
    "url configz",
    "url proxyMode\n",
    'url metrics\nkubernetes_build_info{git_version="v',
    "record ",
    "unit ",
    "name kube-proxy\n--",
    "os ID=",
    "os NAME=",
    "signature ",
    "newest ",
    "oldest ",
    "line ",
    "head ",
    "source ",
    "Udp: ",
    "1: ",
    "    inet ",
    "driver: ",
    "tx-checksum-ip-generic: ",
    "-A POSTROUTING ",
    "-N ",
    "*nat\n",
    "legacy_table ",
    "nft ",
    "legacy ",
    "unreadable",
    "default dev ",
    "FLANNEL_NETWORK=",
    "subset ",
    "Uid: ",
)


def judged(text: str) -> None:
    """A transcript goes all the way that it goes in a run."""
    try:
        facts = parse(text)
    except ValueError as error:
        plain(str(error))
        return
    reasons(facts)
    known = {name: part for name, part in facts.items() if name != "applied"}
    assert checked(known) == known, "what our parser returns has the shape that is asked of every node"
    verdict = diagnose(facts)
    assert verdict["status"] in STATUSES
    plain(verdict["summary"])
    plain(verdict["action"])
    for missing in verdict["missing"]:
        plain(missing["reason"])
    json.dumps(facts)


def reasons(facts: Any) -> None:
    for part in facts.values():
        if isinstance(part, dict) and "unknown" in part:
            plain(part["unknown"])


@tried(100)
@given(mutated(TEXTS))
def test_a_transcript_that_was_changed_anywhere(text: str) -> None:
    judged(text)


@tried(100)
@given(mutated(TEXTS, frames=NONCE))
def test_a_transcript_of_which_the_sections_were_changed(text: str) -> None:
    judged(text)


def with_section(text: str, name: str, lines: list[str], code: int) -> str:
    """The transcript with other content in one section."""
    before, _begin, after = text.partition(f"{NONCE} begin {name}\n")
    if not _begin:
        return text
    return before + section(name, *lines, code=code) + "\n" + after.partition(f"{NONCE} end ")[2].partition("\n")[2]


@tried(150)
@given(
    st.sampled_from(TEXTS),
    st.sampled_from(SECTIONS),
    st.lists(st.tuples(st.sampled_from(STARTS), words), max_size=6),
    st.sampled_from([0, 0, 0, 1, 4, 126, 127]),
)
def test_a_section_with_anything_in_it(text: str, name: str, lines: list[tuple[str, str]], code: int) -> None:
    judged(with_section(text, name, [start + word for start, word in lines], code))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_with_every_hostile_word(name: str) -> None:
    text = next(text for text in TEXTS if f"begin {name}\n" in text)
    first = text.partition(f"begin {name}\n")[2].split("\n", 1)[0]
    lines = [word for word in WORDS if "\n" not in word]
    judged(with_section(text, name, [first, *lines], 0))
    judged(with_section(text, name, lines, 0))


@tried(100)
@given(st.text(max_size=200), st.integers(0, 1 << 16), st.sampled_from(TEXTS))
def test_text_that_is_cut_or_none_at_all(noise: str, at: int, text: str) -> None:
    judged(noise)
    judged(f"vxlan-offload-probe 1 {NONCE}\n{noise}")
    judged(text[: at % len(text)] + noise)


# Found by hand and by these properties

BOMBS = {"lists": "[" * 100_000, "dictionaries": '{"a":' * 50_000, "a number": '{"clusterCIDR": ' + "9" * 60_000 + "}"}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_json_that_is_nested_too_deep_in_an_answer_of_kube_proxy(bomb: str) -> None:
    text = with_section(TEXTS[0], "metrics", [], 0)
    pieces = [bomb[at : at + 60_000] for at in range(0, len(bomb), 60_000)]
    judged(transcript(section("metrics", "url configz", *pieces), *[section("printers")]))
    judged(text)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_record_that_is_no_record_of_ours(bomb: str) -> None:
    facts = parse(transcript(section("applied", *("record " + bomb[at : at + 60_000] for at in range(0, len(bomb), 60_000)))))
    assert "record.json is no" in checked(facts)["applied"]["unknown"]


def test_numbers_of_thousands_of_digits_are_no_numbers() -> None:
    digits = "9" * 5000
    line = f"5: tun0: <BROADCAST,UP> mtu 1450 qdisc noqueue \\    vxlan id {digits} local 10.1.0.1 dev eth0 dstport {digits} udpcsum"
    device = parse(transcript(section("vxlan", line)))["vxlan"]["devices"][0]
    assert (device["vni"], device["port"]) == (None, None)
    assert parse(transcript(section("counters", f"Udp: InCsumErrors\nUdp: {digits}")))["counters"]["udp_in_csum_errors"] is None
    unfinished = frames(transcript(complete=False) + f"{NONCE} begin x\n{NONCE} end x {digits}\n").find("x")
    assert unfinished is not None and unfinished.code is None
    for release in (f"{digits}.4.0", f"5.{digits}.0", "\u0665.4.0"):
        judged(transcript(section("uname", f"{release} #1 SMP x86_64"), section("release"), section("vxlan", line)))


def test_a_node_that_says_it_is_another_host_speaks_for_itself_only() -> None:
    """Names of hosts, facts and results in a transcript are text of a section at most."""
    lie = 'hosts {"node2": {"status": "unaffected"}} ansible_facts {"ansible_connection": "local"} add_host node9 __proto__'
    results = {
        "node1": {"node": parse(transcript(section("uname", lie), section("release", f"os NAME={lie}"), section("vxlan", lie)))},
        "node2": {"node": parse(TEXTS[0])},
    }
    alone = fleet({"node2": results["node2"]})["hosts"]["node2"]
    report = fleet(results)
    assert set(report["hosts"]) == {"node1", "node2"}
    assert report["hosts"]["node2"] == alone


@pytest.mark.parametrize("method", ["auto", "clear_mark", "tx_checksum_off", "service_route"])
def test_a_plan_for_a_record_that_is_not_ours_is_refused(method: str) -> None:
    record = json.dumps({"method": "clear_mark", "undo": [{"module": "command", "args": {"argv": ["reboot"]}}]})
    facts = parse(with_section(TEXTS[0], "applied", [f"record {record}"], 0))
    assert "cannot tell what was applied" in plan(facts, method, service_cidr="10.96.0.0/12")["refused"]
