# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# All of the distribution's packages, by apt-get where something is missing: two lanes could not both call it.
"$CI_ROOT/lab/packages.sh"
for list in lab/kernel tests/report tests/lab/boot tests/lab/faults tests/lab/privileges; do
  "$CI_ROOT/lab/packages.sh" "$CI_ROOT/$list/packages.txt"
done
command -v npm > /dev/null || "$CI_ROOT/lab/packages.sh" "$CI_ROOT/tests/report/npm.txt"
