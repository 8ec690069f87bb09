# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the sanity steps. ansible-test downloads get-pip from a site that not every network reaches. Where it
# already lies in the cache nothing is downloaded (ansible/ansible#77304), and pip's own bootstrap does as well.

cache=$HOME/.ansible/test/cache
mkdir -p "$cache"
for version in 25_2 24_2 23_1_2 21_3_1; do
  cp "$CI_ROOT/tests/ci/get_pip.py" "$cache/get_pip_$version.py"
done
