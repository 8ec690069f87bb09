# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verdict is made of besides the name of the kernel; names: test_table.py."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernel_table, kernels

BUILT_2019 = "#1 SMP Wed Dec 4 10:00:00 UTC 2019"
BUILT_2021 = "#1 SMP Tue Nov 16 14:42:35 UTC 2021"

LINE = "- [net] netfilter: nat: never update the UDP checksum when it's 0 (Guillaume Nault) [1847128]"

BY_EVIDENCE = [
    (
        "debian_version_before_the_fix",
        {"release": "4.19.0-9-amd64", "version": "#1 SMP Debian 4.19.118-2+deb10u1 (2020-06-07)"},
        "affected",
    ),
    (
        "debian_version_with_the_fix",
        {"release": "4.19.0-10-amd64", "version": "#1 SMP Debian 4.19.132-1 (2020-07-24)"},
        "fixed",
    ),
    (
        "debian_backports_version",
        {"release": "5.4.0-0.bpo.4-amd64", "version": "#1 SMP Debian 5.4.19-1~bpo10+1 (2020-03-09)"},
        "affected",
    ),
    (
        "ubuntu_cloud_kernel_with_signature",
        {"release": "5.4.0-1022-azure", "version_signature": "Ubuntu 5.4.0-1022.22-azure 5.4.44"},
        "fixed",
    ),
    (
        "ubuntu_signature_before_the_fix",
        {"release": "5.4.0-1009-azure", "version_signature": "Ubuntu 5.4.0-1009.9-azure 5.4.34"},
        "affected",
    ),
    (
        "ubuntu_4_15_signature_says_nothing",
        {"release": "4.15.0-1077-azure", "version_signature": "Ubuntu 4.15.0-1077.82-azure 4.15.18"},
        "unknown",
    ),
    (
        "changelog_line_in_a_frozen_number",
        {"release": "4.19.90-52.39.v2207.ky10.x86_64", "changelog": {"asked": True, "line": LINE, "source": "rpm"}},
        "fixed",
    ),
    (
        "changelog_line_beats_the_table",
        {"release": "4.18.0-193.el8.x86_64", "changelog": {"asked": True, "line": LINE}},
        "fixed",
    ),
    (
        "another_changelog_line_proves_nothing",
        {"release": "5.4.17-2011.el8uek.x86_64", "changelog": {"asked": True, "line": "- udp: fix checksum"}},
        "unknown",
    ),
    (
        "changelog_that_ends_before_the_fix",
        {
            "release": "5.4.17-2011.el8uek.x86_64",
            "changelog": {"asked": True, "line": "", "newest": "* Mon Feb 03 2020 somebody [5.4.17-2011]"},
        },
        "affected",
    ),
    (
        "changelog_that_may_be_truncated",
        {"release": "5.4.17-2136.el8uek.x86_64", "changelog": {"asked": True, "line": "", "newest": "2023-05-02"}},
        "unknown",
    ),
    (
        "changelog_that_covers_the_months_of_the_fix",
        {
            "release": "5.3.18-59.5-default",
            "changelog": {"asked": True, "line": "", "newest": "2023-05-02", "oldest": "2019-01-07"},
        },
        "affected",
    ),
    ("old_build_of_an_unknown_vendor", {"release": "5.3.0-24-generic", "version": BUILT_2019}, "affected"),
    ("late_build_proves_nothing", {"release": "5.3.0-76-generic", "version": BUILT_2021}, "unknown"),
    ("made_up_date_proves_nothing", {"release": "5.3.0-76-generic", "version": "#1 Tue Jan 1 00:00:00 UTC 1980"}, "unknown"),
    ("late_build_of_an_old_stream", {"release": "3.10.0-1062.66.1.el7.x86_64", "version": BUILT_2021}, "unknown"),
    ("unreadable_kernel_facts", {"unknown": "probe was cut"}, "unknown"),
]


@pytest.mark.parametrize(("kernel", "expected"), [row[1:] for row in BY_EVIDENCE], ids=[row[0] for row in BY_EVIDENCE])
def test_release_and_evidence(kernel: dict, expected: str) -> None:
    assert kernels.kernel_status(kernel)["zero_checksum"] == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("3.10.0-1160.el7.x86_64", "unknown"),
        ("4.4.0-187-generic", "unknown"),
        ("4.6.0", "affected"),
        ("4.18.0-553.el8_10.x86_64", "affected"),
        ("6.18.44", "affected"),
    ],
)
def test_local_checksum_offload_is_fixed_nowhere_known(release: str, expected: str) -> None:
    assert kernels.kernel_status({"release": release})["lco_checksum"] == expected


def test_first_fixed_release_is_named_in_the_vendors_own_numbers() -> None:
    assert kernels.kernel_status({"release": "4.18.0-147.el8.x86_64"})["fixed_in"] == ""
    assert kernels.kernel_status({"release": "4.18.0-193.el8.x86_64"})["fixed_in"] == "4.18.0-193.10.1.el8_2"
    assert kernels.kernel_status({"release": "5.4.0-26-generic"})["fixed_in"] == "5.4.0-34.38"
    assert kernels.kernel_status({"release": "4.19.97"})["fixed_in"] == "4.19.123"


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ({"release": "5.4.0-42-generic", "version_signature": "Ubuntu 5.4.0-42.46-generic 5.4.44"}, "5.4.44"),
        ({"release": "4.19.0-9-amd64", "version": "#1 SMP Debian 4.19.118-2 (2020-04-29)"}, "4.19.118"),
        ({"release": "6.6.56-flatcar"}, "6.6.56"),
        ({"release": "4.18.0-193.el8.x86_64"}, ""),
        ({"release": "5.4.17-2011.1.2.el8uek.x86_64"}, ""),
        ({"release": "5.4.0-42-generic", "upstream": "5.4.44"}, "5.4.44"),
    ],
)
def test_upstream_base_only_where_something_states_it(kernel: dict, expected: str) -> None:
    assert kernels.kernel_status(kernel)["upstream"] == expected


@pytest.mark.parametrize("kernel", [{}, {"release": None}, {"release": 5.4}])
def test_missing_release_is_refused(kernel: dict) -> None:
    with pytest.raises(ValueError, match="give the output of uname -r"):
        kernels.kernel_status(kernel)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#1 SMP Tue Mar 31 23:36:51 UTC 2020", datetime.date(2020, 3, 31)),
        ("#1 SMP Fri Apr  3 09:00:01 AM CEST 2020", datetime.date(2020, 4, 3)),
        ("#1 SMP Debian 4.19.118-2 (2020-04-29)", datetime.date(2020, 4, 29)),
        ("* Wed May 20 2020 somebody <a@b> [4.18.0-202.el8]", datetime.date(2020, 5, 20)),
        (" -- somebody <a@b>  Mon, 25 May 2020 15:12:17 +0200", datetime.date(2020, 5, 25)),
        ("#1 SMP PREEMPT_DYNAMIC @0", None),
        ("#1 SMP Thu Jan  1 00:00:00 UTC 1970", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: datetime.date | None) -> None:
    assert kernels.build_date(text) == expected


@pytest.mark.parametrize("row", kernel_table.VENDOR_ROWS, ids=lambda row: row.vendor)
def test_each_vendor_row_can_decide_or_says_why_not(row: kernel_table.VendorRow) -> None:
    assert row.source
    assert row.upstream or row.affected or row.fixed or row.hint
