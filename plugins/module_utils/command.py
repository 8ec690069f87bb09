# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the node's own tools: list of arguments in, (return code, output, errors) out."""

import os
import shutil
import subprocess
from typing import Callable, Dict, List, Optional, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

Result = Tuple[int, str, str]
Run = Callable[[List[str]], Result]
Which = Callable[[str], Optional[str]]

# become and minimal images leave /sbin out of PATH, where all of our tools live
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
)
# file descriptors that a tool keeps open as long as it runs: see node_lock.py
INHERITED = []  # type: List[int]
NOT_FOUND = 127
TIMED_OUT = 124
MOST_SECONDS = 3600  # to wait for a lock; a time that poll(2) cannot take would end in a traceback


def which(name):  # type: (str) -> Optional[str]
    """The path of a tool, also when PATH has no /sbin."""
    return shutil.which(name, path=SEARCH_PATH)


def check_wait(seconds):  # type: (int) -> None
    """Raise NodeError for a time that the option `wait` cannot be."""
    if not 1 <= seconds <= MOST_SECONDS:
        raise NodeError("wait must be 1 to %d seconds, not %d" % (MOST_SECONDS, seconds))


def environment():  # type: () -> Dict[str, str]
    """For a tool: where to find others, and messages that are not translated, because they are compared."""
    return dict(os.environ, LC_ALL="C", LANGUAGE="C", PATH=SEARCH_PATH)


def result(code, out, err):  # type: (int, bytes, bytes) -> Result
    """What a tool answered, as text."""
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def not_started(argv, error):  # type: (List[str], OSError) -> Result
    """The answer of a tool that is not there, not executable, or for another machine."""
    return NOT_FOUND, "", "%s: %s" % (argv[0], error.strerror)


def runner(timeout):  # type: (float) -> Run
    """A run(argv) that gives up after timeout seconds (return code 124, as timeout(1))."""

    def run(argv):  # type: (List[str]) -> Result
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
                env=environment(),
                timeout=timeout,
                pass_fds=tuple(INHERITED),
            )
        except OSError as error:
            return not_started(argv, error)
        except subprocess.TimeoutExpired:
            return TIMED_OUT, "", "%s gave no answer for %d s" % (argv[0], timeout)
        return result(done.returncode, done.stdout, done.stderr)

    return run
