# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What Galaxy does with an upload, with every check that needs no container. A warning is an error. flake8 is left to ruff: it does not see
# names in type comments, which Python 3.6 on nodes asks for.
use checks
out=$CI_WORK/galaxy-importer
rm -rf "$out"
mkdir -p "$out/tmp" "$out/tree"
git -C "$CI_TREE" ls-files -z | tar -C "$CI_TREE" --null -T - -cf - | tar -xf - -C "$out/tree"
ansible-galaxy collection build --output-path "$out" "$out/tree"
cat > "$out/settings" <<EOF
[galaxy-importer]
ansible_local_tmp = $out/tmp
check_changelog = True
check_required_tags = True
require_v1_or_greater = True
run_ansible_doc = True
run_ansible_lint = True
run_ansible_test = False
run_flake8 = False
EOF
cd "$out" || exit
GALAXY_IMPORTER_CONFIG=$out/settings python -m galaxy_importer.main ./*.tar.gz 2>&1 | tee "$out/log"
# An ansible-lint that is not found, or breaks, is one line among others there.
grep -qF '...ansible-lint run complete' "$out/log" || { echo "galaxy-importer did not lint" >&2; exit 1; }
grep -qF 'Importer processing completed successfully' "$out/log" || { echo "galaxy-importer did not come to its end" >&2; exit 1; }
if grep -E 'WARNING|ERROR|Traceback' "$out/log"; then
  echo "galaxy-importer warns: see above" >&2
  exit 1
fi
