# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release of kube-proxy, Calico or flannel does to the packets. Lookups only, read from their tags.

The first row of a table whose specifier contains the version decides. A version may be written v1.18.6, 1.18.6-0
or 1.25.4+k3s1: what follows the three numbers is a distribution's own and is left out of the comparison.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import versions

if TYPE_CHECKING:
    from packaging.version import Version

FIRST = "first"
LAST = "last"

NEVER = "never"
ALWAYS = "always"


@dataclass(frozen=True)
class KubeProxy:
    """``clears_mark``: KUBE-POSTROUTING takes the mark off before it masquerades. ``random``: the port is randomised:
    never, maybe (when its iptables is 1.6.2 or newer) or always."""

    clears_mark: bool
    random: str
    source: str


@dataclass(frozen=True)
class Calico:
    """``order``: where cali-POSTROUTING stands against kube-proxy's rules. ``offload_off``: kernels on which Felix
    turns the offload of vxlan.calico off: never, always, or a specifier of upstream versions. ``notrack``: the outer
    packets are exempt from NAT."""

    order: str
    offload_off: str
    notrack: bool
    source: str


@dataclass(frozen=True)
class Flannel:
    """``order``: where flannel's masquerade rules stand. ``guarded``: marked packets are left to kube-proxy.
    ``random``: its own rules randomise the port."""

    order: str
    guarded: bool
    random: bool
    source: str


KUBE_PROXY_RELEASES = (
    ("<1.16", KubeProxy(False, NEVER, "kube-proxy masquerades at random since 1.16.0 (kubernetes#78547)")),
    (">=1.16,<1.16.10", KubeProxy(False, "maybe", "its image has iptables 1.6.0, a host binary uses the host's iptables")),
    (">=1.16.10,<1.16.13", KubeProxy(False, ALWAYS, "image rebased in 1.16.10 (kubernetes#90940)")),
    (">=1.17,<1.17.9", KubeProxy(False, ALWAYS, "image rebased in 1.17.0 (kubernetes#82966)")),
    (">=1.18,<1.18.6", KubeProxy(False, ALWAYS, "fixed in 1.18.6 (kubernetes#92035)")),
    (">=1.16.13", KubeProxy(True, ALWAYS, "clears the mark (kubernetes#92035: 1.16.13, 1.17.9, 1.18.6, 1.19.0)")),
)

CALICO_RELEASES = (
    ("<3.19.2", Calico(FIRST, NEVER, False, "Felix before 3.19.2 never touches the offload")),
    (">=3.19.2,<3.24.6", Calico(FIRST, "<5.7.0", False, "felix#2811")),
    (">=3.24.6,<3.28", Calico(FIRST, ALWAYS, False, "calico#6842")),
    ("==3.28.0", Calico(FIRST, "<=5.7.0", False, "calico#8746, calico#8860")),
    ("==3.28.1", Calico(FIRST, ALWAYS, False, "calico#9036")),
    (">=3.28.2,<3.29", Calico(LAST, "<=5.7.0", False, "calico#9091")),
    (">=3.29", Calico(LAST, "<=5.7.0", True, "calico#8977")),
)

FLANNEL_RELEASES = (
    ("<0.11", Flannel(LAST, False, False, "flannel randomises since 0.11.0")),
    (">=0.11,<0.20", Flannel(LAST, False, True, "its rules are appended to POSTROUTING")),
    (">=0.20,<0.20.2", Flannel(FIRST, False, True, "FLANNEL-POSTRTG is inserted first without a guard (flannel#1679)")),
    (">=0.20.2", Flannel(FIRST, True, True, "marked packets return to kube-proxy (flannel#1681)")),
)

# The releases to upgrade to: from these on the outer packet is not rewritten by the component itself.
KUBE_PROXY_FIXED = ("1.16.13", "1.17.9", "1.18.6", "1.19.0")
CALICO_FIXED = "3.29.0"
FLANNEL_FIXED = "0.20.2"


def release_version(text: str, component: str) -> Version:
    """The three numbers of a release. Raises ValueError when there are not at least two."""
    match = re.match(r"^v?([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?(?![\d.])", str(text).strip())
    if match is None:
        raise ValueError(f"{component} version {str(text)[:80]!r} is not understood: write it like 1.18.6")
    major, minor, patch = match.groups()
    return versions.version(f"{major}.{minor}.{patch or 0}")


def kube_proxy(version: str) -> KubeProxy:
    """What the kube-proxy of this Kubernetes version writes in iptables and IPVS mode."""
    number = release_version(version, "kubernetes")
    return next(row for span, row in KUBE_PROXY_RELEASES if versions.within(number, span))


def calico(version: str) -> Calico:
    """What this Calico version writes with its default settings."""
    number = release_version(version, "calico")
    return next(row for span, row in CALICO_RELEASES if versions.within(number, span))


def flannel(version: str) -> Flannel:
    """What this flannel version writes with its default settings."""
    number = release_version(version, "flannel")
    return next(row for span, row in FLANNEL_RELEASES if versions.within(number, span))


def felix_turns_offload_off(behaviour: Calico, kernel: Version) -> bool:
    """Felix compares the upstream number of the running kernel and knows no back-ports."""
    if behaviour.offload_off in (NEVER, ALWAYS):
        return behaviour.offload_off == ALWAYS
    return versions.within(kernel, behaviour.offload_off)
