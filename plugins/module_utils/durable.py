# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there as a whole or not at all, also after the power failed: written beside, synced, renamed."""

import errno
import os
from typing import List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError


def beside(path):  # type: (str) -> str
    """Where it is written first. systemd reads no hidden files."""
    return "%s/.%s.new" % os.path.split(path)


def read(path):  # type: (str) -> Optional[str]
    """The text of a file, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NodeError("cannot read %s: %s" % (path, error.strerror)) from None


def sync(folder):  # type: (str) -> None
    """What was renamed or removed in a folder outlives a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot
            raise
    finally:
        os.close(handle)


def write(path, text, mode):  # type: (str, str, int) -> None
    """Replace the file in one step. What was there stays when that fails."""
    temporary = beside(path)
    try:
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
            try:
                os.fchmod(handle, mode)
                rest = text.encode("utf-8")
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(temporary, path)
            sync(os.path.dirname(path))
        except OSError:
            _unlink(temporary)
            raise
    except OSError as error:
        raise NodeError("cannot write %s: %s" % (path, error.strerror)) from None


def _unlink(path):  # type: (str) -> bool
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        # a read-only file system says that first, also of what is not there
        if error.errno != errno.EROFS or os.path.lexists(path):
            raise
        return False
    return True


def remove(path):  # type: (str) -> None
    """The file and what an interrupted write has left beside it."""
    try:
        if any([_unlink(path), _unlink(beside(path))]):
            sync(os.path.dirname(path))
    except OSError as error:
        raise NodeError("cannot remove %s: %s" % (path, error.strerror)) from None


def make_folder(path, mode):  # type: (str, int) -> None
    """A folder of this name."""
    if os.path.isdir(path):
        return
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)  # whatever the umask is
        sync(os.path.dirname(path))
    except OSError as error:
        raise NodeError("cannot make the folder %s: %s" % (path, error.strerror)) from None


# An empty folder harms nobody: it may be a mount point, or on a disk that is read-only now.
KEPT = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY, errno.EROFS)


def remove_folder(path):  # type: (str) -> None
    """When it is empty; somebody else's files keep it."""
    try:
        os.rmdir(path)
        sync(os.path.dirname(path))
    except OSError as error:
        if error.errno not in KEPT:
            raise NodeError("cannot remove %s: %s" % (path, error.strerror)) from None


def require_writable(folders):  # type: (List[str]) -> None
    """Refuse before anything is changed. access(2) knows of read-only file systems, also for root."""
    for folder in folders:
        if os.path.isdir(folder) and not os.access(folder, os.W_OK):
            raise NodeError("%s cannot be written (read-only?): make it writable and run again" % folder)
