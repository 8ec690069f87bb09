# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/build_collection.py: the same files give the same bytes. That whole builds do is checked by tests/ci/steps/dist.sh."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import build_collection  # noqa: E402

EPOCH = 1_700_000_000
FILES = {"MANIFEST.json": b"{}", "plugins/a.py": b"a = 1\n", "plugins/run.sh": b"#!/bin/sh\n"}


def archive(names: list[str], mtime: float = 1.5, mode: int = 0o600, uid: int = 1000, compress: int = 1) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile("some-name", "wb", compress, packed, mtime=mtime) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uid, member.uname = len(FILES[name]), mtime, uid, "somebody"
            member.mode = mode | 0o100 if name.endswith(".sh") else mode
            tar.addfile(member, io.BytesIO(FILES[name]))
    return packed.getvalue()


def test_times_owners_modes_order_and_the_gzip_header_do_not_matter():
    names = list(FILES)
    one = archive(names)
    other = archive(names[::-1], mtime=99.25, mode=0o644, uid=7, compress=9)
    assert one != other
    assert build_collection.normalized(one, EPOCH) == build_collection.normalized(other, EPOCH)


def test_the_files_are_the_same_ones():
    with tarfile.open(fileobj=io.BytesIO(build_collection.normalized(archive(list(FILES)), EPOCH))) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        facts = {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in tar.getmembers()}
    assert found == FILES
    assert facts == {(EPOCH, 0, 0, "", 0o644), (EPOCH, 0, 0, "", 0o755)}


def test_normalizing_twice_changes_nothing():
    once = build_collection.normalized(archive(list(FILES)), EPOCH)
    assert build_collection.normalized(once, EPOCH) == once


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_is_refused(kind):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("plugins/odd")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(build_collection.BuildError, match="plugins/odd is a link or a device"):
        build_collection.normalized(packed.getvalue(), EPOCH)


@pytest.mark.parametrize("text", ["yesterday", "-1", "4294967296", "1.5"])
def test_an_odd_time_is_refused(text):
    with pytest.raises(build_collection.BuildError, match="seconds since 1970"):
        build_collection.epoch_of(Path("."), {"SOURCE_DATE_EPOCH": text})


def test_the_time_is_that_of_the_last_commit(tmp_path):
    for argv in (
        ["git", "init", "-q", str(tmp_path)],
        ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(argv, check=True, env={"GIT_COMMITTER_DATE": "@%d +0000" % EPOCH, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert build_collection.epoch_of(tmp_path, {}) == EPOCH


def test_without_git_the_line_says_so(tmp_path):
    with pytest.raises(build_collection.BuildError, match="git -C .* failed: fatal: not a git repository"):
        build_collection.epoch_of(tmp_path, {"SOURCE_DATE_EPOCH": ""})
