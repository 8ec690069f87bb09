# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Profile production: the collection, and the projects in it. It needs to find the collection under its own name, and leaves a copy in .ansible.
use checks
export ANSIBLE_COLLECTIONS_PATH=$CI_WORK/tree
for project in . awx examples; do
  cd "$CI_TREE/$project" || exit
  echo "== $project"
  rm -rf .ansible
  ansible-lint --offline --nocolor --strict --profile production
  rm -rf .ansible
done
