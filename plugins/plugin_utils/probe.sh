# shellcheck shell=sh
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints what this node has: "sudo sh < probe.sh > node.txt". Read-only. Needs no file, no Python. Everything is in functions and
# starts on the last line, so that a script cut on its way does nothing. Each process costs 2-8 ms on a busy node: builtins first.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
nl='
'
wk='KUBE-SVC-NPX46M4PTMTKRN6Y KUBE-SVC-TCOU7JCQXEZGVUNU KUBE-SVC-ERIFXISQEP7F7OF4 KUBE-SVC-ZRLRAB2E5DTUX37C KUBE-SVC-YFPH5LFNKP7E3G4L'

has() { command -v "$1" >/dev/null 2>&1; }
want() { case " ${subset:-all} " in *" all "* | *" $1 "*) ;; *) return 1 ;; esac; }
p() { printf '%s\n' "$*"; }
# run TITLE COMMAND...: one section; leaves its text in $out and its code in $rc
run() {
  title=$1
  shift
  if has "$1"; then out=$("$@" 2>&1) rc=$?; else out="$1: not found" rc=127; fi
  section "$title"
}
section() {
  p "$N begin $1"
  if [ ${#out} -gt 300000 ]; then
    out=$(printf '%.300000s' "$out")
    p "$out$nl$N cut"
  else p "$out"; fi
  p "$N end ${1%% *} $rc"
}
# file PREFIX PATH: its lines, by the shell alone
file() {
  [ -r "$2" ] || return 0
  while IFS= read -r l || [ -n "$l" ]; do p "$1$l"; done <"$2"
}

kernel() {
  run uname uname -rvm
  rel=${out%% *}
  p "$N begin release"
  file 'signature ' /proc/version_signature
  f=/etc/os-release
  [ -r $f ] || f=/usr/lib/os-release
  file 'os ' $f
  file 'redhat ' /etc/redhat-release
  p "$N end release 0"
  [ "${changelog:-0}" = 1 ] && changes
}
changes() {
  p "$N begin changelog"
  d=/usr/share/doc/linux-image-$rel/changelog.Debian.gz
  if [ -r "$d" ]; then
    p "source $d"
    gzip -dc "$d" 2>&1 | pick
  elif has rpm; then
    for k in kernel-core kernel kernel-uek-core kernel-uek kernel-default; do
      rpm -q "$k-$rel" >/dev/null 2>&1 || continue
      p "source rpm -q --changelog $k-$rel"
      rpm -q --changelog "$k-$rel" 2>&1 | pick
      break
    done
  fi
  p "$N end changelog 0"
}
pick() { awk '/never update the UDP checksum/ && !l {l = $0} /^(\*| -- )/ {if (!a) a = $0; z = $0}
  END {print "newest " a; print "oldest " z; print "line " l}'; }

# The devices that matter, never all: a node has a thousand cali* interfaces.
device() {
  case $1 in -* | '') return ;; esac
  case $seen in *" $1 "*) return ;; esac
  seen="$seen$1 "
  run "addr $1" ip addr show dev "$1"
  run "features $1" ethtool -k "$1"
  want links && run "driver $1" ethtool -i "$1"
}
links() {
  seen=' ' under=''
  if want vxlan || want links; then
    run vxlan ip -o -d link show type vxlan
    [ $rc = 0 ] && vxlans "$out"
  fi
  if want routes || want links; then
    run default ip -4 route show default
    case $out in *' dev '*) out=${out#* dev } && under="$under ${out%% *}" ;; esac
  fi
  if want links; then for d in $under; do device "$d"; done; fi
}
vxlans() {
  set -f
  IFS=$nl
  for l in $1; do
    unset IFS
    case $l in *vxlan\ *) ;; *) continue ;; esac
    d=${l#*: } && d=${d%%: *}
    device "${d%%@*}"
    case $l in *' dev '*) l=${l#* dev } && under="$under ${l%% *}" ;; esac
  done
  unset IFS
}

# nf_tables counts only when it is there already: to ask for it would load the module.
nf_tables() {
  b=/lib/modules/$rel/modules.builtin
  [ -e /proc/modules ] && [ -e "$b" ] || return 0
  grep -qE '^nf_tables |/nf_tables\.ko' /proc/modules "$b" 2>/dev/null
}
tools() {
  nft='' legacy='' v=''
  if has iptables; then v=$(iptables -V 2>&1); fi
  case $v in *nf_tables*) nft=iptables ;; ?*) legacy=iptables ;; esac
  if has iptables-nft; then nft=iptables-nft; fi
  if has iptables-legacy; then legacy=iptables-legacy; fi
  p "$N begin printers"
  for d in $nft $legacy; do
    [ "$d" = iptables ] || v=$("$d" -V 2>&1)
    case $d in "$nft") p "nft $d $v" ;; *) p "legacy $d $v" ;; esac
  done
  if has nft; then p "nftables nft"; fi
  if nf_tables; then p "nf_tables yes"; else p "nf_tables no"; nft=; fi
  l=
  if [ ! -e /proc/net/ip_tables_names ]; then p 'names missing'
  elif [ ! -r /proc/net/ip_tables_names ]; then p 'names unreadable'
  else
    while read -r l; do p "legacy_table $l"; done </proc/net/ip_tables_names
    [ -n "$l" ] || legacy=
  fi
  p "$N end printers 0"
}
# one chain by iptables-nft: flat, however many rules the table has
chain() {
  next=
  run "chain nft $1 $2" "$nft" -w 5 -t "$1" -S "$2"
  set -f
  IFS=$nl
  for l in $out; do
    case $l in *' -j '*) t=${l##* -j } ;; *' -g '*) t=${l##* -g } ;; *) continue ;; esac
    case $l in *' -j KUBE-MARK-MASQ') marker=1 ;; esac
    case $1,${t%% *} in
      *,ACCEPT | *,DROP | *,RETURN | *,REJECT | *,MARK | *,LOG | *,MASQUERADE | *,SNAT | *,DNAT | *,CT | *,NOTRACK | *,CONNMARK | *,TCPMSS) ;;
      nat,KUBE-SERVICES | nat,KUBE-NODEPORTS | nat,KUBE-S[EV][PCL]-* | nat,KUBE-EXT-* | nat,KUBE-FW-* | nat,KUBE-XLB-*) ;;
      *) next="$next ${t%% *}" ;;
    esac
  done
  unset IFS
}
walk() {
  tab=$1 done=' ' n=0
  shift
  while [ $# -gt 0 ]; do
    c=$1
    shift
    case $done in *" $c "*) continue ;; esac
    done="$done$c "
    n=$((n + 1))
    if [ $n -gt 64 ]; then p "$N cut nft $tab $c"; else
      chain "$tab" "$c"
      # shellcheck disable=SC2086
      set -- "$@" $next
    fi
  done
}
read_nft() {
  walk raw OUTPUT
  [ "$rc" = 4 ] && return
  walk mangle OUTPUT POSTROUTING
  walk filter OUTPUT
  walk nat OUTPUT POSTROUTING
  marker=
  for c in PREROUTING KUBE-MARK-MASQ $wk; do
    case $done in *" $c "*) ;; *) chain nat "$c" && address "$out" ;; esac
  done
  [ -n "$marker" ] && return
  rc=0 out=$("$nft" -w 5 -t nat -S KUBE-SERVICES 2>&1 | head -n 42)
  section 'chain nft nat KUBE-SERVICES'
  address "$out"
}
# Legacy hands over the whole table at each call: one call, and what cannot be reached is dropped on the way.
read_legacy() {
  out=$({
    "${legacy}-save" 2>&1
    echo "#rc $?"
  } | awk -v N="$N" -v wk="$wk" '
function add(c) {if (!(c in seen)) {seen[c] = 1; q[++z] = c}}
function emit(c, follow, i, j, k, w) {
  if (!(c in n)) return
  if (++m > 64 || n[c] > 2000) print N " cut legacy " t " " c
  if (m > 64) return
  print ":" c
  for (i = 1; i <= n[c] && i <= 2000; i++) {
    print r[c, i]
    if (follow) {k = split(r[c, i], w, " "); for (j = k - 1; j > 2; j--) if (w[j] == "-j" || w[j] == "-g") {add(w[j + 1]); break}}
  }
}
BEGIN {k = split(wk, a, " "); for (i = 1; i <= k; i++) known[a[i]] = 1}
/^[:]KUBE-(S(EP|VC|VL)|EXT|FW|XLB)-/ {c = substr($1, 2); if (c in known) n[c] = 0; next}
/^-A KUBE-(S(EP|VC|VL)|EXT|FW|XLB)-/ {if (!($2 in known)) next; if (/-j KUBE-MARK-MASQ$/) marker = 1}
/^\*/ {t = substr($1, 2); split("", n); split("", r); split("", seen); split("", q); z = m = 0; print; next}
/^:/ {n[substr($1, 2)] = 0; next}
/^-A / {if (n[$2] < 2001) r[$2, ++n[$2]] = $0; next}
/^COMMIT/ {
  if (t == "nat") {seen["KUBE-SERVICES"] = seen["KUBE-NODEPORTS"] = 1}
  add("OUTPUT"); add("POSTROUTING")
  for (h = 1; h <= z; h++) emit(q[h], 1)
  if (t == "nat") {
    m = 0; emit("PREROUTING"); if (!("KUBE-MARK-MASQ" in seen)) emit("KUBE-MARK-MASQ")
    for (i = 1; i <= k; i++) emit(a[i])
    if (!marker && n["KUBE-SERVICES"] > 40) {n["KUBE-SERVICES"] = 40; print N " cut legacy nat KUBE-SERVICES"}
    if (!marker) emit("KUBE-SERVICES")
  }
}
{print}')
  rc=0
  section legacy
  address "$out"
}
# the addresses of the well-known Services, for "ip route get"
address() {
  set -f
  IFS=$nl
  for l in $1; do
    case $l in
      '-A KUBE-SVC-'*' -d '*) ;;
      '-A KUBE-SERVICES '*' -d '*) case " $wk " in *" ${l##* } "*) ;; *) continue ;; esac ;;
      *) continue ;;
    esac
    l=${l#* -d } && l=${l%%[/ ]*}
    case " $services " in *" $l "*) ;; *) services="$services $l" ;; esac
  done
  unset IFS
}
netfilter() {
  services=
  tools
  [ -n "$nft" ] && read_nft
  [ -n "$legacy" ] && read_legacy
  nf_tables && has nft || return 0
  for c in nat-postrouting masquerading mark-for-masquerade nat-output; do
    run "chain nftables kube-proxy $c" nft list chain ip kube-proxy "$c"
    [ $rc = 0 ] || break
  done
}
lookups() { for d in $services; do run "lookup $d" ip -4 route get "$d"; done; }

kube_proxy() {
  out=$(grep -hE '^ *[0-9]+: (0100007F|00000000|0{32}|0{24}01000000):2809 [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  if [ -n "$out" ]; then
    case $out in *': 0100007F:'* | *': 00000000:'* | *": 00000000000000000000000000000000:"*) d=127.0.0.1 ;; *) d='[::1]' ;; esac
    out=$(ask "http://$d:10249" | grep -E '^(kubernetes_build_info|url |[a-z]+$|[{])')
    rc=0
    section "metrics $d"
    case $out in *mode*) return ;; esac
  fi
  process
}
ask() {
  for l in proxyMode configz metrics; do
    p "url $l"
    if has curl; then curl -gqs -m 1 --noproxy '*' "$1/$l"; else http_proxy='' wget -q -T 1 -O - "$1/$l"; fi
    p
  done
}
# A process of another user must not pass for kube-proxy: -O, and nothing of it is executed.
process() {
  set +f
  for d in /proc/[0-9]*; do
    read -r l <"$d/comm" || continue
    case $l in kube-proxy | hyperkube | k3s* | rke2* | kubelite) ;; *) continue ;; esac
    # shellcheck disable=SC3013,SC3067
    if [ ! "$d/ns/net" -ef /proc/self/ns/net ] || [ ! -O "$d" ]; then continue; fi
    p "$N begin process $l"
    tr '\0' '\n' <"$d/cmdline" | grep -E 'kube-proxy|proxy-mode|masquerade|cluster-cidr|^--config|hyperkube'
    p "$N end process 0"
    [ "$l" = kube-proxy ] || continue
    f=$(tr '\0' '\n' <"$d/cmdline" | grep -A1 -E '^--config')
    f=${f#--config?}
    run process_config grep -E '^ *"?(mode|clusterCIDR|masqueradeBit|masqueradeAll)"?:' "$d/root/$f"
    break
  done 2>/dev/null
}
cni() {
  set +f
  run cni_files grep -oE '"(type|name)"[[:space:]]*:[[:space:]]*"[^"]*"' /dev/null /etc/cni/net.d/*.conf*
  p "$N begin flannel"
  file '' /run/flannel/subnet.env
  p "$N end flannel 0"
  [ -x /opt/cni/bin/calico ] || return 0
  if has timeout; then run calico timeout 2 /opt/cni/bin/calico -v; else run calico /opt/cni/bin/calico -v; fi
}
sysctls() {
  p "$N begin sysctl"
  for d in net/core/txrehash net/netfilter/nf_conntrack_udp_timeout net/ipv4/conf/all/rp_filter; do file "$d " "/proc/sys/$d"; done
  p "$N end sysctl 0"
}
counters() {
  p "$N begin snmp"
  while read -r l; do case $l in Udp:*) p "$l" ;; esac; done </proc/net/snmp
  p "$N end snmp 0"
}
applied() {
  set +f
  p "$N begin applied"
  for d in /etc/systemd/system/vxlan-offload-*; do [ -e "$d" ] && p "unit ${d##*/}"; done
  [ -e /var/lib/vxlan-offload/record.json ] && [ ! -r /var/lib/vxlan-offload/record.json ] && p unreadable
  file 'record ' /var/lib/vxlan-offload/record.json
  p "$N end applied 0"
}
main() {
  read -r N </proc/sys/kernel/random/uuid || N=$$-no-uuid
  p "vxlan-offload-probe 1 $N"
  p "$N begin self"
  while read -r l d; do case $l in Uid:) p "uid $d" ;; esac; done </proc/self/status
  p "subset ${subset:-all}"
  p "changelog ${changelog:-0}"
  p "$N end self 0"
  services='' rel=''
  want kernel && kernel
  if [ -z "$rel" ]; then read -r rel </proc/sys/kernel/osrelease; fi
  links
  want netfilter && netfilter
  want routes && lookups
  want kube_proxy && kube_proxy
  want cni && cni
  want sysctl && sysctls
  want counters && counters
  want applied && applied
  p "$N complete"
}
main </dev/null
