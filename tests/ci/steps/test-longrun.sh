# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# A short life of 10 treated nodes: every lost query must fall into a promised window, and nothing may be left behind.
make --no-print-directory -C "$CI_CHECKOUT" test-longrun
