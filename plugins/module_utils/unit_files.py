# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units of a workaround, and the links that enable them.

Enabling is the link. Made by hand it also works where systemd does not run (image builds, chroots).
"""

import os
import re
from typing import Any, Dict, List, NamedTuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils import durable, record
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

UNITS = "/etc/systemd/system"
# The units call it by this name; it goes first when a workaround is taken back, so that no timer brings a rule again.
KEEPER = record.DIRECTORY + "/ensure-rule.sh"
WANTED_BY = re.compile(r"[A-Za-z0-9:_\\@-][A-Za-z0-9:_.\\@-]{0,200}\Z")

File = NamedTuple("File", [("path", str), ("text", str), ("mode", int)])
Link = NamedTuple("Link", [("path", str), ("target", str)])
Wanted = NamedTuple("Wanted", [("files", List[File]), ("links", List[Link])])


def wanted(units, keeper):  # type: (List[Dict[str, Any]], str) -> Wanted
    """What has to be there. Raises NodeError for names that are none."""
    files = [File(KEEPER, keeper, 0o755)] if keeper else []
    links = []
    for unit in units:
        name, folders = unit.get("name"), unit.get("wanted_by")
        good = isinstance(name, str) and record.UNIT.match(name) and isinstance(unit.get("content"), str)
        if not good or not isinstance(folders, list) or not all(WANTED_BY.match(str(one)) for one in folders):
            raise NodeError("unit %r is not usable: name, content and wanted_by are needed" % name)
        path = "%s/%s" % (UNITS, name)
        files.append(File(path, unit["content"], 0o644))
        links += [Link("%s/%s.wants/%s" % (UNITS, one, name), path) for one in folders]
    return Wanted(files, links)


def _differs(file):  # type: (File) -> bool
    if durable.read(file.path) != file.text or os.path.islink(file.path):
        return True
    return os.stat(file.path).st_mode & 0o777 != file.mode


def _target(path):  # type: (str) -> str
    try:
        return os.readlink(path)
    except OSError:
        return ""


def missing(units):  # type: (Wanted) -> Wanted
    """What is not there, or not as it has to be."""
    return Wanted(
        [one for one in units.files if _differs(one)],
        [one for one in units.links if _target(one.path) != one.target],
    )


def folders_to_make(links):  # type: (List[str]) -> List[str]
    """The folders of links that are not there yet, so that taking back can remove just these."""
    names = {path.partition("/")[0] for path in links}
    return sorted(name for name in names if not os.path.isdir("%s/%s" % (UNITS, name)))


def write(units):  # type: (Wanted) -> None
    """The files first: a link to a unit that is not there is an error at boot."""
    for file in units.files:
        durable.write(file.path, file.text, file.mode)
    for link in units.links:
        durable.make_folder(os.path.dirname(link.path), 0o755)
        try:
            if os.path.lexists(link.path):
                os.unlink(link.path)
            os.symlink(link.target, link.path)
            durable.sync(os.path.dirname(link.path))
        except OSError as error:
            raise NodeError("cannot make the link %s: %s" % (link.path, error.strerror)) from None


def require_removable(kept):  # type: (Dict[str, Any]) -> None
    """Refuse to take back what would stay on the disk."""
    names = kept.get("links", []) + kept["units"]
    there = ["%s/%s" % (UNITS, name) for name in names if os.path.lexists("%s/%s" % (UNITS, name))]
    durable.require_writable(sorted({os.path.dirname(path) for path in there}) + [record.DIRECTORY])


def remove(kept):  # type: (Dict[str, Any]) -> None
    """What a record names: links, units, and folders that were made for them."""
    for name in kept.get("links", []) + kept["units"]:
        durable.remove("%s/%s" % (UNITS, name))
    for name in kept.get("folders", []):
        durable.remove_folder("%s/%s" % (UNITS, name))
