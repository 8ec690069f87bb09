# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a verdict: what is wrong, what to do, what else looks the same, what to upgrade to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import releases
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernels import COULD_NOT
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.markers import present
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.node_facts import (
    Facts,
    kube_proxy,
    nftables_chain,
    part,
    tables,
    vxlan_devices,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.rules import parse_rule

_KNOWN_PORTS = (4789, 8472, 6081)
# The text of a rule, behind its place: it stands in the conditions; the summary names the place only.
_LONGEST = 4000  # a report cuts there as well, and what follows is quadratic
_RULE_TEXT = re.compile(r"(rule \d+)(?: \([^()]*-[jg] [^()]*\)|: -.*$)")


def brief(evidence: str) -> str:
    """Evidence without the text of the rule that it names."""
    return _RULE_TEXT.sub(r"\1", evidence[:_LONGEST])


def summary_text(status: str, name: str, conditions: Mapping[str, Any], mitigations: Sequence[Mapping[str, Any]], udp: str) -> str:
    """One line that says why."""
    vxlan, rewrite, kernel, offload = (conditions[key] for key in ("vxlan", "rewrite", "kernel_defect", "offload"))
    if status == "affected":
        lost = {"broken": "UDP and TCP are", "ok": "TCP is"}.get(udp, "TCP (and perhaps UDP) is")
        return f"{lost} lost to Services on {name}: {brief(rewrite['evidence'])}"
    if status == "exposed":
        doubt = next((one for one in (vxlan, kernel) if one["holds"] == "maybe"), rewrite)
        return f"{name} may lose Service traffic: {brief(doubt['evidence'])}"
    if status == "mitigated":
        by = ", ".join(f"{one['id']} ({brief(one['evidence'])})" for one in mitigations) or offload["evidence"]
        return f"{name} is kept safe by {by}"
    if status == "unaffected":
        decided = next((one for one in (vxlan, kernel) if one["holds"] == "no"), rewrite)
        return f"{name} is safe: {brief(decided['evidence'])}"
    unknown = next((one for one in (kernel, offload, rewrite) if one["holds"] == "unknown"), rewrite)
    return f"{name} cannot be judged: {unknown['evidence']}"


def action_text(status: str, conditions: Mapping[str, Any], unneeded: Sequence[str], missing: Sequence[Mapping[str, Any]]) -> str:
    """One line that says what to do."""
    if status in ("affected", "exposed"):
        return "upgrade what causes it"
    if status == "unknown":
        kernel = conditions["kernel_defect"]
        if kernel["holds"] == "unknown" and not missing:
            tried = str(kernel["evidence"]).partition(f"{COULD_NOT}: ")[2]
            how = f"settle why the kernel could not be tried ({tried})" if tried else "try the running kernel with kernel_selftest: auto"
            return f"{how}, or gather with changelog: true, which looks for the fix in the changelog of the kernel package"
        return "; ".join(dict.fromkeys(one["how"] for one in missing)) or "read the node again"
    if unneeded:
        return f"nothing is wrong; {' and '.join(unneeded)} can go: without it the node is still not affected"
    return "keep it in place" if status == "mitigated" else "nothing to do"


def cure_text(facts: Facts, remedies: Sequence[Mapping[str, Any]], upgrade: Sequence[str]) -> str:
    """The remedy to apply now and the components to upgrade later."""
    first = next((one["id"] for one in remedies if one["applicable"] and not one["risk"]), "")
    names = " and ".join(text.split(" ", 1)[0] for text in upgrade if not text.startswith("the rule"))
    now = f"apply {first}" if first else "no remedy without a risk helps here"
    if not present(facts):
        return f"run diagnose again when kube-proxy runs, or {now} before" if first else "run diagnose again when kube-proxy runs"
    return f"{now}; later upgrade {names}" if names else now


def _versions(facts: Facts) -> tuple[str, str, str]:
    cni = part(facts, "cni") or {}
    proxy = str(kube_proxy(facts, "version") or "")
    return proxy, str(cni.get("calico_version") or ""), str(cni.get("flannel_version") or "")


def upgrade_texts(facts: Facts, status: str, clients: Sequence[str]) -> list[str]:
    """The releases that remove the cause, without those that the node has already.

    A rule that rewrites all tunnel packets is nobody's release: that rule has to spare the tunnel.
    """
    if status not in ("affected", "exposed", "mitigated"):
        return []
    if "any" in clients:
        return ["the rule that rewrites all tunnel packets: let it spare UDP to the VXLAN port"]
    proxy, calico, flannel = _versions(facts)
    owners = {str(device.get("owner")) for device in vxlan_devices(facts)}
    texts = []
    if not _clears_mark(proxy) and not _rules_clear_mark(facts):
        texts.append(f"kube-proxy to one of {', '.join(releases.KUBE_PROXY_FIXED)} or newer: it clears the mark")
    if "calico" in owners and not _at_least(calico, releases.CALICO_FIXED):
        texts.append(f"Calico to {releases.CALICO_FIXED} or newer: its rules come last and the tunnel is not tracked")
    if owners & {"flannel", "canal"} and not _at_least(flannel, releases.FLANNEL_FIXED):
        texts.append(f"flannel to {releases.FLANNEL_FIXED} or newer: its rules leave marked packets to kube-proxy")
    return texts


@lru_cache(maxsize=256)
def _clears_mark(version: str) -> bool:
    try:
        return bool(version) and releases.kube_proxy(version).clears_mark
    except (ValueError, StopIteration):
        return False


def _rules_clear_mark(facts: Facts) -> bool:
    """Whether kube-proxy's chain takes the mark off before its first masquerade (hairpin apart)."""
    chains = [[parse_rule(text) for text in (entry.get("chains") or {}).get("KUBE-POSTROUTING") or []] for entry in tables(facts, "nat")]
    chains.append([rule for _text, rule in nftables_chain(facts, "masquerading") or []])
    for rules in chains:
        acts = [rule.target for rule in rules if rule.target in ("MARK", "MASQUERADE") and not rule.options("--match-set")]
        if acts and acts[0] == "MARK":
            return True
    return False


@lru_cache(maxsize=256)
def _at_least(version: str, wanted: str) -> bool:
    try:
        return bool(version) and releases.release_version(version, "x") >= releases.release_version(wanted, "x")
    except ValueError:
        return False


def lookalikes(facts: Facts) -> list[str]:
    """Other faults with the same symptoms that this node's hardware can have."""
    found = []
    ports = sorted({int(device["port"]) for device in vxlan_devices(facts) if isinstance(device.get("port"), int)})
    for nic in (part(facts, "links") or {}).get("devices") or []:
        text = _nic_fault(str(nic.get("driver") or ""), str(nic.get("name") or ""), ports)
        if text:
            found.append(text)
    return found


def _nic_fault(driver: str, name: str, ports: Sequence[int]) -> Optional[str]:
    if driver == "vmxnet3":
        text = (
            f"{name} (vmxnet3): if pod to pod TCP between ESXi hosts fails too, it is the tunnel offload of the NIC: "
            f"ethtool -K {name} tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off"
        )
        other = [port for port in ports if port not in _KNOWN_PORTS]
        return text + (f"; ESXi offloads port {other[0]} wrongly before 8.0U3" if other else "")
    texts = {
        "hns3": "the NIC does not checksum forwarded UDP to ports 4789, 4790 and 6081 before driver fix 3db084d28dc0",
        "i40e": "old firmware of this NIC damages tunnel checksums at random, with or without a Service",
        "ixgbe": "the receiving NIC may count a zero outer checksum as an error: look at its rx error counters",
        "mlx5_core": "OFED 5.6 writes wrong inner checksums for tunnels: compare with pod to pod traffic",
    }
    return f"{name} ({driver}): {texts[driver]}" if driver in texts else None
