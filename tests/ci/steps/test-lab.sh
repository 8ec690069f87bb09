# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Packets are the judge.
# Each remedy once and each scenario once; the log says what took long.
LAB_SHORT=1 PYTEST_ADDOPTS=--durations=25 make --no-print-directory -C "$CI_CHECKOUT" test-lab
