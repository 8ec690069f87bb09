# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-proxy says of itself on port 10249, or what its process and its configuration file show."""

import glob
import json
import os
import re
from http.client import HTTPException
from typing import Any, Dict, List, Optional
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import lines_of
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import PROXY_MODES

ADDRESSES = ("127.0.0.1", "[::1]")
# programs that contain kube-proxy among others
COMMON = ("hyperkube", "k3s", "rke2", "kubelite")
FILE_KEYS = {
    "mode": "proxy-mode",
    "clusterCIDR": "cluster-cidr",
    "masqueradeBit": "iptables-masquerade-bit",
    "masqueradeAll": "masquerade-all",
}
HIDDEN = (
    "needs root: port 10249 does not answer, and only root sees the processes' command lines; run with become"
)


def facts(source, running):  # type: (str, Optional[bool]) -> Dict[str, Any]
    """The part with nothing seen yet."""
    return {
        "source": source,
        "running": running,
        "mode": None,
        "version": None,
        "masquerade_bit": None,
        "masquerade_all": None,
        "cluster_cidr": None,
    }


def ask(address, path):  # type: (str, str) -> str
    """The answer of one URL; empty when there is none."""
    # a proxy of the environment must not be asked for a local address
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open("http://%s:10249/%s" % (address, path), timeout=1) as answer:
            return str(answer.read(1 << 22).decode("utf-8", "replace"))
    except (URLError, HTTPException, OSError, ValueError):  # whoever listens there need not speak HTTP
        return ""


def configuration(text):  # type: (str) -> Dict[str, Any]
    """The KubeProxyConfiguration of /configz."""
    try:
        value = json.loads(text or "{}").get("kubeproxy.config.k8s.io")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def from_port(address):  # type: (str) -> Optional[Dict[str, Any]]
    """What kube-proxy answers; None when nothing there is kube-proxy."""
    mode = ask(address, "proxyMode").strip()
    if not mode:
        return None
    config = configuration(ask(address, "configz"))
    version = re.search(r'git_version="v?([^"]+)"', ask(address, "metrics"))
    mode = mode if mode in PROXY_MODES else str(config.get("mode", ""))
    if mode not in PROXY_MODES and not version:
        return None
    rules = config.get("nftables" if mode == "nftables" else "iptables")
    rules = rules if isinstance(rules, dict) else {}
    seen = {
        "mode": mode if mode in PROXY_MODES else None,
        "version": version.group(1) if version else None,
        "masquerade_bit": _typed(rules.get("masqueradeBit"), int),
        "masquerade_all": _typed(rules.get("masqueradeAll"), bool),
        "cluster_cidr": _typed(config.get("clusterCIDR"), str),
    }
    return dict(facts("%s:10249" % address, True), **seen)


def _typed(value, kind):  # type: (Any, type) -> Any
    return value if isinstance(value, kind) else None


def processes():  # type: () -> Dict[str, List[str]]
    """Paths below /proc by program name, of this network namespace and this user only."""
    found = {}  # type: Dict[str, List[str]]
    own = os.stat("/proc/self/ns/net")
    for path in sorted(glob.glob("/proc/[0-9]*")):
        name = "".join(lines_of(path + "/comm")[:1])
        if name != "kube-proxy" and not name.startswith(COMMON):
            continue
        try:
            # a process of another user must not pass for kube-proxy
            if os.stat(path).st_uid == os.geteuid() and os.path.samestat(
                os.stat(path + "/ns/net"), own
            ):
                found.setdefault(name, []).append(path)
        except OSError:
            continue
    return found


def from_process(name, path):  # type: (str, str) -> Dict[str, Any]
    """The command line, and the file that --config names as the process sees it."""
    words = "".join(lines_of(path + "/cmdline")).split("\0")
    command = " ".join(words)
    result = facts("process %s" % name, True)
    if name != "kube-proxy" and "kube-proxy" not in command:
        result["running"] = None  # one program for many parts: this one may run without kube-proxy
    values = dict(re.findall(r"--([a-z-]+)[= ]([^- ]\S*)", command))
    if "--masquerade-all" in command:
        values.setdefault("masquerade-all", "true")
    config = lines_of("%s/root/%s" % (path, values["config"])) if "config" in values else []
    if config:
        result["source"] += " and its configuration file"
    for line in config:
        match = re.match(r"""\s*"?(\w+)"?:\s*["']?([^"',]*)""", line)
        if match and match.group(1) in FILE_KEYS:
            values.setdefault(FILE_KEYS[match.group(1)], match.group(2).strip())
    bit = values.get("iptables-masquerade-bit", "")
    result["mode"] = values.get("proxy-mode") if values.get("proxy-mode") in PROXY_MODES else None
    result["masquerade_bit"] = int(bit) if re.match(r"[0-9]{1,3}\Z", bit) else None
    result["masquerade_all"] = {"true": True, "false": False}.get(values.get("masquerade-all", ""))
    result["cluster_cidr"] = values.get("cluster-cidr")
    return result


def read(root):  # type: (bool) -> Dict[str, Any]
    """Part `kube_proxy` of the facts."""
    for address in ADDRESSES:
        answer = from_port(address)
        if answer:
            return answer
    found = processes()
    for name in ["kube-proxy"] + sorted(found):
        if name in found:
            return from_process(name, found[name][0])
    return facts("port 10249 and the process list", False) if root else {"unknown": HIDDEN}
