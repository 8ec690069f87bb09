# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter preflight_stop: a thin shell over plugin_utils/preflight.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_stop
short_description: Why kubespray must not go on
version_added: 1.1.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - One line with the nodes whose status stops the run, why, what to plan instead, and the variable that lets it go on all the same.
  - Nodes with the same reason are named together, the first five by name.
options:
  _input:
    description: For each host the answer of P(kubenet.vxlan_offload.preflight#filter).
    type: dict
    required: true
  fail_on:
    description: The statuses that stop the run.
    type: list
    elements: str
    required: true
  override:
    description: The name of the variable that lets it go on.
    type: str
    default: vxlan_offload_preflight_ignore_errors
seealso:
  - plugin: kubenet.vxlan_offload.preflight
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show why a run would stop
  ansible.builtin.debug:
    msg: "{{ verdicts | kubenet.vxlan_offload.preflight_stop(['affected']) }}"
  vars:
    verdicts:
      node1: {diagnosis: {status: unaffected, summary: no VXLAN device, action: nothing to do}}
      node2: {diagnosis: {status: affected, summary: kube-proxy leaves its mark, action: plan Kubernetes 1.19.0}}
"""

RETURN = r"""
_value:
  description: The line, empty when nothing stops the run.
  type: str
  sample: >-
    1 of 2 checked nodes stop this run. node2 affected: kube-proxy leaves its mark -> plan Kubernetes 1.19.0.
    To go on all the same: -e vxlan_offload_preflight_ignore_errors=true
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.preflight import stop_message


def preflight_stop(verdicts: Any, fail_on: Any, override: str = "vxlan_offload_preflight_ignore_errors") -> str:
    """Compose the line; see the documentation above."""
    if not isinstance(verdicts, Mapping):
        raise AnsibleFilterError("preflight_stop needs a dictionary of hosts: pass {host: what preflight returned}")
    if not isinstance(fail_on, (list, tuple)):
        raise AnsibleFilterError("preflight_stop: fail_on must be a list of statuses, for example [affected]")
    try:
        return stop_message(verdicts, fail_on, override)
    except ValueError as error:
        raise AnsibleFilterError(f"preflight_stop: {error}") from error


class FilterModule:
    """The one filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name it for Ansible."""
        return {"preflight_stop": preflight_stop}
