# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The distribution's packages of lab/packages.txt, by apt-get where something is missing.
"$CI_ROOT/lab/packages.sh"
"$CI_ROOT/lab/packages.sh" "$CI_ROOT/lab/kernel/packages.txt"
