# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The environment of make's targets with all that they add to it: two lanes could not both run pip in it.
venv=$CI_CHECKOUT/.venv
make --no-print-directory -C "$CI_CHECKOUT" venv "$venv"/.{reader,report,fleet,faults,dist}
