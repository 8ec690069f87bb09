# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes a node: flock(2), which the kernel takes back when its holder ends, however it ends."""

import contextlib
import fcntl
import os
import time
from typing import Iterator

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import command
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

# A folder, so that no file is left; in memory, so that it also works on a full or read-only disk.
FOLDER = "/run"


@contextlib.contextmanager
def held(seconds):  # type: (int) -> Iterator[None]
    """The lock, for the time of the block.

    The tools that run inside of it inherit it: when this process is killed while iptables waits for the xtables
    lock, the next run must not begin before that iptables has ended.
    """
    try:
        handle = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise NodeError("cannot lock %s: %s" % (FOLDER, error.strerror)) from None
    try:
        _take(handle, seconds)
        command.INHERITED.append(handle)
        try:
            yield
        finally:
            command.INHERITED.remove(handle)
    finally:
        os.close(handle)


def _take(handle, seconds):  # type: (int, int) -> None
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise NodeError(
                    "another run has been changing this node for %d s: run again when it has ended" % seconds
                ) from None
        except OSError as error:
            raise NodeError("cannot lock %s: %s" % (FOLDER, error.strerror)) from None
        time.sleep(0.05)
