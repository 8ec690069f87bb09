# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Every module under each ansible-core and each Python that a node may have, and the README's table of it.
for version in 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 3.14; do
  command -v "python$version" || echo "no python$version on this machine"
done
make --no-print-directory -C "$CI_CHECKOUT" test-matrix MATRIX="$CI_ENVIRONMENTS/matrix"
