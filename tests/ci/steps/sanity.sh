# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# All of ansible-test sanity of the current core, without an ignore file.
use checks
. "$CI_ROOT/tests/ci/get_pip.sh"
. "$CI_ROOT/tests/ci/all_of_sanity.sh"
cd "$CI_TREE" || exit
if compgen -G 'tests/sanity/ignore*' > /dev/null; then
  echo "tests/sanity has an ignore file: fix the finding instead" >&2
  exit 1
fi
all_of_sanity --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
