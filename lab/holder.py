# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small process that keeps a node's namespaces alive, and how to know it again.

A process is known by pid, start time and the inode of its network namespace; a pid alone may belong to
somebody else by the time the lab is removed. Its command line carries the lab's token, so that a holder whose pid
was never written down (the builder was killed in between) is found as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

from .errors import LabError

SLEEP = "/bin/sleep"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start_time(pid: int) -> Optional[int]:
    """Clock ticks after boot at which the process started; None when it is gone (or a zombie)."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def netns_inode(pid: int) -> Optional[int]:
    try:
        return os.stat("/proc/%d/ns/net" % pid).st_ino
    except OSError:
        return None


def identify(pid: int) -> dict[str, Any]:
    """What the state file keeps about a process."""
    return {"pid": pid, "start_time": start_time(pid), "netns": netns_inode(pid)}


def is_running(identity: Optional[dict[str, Any]]) -> bool:
    """True only when this very process still runs."""
    if not identity or not identity.get("pid"):
        return False
    pid = int(identity["pid"])
    return (start_time(pid), netns_inode(pid)) == (identity["start_time"], identity["netns"])


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals wait until a process is started and written down: nothing is lost sight of in between."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def disturbable() -> None:
    """Undo it in a child, before exec."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def spawn(marker: str, prepare: Callable[[], None]) -> int:
    """Start a holder; `prepare` runs in it and makes its namespaces. Returns the pid once they exist."""
    read_end, write_end = os.pipe()

    def guarded() -> None:
        try:
            disturbable()
            prepare()
        except BaseException as error:
            os.write(write_end, str(error).encode())
            raise

    try:
        process = subprocess.Popen(
            [marker, "infinity"],
            executable=SLEEP,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={},
            preexec_fn=guarded,
        )
    except subprocess.SubprocessError:
        os.close(write_end)
        write_end = -1
        raise LabError("cannot make a node: %s" % os.read(read_end, 4096).decode()) from None
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
    process.returncode = 0  # it outlives this process on purpose: no warning when the object goes
    return process.pid


def processes() -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            yield int(entry)


def find_marked(prefix: str) -> dict[int, str]:
    """Processes with an argument that starts with `prefix` (a lab's token): {pid: what follows it}."""
    found = {}
    for pid in processes():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as cmdline:
                arguments = cmdline.read().split(b"\0")
        except OSError:
            continue
        for argument in arguments:
            if argument.startswith(prefix.encode()) and pid != os.getpid():
                found[pid] = argument[len(prefix) :].decode()
    return found


def members(inodes: set[int]) -> Iterator[int]:
    """Processes in any of these network namespaces."""
    for pid in processes():
        if pid != os.getpid() and netns_inode(pid) in inodes:
            yield pid


def end(pids: Sequence[int], patience: float = 30.0) -> None:
    """Kill, and wait until they are gone (their namespaces and mounts go with them)."""
    born = {pid: start_time(pid) for pid in pids}
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + patience
    for pid in pids:
        while start_time(pid) == born[pid] and born[pid] is not None and time.monotonic() < deadline:
            time.sleep(0.005)
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
