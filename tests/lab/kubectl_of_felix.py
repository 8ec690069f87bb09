# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for kubectl on a node: it keeps the one field of FelixConfiguration in a file of the node, and does to the device what Felix
does on a restart (felix/ethtool: it only ever turns the offload off)."""

from __future__ import annotations

from pathlib import Path

STORE = "/var/lib/felixconfiguration"
_SCRIPT = r"""#!/bin/sh
set -eu
store=STORE
case $1 in
get) [ "$2 $3" = "felixconfigurations.crd.projectcalico.org default" ] && cat "$store" ;;
patch)
  python3 -c 'import json, sys
spec = json.loads(sys.argv[1].split("=", 1)[1])["spec"]
print(spec["featureDetectOverride"] or "", end="")' "$5" > "$store.new"
  mv "$store.new" "$store"
  case ,$(cat "$store"), in *,ChecksumOffloadBroken=true,*) ethtool -K vxlan.calico tx off > /dev/null ;; esac ;;
esac
"""


def write(folder: Path) -> str:
    """For `workaround_kubectl`."""
    path = folder / "kubectl"
    path.write_text(_SCRIPT.replace("STORE", STORE), encoding="utf-8")
    path.chmod(0o755)
    return str(path)
