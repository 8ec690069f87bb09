#!/bin/sh
# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Process 1 of a guest. The machine's root is the guest's, read-only; GUEST_OUT (from the kernel's command line) is the one
# folder that the guest can write to the machine: it holds `command` and gets `output` and `rc`.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/home /run/tmp /run/netns /run/lock
mount -t tmpfs -o mode=1777 var-tmp /var/tmp
mount -t hostfs none "$GUEST_OUT" -o "$GUEST_OUT"
ip link set lo up
cd /run/home || exit 1
sh "$GUEST_OUT/command" >"$GUEST_OUT/output" 2>&1
echo $? >"$GUEST_OUT/rc"
sync
# Powers off this guest; the machine has another process 1.
echo o >/proc/sysrq-trigger
sleep 60
