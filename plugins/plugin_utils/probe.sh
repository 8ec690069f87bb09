# shellcheck shell=sh disable=SC3013,SC3067
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints what a node has, changes nothing: sudo sh < probe.sh > node.txt
# Starts on its last line: a part of it does nothing. A fork costs up to 8 ms: builtins first
nl='
'
# kubernetes:https, kube-dns:dns, :dns-tcp, coredns:dns, rke2: hashes of names
wk='KUBE-SVC-NPX46M4PTMTKRN6Y KUBE-SVC-TCOU7JCQXEZGVUNU KUBE-SVC-ERIFXISQEP7F7OF4 KUBE-SVC-ZRLRAB2E5DTUX37C KUBE-SVC-YFPH5LFNKP7E3G4L'

p() { printf '%s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
want() { case " ${subset:-all} " in *" all "* | *" $1 "*) ;; *) return 1 ;; esac; }
begin() { name=$1 && p "$N begin $*"; }
end() { p "$N end $name ${1:-0}"; }
# $out and $rc as a section
section() {
	begin "$@"
	[ ${#out} -le 300000 ] || out=$(printf '%.300000s' "$out")$nl$N\ cut
	p "$out"
	end "$rc"
}
# run TITLE COMMAND... ($? on the line of out= is the one before in dash)
run() {
	title=$1
	shift
	out=$("$@" 2>&1)
	rc=$?
	section "$title"
}
# file PREFIX PATH
file() {
	[ -r "$2" ] && while IFS= read -r l || [ "$l" ]; do p "$1$l"; done <"$2"
}

kernel() {
	begin release
	file 'signature ' /proc/version_signature
	file 'os ' /etc/os-release || file 'os ' /usr/lib/os-release || file 'redhat ' /etc/redhat-release
	end
	[ "${changelog:-0}" = 1 ] || return
	begin changelog
	{
		# Ubuntu's linux-image has only that of its signature
		for d in modules image; do
			d=/usr/share/doc/linux-$d-$rel/changelog.Debian.gz
			[ -r "$d" ] && p "source $d" && gzip -dc "$d" && exit
		done
		# packages of other builds may have put modules there
		for d in $(rpm -qf "/lib/modules/$rel/kernel"); do
			case $d in *-"${rel%%[.-][a-z]*}"[.-]*) p "source rpm -q --changelog $d" && rpm -q --changelog "$d" && exit ;; esac
		done
	} 2>/dev/null | awk '/^source/ {print} NR == 2 {print "head " $0} /never update the UDP checksum/ {l = $0}
	/^(\* [A-Z]| -- )/ {z = $0} z && !a {a = z} END {print "newest " a "\noldest " z "\nline " l}'
	end
}

# Only the devices that matter: a node has a thousand cali*.
device() {
	case $seen$1 in *" $1 "* | *' -'*) return ;; esac
	seen="$seen$1 "
	run "addr $1" $ip addr show dev "$1"
	run "features $1" ethtool -k "$1"
	want links && run "driver $1" ethtool -i "$1"
}
# one route is enough, and whether any asks for outer checksums
over() {
	out=$($ip -4 route show table all type unicast dev "$1" 2>&1)
	rc=$? c=''
	case $out in *' csum '*) c=csum ;; esac
	out=${out%%"$nl"*}$nl$c
	section "over $1"
}
links() {
	want vxlan || want links || want routes || return
	seen=' ' under=''
	IFS=$nl
	for l in $tunnels; do
		unset IFS
		case $l in *'vxlan '*) d=${l#*: } && d=${d%%: *} && d=${d%%@*}
			device "$d"
			over "$d" ;; esac
		case $l in *'vxlan '*' dev '*) l=${l#* dev } && under="$under ${l%% *}" ;; esac
	done
	unset IFS
	run default $ip -4 route show default
	case $out in *' dev '*) l=${out#* dev } && under="$under ${l%% *}" ;; esac
	[ $six ] && run default6 $ip -6 route show default
	case $out in *' dev '*) l=${out#* dev } && under="$under ${l%% *}" ;; esac
	want links && for d in $under; do device "$d"; done
}

# Asking for nf_tables or a legacy table would load it.
tools() {
	begin printers
	nft='' legacy='' v=''
	has iptables && v=$(iptables -V 2>&1)
	case $v in *nf_tables*) nft=iptables ;; ?*) legacy=iptables ;; esac
	has iptables-nft && nft=iptables-nft
	has iptables-legacy-save && legacy=iptables-legacy
	# both names of one program have one version
	case $v in *nf_tables*) d=$v ;; *) d='' ;; esac
	[ $nft ] && p "nft $nft ${d:-$($nft -V 2>&1)}"
	case $v in *nf_tables* | '') d='' ;; *) d=$v ;; esac
	[ $legacy ] && p "legacy $legacy ${d:-$($legacy -V 2>&1)}"
	has nft && p nftables
	d=/lib/modules/$rel/modules.builtin
	loaded=1
	[ ! -e /proc/modules ] || [ ! -e "$d" ] || grep -qE '^nf_tables |/nf_tables\.ko' /proc/modules "$d" || loaded=''
	[ $loaded ] && p nf_tables || nft=''
	old=''
	for f in '' $six; do
		d=/proc/net/ip${f}_tables_names
		[ ! -e "$d" ] || [ -r "$d" ] || p unreadable
		[ "$f" ] && p legacy6_looked
		[ -r "$d" ] && while read -r l; do old="$old x$f" && p "legacy${f}_table $l"; done <"$d"
	done
	end
}
# flat, however big the table
chain() {
	next=''
	run "chain nft$f $1 $2" "$nft" -w 5 -t "$1" -S "$2"
	IFS=$nl
	for l in $out; do
		case $l in *' -'[jg]' '*) t=${l##* -[jg] } ;; *) continue ;; esac
		t=${t%% *}
		case $1,$t in
		*,ACCEPT | *,DROP | *,RETURN | *,REJECT | *,MARK | *,LOG | *,MASQUERADE | *,[SD]NAT | *,CT | *,NOTRACK) ;;
		nat,KUBE-SERVICES | nat,KUBE-NODEPORTS) ;; # all others come after these
		*) next="$next $t" ;;
		esac
	done
	unset IFS
}
walk() {
	tab=$1 walked=' ' n=0
	shift
	while [ $# -gt 0 ]; do
		c=$1
		shift
		case $walked in *" $c "*) continue ;; esac
		walked="$walked$c "
		n=$((n + 1))
		[ $n -gt 64 ] && break
		chain "$tab" "$c"
		# shellcheck disable=SC2086
		set -- "$@" $next
	done
}
read_nft() {
	walk raw OUTPUT
	[ "$rc" = 4 ] && return # not root
	walk mangle OUTPUT POSTROUTING
	walk filter OUTPUT
	walk nat OUTPUT POSTROUTING
	marker=''
	for c in PREROUTING KUBE-POSTROUTING KUBE-MARK-MASQ $wk; do
		case $walked in *" $c "*) continue ;; esac
		chain nat "$c"
		case $c,$out in KUBE-SVC*KUBE-MARK-MASQ*) marker=1 ;; esac
		address
		case $c,$rc in KUBE-SVC-[!N]*,0) break ;; esac # one DNS Service is enough
	done
	[ "$marker" ] && return
	rc=0 out=$("$nft" -w 5 -t nat -S KUBE-SERVICES 2>&1 | head -n 42)
	section "chain nft$f nat KUBE-SERVICES"
	address
}
# Legacy hands over all tables at once: one call, less Services and pods.
read_legacy() {
	out=$({
		"$legacy-save" 2>&1
		p "#rc $?"
	} | awk -v wk="$wk" '
/^\*/ {t = $1}
/^(:|-A )(KUBE-(S(EP|VC|VL)|EXT|FW|XLB|NWPLCY|POD-FW)|cali-([ft]w|p[io]|pr[io]))-/ && !index(wk, substr($0, /^:/ ? 2 : 4, 25)) {next}
/^-A / && ++n[t, $2] > (t $2 == "*natKUBE-SERVICES" ? 41 : 2001) {next}
{print}') rc=0
	section "legacy$f"
	address
}
# the well-known addresses in $out
address() {
	IFS=$nl
	for l in $out; do
		case $l in
		'-A KUBE-SVC-'*' -d '*) ;;
		'-A KUBE-SERVICES'*' -d '*) case $wk in *"${l##* }"*) ;; *) continue ;; esac ;;
		*) continue ;;
		esac
		l=${l#* -d } && l=${l%%[/ ]*}
		case $services in *" $l "*) ;; *) services="$services$l " ;; esac
	done
	unset IFS
}
netfilter() {
	for f in '' $six; do
		nft=${nft:+ip$f${nft#ip}} legacy=${legacy:+ip$f${legacy#ip}}
		[ "$nft" ] && read_nft
		case "$old " in *"x$f "*) [ "$legacy" ] && read_legacy ;; esac
		[ "$loaded" ] && has nft && for c in nat-postrouting masquerading mark-for-masquerade nat-output; do
			run "chain nftables$f kube-proxy $c" nft list chain "ip$f" kube-proxy "$c"
			[ $rc = 0 ] || break
		done
	done
}
routes() {
	for d in $services; do run "lookup $d" "$ip" route get "$d"; done
}
kube_proxy() {
	set +f
	exec 2>/dev/null
	if grep -qE ' (0100007F|0{8}|0{32}):2809 .{8,32}:0000 0A' /proc/net/tcp /proc/net/tcp6; then
		d=http://127.0.0.1:10249
		set -- $d/proxyMode $d/configz $d/metrics
		out=$(if has curl; then curl -qs -m 1 --noproxy '*' -w '\n' "$@"; else
			for d in "$@"; do http_proxy='' wget -qT 1 -O - "$d" && p; done
		fi | grep -E '^(kubernetes_build_info|[a-z]+$|[{])') rc=0
		section metrics
		case $out in *git_version*) return ;; esac
	fi
	# Anyone can name a process kube-proxy: it must be ours, and is not executed.
	begin processes
	for d in /proc/[0-9]*; do
		read -r l <"$d/comm" || continue
		case $l in kube-proxy | hyperkube | k3s* | kubelite) ;; *) continue ;; esac
		if [ ! "$d/ns/net" -ef /proc/self/ns/net ] || [ ! -O "$d" ]; then continue; fi
		p "name $l"
		out=$(tr '\0=' '\n' <"$d/cmdline")
		# No other argument: k3s has its token there. What follows --masquerade-all is its value or the next option's name.
		p "$out" | grep -o kube-proxy
		p "$out" | grep -EA1 '^--(proxy-mode|cluster-cidr|masquerade-all|iptables-masquerade-bit)$'
		case $l$out in kube-proxy*--config*) ;; *) continue ;; esac
		out=${out#*--config"$nl"}
		grep -E '^ *"?(mode|clusterCIDR|masqueradeBit|masqueradeAll)"?:' "$d/root/${out%%"$nl"*}"
	done
	end
}
cni() {
	set +f
	run cni grep -HoE '"(type|name)" *: *"[^"]*"' /etc/cni/net.d/*.conf*
	begin flannel
	file '' /run/flannel/subnet.env
	end
	d=/opt/cni/bin/calico
	[ -x $d ] && run calico timeout 2 $d -v
}
sysctl() { # dash reads by bytes, /proc/sys gives one
	cd /proc/sys/net && run sysctl grep -s . core/txrehash netfilter/nf_conntrack_udp_timeout ipv4/conf/all/rp_filter
}
counters() {
	begin counters
	file '' /proc/net/snmp
	end
}
applied() {
	set +f
	begin applied
	for d in /etc/systemd/system/vxlan-offload-*; do [ -e "$d" ] && p "unit ${d##*/}"; done
	d=/var/lib/vxlan-offload
	# of root alone: without root nothing in it exists
	if [ ! -d $d ] || [ -x $d ]; then d=$d/record.json; fi
	[ ! -e $d ] || { p 'record ' && file 'record ' $d; } || p unreadable
	end
}
main() {
	export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C
	read -r N </proc/sys/kernel/random/uuid || N=no-uuid-$$
	p "vxlan-offload-probe 1 $N"
	set -f
	begin self
	while read -r l; do case $l in Uid*) p "$l" ;; esac; done </proc/self/status
	p "subset ${subset:-all}"
	p "changelog ${changelog:-0}"
	end
	run uname uname -rvm
	rel=${out%% *} services=' ' ip=/sbin/ip # not busybox's
	[ -x $ip ] || ip=ip
	want netfilter || want vxlan || want links || want routes && run vxlan $ip -o -d link show type vxlan
	tunnels=$out six='' d=''
	for l in $out; do
		case $d,$l in local,*:* | remote,*:* | group,*:*) six=6 ;; esac
		d=$l
	done
	want netfilter && tools
	# side by side: the rules are half of the time
	{
		want netfilter && netfilter
		want routes && routes
	} | {
		{
			links
			for part in kernel kube_proxy cni sysctl counters applied; do want $part && $part; done
		} </dev/null
		cat
	}
	p "$N complete"
}
main </dev/null
