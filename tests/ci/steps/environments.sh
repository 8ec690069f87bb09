# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The virtual environments of the checks. ansible-core 2.19 needs Python 3.11, 2.16 runs on 3.10 to 3.12.
environment checks 3.11 3.12 3.13
environment core216 3.11 3.12 3.10
