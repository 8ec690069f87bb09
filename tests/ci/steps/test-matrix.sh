# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The state modules under each interpreter that a node may have; ansible-core 2.16 is the last that manages Python 3.6.
for version in 3.6 3.8 3.11 3.13; do
  command -v "python$version" || echo "no python$version on this machine: that leg does not run"
done
CORE216_VENV=$CI_ENVIRONMENTS/core216 make --no-print-directory -C "$CI_CHECKOUT" test-matrix
