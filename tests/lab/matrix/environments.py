# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments of the matrix: one for each controller, one for each Python of the nodes.

Run as a script it makes those that are missing or whose pins changed: environments.py FOLDER
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import versions

NODE_REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements-node.txt"
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}


def _runs(python: str) -> bool:
    """A shim of pyenv may answer for a Python that it then refuses to start; a virtual environment may have lost its own."""
    try:
        return subprocess.run([python, "-c", "import ssl, venv"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def interpreter(version: str) -> Optional[str]:
    """A Python that really runs: of PATH, else of pyenv."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = sorted(glob.glob("%s/versions/%s.*/bin/python" % (root, version)))
    for path in (shutil.which("python" + version), *found):
        if path and _runs(path):
            return path
    return None


def controller_home(folder: Path, controller: versions.Controller) -> Path:
    return folder / ("core-" + controller.name)


def node_python(folder: Path, version: str) -> Path:
    return folder / ("node-" + version) / "bin" / "python"


def _make(home: Path, version: str, *steps: list[str]) -> str:
    """Returns what is wrong, in one line; empty when the environment is there."""
    # Without the paths: a second checkout with the same pins uses the same environments.
    pins = [word for step in steps for word in step if not os.path.isabs(word)]
    stamp, wanted = home / ".stamp", repr((pins, NODE_REQUIREMENTS.read_text(encoding="utf-8")))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and _runs(str(home / "bin" / "python")):
        return ""
    base = interpreter(version)
    if base is None:
        return "no Python %s on this machine (neither on PATH nor in pyenv): install it with pyenv" % version
    for command in ([base, "-m", "venv", "--clear", str(home)], *([str(home / "bin" / "pip"), "install", "-q", *step] for step in steps)):
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **QUIET}
        )
        if done.returncode != 0:
            return "%s: %s" % (home.name, done.stdout.strip()[-2000:])
    stamp.write_text(wanted, encoding="utf-8")
    return ""


def make_controller(folder: Path, controller: versions.Controller) -> str:
    return _make(controller_home(folder, controller), controller.python, ["ansible-core==" + controller.release])


def make_node(folder: Path, version: str) -> str:
    # The pip that comes with 3.6 does not look at what a release requires. setuptools is no longer part of newer Pythons.
    return _make(
        node_python(folder, version).parents[1],
        version,
        *([["pip==21.3.1"]] if version == "3.6" else []),
        ["setuptools", "wheel"],
        ["--no-build-isolation", "-r", str(NODE_REQUIREMENTS)],
    )


def make_all(folder: Path) -> list[str]:
    """Everything that could not be made. A missing optional Python is no failure."""
    optional = [version for version in versions.OPTIONAL_NODE_PYTHONS if interpreter(version)]
    folder.mkdir(parents=True, exist_ok=True)
    # Two steps of CI that need them may begin at the same time.
    with open(folder / ".lock", "w", encoding="utf-8") as lock, ThreadPoolExecutor(os.cpu_count()) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = [pool.submit(make_controller, folder, controller) for controller in versions.CONTROLLERS]
        made += [pool.submit(make_node, folder, version) for version in (*versions.NODE_PYTHONS, *optional)]
        return [problem for problem in (one.result() for one in made) if problem]


if __name__ == "__main__":
    problems = make_all(Path(sys.argv[1]).absolute())
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(1 if problems else 0)
