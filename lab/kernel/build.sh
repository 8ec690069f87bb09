#!/usr/bin/env bash
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the User Mode Linux kernels of the kernel lab from Debian's kernel source: lab/kernel/build.sh DIRECTORY
# What is already built from the same source, configuration and patches is left alone. Prints one line per kernel.
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: lab/kernel/build.sh DIRECTORY}"
out=$(cd "$1" && pwd)
kernels="plain zero_checksum no_lco_checksum"

[ "$(uname -m)" = x86_64 ] || { echo "User Mode Linux runs on x86_64, this machine is $(uname -m)" >&2; exit 1; }
source=$(find -L /usr/src -maxdepth 1 -type f -name 'linux-source-*.tar.*' | sort -V | tail -n 1)
[ -n "$source" ] || { echo "no linux-source-*.tar.* in /usr/src: on Debian 12, apt-get install linux-source" >&2; exit 1; }
for tool in flex bison bc make gcc patch xz; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install flex bison bc make gcc patch xz-utils" >&2; exit 1; }
done
package=$(dpkg-query -W -f '${Package} ${Version}' "$(basename "${source%.tar.*}")" 2>/dev/null || stat -c '%n %s %Y' "$source")
key=$({ echo "$package"; gcc -dumpfullversion; ld --version; cat "$here/build.sh" "$here/kernel.config" "$here"/patches/*; } | sha256sum | cut -c1-16)
# KERNEL_CACHE is where kernels are kept between checkouts, when there is such a place.
store=${KERNEL_CACHE:-$out/store}/$key
if ! mkdir -p "$store" 2>/dev/null || [ ! -w "$store" ]; then
  store=$out/store/$key
  mkdir -p "$store"
fi

build() {
  local work=$out/build tree=$out/build/source
  rm -rf "$work"
  mkdir -p "$tree" "$work/objects"
  trap 'tail -n 20 "$work/log" >&2' ERR
  tar -xf "$source" -C "$tree" --strip-components 1
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
  make -s -C "$tree" ARCH=um O="$work/objects" LOCALVERSION="-$(echo "$1" | tr _ -)" -j"$(nproc)" linux >>"$work/log" 2>&1
  strip -o "$store/$1.new" "$work/objects/linux"
  mv "$store/$1.new" "$store/$1"
  [ "$1" = plain ] || patch -s -R -d "$tree" -p1 <"$patch"
}

began=$(date +%s)
# Another checkout may build into the same store, another make into the same folder.
exec 8>"$store/.lock" 9>"$out/.lock"
flock 8
flock 9
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
