# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup kubespray_tree: a thin shell over plugin_utils/kubespray_tree.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubespray_tree
short_description: Which kubespray lies in a folder of the controller
version_added: 1.1.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - Looks into folders on the controller for kubespray, as a checkout or as the installed collection C(kubernetes_sigs.kubespray).
  - Reads C(galaxy.yml) (from 2.22 on) or C(MANIFEST.json) if they name kubespray, and the default C(kube_version) of its role (up to 2.27).
  - The C(galaxy.yml) of some tags names the release before. P(kubenet.vxlan_offload.kubespray_plan#filter) knows which.
options:
  _terms:
    description:
      - The folders, in the order in which they are looked into.
      - A relative one is taken from the folder of each playbook of the command line. The variable C(playbook_dir) is of no use here,
        in an imported playbook it is the folder of that one.
    type: list
    elements: str
    required: true
seealso:
  - plugin: kubenet.vxlan_offload.kubespray_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show which kubespray this playbook is about to run
  ansible.builtin.debug:
    msg: "{{ query('kubenet.vxlan_offload.kubespray_tree', '.', 'kubespray') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary for each folder with kubespray in it; empty when none has.
  type: list
  elements: dict
  contains:
    path:
      description: The folder.
      type: str
      sample: /home/me/kubespray
    version:
      description: As kubespray's own file has it, empty before 2.22.
      type: str
      sample: 2.31.0
    kube_version:
      description: Its default, empty since 2.28.
      type: str
      sample: 1.30.4
"""

import os
from typing import Any, Optional

from ansible import context
from ansible.plugins.lookup import LookupBase

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kubespray_tree import look


class LookupModule(LookupBase):
    """The one lookup of this file."""

    def run(self, terms: list[str], variables: Optional[dict[str, Any]] = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Look into each folder; see the documentation above."""
        places = [os.path.abspath(os.path.dirname(str(name))) for name in context.CLIARGS.get("args") or [""]]
        folders = [os.path.normpath(os.path.join(place, str(term))) for term in terms for place in places]
        return [dict(found) for found in map(look, dict.fromkeys(folders)) if found]
