# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of /proc, /etc and /run as lines and values."""

import json
import os
import re
from typing import Any, Dict, List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import SYSCTLS

RECORD = "/var/lib/vxlan-offload/record.json"
UNITS = "/etc/systemd/system"
NEEDS_ROOT = "needs root: run with become"


def lines_of(path):  # type: (str) -> List[str]
    """The lines of a file; none when it is not there or not readable."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()
    except OSError:
        return []


def sysctl():  # type: () -> Dict[str, Any]
    """Part `sysctl` of the facts."""
    values = {}  # type: Dict[str, Optional[str]]
    for name in SYSCTLS:
        lines = lines_of("/proc/sys/" + name.replace(".", "/"))
        values[name] = lines[0].strip() if lines else None
    return {"source": "/proc/sys", "values": values}


def counters():  # type: () -> Dict[str, Any]
    """Part `counters` of the facts."""
    rows = [line.split() for line in lines_of("/proc/net/snmp") if line.startswith("Udp:")]
    values = dict(zip(*rows)) if len(rows) == 2 else {}
    errors = values.get("InCsumErrors", "")
    return {
        "source": "/proc/net/snmp",
        "udp_in_csum_errors": int(errors) if re.match(r"[0-9]{1,20}\Z", errors) else None,
    }


def applied():  # type: () -> Dict[str, Any]
    """Part `applied` of the facts: what the workaround role has recorded here."""
    if os.path.exists(RECORD) and not os.access(RECORD, os.R_OK):
        return {"unknown": NEEDS_ROOT}
    text = "\n".join(lines_of(RECORD))
    try:
        record = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return {"unknown": "%s is no JSON: look at it" % RECORD}
    if record is not None and not isinstance(record, dict):
        return {"unknown": "%s is no JSON object: look at it" % RECORD}
    names = os.listdir(UNITS) if os.path.isdir(UNITS) else []
    units = sorted(name for name in names if re.match(r"vxlan-offload-", name))
    return {"source": "/var/lib/vxlan-offload", "record": record, "units": units}
