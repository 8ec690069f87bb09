# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Without root, with a part of it, and by sudo.
PYTEST_ADDOPTS=--durations=10 make --no-print-directory -C "$CI_CHECKOUT" test-privileges
