# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What nodes run must compile and import on the oldest Python that each ansible-core serves, what the controller runs on the oldest of its
# own, and the documentation must be valid for the oldest core (2.15 on 3.9) and the newest (2.21). The sanity step is 2.19 in full.
matrix_environments
. "$CI_ROOT/tests/ci/get_pip.sh"
. "$CI_ROOT/tests/ci/all_of_sanity.sh"
cd "$CI_TREE" || exit
for leg in core-2.15-py3.9:3.9 core-2.16-py3.11:3.6 core-2.17-py3.11:3.7 core-2.18-py3.11:3.8 core-2.20-py3.12:3.9 core-2.21-py3.13:3.13; do
  echo "== $leg"
  more=
  case $leg in core-2.15-* | core-2.21-*) more="--test validate-modules" ;; esac
  # shellcheck disable=SC2086 # two words, or none
  (use "matrix/${leg%:*}" && all_of_sanity --python "${leg#*:}" --test compile --test import $more)
done
