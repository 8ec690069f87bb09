# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel table against kernels whose truth is known, or of which it is known that nobody can tell (tests/data/kernels)."""

from __future__ import annotations

import re

import pytest
import score
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernel_table, kernels

KNOWN = score.cases("known")
WILD = score.cases("wild")
STATUSES = ("affected", "fixed", "unknown")


@pytest.mark.parametrize("case", KNOWN + WILD, ids=lambda case: case["release"])
def test_kernel(case):
    expected = {"unknowable": "unknown"}.get(case["truth"], case["truth"])
    found = kernels.kernel_status(score.kernel(case))
    assert found["zero_checksum"] == expected, f"{case['why']} ({case['source']}); the table says: {found['reason']}"


def test_figures():
    """The figures of docs/kernels.md: none missed, none wrong."""
    assert score.counts() == {"right": 176, "honestly unknown": 45}


def test_each_row_of_the_data_says_why_and_from_where():
    keys = {"release", "version", "signature", "truth", "why", "source"}
    assert [case for case in KNOWN + WILD if not {"truth", "why", "source"} <= set(case) <= keys] == []


def test_the_reported_kernels_are_others_than_the_researched_ones():
    assert len(WILD) >= 40
    assert {case["release"] for case in WILD}.isdisjoint(case["release"] for case in KNOWN)
    assert [case for case in WILD if not re.match(r"[\w.-]+/[\w.-]+#\d+", case["source"])] == []


def test_an_unknown_kernel_is_told_what_to_read():
    for case in KNOWN + WILD:
        if case["truth"] == "unknowable":
            assert "read its changelog" in kernels.kernel_status(score.kernel(case))["reason"], case["release"]


def test_each_row_of_the_table_is_used_by_a_case():
    used = {kernels._row(score.kernel(case), case["release"], base)[0].vendor for case in KNOWN + WILD if (base := base_of(case))}
    unseen = {"RHEL 6 and rebuilds", "Virtuozzo 7, OpenVZ", "an unknown builder", "WSL 1", "openSUSE Tumbleweed",
              "Android, Armbian, QNAP, board support packages"}  # fmt: skip
    assert {row.vendor for row in kernel_table.VENDOR_ROWS} - used <= unseen


def base_of(case):
    return kernels.upstream_version(case["release"])


SUFFIXES = st.sampled_from(sorted({re.sub(r"^[\d.]+", "", case["release"]) for case in KNOWN + WILD}))
NUMBERS = st.tuples(st.integers(2, 9), st.integers(0, 30), st.integers(0, 300)).map(lambda parts: ".".join(map(str, parts)))
RELEASES = st.one_of(st.text(max_size=80), st.builds(str.__add__, NUMBERS, SUFFIXES), st.builds(str.__add__, NUMBERS, st.text(max_size=20)))
CHANGELOGS = st.fixed_dictionaries({"asked": st.booleans(), "line": st.text(max_size=40), "head": st.text(max_size=40),
                                    "newest": st.text(max_size=40), "oldest": st.text(max_size=40)})  # fmt: skip


@given(RELEASES, st.text(max_size=60), st.text(max_size=60), CHANGELOGS)
def test_any_kernel_gets_an_answer(release, version, signature, changelog):
    found = kernels.kernel_status({"release": release, "version": version, "version_signature": signature, "changelog": changelog})
    assert found["zero_checksum"] in STATUSES
    assert found["lco_checksum"] in STATUSES
    assert found["reason"]


@given(st.integers(5, 9), st.integers(0, 30), st.integers(0, 300), SUFFIXES)
def test_no_kernel_since_5_7_is_ever_affected(major, minor, patch, suffix):
    release = f"{major}.{minor}.{patch}{suffix}"
    if (major, minor) >= (5, 7) and (major, minor) != (5, 7) or ((major, minor) == (5, 7) and "rc" not in suffix):
        assert kernels.kernel_status({"release": release, "version": "#1 SMP Mon Feb 3 10:00:00 UTC 2020"})["zero_checksum"] == "fixed"


@given(SUFFIXES, st.integers(0, 40))
def test_no_kernel_is_fixed_without_a_reason_in_the_table(suffix, patch):
    """4.19 before 4.19.123 can be fixed by a vendor's own build number only."""
    release = f"4.19.{patch}{suffix}"
    if kernels.kernel_status({"release": release})["zero_checksum"] == "fixed":
        assert kernels._row({"release": release}, release, kernels.upstream_version(release))[0].fixed


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("2.6.32-754.el6.x86_64", "affected"),
        ("2.6.32-754.35.1.el6.x86_64", "unknown"),
        ("3.10.0-1160.105.1.vz7.214.3", "fixed"),
        ("3.10.0-1062.12.1.vz7.131.10", "unknown"),
        ("4.19.113-26203352", "unknown"),
        ("4.14.117-perf+", "unknown"),
        ("4.19.191-android12-9-00001-gabcdef123456", "fixed"),
        ("5.4.20-rockchip64", "unknown"),
        ("4.19.98-08076-g24ab33fb8e14", "unknown"),
        ("4.19.200-mine", "fixed"),
        ("4.4.0-19041-Microsoft", "unknown"),
        ("5.6.12-1-default", "affected"),
        ("5.6.14-1-default", "fixed"),
        ("4.18.0-193.14.2.el8.x86_64", "unknown"),
        ("4.18.0-80.30.1.el8_0.x86_64", "unknown"),
        ("4.18.0-193.13.2.rt13.65.el8_2.x86_64", "fixed"),
        ("5.4.40-1-lts", "affected"),
        ("5.4.43-1-lts", "fixed"),
        ("5.4.23-1.cm1", "affected"),
        ("4.14.35-1902.300.11.el7uek.x86_64", "unknown"),
        ("", "unknown"),
        ("custom-build", "unknown"),
    ],
)
def test_names_of_builders_that_nobody_reported(release, expected):
    assert kernels.kernel_status({"release": release})["zero_checksum"] == expected


@pytest.mark.parametrize(
    ("release", "day", "expected"),
    [
        ("4.14.105-19-0024", "Tue Mar 31 10:00:00 CST 2020", "affected"),
        ("4.14.105-19-0024", "Tue Mar 15 10:00:00 CST 2022", "unknown"),
        ("4.4.176-cip31", "Fri Mar 29 10:00:00 UTC 2019", "affected"),
        ("4.4.302-cip70", "Fri Oct 14 10:00:00 UTC 2022", "unknown"),
        ("4.19.100-cip20", "Fri Oct 14 10:00:00 UTC 2022", "affected"),
    ],
)
def test_a_number_that_goes_on_after_the_fix_proves_nothing(release, day, expected):
    assert kernels.kernel_status({"release": release, "version": f"#1 SMP {day}"})["zero_checksum"] == expected


@pytest.mark.parametrize(
    "kernel",
    [
        {"release": "\u0664.\u0661\u0669.\u0660"},
        {"release": "4.15.0-\u0664\u0664-generic"},
        {"release": "4." + "9" * 5000},
        {"release": "4.15.0-" + "9" * 5000 + "-generic"},
        {"release": "5.0.0-1-amd64", "version": "Debian 5.0." + "9" * 5000},
    ],
    ids=["arabic", "arabic_build", "long", "long_build", "long_debian"],
)
def test_numbers_that_are_none(kernel):
    assert kernels.kernel_status(kernel)["zero_checksum"] in STATUSES
