# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The collection under kernels that have a defect and kernels that have none, and the committed table against what they do.
make --no-print-directory -C "$CI_CHECKOUT" kernel-lab-short
