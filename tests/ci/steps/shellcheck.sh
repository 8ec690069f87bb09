# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The probe that runs on nodes must be POSIX sh; its shebang or directive says so.
cd "$CI_TREE" || exit
{ git ls-files -- '*.sh'; git grep -lE '^#!(/bin/sh|/bin/bash|/usr/bin/env (ba)?sh)' -- ':!*.sh' ':!*.py' ':!*.md'; } | sort -u |
  xargs shellcheck --external-sources --source-path=SCRIPTDIR --exclude=SC1090,SC1091
