# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx settings of the documentation site that tests/ci/steps/docs-site.sh builds. No intersphinx: the site is built without a network."""

project = "kubenet.vxlan_offload"
copyright = "the kubenet.vxlan_offload authors"
title = "kubenet.vxlan_offload"
html_short_title = title

extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
nitpicky = False
html_show_sphinx = False
display_version = False
html_use_smartypants = True
html_use_modindex = False
html_use_index = False
html_copy_source = False
