# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Random rule sets in the running kernel against the walk. The log has the seed and what occurred.
PYTEST_ADDOPTS=--durations=10 make --no-print-directory -C "$CI_CHECKOUT" test-judge JUDGE_RULE_SETS="${JUDGE_RULE_SETS:-2000}"
