# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the execution environment's image has of Python, as a virtual environment: the pins of awx/execution-environment.yml.

The image itself needs a container runtime and a registry. The engine of a job is this part of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
HOME = Path(sys.prefix) / "awx-image"


def pins() -> list[str]:
    wanted = yaml.safe_load((ROOT / "awx/execution-environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return [wanted[name]["package_pip"] for name in ("ansible_core", "ansible_runner")]


def _current() -> bool:
    stamp = HOME / ".stamp"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == repr(pins())


def environment() -> Path:
    """Its bin folder."""
    assert _current(), f"{HOME} is not made of the pins of awx/execution-environment.yml: run make test-fleet"
    return HOME / "bin"


def make() -> str:
    """What is wrong, in one line; "" when the environment is there."""
    if _current():
        return ""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
    install = [str(HOME / "bin/pip"), "install", "-q", "--disable-pip-version-check", *pins()]
    if subprocess.run(install, check=False).returncode:
        return f"pip cannot install {' '.join(pins())} for Python {sys.version.split()[0]}: see above"
    (HOME / ".stamp").write_text(repr(pins()), encoding="utf-8")
    return ""


if __name__ == "__main__":
    sys.exit(make() or 0)
