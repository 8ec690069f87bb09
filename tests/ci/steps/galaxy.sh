# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What a user installs: build the tarball, look into it, install it, read the documentation of each plugin from there.
use checks
out=$CI_WORK/galaxy
rm -rf "$out" "$CI_TREE/.ansible"
mkdir -p "$out"
cd "$CI_TREE" || exit
ansible-galaxy collection build --output-path "$out" .
tarball=$(ls "$out"/kubenet-vxlan_offload-*.tar.gz)
tar -tzf "$tarball" | sort > "$out/contents"
if grep -E '^(tests|lab|\.ci|\.venv|\.venvs)/|(^|/)(__pycache__|\.git)|\.pyc$' "$out/contents"; then
  echo "these do not belong into the tarball" >&2
  exit 1
fi
for needed in README.md LICENSE CHANGELOG.md meta/runtime.yml plugins/modules/ plugins/plugin_utils/ roles/ playbooks/ awx/; do
  grep -qx "$needed" "$out/contents" || { echo "the tarball lacks $needed" >&2; exit 1; }
done
export ANSIBLE_COLLECTIONS_PATH=$out/collections
cd "$out" || exit
ansible-galaxy collection install --offline -p "$out/collections" "$tarball"
installed=$out/collections/ansible_collections/kubenet/vxlan_offload
document() { # document TYPE FILE...
  local type=$1 file
  shift
  for file in "$@"; do
    [ -e "$file" ] || continue
    file=$(basename "$file" .py)
    echo "ansible-doc -t $type kubenet.vxlan_offload.$file"
    ansible-doc -t "$type" --json "kubenet.vxlan_offload.$file" > "$out/doc.json"
    grep -q "vxlan_offload.$file" "$out/doc.json" || { echo "$type $file has no documentation" >&2; return 1; }
  done
}
document module "$installed"/plugins/modules/[!_]*.py
document filter "$installed"/plugins/filter/[!_]*.py
document lookup "$installed"/plugins/lookup/[!_]*.py
document role "$installed"/roles/*
for playbook in "$installed"/playbooks/*.yml; do
  ansible-playbook -i localhost, --syntax-check "kubenet.vxlan_offload.$(basename "$playbook" .yml)"
done
