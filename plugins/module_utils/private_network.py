# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace of this process alone, to try a rule without touching the node's tables."""

import contextlib
import ctypes
import os
from typing import Iterator

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

CLONE_NEWNET = 0x40000000  # linux/sched.h


def kernel_at_least(major, minor):  # type: (int, int) -> bool
    """By the release alone: a back-port makes this say no, which is the careful answer."""
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers) >= (major, minor)


@contextlib.contextmanager
def private_network():  # type: () -> Iterator[None]
    """Inside, this thread and what it runs are in an empty namespace; it goes when the block ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise NodeError("a private network namespace: %s" % os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                raise NodeError("back to the own namespace: %s" % os.strerror(ctypes.get_errno()))
