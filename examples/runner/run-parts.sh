#!/usr/bin/env bash
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Diagnose a fleet in parts, side by side, one part for each worker, and merge what they found:
#   run-parts.sh hosts.ini exec1 ops@exec2 local
# A worker is what ssh takes, or `local`. It needs ansible-core and ansible-runner; the collection travels with the work.
# Exits as fleet_parts.py merge: 0 clean, 2 affected, 3 incomplete; 1 when called wrongly.
# RUNS: folder for the runs (default ./vxlan-offload-runs). SSH: the ssh command (default ssh). FAIL_ON: statuses for exit code 2.
# TIMEOUT: seconds after which a worker is ended and its part is incomplete (default 3600; 0: never).
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: run-parts.sh INVENTORY WORKER...   (a worker is an ssh destination, or local)" >&2; exit 1; }
inventory=$1
shift
example=$(cd "$(dirname "$0")" && pwd)
collection=$(cd "$example/../.." && pwd)
parts=(python3 "$collection/scripts/fleet_parts.py")
read -ra ssh <<<"${SSH:-ssh}"
limit=${TIMEOUT:-3600}
[[ $limit =~ ^[0-9]+$ ]] || { echo "run-parts.sh: TIMEOUT must be a number of seconds, not $limit" >&2; exit 1; }
[ -e "$inventory" ] || { echo "run-parts.sh: no inventory at $inventory" >&2; exit 1; }
command -v ansible-runner >/dev/null || { echo "run-parts.sh: no ansible-runner on PATH: pip install ansible-runner" >&2; exit 1; }

# A folder of its own for each run: artifacts of an earlier run must never stand for a part whose stream was cut.
mkdir -p "${RUNS:-vxlan-offload-runs}"
run=$(mktemp -d "${RUNS:-vxlan-offload-runs}/$(date -u +%Y%m%dT%H%M%SZ)-XXXXXX")
"${parts[@]}" split --inventory "$inventory" --parts $# --directory "$run/split" || exit 1

data=$run/transmit
trap 'rm -rf "$data"' EXIT # it holds the inventory's variables
mkdir -p "$data/inventory" "$data/project/collections/ansible_collections/kubenet/vxlan_offload"
cp -r "$example/env" "$example/project" "$data"
cp "$run/split/"part-* "$data/project"
for folder in meta playbooks plugins roles; do
  cp -r "$collection/$folder" "$data/project/collections/ansible_collections/kubenet/vxlan_offload"
done
# As one file, with the variables of groups: a folder leaves *.ini files out, and --inventory of transmit sends a path of this machine.
ansible-inventory -i "$inventory" --list --yaml --output "$data/inventory/hosts.yml" || exit 1

# In the foreground: ssh may have to ask for a passphrase.
worker() {
  local command=(ansible-runner worker) code=0
  [ "$1" = local ] || command=("${ssh[@]}" "$1" "${command[@]}")
  timeout --foreground --kill-after=10 "$limit" "${command[@]}" || code=$?
  case $code in 124 | 137) echo "run-parts.sh: $1 has not ended after $limit s: its part is incomplete" >&2 ;; esac
  return "$code"
}

# What the exit codes of the three say is not used: process exits with 0 when its stream was cut. The merge looks at what arrived.
one_part() {
  ansible-runner transmit "$data" -p diagnose.yml --ident "$1" --limit "@$1" | worker "$2" |
    ansible-runner process "$run/$1" --ident "$1" >"$run/$1.log" 2>&1 ||
    echo "run-parts.sh: $1 on $2 ended with an error, see $run/$1.log" >&2
  rm -f "$run/$1/artifacts/$1/command" # it holds the worker's whole environment
}

number=0
results=()
for worker in "$@"; do
  number=$((number + 1))
  results+=("$run/part-$number")
  one_part "part-$number" "$worker" &
done
wait
"${parts[@]}" merge --expected "$run/split/hosts.txt" --directory "$run/report" --fail-on "${FAIL_ON-affected}" "${results[@]}"
