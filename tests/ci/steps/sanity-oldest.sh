# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What nodes run must compile and import on the oldest Python, what the controller runs on the oldest of its own, by the
# oldest ansible-core (2.15 on 3.9), the last for Python 3.6 (2.16) and the newest (2.21). The sanity step is 2.19 in full.
matrix_environments
. "$CI_ROOT/tests/ci/get_pip.sh"
cd "$CI_TREE" || exit
for leg in core-2.15-py3.9:3.9 core-2.16-py3.11:3.6 core-2.21-py3.13:3.13; do
  echo "== $leg"
  (use "matrix/${leg%:*}" && ansible-test sanity --local --color no --python "${leg#*:}" --test compile --test import)
done
