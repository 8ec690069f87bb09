# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq as the cluster DNS pod: real answers over UDP and TCP, no upstream."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from . import addresses as ip
from .errors import LabError
from .holder import disturbable
from .ruleset import enter

RECORDS = {
    "kubernetes.default.svc.cluster.local": ip.KUBERNETES_SERVICE,
    "kube-dns.kube-system.svc.cluster.local": ip.DNS_SERVICE,
    "web.default.svc.cluster.local": "10.97.0.1",
}


def start(pod: int, ipv6: bool = False, listen: Sequence[str] = ()) -> int:
    """In the foreground of a session of its own; returns the pid."""
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root"]
    command += ["--pid-file=", "--log-facility=/dev/null", "--local=/cluster.local/", "--bind-interfaces"]
    command += ["--listen-address=" + address for address in listen or (ip.DNS_POD, *([ip.DNS_POD_V6] if ipv6 else []))]
    command += ["--host-record=%s,%s" % record for record in RECORDS.items()]
    process = subprocess.Popen(
        enter(pod) + command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=disturbable,
        cwd="/",
    )
    try:
        process.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # it stays: no warning when the object goes
        return process.pid
    raise LabError("dnsmasq ended at once with code %d: is it installed?" % process.returncode)
