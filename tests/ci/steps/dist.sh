# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# make dist: two builds of one commit, at other places and times, by another umask, are the same bytes, and hold what they should and no more.
use checks
out=$CI_WORK/dist
rm -rf "$out"
mkdir -p "$out"
# The tree as it is, committed: what is not committed is not built.
git clone -q "$CI_TREE" "$out/source"
git -C "$CI_TREE" ls-files -z | tar -C "$CI_TREE" --null -T - -cf - | tar -xf - -C "$out/source"
git -C "$CI_TREE" ls-files -z --deleted | (cd "$out/source" && xargs -0 -r rm -f)
git -C "$out/source" add -A
git -C "$out/source" -c user.name=ci -c user.email=ci@example.org commit -q --allow-empty -m "As it is"
build() { # build CLONE UMASK TIMEZONE
  (
    umask "$2"
    export TZ=$3
    git clone -q "$out/source" "$out/$1"
    touch "$out/$1/stray.yml" "$out/$1/roles/diagnose/stray.yml"
    python "$out/$1/scripts/build_collection.py" "$out/$1/dist"
  )
}
build first 022 UTC
find "$out/source" -type f -not -path '*/.git/*' -exec touch -d 2001-01-01 {} +
sleep 1
build a/longer/path/second 077 Asia/Kolkata
first=$(ls "$out"/first/dist/*.tar.gz)
second=$(ls "$out"/a/longer/path/second/dist/*.tar.gz)
cmp "$first" "$second" || { echo "two builds of one commit differ: compare them with diffoscope" >&2; exit 1; }
sha256sum "$first"
tar -tzf "$first" | sort > "$out/contents"
# Each file is known to git, and is one of the kinds that a user has a use for.
git -C "$out/source" ls-files | sort > "$out/tracked"
unexpected=$(grep -v '/$' "$out/contents" | grep -vxE 'MANIFEST.json|FILES.json' | comm -23 - "$out/tracked"
  grep -E '^(tests|lab|Makefile|pyproject|galaxy.yml|\.ci|\.git|\.yamllint)|build_collection|conf\.py$|__pycache__|\.pyc$' "$out/contents" || true)
[ -z "$unexpected" ] || { printf 'these do not belong into the tarball:\n%s\n' "$unexpected" >&2; exit 1; }
for part in plugins roles playbooks meta examples awx changelogs LICENSES/GPL-3.0-or-later.txt; do
  git -C "$out/source" ls-files "$part" | comm -23 - "$out/contents" > "$out/lacking"
  [ ! -s "$out/lacking" ] || { echo "the tarball lacks:" >&2; cat "$out/lacking" >&2; exit 1; }
done
export ANSIBLE_COLLECTIONS_PATH=$out/collections
cd "$out" || exit
ansible-galaxy collection install --offline -p "$out/collections" "$first"
ansible-galaxy collection verify --offline -p "$out/collections" kubenet.vxlan_offload
# That the check can fail.
installed=$out/collections/ansible_collections/kubenet/vxlan_offload
echo "# changed" >> "$installed/plugins/plugin_utils/probe.sh"
if ansible-galaxy collection verify --offline -p "$out/collections" kubenet.vxlan_offload > "$out/verify" 2>&1 || ! grep -q probe.sh "$out/verify"; then
  echo "a changed file was not found by ansible-galaxy collection verify" >&2
  exit 1
fi
# What the collection asks of an execution environment, and the context of the image of awx/ with this tarball in it.
ansible-builder introspect --sanitize "$out/collections" > "$out/introspect"
if grep -qE '^ +- ' "$out/introspect"; then
  echo "meta/execution-environment.yml says the collection needs nothing, ansible-builder found:" >&2
  cat "$out/introspect" >&2
  exit 1
fi
cp "$first" "$out/collection.tar.gz"
sed -e 's|- name: kubenet.vxlan_offload|- name: collection.tar.gz|' -e 's|version: ">=1.0.0,<2.0.0"|type: file|' \
  "$installed/awx/execution-environment.yml" > "$out/execution-environment.yml"
ansible-builder create -f "$out/execution-environment.yml" -c "$out/context" --output-filename Containerfile
grep -q 'ansible-galaxy collection install' "$out/context/Containerfile"
