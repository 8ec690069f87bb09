# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Profile production. It needs to find the collection under its own name, and leaves a copy of it in .ansible.
use checks
cd "$CI_TREE" || exit
rm -rf .ansible
ANSIBLE_COLLECTIONS_PATH=$CI_WORK/tree ansible-lint --offline --nocolor --strict --profile production
rm -rf .ansible
