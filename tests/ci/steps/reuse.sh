# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Every file says whose it is and under which licence.
use checks
cd "$CI_TREE" || exit
reuse lint --lines
reuse lint --quiet
