# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis of a cluster that does not exist yet, from its planned versions and the kernel of a node.

Same shape as the diagnosis of a running node, so that reports need not tell them apart. It judges what the releases do
with their default settings; only the rules of a running node can show what really happens there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernels, releases
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts_input import checked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.kernel_table import LCO_SINCE
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.versions import version

KEYS = (
    "kube_version",
    "network_plugin",
    "calico_version",
    "flannel_version",
    "encapsulation",
    "proxy_mode",
    "masquerade_bit",
    "feature_detect_override",
    "kernel",
)
ENCAPSULATIONS = ("always", "crosssubnet", "never")
PROXY_MODES = ("iptables", "ipvs", "nftables", "none")
# Felix looks after vxlan.calico only, so in Canal the device and its rules are flannel's.
FLANNEL_DEVICE = ("flannel", "canal")
# Surely no VXLAN device: macvlan has no overlay, cloud leaves routing to the provider (kubenet), kube-router routes or uses IPIP.
WITHOUT_VXLAN = ("macvlan", "cloud", "kube-router")
# flannel's guard has this bit written into it (flannel#1681), whatever kube-proxy's --iptables-masquerade-bit is.
DEFAULT_BIT = 14


class Condition(NamedTuple):
    """``holds``: yes, no, maybe or unknown."""

    holds: str
    evidence: str
    source: str


class Rewrite(NamedTuple):
    """Whether the outer packet's source port is rewritten, what exempts it from NAT, and what to upgrade to."""

    condition: Condition
    notrack: str = ""
    upgrade: tuple[str, ...] = ()


def predict(planned: Mapping[str, Any]) -> dict[str, Any]:
    """Diagnose planned versions.

    ``planned`` has any of KEYS: versions as text, ``encapsulation`` (VXLAN: always, crosssubnet, never), ``proxy_mode``
    (iptables, ipvs, nftables, none), ``masquerade_bit`` (kube-proxy's, 0 to 31), ``kernel`` as for kernel_status. What is
    not given and needed is listed in ``missing``. Raises ValueError for a key or value that is not understood.
    """
    plan = _checked(planned)
    plugin = _plugin(plan)
    rewrite = _rewrite(plan, plugin)
    conditions = {
        "vxlan": _vxlan(plan, plugin),
        "kernel_defect": _kernel_defect(plan),
        "offload": _offload(plan, plugin),
        "rewrite": rewrite.condition,
    }
    mitigations = _mitigations(conditions, rewrite, plugin)
    status = _status(conditions, bool(mitigations))
    return {
        **_verdict(plan, status, conditions, mitigations, rewrite),
        "conditions": {name: condition._asdict() for name, condition in conditions.items()},
        "mitigations": mitigations,
        "missing": _missing(plan, plugin),
        # Only a running node has these.
        **{name: [] for name in ("devices", "unneeded", "remedies", "lookalikes")},
    }


def _verdict(
    plan: Mapping[str, Any], status: str, conditions: Mapping[str, Condition], mitigations: list[dict[str, str]], rewrite: Rewrite
) -> dict[str, Any]:
    tcp, udp = _protocols(status)
    return {
        "status": status,
        "tcp": tcp,
        "udp": udp,
        "summary": _summary(status, conditions, mitigations),
        "action": _action(status, rewrite),
        "defects": _defects(plan) if conditions["kernel_defect"].holds == "yes" else [],
        "upgrade": list(rewrite.upgrade),
    }


def _checked(planned: Mapping[str, Any]) -> dict[str, Any]:
    wrong = sorted(str(key) for key in set(planned) - set(KEYS))
    if wrong:
        raise ValueError(f"planned versions have no key {', '.join(wrong)}: the keys are {', '.join(KEYS)}")
    plan = {key: value for key, value in planned.items() if value not in (None, "")}
    plan["encapsulation"] = _choice(plan.get("encapsulation", "always"), "encapsulation", ENCAPSULATIONS)
    plan["proxy_mode"] = _choice(plan.get("proxy_mode", "iptables"), "proxy_mode", PROXY_MODES)
    plan["masquerade_bit"] = _bit(plan.get("masquerade_bit", DEFAULT_BIT))
    if "kernel" in plan and not isinstance(plan["kernel"], Mapping):
        raise ValueError("kernel must be a dictionary with at least 'release', the output of uname -r")
    if "kernel" in plan:
        plan["kernel"] = checked({"kernel": plan["kernel"]})["kernel"]
    return plan


def _choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    found = str(value).lower()
    if found not in choices:
        raise ValueError(f"{name} {value!r:.100} is not one of {', '.join(choices)}")
    return found


def _bit(value: Any) -> int:
    text = str(value).strip()
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) > 31:
        raise ValueError(f"masquerade_bit {value!r:.100} is not a bit of the mark: write a number from 0 to 31")
    return int(text)


def _plugin(plan: Mapping[str, Any]) -> str:
    if "network_plugin" in plan:
        return str(plan["network_plugin"]).lower()
    return "calico" if "calico_version" in plan else "flannel" if "flannel_version" in plan else ""


def _vxlan(plan: Mapping[str, Any], plugin: str) -> Condition:
    if plugin in WITHOUT_VXLAN:
        return Condition("no", f"{plugin} makes no VXLAN device", "network_plugin")
    if plugin not in ("calico", *FLANNEL_DEVICE):
        what = f"network plugin {plugin!r} is not in the tables" if plugin else "no network plugin was given"
        return Condition("unknown", what, "network_plugin")
    mode = plan["encapsulation"]
    if mode == "never":
        return Condition("no", f"{plugin} without VXLAN", "encapsulation")
    if mode == "crosssubnet":
        return Condition("maybe", f"{plugin} uses VXLAN between nodes of different subnets only", "encapsulation")
    return Condition("yes", f"{plugin} carries Service traffic over VXLAN", "encapsulation")


def _kernel_defect(plan: Mapping[str, Any]) -> Condition:
    if "kernel" not in plan:
        return Condition("unknown", "no kernel was given", "kernel")
    judged = kernels.kernel_status(plan["kernel"])
    source = str(plan["kernel"].get("source") or "uname -r")
    status = {"lco_checksum": judged["lco_checksum"], "zero_checksum": judged["zero_checksum"]}
    reasons = {"lco_checksum": judged["lco_reason"], "zero_checksum": judged["reason"]}
    defects = _defects(plan)
    answers = {status[defect] for defect in defects}
    holds = {"affected": "yes", "fixed": "no"}.get(answers.pop(), "unknown") if len(answers) == 1 else "unknown"
    return Condition(holds, "; ".join(f"{defect}: {reasons[defect]}" for defect in defects), source)


def _defects(plan: Mapping[str, Any]) -> list[str]:
    """The defects that can matter: Calico and flannel leave the outer checksum to the kernel, which fills it since LCO_SINCE."""
    base = kernels.upstream_version(str(plan["kernel"].get("release")))
    if base is None:
        return ["lco_checksum", "zero_checksum"]
    return ["lco_checksum" if base >= version(LCO_SINCE) else "zero_checksum"]


def _offload(plan: Mapping[str, Any], plugin: str) -> Condition:
    """Only Felix ever turns it off, and only on vxlan.calico."""
    if plugin in FLANNEL_DEVICE:
        return Condition("yes", "flannel never turns the offload of its device off", "flannel releases")
    if plugin != "calico":
        return Condition("unknown", "depends on the network plugin", "network_plugin")
    override = str(plan.get("feature_detect_override", "")).lower()
    for value, holds, word in (("true", "no", "off"), ("false", "yes", "on")):
        if f"checksumoffloadbroken={value}" in override.replace(" ", ""):
            return Condition(holds, f"featureDetectOverride keeps the offload {word}", "feature_detect_override")
    if "calico_version" not in plan:
        return Condition("unknown", "no Calico version was given", "calico_version")
    return _felix(plan)


def _felix(plan: Mapping[str, Any]) -> Condition:
    version = str(plan["calico_version"])
    behaviour = releases.calico(version)
    if behaviour.offload_off == releases.NEVER:
        return Condition("yes", f"Felix {version} never touches the offload", behaviour.source)
    if behaviour.offload_off == releases.ALWAYS:
        return Condition("no", f"Felix {version} turns the offload off on every kernel", behaviour.source)
    base = kernels.upstream_version(str(plan.get("kernel", {}).get("release", "")))
    rule = f"Felix {version} turns the offload off on kernels {behaviour.offload_off}"
    if base is None:
        return Condition("unknown", f"{rule}, and no kernel was given", behaviour.source)
    off = releases.felix_turns_offload_off(behaviour, base)
    return Condition("no" if off else "yes", f"{rule}; this one is {base}", behaviour.source)


def _rewrite(plan: Mapping[str, Any], plugin: str) -> Rewrite:
    if plan["proxy_mode"] == "none":
        return Rewrite(Condition("no", "without kube-proxy nothing marks packets for masquerade", "proxy_mode"))
    if "kube_version" not in plan:
        return Rewrite(Condition("unknown", "no Kubernetes version was given", "kube_version"))
    if plugin == "calico" and "calico_version" in plan:
        calico = releases.calico(str(plan["calico_version"]))
        notrack = f"Calico {plan['calico_version']} exempts its tunnel from NAT ({calico.source})" if calico.notrack else ""
        upgrade = () if calico.notrack else (f"Calico {releases.CALICO_FIXED} or later",)
        return _ordered(plan, calico.order == releases.FIRST, f"Calico: {calico.source}", notrack, upgrade)
    if plugin in FLANNEL_DEVICE and "flannel_version" in plan:
        flannel = releases.flannel(str(plan["flannel_version"]))
        blind = flannel.guarded and plan["masquerade_bit"] != DEFAULT_BIT
        before = flannel.order == releases.FIRST and (blind or not flannel.guarded)
        cure = f"kube-proxy's default masquerade bit {DEFAULT_BIT}" if blind else f"flannel {releases.FLANNEL_FIXED} or later"
        source = f"flannel: {flannel.source}{f', but only those of bit {DEFAULT_BIT}' if blind else ''}"
        return _ordered(plan, before, source, "", (cure,) if before else ())
    return Rewrite(Condition("unknown", "the version of the network plugin is not known", "network_plugin"))


def _ordered(plan: Mapping[str, Any], cni_first: bool, cni_source: str, notrack: str, upgrade: tuple[str, ...]) -> Rewrite:
    """kube-proxy's mark stays on the outer packet when nobody clears it, or when the CNI ends the walk before."""
    version = str(plan["kube_version"])
    if plan["proxy_mode"] == "nftables":
        evidence = "which nat table runs first, kube-proxy's or the CNI's, depends on the order they were loaded in"
        return Rewrite(Condition("maybe", evidence, cni_source), notrack, upgrade)
    proxy = releases.kube_proxy(version)
    if proxy.random == releases.NEVER:
        return Rewrite(Condition("no", f"kube-proxy {version} does not randomise ports", proxy.source))
    if proxy.clears_mark and not cni_first:
        return Rewrite(Condition("no", f"kube-proxy {version} clears the mark before the tunnel", proxy.source))
    holds = "yes" if proxy.random == releases.ALWAYS else "maybe"
    if proxy.clears_mark:
        evidence = f"the CNI masquerades before kube-proxy {version} can clear the mark"
        return Rewrite(Condition(holds, evidence, cni_source), notrack, upgrade)
    fixed = f"Kubernetes {', '.join(releases.KUBE_PROXY_FIXED)} or later"
    evidence = f"kube-proxy {version} leaves its mark on the outer packet and masquerades it again"
    return Rewrite(Condition(holds, evidence, proxy.source), notrack, (fixed, *upgrade) if cni_first else (fixed,))


def _mitigations(conditions: Mapping[str, Condition], rewrite: Rewrite, plugin: str) -> list[dict[str, str]]:
    """What a planned component does against it; nothing to mitigate where another condition surely fails."""
    if any(conditions[name].holds == "no" for name in ("vxlan", "kernel_defect", "rewrite")):
        return []
    found = []
    if conditions["offload"].holds == "no":
        found.append({"id": "tx_checksum_off", "owner": "felix", "evidence": conditions["offload"].evidence})
    if rewrite.notrack:
        found.append({"id": "notrack", "owner": plugin, "evidence": rewrite.notrack})
    return found


def _status(conditions: Mapping[str, Condition], mitigated: bool) -> str:
    held = {condition.holds for condition in conditions.values()}
    if mitigated:
        return "mitigated"
    if "no" in held:
        return "unaffected"
    if "unknown" in held:
        return "unknown"
    return "exposed" if "maybe" in held else "affected"


def _protocols(status: str) -> tuple[str, str]:
    """UDP from a node also needs TX checksumming on its network card, which no plan tells."""
    return {
        "affected": ("broken", "at_risk"),
        "exposed": ("at_risk", "at_risk"),
        "unknown": ("unknown", "unknown"),
    }.get(status, ("ok", "ok"))


def _summary(status: str, conditions: Mapping[str, Condition], mitigations: list[dict[str, str]]) -> str:
    if status == "mitigated":
        return "would be affected, but " + "; ".join(mitigation["evidence"] for mitigation in mitigations)
    decisive = {"unaffected": "no", "unknown": "unknown", "exposed": "maybe"}.get(status)
    if decisive is None:
        return "node to Service traffic over VXLAN will fail: " + conditions["rewrite"].evidence
    return "; ".join(condition.evidence for condition in conditions.values() if condition.holds == decisive)


def _action(status: str, rewrite: Rewrite) -> str:
    if status in ("affected", "exposed"):
        plan = f"plan {' and '.join(rewrite.upgrade)}, or " if rewrite.upgrade else ""
        return f"{plan}apply the workaround role (method auto) when the nodes are up"
    if status == "unknown":
        return "give what is listed in missing, or diagnose the nodes when they are up"
    return "nothing to do"


def _missing(plan: Mapping[str, Any], plugin: str) -> list[dict[str, str]]:
    if plugin in WITHOUT_VXLAN:
        return []
    # No version of a plugin that is not in the tables would help.
    wanted = {"": "network_plugin", "calico": "calico_version", **dict.fromkeys(FLANNEL_DEVICE, "flannel_version")}.get(plugin)
    needed = ("kube_version", "kernel", *([wanted] if wanted else []))
    return [{"fact": name, "reason": "not given", "how": f"set {name} in the planned versions"} for name in needed if name not in plan]
