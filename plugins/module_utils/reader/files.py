# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of /proc, /etc and /run as lines and values."""

import os
import re
from typing import Any, Dict, List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import SYSCTLS
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.record import PATH, parse

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
    # Its folder is root's alone: asking whether the file exists says no to everybody else.
    try:
        with open(PATH, encoding="utf-8", errors="replace") as stream:
            record = parse("\n".join(stream.read().splitlines()))
    except (FileNotFoundError, NotADirectoryError):
        record = None
    except OSError:
        return {"unknown": NEEDS_ROOT}
    except ValueError as error:
        return {"unknown": str(error)}
    names = os.listdir(UNITS) if os.path.isdir(UNITS) else []
    units = sorted(name for name in names if re.match(r"vxlan-offload-", name))
    return {"source": "/var/lib/vxlan-offload", "record": record, "units": units}
