# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a lab down. Only what its state file names, or carries its token, or lives inside its namespaces, is touched."""

from __future__ import annotations

import os

from . import holder, state
from .errors import LabError
from .state import State


def down(name: str) -> bool:
    """Remove a lab. False when there is none; repeating it is safe."""
    lab = state.load(name)
    if lab is None:
        return False
    builder = lab.data["builder"]
    if not lab.data["complete"] and holder.is_running(builder) and builder["pid"] != os.getpid():
        raise LabError("lab %s is being built by process %d: stop that first" % (name, builder["pid"]))
    remove(lab)
    return True


def remove(lab: State) -> None:
    """End exactly the processes of this lab; namespaces, mounts, links and rules go with them."""
    holders = [planned["holder"] for planned in lab.nodes.values()]
    inside = {identity["pid"] for identity in holders if holder.is_running(identity)}
    marked = holder.find_marked(lab.marker)  # also those that were not written down any more
    inside.update(pid for pid, name in marked.items() if name in lab.nodes)
    # Wherever `up` ran or this runs is nobody's node, whatever else went wrong.
    nobodys = {lab.data["builder"]["netns"], holder.netns_inode(os.getpid())}
    inodes = {inode for inode in map(holder.netns_inode, inside) if inode is not None and inode not in nobodys}
    alive = inside | set(marked)
    alive.update(identity["pid"] for identity in lab.servers.values() if identity and holder.is_running(identity))
    alive.update(holder.members(inodes))  # whatever was left running inside, `exec` included
    holder.end(sorted(alive))
    lab.forget()
