# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What nodes run must compile and import on Python 3.6; ansible-core 2.16 is the last that tests there.
command -v python3.6 > /dev/null || { echo "no python3.6 on this machine: node code was not compiled there"; exit 77; }
use core216
. "$CI_ROOT/tests/ci/get_pip.sh"
cd "$CI_TREE" || exit
ansible-test sanity --local --color no --python 3.6 --test compile --test import
