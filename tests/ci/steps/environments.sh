# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The virtual environment of the checks: ansible-core 2.19 needs Python 3.11. Those of the matrix are made where they are used.
environment checks 3.11 3.12 3.13
