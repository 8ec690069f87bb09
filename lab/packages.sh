#!/bin/sh
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs what a list (lab/packages.txt when none is given) has and is missing here: lab/packages.sh [LIST].
# With apt-get when root, otherwise it prints the one line to run.
set -eu
list=${1:-$(dirname "$0")/packages.txt}
command -v dpkg-query >/dev/null || {
  echo "this is no Debian or Ubuntu: install the equivalents of $list by hand" >&2; exit 1; }
missing=$(sed 's/#.*//' "$list" | while read -r package _; do
  [ -n "$package" ] || continue
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf ' %s' "$package"
done)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "missing packages; run:  sudo apt-get update && sudo apt-get install -y$missing" >&2
  exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of package names, one word each
apt-get install -y -qq --no-install-recommends $missing >/dev/null
