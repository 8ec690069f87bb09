#!/usr/bin/env bash
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs one check as .ci/run does, on the working tree with what is not committed yet: tests/ci/step.sh sanity
set -euo pipefail
cd "$(dirname "$0")"
. ./environment.sh
step=steps/${1:-}.sh
[ -f "$step" ] || { echo "usage: tests/ci/step.sh $(cd steps && printf '%s ' *.sh | sed 's/\.sh//g')" >&2; exit 2; }
if [ "${CI_FRESH:-yes}" = yes ] && [ "$1" != packages ]; then
  fresh_trees
  [ "$1" = environments ] || . ./steps/environments.sh
fi
. "./$step"
