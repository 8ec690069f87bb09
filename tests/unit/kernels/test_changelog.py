# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both readers take from a kernel package's changelog: the probe with real shells and awks, the python reader in CPython."""

from __future__ import annotations

import gzip
import os
import re
import subprocess

import pytest

from ansible_collections.kubenet.vxlan_offload.plugins.action.node_info import PROBE
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import kernel as reader
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import kernel_status
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse

FIX = "netfilter: nat: never update the UDP checksum when it's 0"
RHEL_8_2 = f"""\
* Fri Jul 03 2020 Kernel Team <kernel@example.com> [4.18.0-193.13.2.el8_2]
- [x86] a change (Somebody) [1]

* Fri Jun 19 2020 Kernel Team <kernel@example.com> [4.18.0-193.10.1.el8_2]
- [net] {FIX} (Guillaume Nault) [1847128 1794714]
* not an entry: a line of text

* Mon Aug 13 2018 Kernel Team <kernel@example.com> [4.18.0-0.rc8.1.el8]
- first
"""
RHEL_7 = """\
* Thu Apr 01 2021 Kernel Team <kernel@example.com> [3.10.0-1160.25.1.el7]
- [fs] a change (Somebody) [2]

* Tue Oct 22 2013 Kernel Team <kernel@example.com> [3.10.0-41.el7]
- first
"""
SUSE_CUT = """\
* Tue May 04 2021 somebody@example.com
- Update patches.suse/net-something.patch (bsc#1).

* Wed Sep 02 2020 somebody@example.com
- the oldest entry that is left
"""
UBUNTU = f"""\
linux (5.3.0-76.72) bionic; urgency=medium

  * bionic/linux-hwe: 5.3.0-76.72 -proposed tracker (LP: #1)

  * Bionic update
    - {FIX}

 -- Kernel Team <kernel@example.com>  Tue, 02 Feb 2021 10:00:00 +0100

linux (5.3.0-10.11) eoan; urgency=medium

  * Empty entry

 -- Kernel Team <kernel@example.com>  Fri, 06 Sep 2019 10:00:00 +0200
"""
SIGNED = """\
linux-signed-hwe (5.3.0-76.72) bionic; urgency=medium

  * Main version: 5.3.0-76.72

 -- Kernel Team <kernel@example.com>  Tue, 02 Feb 2021 10:00:00 +0100

linux-signed-hwe (5.3.0-10.11) eoan; urgency=medium

  * Main version: 5.3.0-10.11

 -- Kernel Team <kernel@example.com>  Fri, 06 Sep 2019 10:00:00 +0200
"""

# name: release, documents by package, owners of /lib/modules/RELEASE/kernel, changelogs of packages, verdict
CASES = {
    "rhel_with_the_fix": (
        "4.18.0-193.13.2.el8_2.x86_64", {}, ["kernel-core-4.18.0-193.13.2.el8_2.x86_64"],
        {"kernel-core-4.18.0-193.13.2.el8_2.x86_64": RHEL_8_2}, "fixed"),
    "rhel_without_the_fix": (
        "3.10.0-1160.25.1.el7.x86_64", {}, ["kernel-3.10.0-1160.25.1.el7.x86_64"],
        {"kernel-3.10.0-1160.25.1.el7.x86_64": RHEL_7}, "affected"),
    "packages_of_other_builds_in_the_same_folder": (
        "3.10.0-1160.25.1.el7.x86_64", {},
        ["kmod-thing-1.0-3.10.0_1160.el7.x86_64", "kernel-3.10.0-1160.el7.x86_64", "kernel-3.10.0-1160.25.1.el7.x86_64"],
        {"kmod-thing-1.0-3.10.0_1160.el7.x86_64": RHEL_8_2, "kernel-3.10.0-1160.el7.x86_64": RHEL_8_2,
         "kernel-3.10.0-1160.25.1.el7.x86_64": RHEL_7}, "affected"),
    "only_packages_of_other_builds": (
        "3.10.0-1160.25.1.el7.x86_64", {}, ["kernel-3.10.0-1160.el7.x86_64"],
        {"kernel-3.10.0-1160.el7.x86_64": RHEL_8_2}, "unknown"),
    "suse_adds_a_rebuild_number_and_cuts_its_changelog": (
        "5.3.18-59.5-default", {}, ["kernel-default-5.3.18-59.5.2.x86_64"],
        {"kernel-default-5.3.18-59.5.2.x86_64": SUSE_CUT}, "unknown"),
    "ubuntu_modules_have_the_changelog": (
        "5.3.0-76-generic", {"linux-modules": UBUNTU, "linux-image": SIGNED}, [], {}, "fixed"),
    "ubuntu_image_has_that_of_its_signature": (
        "5.3.0-76-generic", {"linux-image": SIGNED}, [], {}, "unknown"),
    "no_package": ("5.3.0-76-generic", {}, [], {}, "unknown"),
}  # fmt: skip


@pytest.fixture(params=CASES, ids=str)
def node(request, tmp_path):
    """A node's files and an rpm that answers as rpm does."""
    release, documents, owners, changelogs, verdict = CASES[request.param]
    for name, text in documents.items():
        folder = tmp_path / "doc" / f"{name}-{release}"
        folder.mkdir(parents=True)
        (folder / "changelog.Debian.gz").write_bytes(gzip.compress(text.encode()))
    rpm = tmp_path / "bin" / "rpm"
    rpm.parent.mkdir()
    for name, text in changelogs.items():
        (rpm.parent / f"{name}.log").write_text(text)
    answer = "\n".join(owners) or f"file /lib/modules/{release}/kernel is not owned by any package"
    rpm.write_text(f"#!/bin/sh\ncase $1 in -qf) echo '{answer}' ;; *) cat \"{rpm.parent}/$3.log\" ;; esac\n")
    rpm.chmod(0o755)
    return release, tmp_path, verdict


def by_probe(release, folder, shell, awk):
    """The probe's kernel() with this shell and awk, read as on the controller."""
    (folder / "bin/awk").symlink_to(awk)
    text = PROBE.read_text(encoding="utf-8").replace("/usr/share/doc", str(folder / "doc"))
    # busybox sh would take the rpm of its own
    text = re.sub(r"(\$\(|&& )rpm -q", rf"\1{folder}/bin/rpm -q", text)
    text = text[: text.rindex("main </dev/null")] + f"changelog=1 N=nonce-nonce rel={release}\nkernel\n"
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(shell, input=text, env={"PATH": path, "LC_ALL": "C"}, capture_output=True, text=True, check=True)
    assert len(done.stdout.partition("begin changelog")[2]) < 700
    return parse(f"""\
vxlan-offload-probe 1 nonce-nonce
nonce-nonce begin self
Uid:\t0\t0\t0\t0
subset kernel
changelog 1
nonce-nonce end self 0
nonce-nonce begin uname
{release} #1 SMP x86_64
nonce-nonce end uname 0
{done.stdout}nonce-nonce complete
""")["kernel"]["changelog"]


def by_reader(release, folder):
    def run(argv):
        argv = [str(folder / "bin" / argv[0]), *argv[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return dict(reader.changelog(release, run, str(folder / "doc")), asked=True)


@pytest.mark.parametrize("awk", ["/usr/bin/mawk", "/usr/bin/busybox"])
@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash"]], ids=" ".join)
def test_the_probe_says_what_the_changelog_says(node, shell, awk):
    release, folder, verdict = node
    found = by_probe(release, folder, shell, awk)
    assert kernel_status({"release": release, "changelog": found})["zero_checksum"] == verdict


def test_both_readers_say_the_same(node):
    release, folder, _verdict = node
    assert by_reader(release, folder) == by_probe(release, folder, ["dash"], "/usr/bin/mawk")


HEAD = "linux (4.19.132-1) buster; urgency=medium"


@pytest.mark.parametrize(
    ("running", "head", "expected"),
    [
        ("#1 SMP Debian 4.19.132-1 (2020-07-24)", HEAD, True),
        ("#1 SMP Debian 4.19.118-2 (2020-04-29)", HEAD, False),
        ("#1 SMP Debian 4.19.118-2+deb10u1 (2020-06-07)", "linux-signed-amd64 (4.19.118+2+deb10u1) buster-security", True),
        ("#1 SMP", HEAD, True),
    ],
)
def test_a_package_upgraded_under_the_running_kernel_is_no_evidence(running, head, expected):
    entry = {"asked": True, "line": FIX, "head": head, "newest": "2020-07-24", "oldest": ""}
    found = kernel_status({"release": "4.9.0-12-amd64", "version": running, "changelog": entry})
    assert found["evidence"].endswith(FIX) is expected


def test_an_ubuntu_package_upgraded_under_the_running_kernel_is_no_evidence():
    entry = {"asked": True, "line": FIX, "head": "linux-azure (5.0.0-1036.38) bionic", "newest": "2020-07-24", "oldest": ""}
    kernel = {"release": "5.0.0-1036-azure", "version": "#37-Ubuntu SMP", "changelog": entry}
    for signature, expected in (("Ubuntu 5.0.0-1036.38-azure 5.0.21", "fixed"), ("Ubuntu 5.0.0-1036.37-azure 5.0.21", "unknown")):
        assert kernel_status({**kernel, "version_signature": signature})["zero_checksum"] == expected


def test_what_is_missing_from_the_changelog_of_another_build_is_no_evidence():
    entry = {"asked": True, "line": "", "head": "linux-azure (5.0.0-1036.38) bionic", "newest": "2020-07-24", "oldest": "2019-01-07"}
    kernel = {"release": "5.0.0-1036-azure", "version": "#37-Ubuntu SMP", "changelog": entry}
    for signature, expected in (("Ubuntu 5.0.0-1036.38-azure 5.0.21", "affected"), ("Ubuntu 5.0.0-1036.37-azure 5.0.21", "unknown")):
        assert kernel_status({**kernel, "version_signature": signature})["zero_checksum"] == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("5.3.18-59.5-default", "affected"),  # SUSE names each patch
        ("4.19.90-52.39.v2207.ky10.x86_64", "unknown"),  # whether Kylin does is not known
        ("5.4.17-2136.el8uek.x86_64", "unknown"),  # Oracle merges stable releases in one line
        ("4.9.253-tegra", "unknown"),
    ],
)
def test_a_missing_line_is_proof_only_where_every_patch_is_named(release, expected):
    entry = {"asked": True, "line": "", "newest": "2023-05-02", "oldest": "2019-01-07", "head": ""}
    assert kernel_status({"release": release, "changelog": entry})["zero_checksum"] == expected


def test_a_changelog_that_nobody_continued_is_no_evidence():
    entry = {"asked": True, "line": "", "newest": "2019-05-02", "oldest": "2019-01-07", "head": ""}
    kernel = {"release": "4.9.253-tegra", "version": "#1 SMP Tue Nov 16 14:42:35 UTC 2021", "changelog": entry}
    assert kernel_status(kernel)["zero_checksum"] == "unknown"
