# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Fragments, and a CHANGELOG.md that says what the fragments and the plugins of this release say.
use checks
cd "$CI_TREE" || exit
antsibull-changelog lint
cp CHANGELOG.md "$CI_WORK/CHANGELOG.before"
antsibull-changelog generate --reload-plugins
diff -u "$CI_WORK/CHANGELOG.before" CHANGELOG.md || {
  echo "CHANGELOG.md is older than the plugins: run antsibull-changelog generate --reload-plugins" >&2
  exit 1
}
