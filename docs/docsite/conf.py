# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx settings of the documentation site that tests/ci/steps/docs-site.sh builds, without a network and with warnings as errors."""

import tempfile
import zlib

# What antsibull-docs refers to in Ansible's own documentation. The inventory that intersphinx would download, of just these: whatever else
# cannot be found is a mistake of ours.
ELSEWHERE = {
    "action_plugins": "plugins/action.html",
    "ansible_collections.ansible.builtin.iptables_module": "collections/ansible/builtin/iptables_module.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "lookup_plugins": "plugins/lookup.html",
}


def _inventory() -> str:
    """Path of an objects.inv, version 2 (sphinx.util.inventory)."""
    lines = "".join(f"{label} std:label -1 {page} {label}\n" for label, page in sorted(ELSEWHERE.items()))
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: \n# The remainder of this file is compressed using zlib.\n"
    with tempfile.NamedTemporaryFile(suffix=".inv", delete=False) as stream:
        stream.write(head.encode() + zlib.compress(lines.encode()))
    return stream.name


project = "kubenet.vxlan_offload"
copyright = "the kubenet.vxlan_offload authors"
title = "kubenet.vxlan_offload"
html_short_title = title

extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", _inventory())}
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_show_sphinx = False
html_use_smartypants = True
html_use_modindex = False
html_use_index = False
html_copy_source = False
