# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's tarball so that the same commit gives the same bytes.

  python3 scripts/build_collection.py dist

`ansible-galaxy collection build` takes the files as they lie there, with their times, and the time of the build. This builds the last
commit, whatever lies beside it, and gives every member the time of that commit (SOURCE_DATE_EPOCH, where it is set), owner 0, mode 0644 or
0755, and its place in the alphabet. Needs git, ansible-galaxy and distlib. The bytes also depend on zlib and on ansible-core's form of
FILES.json: compare builds that were made with the same versions.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class BuildError(Exception):
    """A text that says what to do."""


def normalized(archive: bytes, epoch: int) -> bytes:
    """The same files as a .tar.gz that depends on their names, contents and executable bits alone."""
    packed = io.BytesIO()
    stream = gzip.GzipFile("", "wb", 9, packed, mtime=epoch)
    with stream, tarfile.open(fileobj=stream, mode="w") as target, tarfile.open(fileobj=io.BytesIO(archive)) as source:
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            if not (member.isfile() or member.isdir()):
                raise BuildError("%s is a link or a device: a collection has files and folders" % member.name)
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, epoch
            plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(plain, source.extractfile(member))
    return packed.getvalue()


def epoch_of(repository: Path, environment: dict[str, str]) -> int:
    """SOURCE_DATE_EPOCH (reproducible-builds.org), else the time of the last commit."""
    text = environment.get("SOURCE_DATE_EPOCH") or _run(["git", "-C", str(repository), "log", "-1", "--format=%ct"]).decode()
    try:
        # gzip's header has 32 bits for it
        if 0 <= int(text) < 2**32:
            return int(text)
    except ValueError:
        pass
    raise BuildError("SOURCE_DATE_EPOCH is %r: it must be seconds since 1970" % text)


def build(repository: Path, directory: Path, epoch: int) -> Path:
    """The tarball of the last commit in `directory`."""
    with tempfile.TemporaryDirectory() as scratch:
        tree, built = Path(scratch) / "tree", Path(scratch) / "built"
        tree.mkdir()
        with tarfile.open(fileobj=io.BytesIO(_run(["git", "-C", str(repository), "archive", "HEAD"]))) as commit:
            commit.extractall(tree)
        _run(["ansible-galaxy", "collection", "build", "--output-path", str(built), str(tree)])
        (tarball,) = built.iterdir()
        directory.mkdir(parents=True, exist_ok=True)
        # whole or not at all, also when the disk is full
        part = directory / (tarball.name + ".part")
        part.write_bytes(normalized(tarball.read_bytes(), epoch))
        return part.replace(directory / tarball.name)


def uncommitted(repository: Path) -> list[str]:
    return _run(["git", "-C", str(repository), "status", "--porcelain"]).decode().splitlines()


def _run(argv: list[str]) -> bytes:
    try:
        done = subprocess.run(argv, capture_output=True, check=False)
    except OSError as error:
        raise BuildError("%s: %s" % (argv[0], error.strerror)) from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise BuildError("%s failed: %s" % (" ".join(argv[:3]), said[-1] if said else "return code %d" % done.returncode))
    return done.stdout


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the last commit's tarball, the same bytes each time.")
    parser.add_argument("directory", type=Path, help="where to put it")
    directory = parser.parse_args(arguments).directory
    try:
        left_out = uncommitted(ROOT)
        if left_out:
            print("%d changes that are not committed are not in it" % len(left_out), file=sys.stderr)
        print(build(ROOT, directory, epoch_of(ROOT, dict(os.environ))))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
