# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the collection awx.awx into a folder: `awx_collection.py .venv/awx` makes .venv/awx/ansible_collections/awx/awx.

pip knows no collections, but the `ansible` package of the pinned release carries awx.awx 24.6.1 (releases from 14 on no longer do).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "ansible==11.13.0"
VERSION = "24.6.1"
INSIDE = "ansible_collections/awx/awx/"


def version(folder: Path) -> str:
    """The version of the collection in the folder, "" when there is none."""
    manifest = folder / INSIDE / "MANIFEST.json"
    return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]) if manifest.exists() else ""


def main(folder: Path) -> str:
    """An error in one line, or "". Does nothing when the collection is there."""
    if version(folder) == VERSION:
        return ""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--dest", scratch, PACKAGE]
        if subprocess.run(command, check=False).returncode:
            return f"pip cannot download {PACKAGE}: see above"
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.startswith(INSIDE)])
    found = version(folder)
    return "" if found == VERSION else f"{PACKAGE} has awx.awx {found or 'not at all'}, not {VERSION}: pin a release that has it"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) or 0 if len(sys.argv) == 2 else "usage: awx_collection.py FOLDER")
