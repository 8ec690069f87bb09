# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels lack the fix of the ``zero_checksum`` defect. Data only; kernels.py reads it.

The fix is "netfilter: nat: never update the UDP checksum when it's 0" (ea64d8d6c675, Linux 5.7-rc5).
Vendors carry it under numbers of their own, so their rows come before any comparison with upstream numbers.
To extend the table, add a row above the more general ones of the same vendor: the first row that can read
its build number decides. A build that neither ``affected`` nor ``fixed`` covers is unknown, and the changelog is asked.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

# The words of the fix that every vendor kept; prefixes such as "[net] netfilter: nat:" differ.
FIX_SUBJECT = "never update the UDP checksum"
FIX_COMMIT = "ea64d8d6c675"
# First posted on this day: a kernel built before cannot have it. A later build proves nothing.
FIX_POSTED = datetime.date(2020, 4, 21)
# From this month on a changelog that is complete must mention the fix, if the vendor took it.
FIX_IN_STABLE = datetime.date(2020, 5, 14)

MAINLINE_FIXED = "5.7-rc5"
# First fixed release of the stable branches that received the fix (their announcement mails).
STABLE_FIXED = {"4.14": "4.14.181", "4.19": "4.19.123", "5.4": "5.4.41", "5.6": "5.6.13"}

# The outer checksum is filled by Local Checksum Offload since here (6ceb31ca5f65 made udpcsum the default).
LCO_SINCE = "4.6"
LCO_LAST_MEASURED = "6.18.44"


@dataclass(frozen=True)
class VendorRow:
    """One vendor's builds. ``release`` (a regular expression over ``uname -r``) says whose kernel it is.

    ``build`` is searched in the kernel fact named ``field``; its first group is the number to compare.
    ``affected`` and ``fixed`` are ``packaging`` specifiers for that number; ``upstream`` means the number is an
    upstream stable version and STABLE_FIXED decides. ``built_later`` is for streams that are maintained for years
    beside newer ones: there ``affected`` holds only for builds older than the fix, or of unknown date.
    """

    vendor: str
    release: str
    build: str
    source: str
    field: str = "release"
    affected: str = ""
    fixed: str = ""
    fixed_in: str = ""
    upstream: bool = False
    built_later: bool = False
    hint: str = ""


_RHEL8_BUILD = r"^4\.18\.0-(\d+(?:\.\d+)*)(?:\.rt[\d.]+)?\.el8"
_DEBIAN_ARCH = r"(?:amd64|arm64|686|686-pae|armmp|armmp-lpae|ppc64le|powerpc64le|s390x|i386)(?:-unsigned)?$"
_UBUNTU_FLAVOUR = (
    r"(?:generic|lowlatency|aws|azure|gcp|gke|gkeop|oracle|kvm|raspi2?|raspi-nolpae|snapdragon|oem|ibm|euclid|fips)"
    r"(?:-hwe|-lpae|-64k|-fde|-edge|-fips)?$"
)

VENDOR_ROWS = (
    # Red Hat Enterprise Linux 8 and its rebuilds. 193.10.el8 (CentOS Stream) is older than 193.10.1.el8_2.
    VendorRow(
        vendor="RHEL 8.2 stream",
        release=r"^4\.18\.0-193\..*\.el8|^4\.18\.0-193\.el8",
        build=_RHEL8_BUILD,
        affected="<193.10.1",
        fixed=">=193.10.1",
        fixed_in="4.18.0-193.10.1.el8_2",
        source="kernel.spec changelog of 4.18.0-193.13.2.el8_2",
    ),
    VendorRow(
        vendor="RHEL 8.1 stream",
        release=r"^4\.18\.0-147\..*\.el8|^4\.18\.0-147\.el8",
        build=_RHEL8_BUILD,
        affected="<=147.8.1",
        built_later=True,
        source="kernel.spec changelogs of 147.0.2 to 147.8.1, which lack the entry",
        hint="extended-update builds after 147.8.1 were not seen",
    ),
    VendorRow(
        vendor="RHEL 8.0 stream",
        release=r"^4\.18\.0-80\..*\.el8|^4\.18\.0-80\.el8",
        build=_RHEL8_BUILD,
        affected="<=80.11.2",
        built_later=True,
        source="kernel.spec changelogs of the 4.18.0-80 stream, which lack the entry",
        hint="extended-update builds after 80.11.2 were not seen",
    ),
    VendorRow(
        vendor="RHEL 8",
        release=r"^4\.18\.0-.*\.el8",
        build=_RHEL8_BUILD,
        affected="<202",
        fixed=">=202",
        fixed_in="4.18.0-202.el8",
        source="kernel.spec changelog of 4.18.0-211.el8",
    ),
    VendorRow(
        vendor="RHEL 7",
        release=r"^3\.10\.0-.*\.el7",
        build=r"^3\.10\.0-(\d+(?:\.\d+)*)(?:\.rt[\d.]+)?\.el7",
        affected="<=1127",
        built_later=True,
        source="3.10.0-1127.el7 was built before the fix was written",
        hint="a back-port arrived between 1127 and 1160.102.1, the exact build is not known",
    ),
    # Ubuntu: the ABI number decides, or the upstream base in /proc/version_signature where Ubuntu moves it.
    VendorRow(
        vendor="Ubuntu 5.4",
        release=rf"^5\.4\.0-\d+-{_UBUNTU_FLAVOUR}",
        field="version_signature",
        build=r"^Ubuntu \S+ (5\.4\.\d+)",
        upstream=True,
        source="/proc/version_signature",
    ),
    VendorRow(
        vendor="Ubuntu 5.4 generic",
        release=r"^5\.4\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^5\.4\.0-(\d+)-",
        affected="<34",
        fixed=">=34",
        fixed_in="5.4.0-34.38",
        source="changelog of linux 5.4.0-34.38 (LP#1878649, v5.4.41)",
    ),
    VendorRow(
        vendor="Ubuntu 5.4 aws",
        release=r"^5\.4\.0-1\d{3}-aws",
        build=r"^5\.4\.0-(\d+)-",
        affected="<1012",
        fixed=">=1012",
        fixed_in="5.4.0-1012.12",
        source="changelog of linux-aws 5.4.0-1012.12",
    ),
    VendorRow(
        vendor="Ubuntu 4.15 generic",
        release=r"^4\.15\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^4\.15\.0-(\d+)-",
        affected="<=106",
        fixed=">=109",
        fixed_in="4.15.0-109.110",
        source="changelog of linux 4.15.0-109.110 (LP#1880014)",
        hint="107 and 108 are respins whose changelogs disagree",
    ),
    VendorRow(
        vendor="Ubuntu 4.4 generic",
        release=r"^4\.4\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^4\.4\.0-(\d+)-",
        affected="<=187",
        source="source of linux 4.4.0-187, which still has the old code; upstream 4.4 never got the fix",
    ),
    VendorRow(
        vendor="Ubuntu",
        release=rf"^\d+\.\d+\.0-\d+-{_UBUNTU_FLAVOUR}",
        build=r"^\d+\.\d+\.0-(\d+)-",
        source="uname -r",
        hint="the first fixed build of this Ubuntu kernel is not known",
    ),
    # Debian: uname -r is an ABI name (4.19.0-9 is 4.19.118); uname -v has the real version.
    VendorRow(
        vendor="Debian",
        release=_DEBIAN_ARCH,
        field="version",
        build=r"Debian (\d+\.\d+\.\d+)",
        upstream=True,
        source="uname -v",
    ),
    VendorRow(
        vendor="Debian 10",
        release=rf"^4\.19\.0-\d+-(?:cloud-|rt-)?{_DEBIAN_ARCH}",
        build=r"^4\.19\.0-(\d+)",
        affected="<=9",
        fixed=">=10",
        fixed_in="4.19.132-1 (4.19.0-10)",
        source="Debian kernel names: 4.19.0-9 is 4.19.118, 4.19.0-10 is 4.19.132",
    ),
    VendorRow(
        vendor="Debian before 10",
        release=rf"^(?:3|4)\.\d+\.0-.*{_DEBIAN_ARCH}",
        build=r"^(\d+\.\d+)\.",
        affected="<4.19",
        source="no upstream branch before 4.19 that Debian used has the fix",
    ),
    # Vendors that freeze the upstream number and patch under it.
    VendorRow(
        vendor="openEuler 20.03",
        release=r"^4\.19\.90-\d{4}\..*\.(?:oe1|uel20)",
        build=r"^4\.19\.90-(\d{4}(?:\.\d+)+)\.(?:oe1|uel20)",
        affected="<=2008.2.0.42",
        source="kernel.spec changelog up to 4.19.90-2008.2.0.0042, which lacks the entry",
        hint="later builds were not seen",
    ),
    VendorRow(
        vendor="openEuler 20.09",
        release=r"^4\.19\.(?:12[6-9]|1[3-9]\d)-.*\.oe1",
        build=r"^(4\.19\.\d+)-",
        upstream=True,
        source="kernel.spec, which merges upstream 4.19.123 as a whole",
    ),
    VendorRow(
        vendor="TencentOS 4.14",
        release=r"^4\.14\.105-\d+(?:-|\.).*",
        build=r"^(4\.14\.\d+)-",
        affected="==4.14.105",
        source="TencentOS-kernel, all public branches of 4.14.105",
    ),
    VendorRow(
        vendor="TencentOS",
        release=r"tlinux",
        build=r"^(\d+\.\d+\.\d+)-",
        fixed=">=5.4.87,<5.5",
        fixed_in="5.4.87",
        source="TencentOS-kernel, all public branches of 5.4",
    ),
    VendorRow(
        vendor="Amazon Linux 4.14",
        release=r"^4\.14\..*\.amzn",
        build=r"^(4\.14\.\d+)-",
        fixed=">=4.14.181",
        fixed_in="4.14.181",
        source="uname -r: Amazon follows upstream stable",
        hint="probably affected, but Amazon may have taken the fix alone",
    ),
    VendorRow(
        vendor="Proxmox",
        release=r"^(?:4\.15|5\.0|5\.3)\..*-pve",
        build=r"^(\d+\.\d+)",
        source="uname -r",
        hint="Ubuntu-derived, the first fixed build is not known",
    ),
    VendorRow(
        vendor="Alibaba Cloud Linux",
        release=r"\.(?:al|an)[78]\b",
        build=r"^(\d+\.\d+)",
        source="uname -r",
        hint="a back-port exists, its build number is not known",
    ),
    VendorRow(
        vendor="a vendor that freezes the upstream number",
        release=r"uek|eulerosv|\.ky10|\.oe1|\.oe2|\.uel|-default$|-azure$|lp15|\.el\d+a\b",
        build=r"^(\d+\.\d+)",
        source="uname -r",
        hint="its number says nothing about back-ports",
    ),
    VendorRow(
        vendor="an unknown vendor",
        release=r"^\d+\.\d+\.0-\d+",
        build=r"^(\d+\.\d+)",
        source="uname -r",
        hint="the release looks like a frozen name, not like an upstream version",
    ),
)
