# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Fragments, and a CHANGELOG.md that says what changelogs/changelog.yaml says.
use checks
cd "$CI_TREE" || exit
antsibull-changelog lint
cp CHANGELOG.md "$CI_WORK/CHANGELOG.before"
antsibull-changelog generate
diff -u "$CI_WORK/CHANGELOG.before" CHANGELOG.md
git checkout -q -- CHANGELOG.md changelogs
