# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The documentation as a site: DIRECTORY/build/html. A warning of Sphinx is an error, and each plugin, role and public playbook has its page.
use checks
out=$CI_WORK/docs-site
rm -rf "$out"
mkdir -p "$out/rst"
# antsibull-docs refuses to write where others may write, too.
chmod 700 "$out/rst"
cp "$CI_TREE/docs/docsite/conf.py" "$out/rst/"
export ANSIBLE_COLLECTIONS_PATH=$CI_WORK/tree
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$out/rst" kubenet.vxlan_offload
sphinx-build -q -b html -W --keep-going "$out/rst" "$out/build/html"
missing=
need() { # need PAGE TEXT
  grep -qsF -- "$2" "$out/build/html/$1.html" || missing="$missing $1($2)"
}
cd "$CI_TREE" || exit
for type in module:modules filter:filter lookup:lookup callback:callback; do
  for file in plugins/"${type#*:}"/[!_]*.py; do
    name=$(basename "$file" .py)
    need "${name}_${type%:*}" "kubenet.vxlan_offload.$name"
  done
done
for role in roles/*/; do
  name=$(basename "$role")
  need "${name}_role" "kubenet.vxlan_offload.$name"
done
for file in playbooks/*.yml; do
  name=$(basename "$file" .yml)
  # Parts of the others, for no one to start.
  case $name in kubespray_groups | require_hosts) continue ;; esac
  need docsite/playbooks "docsite-playbooks-${name//_/-}"
done
[ -z "$missing" ] || { echo "no documentation page for:$missing" >&2; exit 1; }
find "$out/build/html" -name '*.html' | wc -l | sed 's/$/ pages/'
