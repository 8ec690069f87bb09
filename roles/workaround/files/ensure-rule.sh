# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# ensure-rule.sh present|first|absent IPTABLES TABLE CHAIN RULE...
# Keeps one netfilter rule after a reboot, a kube-proxy sync or a flush. Called by the vxlan-offload-*.service units.
# Without a gap: a rule that is there (first: at the top of its chain) is left alone, so the timer may run as often as it likes.
set -eu
state=$1 iptables=$2 table=$3 chain=$4
shift 4
there=0
"$iptables" -w 30 -t "$table" -C "$chain" "$@" 2>/dev/null || there=$?
if [ "$state:$there" = first:0 ] && [ "$("$iptables" -w 30 -t "$table" -S "$chain" 1)" != "-A $chain $*" ]; then
  # Others have come in before it, so it does nothing there.
  "$iptables" -w 30 -t "$table" -D "$chain" "$@"
  there=1
fi
case $state:$there in
  present:0 | first:0) ;;
  present:1 | first:1) exec "$iptables" -w 30 -t "$table" -I "$chain" 1 "$@" ;;
  absent:0) exec "$iptables" -w 30 -t "$table" -D "$chain" "$@" ;;
  absent:1) ;;
  # Anything but 1 (no such rule) is an error, for instance 4: the xtables lock was held.
  *) echo "vxlan-offload: $iptables -C in $table $chain ended with $there: look at '$iptables -t $table -S $chain'" >&2; exit "$there" ;;
esac
