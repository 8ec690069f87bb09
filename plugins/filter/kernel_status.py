# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter kernel_status: a thin shell over plugin_utils/kernels.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kernel_status
short_description: Tell which VXLAN checksum defects a kernel has
version_added: 1.0.0
author: the kubenet.vxlan_offload authors (@kubenet)
description:
  - Judges a kernel by its release and by whatever else is known about it. Vendor rules come before number comparison,
    because vendors carry the fix under numbers of their own.
  - What M(kubenet.vxlan_offload.kernel_selftest) saw on the running kernel outranks them all.
  - What cannot be known from the input is C(unknown), with the reason.
options:
  _input:
    description:
      - The kernel as in the C(kernel) part of the node facts. Only C(release), the output of C(uname -r), is required.
      - C(version) (C(uname -v)), C(version_signature) (C(/proc/version_signature)) and C(changelog) make the answer surer.
      - C(selftest), what M(kubenet.vxlan_offload.kernel_selftest) returned, decides where it says V(present) or V(absent).
    type: dict
    required: true
seealso:
  - plugin: kubenet.vxlan_offload.predict
    plugin_type: filter
  - module: kubenet.vxlan_offload.kernel_selftest
"""

EXAMPLES = r"""
- name: Judge the kernel of a release name
  ansible.builtin.debug:
    msg: "{{ {'release': '4.18.0-193.el8.x86_64'} | kubenet.vxlan_offload.kernel_status }}"
  # => {"zero_checksum": "affected", "lco_checksum": "affected", "fixed_in": "4.18.0-193.10.1.el8_2", ...}

- name: A Debian name says little, its version decides
  ansible.builtin.debug:
    msg: "{{ kernel | kubenet.vxlan_offload.kernel_status }}"
  vars:
    kernel:
      release: 4.19.0-9-amd64
      version: "#1 SMP Debian 4.19.118-2 (2020-04-29)"

- name: What was tried on the running kernel outranks what its name says
  ansible.builtin.debug:
    msg: "{{ {'release': '4.19.90-52.39.v2207.ky10.x86_64', 'selftest': tried} | kubenet.vxlan_offload.kernel_status }}"
  vars:
    tried: {zero_checksum: absent, lco_checksum: present}
  # => {"zero_checksum": "fixed", "lco_checksum": "affected", ...}
"""

RETURN = r"""
_value:
  description:
    - What is known about the kernel.
    - C(zero_checksum) (affected, fixed or unknown) is the defect of devices with C(noudpcsum),
      C(lco_checksum) the one of devices with C(udpcsum), fixed only where C(selftest) has seen it.
    - C(fixed_in) is the first release of the same vendor or branch with the fix of C(zero_checksum), empty where none is known.
    - C(reason) and C(evidence) explain C(zero_checksum), C(lco_reason) explains C(lco_checksum).
    - C(upstream) is the upstream version that the kernel is based on, where something states it.
  type: dict
  sample:
    zero_checksum: fixed
    lco_checksum: affected
    fixed_in: 5.4.0-34.38
    reason: "Ubuntu 5.4 generic: build 42 has the back-port"
    evidence: changelog of linux 5.4.0-34.38 (LP#1878649, v5.4.41)
    lco_reason: local checksum offload is there since 4.6 and no release with a fix is known
    upstream: ""
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernels


def kernel_status(kernel: Any) -> dict[str, Any]:
    """Judge one kernel; see the documentation above."""
    if not isinstance(kernel, Mapping):
        raise AnsibleFilterError("kernel_status needs a dictionary with at least 'release', the output of uname -r")
    for key in ("changelog", "selftest"):
        if not isinstance(kernel.get(key) or {}, Mapping):
            raise AnsibleFilterError(f"kernel_status: {key} must be a dictionary, as node_info returns it")
    try:
        return dict(kernels.kernel_status(kernel))
    except ValueError as error:
        raise AnsibleFilterError(f"kernel_status: {error}") from error


class FilterModule:
    """The one filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name it for Ansible."""
        return {"kernel_status": kernel_status}
