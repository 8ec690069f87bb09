# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What one lying node can cost the controller. The properties themselves run with the other unit tests.
PYTEST_ADDOPTS=--durations=5 make --no-print-directory -C "$CI_CHECKOUT" test-properties
