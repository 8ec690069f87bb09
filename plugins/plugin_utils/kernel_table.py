# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels lack the fix of the ``zero_checksum`` defect. Data only; kernels.py reads it, docs/kernels.md is written from it.

The fix is "netfilter: nat: never update the UDP checksum when it's 0" (ea64d8d6c675, Linux 5.7-rc5).
Vendors carry it under numbers of their own, so their rows come before any comparison with upstream numbers.
To extend the table, add a row above the more general ones of the same vendor: the first row that can read
its build number decides. A build that neither ``affected`` nor ``fixed`` covers is unknown, and the changelog is asked.
A build that was seen in public before the fix was posted is affected: its source is that sighting and its day.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

# The words of the fix that every vendor kept; prefixes such as "[net] netfilter: nat:" differ.
FIX_SUBJECT = "never update the UDP checksum"
FIX_COMMIT = "ea64d8d6c675"
# First posted on this day: a kernel built before cannot have it. A later build proves nothing.
FIX_POSTED = datetime.date(2020, 4, 21)

MAINLINE_FIXED = "5.7-rc5"
# First fixed release of the stable branches that received the fix (their announcement mails).
STABLE_FIXED = {"4.14": "4.14.181", "4.19": "4.19.123", "5.4": "5.4.41", "5.6": "5.6.13"}

# The outer checksum is filled by Local Checksum Offload since here (6ceb31ca5f65 made udpcsum the default).
LCO_SINCE = "4.6"
LCO_LAST_MEASURED = "6.18.44"


@dataclass(frozen=True)
class VendorRow:
    """One vendor's builds. ``release`` (a regular expression over ``uname -r``) says whose kernel it is.

    ``build`` is searched in the kernel fact named ``field``; its first group is the number to compare, without it the
    upstream number of ``uname -r`` is. ``affected`` and ``fixed`` are ``packaging`` specifiers for that number.

    ``upstream``: the vendor takes stable releases whole, so STABLE_FIXED decides.
    ``picks``: it may also take single fixes on top, so a number below the fix proves nothing.
    ``built_later``: a stream maintained for years beside newer ones: ``affected`` does not hold for builds dated after the fix.
    ``lists_fixes``: the vendor's changelog names every patch, so that a fix that is missing there is missing in the kernel.
    """

    vendor: str
    release: str
    source: str
    build: str = ""
    field: str = "release"
    affected: str = ""
    fixed: str = ""
    fixed_in: str = ""
    upstream: bool = False
    picks: bool = False
    built_later: bool = False
    lists_fixes: bool = False
    hint: str = ""


_RHEL8_BUILD = r"^4\.18\.0-(\d+(?:\.\d+)*)(?:\.rt[\d.]+)?\.el8"
_DEBIAN_ARCH = r"(?:amd64|arm64|686|686-pae|armmp|armmp-lpae|ppc64le|powerpc64le|s390x|i386)(?:-unsigned)?$"
_UBUNTU_FLAVOUR = (
    r"(?:generic|lowlatency|aws|azure|gcp|gke|gkeop|oracle|kvm|raspi2?|raspi-nolpae|snapdragon|oem|ibm|euclid|fips"
    r"|iot|bluefield|dell300x|nvidia|intel|xilinx-zynqmp|server|virtual)(?:-hwe|-lpae|-64k|-fde|-edge|-fips|-pae|-iotg)?$"
)
_UBUNTU = rf"^\d+\.\d+\.0-\d+-{_UBUNTU_FLAVOUR}"

# Trees between 5.7-rc3 and 5.7-rc5: the fix was committed on 2020-04-29, after rc3.
_CANDIDATES = (
    VendorRow(
        vendor="a tree between 5.7-rc3 and 5.7-rc5",
        release=r"^5\.7(?:\.0)?-(?:0\.|0507\d\d)?rc[34].*(?:git|next|-g[0-9a-f]{7}|\+)",
        build=r"rc([34])",
        source="the fix was committed to net on 2020-04-29, between 5.7-rc3 and 5.7-rc5",
        hint="the day of the snapshot is not known",
    ),
)

_RED_HAT = (
    VendorRow(
        vendor="RHEL 8.2 (el8_2)",
        release=r"^4\.18\.0-193\..*\.el8_2|^4\.18\.0-193\.el8",
        build=_RHEL8_BUILD,
        affected="<193.10.1",
        fixed=">=193.10.1",
        fixed_in="4.18.0-193.10.1.el8_2",
        lists_fixes=True,
        source="kernel.spec changelog of 4.18.0-193.13.2.el8_2 [1847128 1794714]; absent in 193.1.2 and 193.6.3",
    ),
    # 193.10.el8 is older than 193.10.1.el8_2 and lacks the fix: without _2 it is another stream.
    VendorRow(
        vendor="CentOS Stream 8, 193",
        release=r"^4\.18\.0-193\.\d.*\.el8(?!_)",
        build=_RHEL8_BUILD,
        affected="<=193.10",
        lists_fixes=True,
        source="kernel.spec changelog of 4.18.0-193.10.el8 (2020-04-18), which lacks the entry",
        hint="builds of this stream between 193.10 and 202 were not seen",
    ),
    VendorRow(
        vendor="RHEL 8.1",
        release=r"^4\.18\.0-147(?:\.\d+)*(?:\.rt[\d.]+)?\.el8",
        build=_RHEL8_BUILD,
        affected="<=147.8.1",
        built_later=True,
        lists_fixes=True,
        source="kernel.spec changelogs of 147.0.2 to 147.8.1, which lack the entry",
        hint="extended-update builds after 147.8.1 were not seen",
    ),
    VendorRow(
        vendor="RHEL 8.0",
        release=r"^4\.18\.0-80(?:\.\d+)*(?:\.rt[\d.]+)?\.el8",
        build=_RHEL8_BUILD,
        affected="<=80.11.2",
        built_later=True,
        lists_fixes=True,
        source="kernel.spec changelogs of the 4.18.0-80 stream, which lack the entry",
        hint="extended-update builds after 80.11.2 were not seen",
    ),
    VendorRow(
        vendor="RHEL 8 and rebuilds, CentOS Stream 8",
        release=r"^4\.18\.0-.*\.el8",
        build=_RHEL8_BUILD,
        affected="<202",
        fixed=">=202",
        fixed_in="4.18.0-202.el8",
        lists_fixes=True,
        source="kernel.spec changelog of 4.18.0-211.el8, entry 4.18.0-202.el8 (2020-05-20) [1794714]",
    ),
    VendorRow(
        vendor="Virtuozzo 7, OpenVZ",
        release=r"^3\.10\.0-.*\.vz7",
        build=r"^3\.10\.0-(\d+(?:\.\d+)*)\.vz7",
        fixed=">=1160.102.1",
        fixed_in="3.10.0-1160.102.1.vz7",
        source="OpenVZ/vzkernel commit 6fb05dcb",
        hint="older builds of this tree were not seen",
    ),
    VendorRow(
        vendor="RHEL 7 and rebuilds",
        release=r"^3\.10\.0-.*\.el7",
        build=r"^3\.10\.0-(\d+(?:\.\d+)*)(?:\.rt[\d.]+)?\.el7",
        affected="<=1127",
        built_later=True,
        lists_fixes=True,
        source="3.10.0-1127.el7 was imported on 2020-03-31, before the fix was posted",
        hint="a back-port arrived after 1127, at 1160.102.1 at the latest; the exact build is not known",
    ),
    VendorRow(
        vendor="RHEL 6 and rebuilds",
        release=r"^2\.6\.32-.*\.el6",
        build=r"^2\.6\.32-(\d+(?:\.\d+)*)\.el6",
        affected="<=754",
        built_later=True,
        lists_fixes=True,
        source="RHEL 6.10 (2.6.32-754.el6) came on 2018-06-19 (RedHatInsights/insights-core#1215)",
        hint="later builds were not seen",
    ),
)

_UBUNTU_ROWS = (
    # Vanilla kernels that Ubuntu builds: their ABI number repeats the upstream version.
    VendorRow(
        vendor="Ubuntu mainline builds",
        release=r"^\d+\.\d+\.\d+-0[3-7]\d{4,5}(?:rc\d+)?-(?:generic|lowlatency)",
        upstream=True,
        source="built from upstream tags without patches",
    ),
    # The ABI number decides, or the upstream base in /proc/version_signature where Ubuntu moves it.
    VendorRow(
        vendor="Ubuntu 5.4 with /proc/version_signature",
        release=rf"^5\.4\.0-\d+-{_UBUNTU_FLAVOUR}",
        field="version_signature",
        build=r"^Ubuntu \S+ (5\.4\.\d+)",
        upstream=True,
        lists_fixes=True,
        source="Ubuntu states there which stable release it has taken",
    ),
    VendorRow(
        vendor="Ubuntu 5.4 generic, lowlatency",
        release=r"^5\.4\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^5\.4\.0-(\d+)-",
        affected="<34",
        fixed=">=34",
        fixed_in="5.4.0-34.38",
        lists_fixes=True,
        source="changelog of linux 5.4.0-34.38 (2020-05-25, LP#1878649, v5.4.41)",
    ),
    VendorRow(
        vendor="Ubuntu 5.4 aws",
        release=r"^5\.4\.0-1\d{3}-aws",
        build=r"^5\.4\.0-(\d+)-",
        affected="<1012",
        fixed=">=1012",
        fixed_in="5.4.0-1012.12",
        lists_fixes=True,
        source="changelog of linux-aws 5.4.0-1012.12",
    ),
    VendorRow(
        vendor="Ubuntu 5.4 azure",
        release=r"^5\.4\.0-1\d{3}-azure",
        build=r"^5\.4\.0-(\d+)-",
        fixed=">=1067",
        lists_fixes=True,
        source="1067 is of January 2022 (Azure/AKS#2749): flavours are rebased on each generic build, which has the fix since 34",
        hint="the first fixed build of this flavour is not known",
    ),
    VendorRow(
        vendor="Ubuntu 5.3 generic, lowlatency",
        release=r"^5\.3\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^5\.3\.0-(\d+)-",
        affected="<=39",
        lists_fixes=True,
        source="5.3.0-39 was built before the fix was posted",
        hint="the first fixed build is not known",
    ),
    VendorRow(
        vendor="Ubuntu 5.0 generic, lowlatency",
        release=r"^5\.0\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^5\.0\.0-(\d+)-",
        affected="<=41",
        lists_fixes=True,
        source="5.0.0-41.45 was the newest on 2020-03-03 (rancher/k3os#392)",
        hint="the first fixed build is not known",
    ),
    VendorRow(
        vendor="Ubuntu 4.15 generic, lowlatency",
        release=r"^4\.15\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^4\.15\.0-(\d+)-",
        affected="<=106",
        fixed=">=109",
        fixed_in="4.15.0-109.110",
        lists_fixes=True,
        source="changelog of linux 4.15.0-109.110 (2020-06-22, LP#1880014)",
        hint="107 and 108 are respins whose changelogs disagree",
    ),
    VendorRow(
        vendor="Ubuntu 4.15 azure",
        release=r"^4\.15\.0-1\d{3}-azure",
        build=r"^4\.15\.0-(\d+)-",
        affected="<=1057",
        lists_fixes=True,
        source="4.15.0-1057-azure was delivered on 2019-09-10 (Azure/AKS#1204)",
        hint="the first fixed build of this flavour is not known",
    ),
    VendorRow(
        vendor="Ubuntu 4.4 generic, lowlatency",
        release=r"^4\.4\.0-\d{1,3}-(?:generic|lowlatency)",
        build=r"^4\.4\.0-(\d+)-",
        affected="<=187",
        lists_fixes=True,
        source="source of linux 4.4.0-187 (2020-08-15), which still has the old code; upstream 4.4 never got the fix",
        hint="later builds were not seen",
    ),
    VendorRow(
        vendor="Ubuntu 4.18 azure",
        release=r"^4\.18\.0-1\d{3}-azure",
        build=r"^4\.18\.0-(\d+)-",
        affected="<=1020",
        lists_fixes=True,
        source="4.18.0-1020 came on 2019-06-19 (Azure/aks-engine#1497)",
        hint="later builds were not seen",
    ),
    VendorRow(
        vendor="Ubuntu, other flavours and versions",
        release=_UBUNTU,
        build=r"^\d+\.\d+\.0-(\d+)-",
        lists_fixes=True,
        source="uname -r",
        hint="the first fixed build of this flavour is not known",
    ),
)

_DEBIAN = (
    # uname -r is an ABI name (4.19.0-9 is 4.19.118); uname -v has the real version.
    VendorRow(
        vendor="Debian, by uname -v",
        release=_DEBIAN_ARCH,
        field="version",
        build=r"Debian (\d+\.\d+\.\d+)",
        upstream=True,
        source="Debian states there which stable release it has taken",
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
        hint="uname -v has the real version",
    ),
)

_SUSE = (
    VendorRow(
        vendor="SLES 12 SP5",
        release=r"^4\.12\.14-12[02]\.",
        build=r"^4\.12\.14-(\d+(?:\.\d+)*)-",
        affected="<=122.17",
        built_later=True,
        lists_fixes=True,
        source="4.12.14-122.17 was there on 2020-03-26 (rancher/rancher#26287)",
        hint="SUSE keeps the number 4.12.14 and patches below it (bsc#1176447)",
    ),
    VendorRow(
        vendor="openSUSE Tumbleweed",
        release=r"^5\.[456]\.\d+-1-(?:default|preempt)$",
        upstream=True,
        source="Tumbleweed takes each stable release; -1- is the build of the package",
    ),
    VendorRow(
        vendor="SLES 12, 15 before SP4, Leap before 15.4",
        release=r"-(?:default|preempt|azure|rt)$|lp15",
        build=r"^(\d+\.\d+)",
        lists_fixes=True,
        source="SUSE carries the fix for such a tree (bsc#1176447), under numbers that were not seen",
        hint="SUSE keeps the upstream number and patches below it",
    ),
)

# Vendors that keep the upstream number for years and patch below it.
_FROZEN = (
    VendorRow(
        vendor="openEuler 20.03, UOS Server 20 of the same number",
        release=r"^4\.19\.90-\d{4}\..*\.(?:oe1|uel20)",
        build=r"^4\.19\.90-(\d{4}(?:\.\d+)+)\.(?:oe1|uel20)",
        affected="<=2008.2.0.42",
        lists_fixes=True,
        source="kernel.spec changelog up to 4.19.90-2008.2.0.0042, which lacks the entry",
        hint="later builds were not seen",
    ),
    VendorRow(
        vendor="openEuler 20.09",
        release=r"^4\.19\.(?:12[6-9]|1[3-9]\d)-.*\.oe1",
        upstream=True,
        lists_fixes=True,
        source="kernel.spec, which merges upstream 4.19.123 as a whole",
    ),
    VendorRow(
        vendor="TencentOS 4.14",
        release=r"^4\.14\.105-\d+(?:-|\.).*",
        affected="==4.14.105",
        built_later=True,
        source="Tencent/TencentOS-kernel, all 56 public references of 4.14.105",
        hint="Tencent keeps the number 4.14.105 and merges patches below it",
    ),
    VendorRow(
        vendor="TencentOS 5.4",
        release=r"tlinux",
        fixed=">=5.4.87,<5.5",
        fixed_in="5.4.87",
        source="Tencent/TencentOS-kernel commit dce45bbf, all 235 public references of 5.4",
        hint="older trees were not seen",
    ),
    VendorRow(
        vendor="Oracle UEK5",
        release=r"^4\.14\.35-.*uek",
        build=r"^4\.14\.35-(\d+(?:\.\d+)*)\.el",
        affected="<=1902.8.4",
        built_later=True,
        source="4.14.35-1902.8.4 was there on 2020-03-12 (rancher/rancher#25192)",
        hint="Oracle keeps the number 4.14.35 and merges patches below it",
    ),
    VendorRow(
        vendor="Oracle UEK before 7",
        release=r"uek",
        build=r"^(\d+\.\d+)",
        source="linux-uek's spec keeps the base number and has no history",
        hint="Oracle keeps the upstream number and merges patches below it",
    ),
    VendorRow(
        vendor="Alibaba Cloud Linux, Anolis OS",
        release=r"\.(?:al|an)[78]\b",
        affected="<=4.19.34",
        source="Anolis 4.19 tree, nf_nat_proto_udp.c has the fix (anolis_perf 923730d)",
        hint="a back-port exists, its build number is not known; some names have a commit in place of a number",
    ),
    VendorRow(
        vendor="Kylin, EulerOS, later openEuler, UOS, RHEL-ALT",
        release=r"eulerosv|\.ky\d|\.oe1|\.oe2|\.uel|deepin|uos|\.el\d+a\b|hulk",
        build=r"^(\d+\.\d+)",
        source="uname -r; no public list of what a build contains",
        hint="its number says nothing about back-ports",
    ),
    VendorRow(
        vendor="NVIDIA Jetson",
        release=r"-tegra",
        upstream=True,
        picks=True,
        source="4.9.253-tegra was still built in 2022, 4.9.337-tegra in 2023 (k3s-io/k3s#6171, #11727)",
        hint="NVIDIA patches its own tree; upstream 4.9 never got the fix",
    ),
    VendorRow(
        vendor="Synology DSM",
        release=r"^(?:3\.10\.10[258]|4\.4\.(?:59|180|302))\+?$",
        upstream=True,
        picks=True,
        source="3.10.105 was still built on 2024-08-20 (telnetdoogie/synology-docker#56)",
        hint="may be Synology's, which keeps the number for years; upstream never fixed the branch",
    ),
    VendorRow(
        vendor="Android, Armbian, QNAP, board support packages",
        release=r"-(?:perf|android|qgki|gki|imx|xilinx|ti-|qnap|rk\d{4}|meson64|rockchip|sunxi|odroid|mvebu)|_imx",
        upstream=True,
        picks=True,
        source="uname -r; a number not below the fix was merged from upstream",
        hint="device vendors keep a number and patch below it",
    ),
)

# Vendors that build from upstream stable releases.
_FOLLOWERS = (
    VendorRow(
        vendor="Amazon Linux 4.14",
        release=r"^4\.14\..*\.amzn",
        affected="<=4.14.154",
        upstream=True,
        picks=True,
        source="4.14.154-128.181.amzn2 was built on 2019-11-16 (aws/containers-roadmap#175)",
        hint="probably affected, but Amazon may have taken the fix alone",
    ),
    VendorRow(
        vendor="Amazon Linux, other branches; Bottlerocket",
        release=r"\.amzn",
        upstream=True,
        source="bottlerocket 620a38ad, f46ddba7: from 5.4.38-17.76 to 5.4.46-19.75",
    ),
    VendorRow(
        vendor="Proxmox before 4.14",
        release=r"^4\.(?:4|8|10|13)\..*-pve",
        build=r"^(\d+\.\d+)",
        affected="<4.14",
        built_later=True,
        source="branches that ended in 2018, before the fix was posted",
        hint="built after the branch had ended",
    ),
    VendorRow(
        vendor="Proxmox",
        release=r"-pve",
        upstream=True,
        picks=True,
        source="uname -r has the upstream base of an Ubuntu tree",
        hint="Ubuntu-derived, the first fixed build below that base is not known",
    ),
    VendorRow(
        vendor="Photon OS 1, 2 and 3",
        release=r"\.ph[123]\b",
        upstream=True,
        source="vmware/photon linux.spec: 4.19.115 to 4.19.124-1.ph3 (2020-05-28); no such patch beside the stable releases",
    ),
    VendorRow(
        vendor="Container Linux, Flatcar, Talos, RancherOS, LinuxKit",
        release=r"-(?:coreos|flatcar|talos|rancher|linuxkit)(?:-?r?\d+|-aufs)?$",
        upstream=True,
        source="flatcar/scripts 12202cfd4b (4.19.124, 5.4.42); rancher/os#2311; docker/for-mac#4560",
    ),
    VendorRow(
        vendor="WSL 2",
        release=r"-microsoft-standard",
        upstream=True,
        source="microsoft/WSL2-Linux-Kernel merges stable releases",
    ),
    VendorRow(
        vendor="WSL 1",
        release=r"-Microsoft$",
        build=r"^(\d+\.\d+)",
        source="microsoft/WSL#767",
        hint="this is no Linux kernel and has no VXLAN",
    ),
    VendorRow(
        vendor="ELRepo kernel-lt and kernel-ml, CentOS 7 altarch",
        release=r"\.elrepo\.|^(?:4\.19|5\.4)\.\d+-[23]00\.el7",
        upstream=True,
        source="packages of upstream releases; MafSam c7-sig-altarch-kernelexp and lts-5-4",
    ),
    VendorRow(
        vendor="Fedora",
        release=r"\.fc\d+",
        upstream=True,
        source="Fedora's kernel.spec takes each stable release",
    ),
    VendorRow(
        vendor="Arch Linux, Gentoo, Alpine, Void",
        release=r"-(?:arch\d|\d*-?ARCH$|gentoo|zen\d)|-\d+-(?:lts|virt|vanilla|hardened|rpi\d?)$|^\d+\.\d+\.\d+_\d+$|-gentoo-",
        upstream=True,
        source="packages of upstream releases",
    ),
    VendorRow(
        vendor="Raspberry Pi OS",
        release=r"^\d+\.\d+\.\d+-v(?:6|7|7l|8)\+?$|-rpi\d?-v",
        upstream=True,
        source="raspberrypi/linux merges stable releases (agherzan/meta-raspberrypi#601)",
    ),
    VendorRow(
        vendor="CIP 4.4",
        release=r"^4\.4\.\d+-cip\d+$",
        upstream=True,
        picks=True,
        source="CIP maintains 4.4 after upstream's last release, 4.4.302",
        hint="CIP may have added the fix, which upstream 4.4 never got",
    ),
    VendorRow(
        vendor="Clear Linux, XanMod, Liquorix, CIP",
        release=r"-\d+\.(?:native|kvm|lts\d+|aws|hyperv)$|-xanmod|-liquorix|-cip\d+$",
        upstream=True,
        source="packages of upstream releases (clearlinux/distribution#528, miraclelinux/meta-emlinux#24)",
    ),
    VendorRow(
        vendor="CBL-Mariner, Azure Linux",
        release=r"\.(?:cm|azl)\d",
        upstream=True,
        source="kernel.spec: microsoft/azurelinux#59 went from an older base to 5.4.51",
    ),
)

_ANYBODY = (
    VendorRow(
        vendor="a name with a frozen number",
        release=r"^\d+\.\d+\.0-\d+",
        build=r"^(\d+\.\d+)",
        source="uname -r",
        hint="the release looks like a frozen name, not like an upstream version",
    ),
    VendorRow(
        vendor="Container-Optimized OS, trees with commits of their own",
        release=r"\+|-\d+-g[0-9a-f]{7,}",
        upstream=True,
        picks=True,
        source="scripts/setlocalversion: + or -g and a commit say that there are commits on top of the release",
        hint="commits on top of the upstream release may include the fix",
    ),
    VendorRow(
        vendor="upstream (kernel.org)",
        release=r"^\d+(?:\.\d+)+(?:-rc\d+)?$",
        upstream=True,
        source="announcement mails of 5.4.41 (2020-05-14), 4.14.181 (2020-05-20), 4.19.123 and 5.6.13",
    ),
    VendorRow(
        vendor="an unknown builder",
        release=r"",
        upstream=True,
        picks=True,
        source="uname -r; a number not below the fix was merged from upstream",
        hint="whoever built it may have added the fix",
    ),
)

VENDOR_ROWS = _CANDIDATES + _RED_HAT + _UBUNTU_ROWS + _DEBIAN + _SUSE + _FROZEN + _FOLLOWERS + _ANYBODY
