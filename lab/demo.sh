#!/usr/bin/env bash
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# make demo: the whole job on a fleet of network namespaces. Nothing is simulated: the packets are really lost and really come back.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
name=vxlan-offload-demo
node=fixed_kube_proxy_calico_first_nft
work=$(mktemp -d)

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "make demo builds network namespaces: run it as root" >&2; exit 1; }
  exec sudo --preserve-env=ANSIBLE_COLLECTIONS_PATH,ANSIBLE_PIPELINING,ANSIBLE_NOCOWS,PYTHONPATH "$0" "$@"
fi

lab() { "$bin/python" -m lab "$@"; }
finish() {
  code=$?
  trap - EXIT
  lab down --name "$name" || true
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
on_node() { lab exec --name "$name" "$node" -- "$@"; }
receiver_errors() { lab exec --name "$name" backend -- cat /proc/net/snmp | awk '/^Udp: [0-9]/ {print $8}'; }
ask() {
  errors=$(receiver_errors)
  for transport in '' -vc; do
    printf '%s# nslookup %s -timeout=1 -retry=1 kubernetes.default.svc.cluster.local 10.96.0.10\n' "$node" "$transport"
    start=$(date +%s%N)
    # shellcheck disable=SC2086 # no argument at all when empty
    on_node nslookup $transport -timeout=1 -retry=1 kubernetes.default.svc.cluster.local 10.96.0.10 2>&1 | grep -v '^$' || true
    printf '   took %d ms\n' $((($(date +%s%N) - start) / 1000000))
  done
  echo "   the receiver's Udp InCsumErrors grew by $(($(receiver_errors) - errors))"
}
play() {
  local playbook=kubenet.vxlan_offload.$1
  shift
  echo "\$ ansible-playbook -i hosts $playbook $*"
  "$bin/ansible-playbook" -i "$inventory" "$playbook" "$@" "${extra[@]}"
}
throughput() { printf '  %-18s %s\n' "$1" "$(lab throughput --name "$name" "$node" --seconds 3 | sed 's/.*: //')"; }

extra=(-e "vxlan_offload_report_dir=$work/report")
export ANSIBLE_FORCE_COLOR=${ANSIBLE_FORCE_COLOR:-} ANSIBLE_DISPLAY_SKIPPED_HOSTS=False ANSIBLE_DISPLAY_OK_HOSTS=False ANSIBLE_SHOW_PER_HOST_START=False

say "A fleet of ten nodes, a DNS server as a pod behind 10.96.0.10, an underlay that verifies checksums"
lab up --name "$name"
inventory=$(lab inventory --name "$name" --path)

say "The failure: a fixed kube-proxy (1.28.3) and Linux $(uname -r) do not help when Calico 3.28.0 masquerades first"
ask

say "Every node, by packets"
lab traffic --name "$name" || true

say "Diagnose: reads the nodes, changes nothing"
play diagnose

say "Apply: simulate, record, apply, persist, read again, compare, ask DNS"
play apply

say "Verify"
play verify

say "The same questions again"
ask

say "What each remedy costs: one TCP stream from the node to the pod"
play revert -l "$node" >/dev/null
throughput "no workaround"
for method in tx_checksum_off clear_mark notrack; do
  play apply -l "$node" -e "workaround_method=$method" >/dev/null
  throughput "$method"
done

say "Revert: puts back what was recorded"
play revert

say "The failure is back"
ask

say "Clean up"
