# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process with namespaces of its own and a time limit, which the kernel ends when this process ends.

Nothing has a name: when the child is gone, whatever the reason, its namespaces and all that is in them are gone.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import time
from typing import Any, Callable, Dict, List

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import command
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Result
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.private_network import (
    CLONE_NEWNET,
)

CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE, MNT_DETACH = 2, 4, 0x4000, 1 << 18, 2  # linux/mount.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what, code):  # type: (str, int) -> None
    if code != 0:
        raise NodeError("%s: %s" % (what, os.strerror(ctypes.get_errno()).lower()))


def _end_with_parent():  # type: () -> None
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def new_network():  # type: () -> int
    """Move this process to an empty network namespace; a descriptor of it."""
    _call("a private network namespace cannot be made (unshare)", _libc.unshare(CLONE_NEWNET))
    # not thread-self, which Linux 3.10 has not; the child has one thread
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def enter_network(descriptor):  # type: (int) -> None
    """Move this process to a namespace that it has made."""
    _call("a private network namespace cannot be entered (setns)", _libc.setns(descriptor, CLONE_NEWNET))


def run_tool(argv, text=""):  # type: (List[str], str) -> Result
    """One of the node's tools with text as its input; it ends with this process."""
    try:
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.environment(),
            preexec_fn=_end_with_parent,
        ) as tool:
            out, err = tool.communicate(text.encode())
    except OSError as error:
        return command.not_started(argv, error)
    return command.result(tool.returncode, out, err)


def run_without_lock(argv):  # type: (List[str]) -> Result
    """run_tool with an empty /run, so that the node's xtables lock is neither made nor taken; with it where that cannot be."""
    hidden = (
        _libc.unshare(CLONE_NEWNS) == 0
        and _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        and _libc.mount(b"tmpfs", b"/run", b"tmpfs", MS_NOSUID | MS_NODEV, None) == 0
    )
    try:
        return run_tool(argv)
    finally:
        if hidden:
            _libc.umount2(b"/run", MNT_DETACH)


def _in_child(work, parent, send):  # type: (Callable[[], Dict[str, Any]], int, int) -> None
    _end_with_parent()
    if os.getppid() != parent:  # it ended before this process could ask
        return
    try:
        answer = work()
    except Exception as problem:  # pylint: disable=broad-except  # nobody else hears what goes wrong in here
        known = isinstance(problem, NodeError)
        answer = {"error": str(problem) if known else "%s: %s" % (type(problem).__name__, problem)}
    os.write(send, json.dumps(answer).encode())


def _collect(receive, seconds):  # type: (int, float) -> bytes
    """What comes through the pipe until it is closed; an empty text when that takes too long."""
    found, end = b"", time.monotonic() + seconds
    while select.select([receive], [], [], max(0, end - time.monotonic()))[0]:
        part = os.read(receive, 1 << 16)
        if not part:
            return found
        found += part
    return b""


def in_child(work, seconds):  # type: (Callable[[], Dict[str, Any]], float) -> Dict[str, Any]
    """The answer of work(), which a child process does in at most that time. Raises NodeError when it cannot."""
    receive, send = os.pipe()
    parent, start = os.getpid(), time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            _in_child(work, parent, send)
        finally:
            os._exit(0)
    os.close(send)
    try:
        text = _collect(receive, seconds)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(receive)
    if not text:
        late = time.monotonic() - start >= seconds
        raise NodeError("the test took more than %g s" % seconds if late else "the test ended without an answer")
    answer = json.loads(text.decode())  # type: Dict[str, Any]
    if "error" in answer:
        raise NodeError(answer["error"])
    return answer
