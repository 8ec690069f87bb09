# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command under another kernel: a User Mode Linux guest, which is an ordinary process of this machine.

The guest has this machine's files, read-only, and no network at all.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..errors import LabError

INIT = Path(__file__).with_name("init.sh")
MEMORY_MIB = 1200
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl  # looked up here: not between fork and exec


@dataclass(frozen=True)
class Result:
    """What the command in the guest did. `output` has its stdout and stderr."""

    returncode: int
    output: str


def run(kernel: Path, command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float = 900) -> Result:
    """Boot `kernel`, run `command` as root with `environment` added, power off. The guest may write to `folder` only."""
    if not os.access(kernel, os.X_OK):
        raise LabError("no kernel at %s: build it with lab/kernel/build.sh %s" % (kernel, kernel.parent))
    folder.mkdir(parents=True, exist_ok=True)
    settings = " ".join("%s=%s" % (key, shlex.quote(value)) for key, value in environment.items())
    (folder / "command").write_text("exec env %s %s\n" % (settings, shlex.join(command)), encoding="utf-8")
    (folder / "rc").unlink(missing_ok=True)
    _boot(kernel, folder, timeout)
    output, code = folder / "output", folder / "rc"
    text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    if not code.exists():
        console = (folder / "console").read_text(encoding="utf-8", errors="replace")
        raise LabError("the guest ended without an answer:\n%s\n%s" % ("\n".join(console.splitlines()[-15:]), text[-2000:]))
    return Result(int(code.read_text(encoding="ascii")), text)


def _boot(kernel: Path, folder: Path, timeout: float) -> None:
    arguments = [
        str(kernel.resolve()), "mem=%dM" % MEMORY_MIB, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "panic=-1",
        "con0=null,fd:1", "con=null", "ssl=null", "init=%s" % INIT, "GUEST_OUT=%s" % folder.resolve(),
    ]  # fmt: skip
    # The guest's memory is a file, best in memory; the path of its management socket has to be short.
    with tempfile.TemporaryDirectory(prefix="uml-", dir=_place_in_memory()) as place:
        _wait(arguments, {"PATH": os.environ.get("PATH", ""), "HOME": place, "TMPDIR": place}, folder / "console", timeout)


def _wait(arguments: Sequence[str], environment: Mapping[str, str], output: Path, timeout: float) -> None:
    with open(output, "wb") as console:
        # A guest is many processes; in a process namespace of their own they all end with the first.
        alone = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--"]
        guest = subprocess.Popen(
            [*alone, *arguments], stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, preexec_fn=_end_with_the_caller
        )
        try:
            guest.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError("the guest did not end within %d s" % timeout) from None
        finally:
            if guest.poll() is None:
                guest.kill()
                guest.wait()


def _end_with_the_caller() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _place_in_memory() -> Optional[str]:
    """/dev/shm where a guest fits into it: a container's is often small, or refuses to execute."""
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None
    fits = found.f_bavail * found.f_frsize > MEMORY_MIB * 2**20 * 1.1 and not found.f_flag & os.ST_NOEXEC
    return "/dev/shm" if fits and os.access("/dev/shm", os.W_OK) else None
