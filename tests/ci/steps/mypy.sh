# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Strict types where the reasoning is, on both sides.
use checks
cd "$CI_WORK/tree" || exit
collection=ansible_collections/kubenet/vxlan_offload
MYPYPATH=$PWD mypy --config-file "$collection/pyproject.toml" --cache-dir "$CI_WORK/mypy" \
  $collection/plugins/plugin_utils $collection/plugins/module_utils
