# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts the running kernel has already, so that a test can keep from loading any (pure but for read_parts).

Creating a link of a kind, a packet socket or a netfilter rule makes the kernel load what is missing
(request_module), so one has to look before. A kernel without /proc/modules loads nothing.
"""

import os
import re
from typing import FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

# static: the kernel cannot load modules. complete: what is built in and what could be loaded is known.
Parts = NamedTuple(
    "Parts",
    [("static", bool), ("complete", bool), ("there", FrozenSet[str]), ("loadable", FrozenSet[str])],
)
# names: any of them will do. merged: later kernels have no such module, its work is done elsewhere.
Need = NamedTuple("Need", [("names", Tuple[str, ...]), ("merged", bool)])

LOAD = "to let the kernel load it set allow_module_load: true"
_OBJECT = re.compile(r"([^/\s]+)\.ko(?:\.\w+)?$")


def need(*names):  # type: (str) -> Need
    """One of these must be there."""
    return Need(names, False)


def if_it_exists(*names):  # type: (str) -> Need
    """One of these must be there on kernels that have such a module at all."""
    return Need(names, True)


def _names(paths):  # type: (Sequence[str]) -> List[str]
    found = (_OBJECT.search(path) for path in paths)
    return [match.group(1).replace("-", "_") for match in found if match]


def parts_of(modules, builtin, dependencies, sys_module):
    # type: (Optional[str], Optional[str], Optional[str], Sequence[str]) -> Parts
    """From the texts of /proc/modules, modules.builtin and modules.dep (None: no such file) and the names in /sys/module."""
    loaded = [line.split()[0] for line in (modules or "").splitlines() if line.strip()]
    there = loaded + _names((builtin or "").splitlines()) + list(sys_module)
    loadable = _names([line.partition(":")[0] for line in (dependencies or "").splitlines()])
    complete = builtin is not None and dependencies is not None
    return Parts(modules is None, complete, frozenset(there), frozenset(loadable))


def _read(path):  # type: (str) -> Optional[str]
    try:
        with open(path, errors="replace") as lines:
            return lines.read()
    except OSError:
        return None


def read_parts(release):  # type: (str) -> Parts
    """The parts of the running kernel."""
    folder = "/lib/modules/%s/" % release
    sys_module = os.listdir("/sys/module") if os.path.isdir("/sys/module") else []
    modules = _read("/proc/modules")
    return parts_of(modules, _read(folder + "modules.builtin"), _read(folder + "modules.dep"), sys_module)


def obstacles(parts, needs, may_load):  # type: (Parts, Sequence[Need], bool) -> List[str]
    """What is missing, or would have to be loaded and may not; empty when it can be tried."""
    found = []
    for one in needs:
        name = " or ".join(one.names)
        loadable = any(candidate in parts.loadable for candidate in one.names)
        if parts.static or any(candidate in parts.there for candidate in one.names):
            continue
        if not parts.complete:
            if not may_load:
                found.append("%s is not loaded, and whether it is built in is not known" % name)
        elif not loadable:
            if not one.merged:
                found.append("this kernel has no %s" % name)
        elif not may_load:
            found.append("%s is not loaded" % name)
    return found
