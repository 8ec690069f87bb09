#!/usr/bin/env bash
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the User Mode Linux kernels of the kernel lab from the distribution's kernel source: lab/kernel/build.sh DIRECTORY
# What is already built from the same source, configuration and patches is left alone. Prints one line per kernel.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: lab/kernel/build.sh DIRECTORY}
# Where kernels are kept between checkouts, if the user or CI gives such a folder.
cache=${KERNEL_CACHE:-}
kernels="plain zero_checksum no_lco_checksum"

source=$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' | sort -V | tail -n 1)
[ -n "$source" ] || { echo "no kernel source in /usr/src: apt-get install linux-source flex bison bc make gcc xz-utils" >&2; exit 1; }
for tool in flex bison bc make gcc xz; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install flex bison bc make gcc xz-utils" >&2; exit 1; }
done
package=$(dpkg-query -W -f '${Package} ${Version}' "$(basename "$source" .tar.xz)" 2>/dev/null || stat -c '%n %s %Y' "$source")
key=$({ echo "$package"; gcc -dumpfullversion; cat "$here/build.sh" "$here/kernel.config" "$here"/patches/*; } | sha256sum | cut -c1-16)
store=${cache:-$out/store}/$key
mkdir -p "$out" "$store"

build() {
  local work=$out/build tree=$out/build/source
  rm -rf "$work"
  mkdir -p "$tree" "$work/objects"
  tar -xJf "$source" -C "$tree" --strip-components 1
  make -s -C "$tree" ARCH=um O="$work/objects" defconfig >"$work/log" 2>&1
  (cd "$tree" && ARCH=um scripts/kconfig/merge_config.sh -m -O "$work/objects" "$work/objects/.config" "$here/kernel.config") >>"$work/log" 2>&1
  make -s -C "$tree" ARCH=um O="$work/objects" olddefconfig >>"$work/log" 2>&1
  options_took "$work/objects/.config"
  for kernel in $kernels; do
    build_one "$kernel"
  done
  rm -rf "$work"
}

# An option that the source does not know, or whose requirement is missing, would silently stay off.
options_took() {
  local lost
  lost=$(grep -E '^CONFIG_[A-Z0-9_]+=y' "$here/kernel.config" | grep -vxFf "$1" || true)
  [ -z "$lost" ] || { printf 'these options did not take:\n%s\n' "$lost" >&2; exit 1; }
}

build_one() {
  local patch=$here/patches/$1.patch
  [ "$1" = plain ] || patch -s -d "$tree" -p1 <"$patch"
  if ! make -s -C "$tree" ARCH=um O="$work/objects" LOCALVERSION="-$(echo "$1" | tr _ -)" -j"$(nproc)" linux >>"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    exit 1
  fi
  strip -o "$store/$1.new" "$work/objects/linux"
  mv "$store/$1.new" "$store/$1"
  [ "$1" = plain ] || patch -s -R -d "$tree" -p1 <"$patch"
}

began=$(date +%s)
missing=
for kernel in $kernels; do
  [ -x "$store/$kernel" ] || missing="$missing $kernel"
done
[ -z "$missing" ] || build
for kernel in $kernels; do
  ln -sfn "$store/$kernel" "$out/$kernel"
  echo "$out/$kernel"
done
echo "kernels of $package: $([ -n "$missing" ] && echo built || echo found) in $(($(date +%s) - began)) s" >&2
