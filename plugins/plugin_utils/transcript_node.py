# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy, CNI, sysctls, counters and our own traces on the node, from a transcript."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.names import (
    CNI_NAMES,
    PROXY_MODES,
    SYSCTLS,
)
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.record import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    Applied,
    Cni,
    Counters,
    KubeProxy,
    Sysctl,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    Section,
    Transcript,
)


def kube_proxy(transcript: Transcript, root: bool) -> KubeProxy:
    metrics = transcript.find("metrics")
    answer = _from_metrics(metrics) if metrics and metrics.ok else None
    if answer:
        return answer
    section = transcript.find("processes")
    if section is None or not section.ok:
        return {"unknown": section.reason() if section else transcript.missing("processes")}
    if not root:
        return {"unknown": "needs root: port 10249 does not answer, only root sees the processes' command lines; run with become"}
    processes = _processes(section)
    for name, lines in processes:
        if name == "kube-proxy":
            return _from_process(name, lines)
    if processes:
        return _from_process(*processes[0])
    return _facts("port 10249 and the process list", running=False)


def _processes(section: Section) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in section.lines:
        if line.startswith("name "):
            found.append((line[5:], []))
        elif found:
            found[-1][1].append(line)
    return found


def _facts(source: str, running: bool | None) -> KubeProxy:
    return {
        "source": source,
        "running": running,
        "mode": None,
        "version": None,
        "masquerade_bit": None,
        "masquerade_all": None,
        "cluster_cidr": None,
    }


def _from_metrics(section: Section) -> KubeProxy | None:
    # Three answers of one request, told apart by what they are: a word, JSON, a metric.
    mode = next((line for line in section.lines if WORD.fullmatch(line)), "")
    config = _configz(next((line for line in section.lines if line.startswith("{")), ""))
    version = next(filter(None, map(GIT_VERSION.match, section.lines)), None)
    mode = mode if mode in PROXY_MODES else str(config.get("mode", ""))
    if mode not in PROXY_MODES and not version:
        return None
    facts = _facts("127.0.0.1:10249", running=True)
    facts["mode"] = mode if mode in PROXY_MODES else None
    facts["version"] = version[1] if version else None
    rules = config.get("nftables" if mode == "nftables" else "iptables")
    rules = rules if isinstance(rules, dict) else {}
    bit = rules.get("masqueradeBit")
    everything = rules.get("masqueradeAll")
    cidr = config.get("clusterCIDR")
    facts["masquerade_bit"] = bit if isinstance(bit, int) else None
    facts["masquerade_all"] = everything if isinstance(everything, bool) else None
    facts["cluster_cidr"] = cidr if isinstance(cidr, str) else None
    return facts


def _configz(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):  # a thousand brackets, a number of thousands of digits
        return {}
    inner = value.get("kubeproxy.config.k8s.io") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


WORD = re.compile(r"[a-z]+")
GIT_VERSION = re.compile(r'kubernetes_build_info\b.*\bgit_version="v?([^"]+)"')
SETTING = re.compile(r"""\s*"?(mode|clusterCIDR|masqueradeBit|masqueradeAll)"?:\s*["']?([^"',\s]*)""")
NAMES = re.compile(r'"(?:type|name)"\s*:\s*"([^"]*)"')
NETWORK = re.compile(r"^FLANNEL_NETWORK=(\S+)", re.MULTILINE)
NETWORK_V6 = re.compile(r"^FLANNEL_IPV6_NETWORK=(\S+)", re.MULTILINE)
CALICO = re.compile(r"\bv?(\d+\.\d+\.\d\S*)")
OPTIONS = {
    "--proxy-mode": "mode",
    "--cluster-cidr": "clusterCIDR",
    "--masquerade-all": "masqueradeAll",
    "--iptables-masquerade-bit": "masqueradeBit",
}


def _from_process(name: str, lines: list[str]) -> KubeProxy:
    """`lines`: options with their values below them, then the lines of the configuration file, which wins in kube-proxy too."""
    facts = _facts(f"command line and configuration file of process {name}", running=True)
    if name != "kube-proxy" and not any("kube-proxy" in line for line in lines):
        facts["running"] = None  # one binary for many parts: nothing shows whether its kube-proxy runs
    values: dict[str, str] = {}
    for line, following in zip(lines, [*lines[1:], ""]):
        match = SETTING.match(line)
        if match:
            values[match[1]] = match[2]
        elif line in OPTIONS:
            flag = line == "--masquerade-all" and following not in ("true", "false")
            values[OPTIONS[line]] = "true" if flag else following
    mode, bit = values.get("mode"), values.get("masqueradeBit", "")
    facts["mode"] = mode if mode in PROXY_MODES else None
    facts["masquerade_bit"] = int(bit) if re.fullmatch("[0-9]{1,3}", bit) else None
    facts["masquerade_all"] = {"true": True, "false": False}.get(values.get("masqueradeAll", ""))
    facts["cluster_cidr"] = values.get("clusterCIDR")
    return facts


def cni(transcript: Transcript) -> Cni:
    section = transcript.find("cni")
    if section is None or section.code is None:
        return {"unknown": section.reason() if section else transcript.missing("cni")}
    text = "\n".join(section.lines)
    if "ermission denied" in text:
        return {"unknown": "needs root: run with become"}
    values = NAMES.findall(text)
    names = {CNI_NAMES[value] for value in values if value in CNI_NAMES}
    flannel = _text(transcript, "flannel")
    network = NETWORK.search(flannel)
    network_v6 = NETWORK_V6.search(flannel)
    if network and "calico" in names:
        names.add("canal")
    version = CALICO.search(_text(transcript, "calico"))
    return {
        "source": "/etc/cni/net.d, /opt/cni/bin, /run/flannel/subnet.env",
        "names": sorted(names),
        "calico_version": version[1] if version else "",
        "flannel_version": "",
        "flannel_network": network[1] if network else "",
        "flannel_ipv6_network": network_v6[1] if network_v6 else "",
    }


def _text(transcript: Transcript, name: str) -> str:
    section = transcript.find(name)
    return "\n".join(section.lines) if section and section.ok else ""


def sysctl(transcript: Transcript) -> Sysctl:
    section = transcript.find("sysctl")
    if section is None or section.code is None or not section.lines:
        return {"unknown": section.reason() if section else transcript.missing("sysctl")}
    pairs = (line.partition(":") for line in section.lines)  # grep's return code: 2 when one of the files does not exist
    found = {"net." + key.replace("/", "."): value.strip() for key, _colon, value in pairs}
    return {"source": "/proc/sys", "values": {name: found.get(name) for name in SYSCTLS}}


def counters(transcript: Transcript) -> Counters:
    section = transcript.find("counters")
    if section is None or not section.ok:
        return {"unknown": section.reason() if section else transcript.missing("counters")}
    rows = [line.split() for line in section.lines if line.startswith("Udp:")]
    values = dict(zip(rows[0], rows[1])) if len(rows) == 2 else {}
    errors = values.get("InCsumErrors", "")
    return {
        "source": "/proc/net/snmp",
        "udp_in_csum_errors": int(errors) if re.fullmatch("[0-9]{1,20}", errors) else None,
    }


def applied(transcript: Transcript) -> Applied:
    section = transcript.find("applied")
    if section is None or not section.ok:
        return {"unknown": section.reason() if section else transcript.missing("applied")}
    if "unreadable" in section.lines:
        return {"unknown": "needs root: run with become"}
    lines = [line[7:] for line in section.lines if line.startswith("record ")]
    try:
        record = parse("\n".join(lines)) if lines else None
    except ValueError as error:
        return {"unknown": str(error)}
    units = sorted(line[5:] for line in section.lines if line.startswith("unit "))
    return {"source": "/var/lib/vxlan-offload", "record": record, "units": units}
