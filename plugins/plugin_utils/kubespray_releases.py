# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kubespray release installs when a variable is not set. Lookups only, read from its tags.

Sources, of the tag of each row:

- kube_version, kube_network_plugin, kube_proxy_mode: roles/kubespray-defaults/defaults/main.yaml (main/main.yml since 2.24,
  kubespray_defaults since 2.28);
- calico_version, flannel_version: roles/download/defaults/main.yml (main/main.yml in 2.23; since 2.24 main/download.yml of
  the role above);
- since 2.28 kube_version and calico_version are the first keys of kubelet_checksums and calicoctl_binary_checksums in
  vars/main/checksums.yml of that role;
- `oldest` is kube_version_min_required, `newest` the newest kubelet (2.10, 2.11: hyperkube) of which the tag has a checksum;
- the modes: roles/network_plugin/calico/defaults/main.yml (calico_defaults since 2.24), roles/network_plugin/flannel/defaults/main.yml.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

NEWEST_KNOWN = "2.31.0"
# The same in every release from 2.10.0 to NEWEST_KNOWN.
NETWORK_PLUGIN, PROXY_MODE, FLANNEL_BACKEND = "calico", "ipvs", "vxlan"
# calico_vxlan_mode exists since 2.13 and is Always by default since 2.19; before, Calico is IPIP unless it is set.
CALICO_VXLAN_MODE_SINCE, CALICO_VXLAN_SINCE = (2, 13), (2, 19)
# calico_feature_detect_override (kubespray#9249); flannel_vxlan_direct_routing. An older release does not look at them.
FEATURE_DETECT_OVERRIDE_SINCE, DIRECT_ROUTING_SINCE = (2, 20), (2, 21)
# galaxy.yml of these tags has the version of the release before. 2.21.0 itself has no galaxy.yml, that of 2.22.2 is right.
GALAXY_SAYS = {"2.21.0": ("2.22.0", "2.22.1"), "2.22.1": ("2.23.0", "2.23.1")}


class Release(NamedTuple):
    """Defaults of one tag. `oldest` and `newest`: the span of Kubernetes that it installs."""

    version: str
    kube: str
    oldest: str
    newest: str
    calico: str
    flannel: str


RELEASES: tuple[Release, ...] = (
    Release("2.10.0", "1.14.1", "1.12.0", "1.14.1", "3.4.0", "0.11.0"),
    Release("2.10.3", "1.14.3", "1.12.0", "1.14.3", "3.4.0", "0.11.0"),
    Release("2.10.4", "1.14.3", "1.12.0", "1.14.3", "3.4.0", "0.11.0"),
    Release("2.11.0", "1.15.3", "1.14.0", "1.15.3", "3.7.3", "0.11.0"),
    Release("2.11.1", "1.15.11", "1.14.0", "1.15.11", "3.7.3", "0.11.0"),
    Release("2.11.2", "1.15.11", "1.14.0", "1.15.11", "3.7.3", "0.11.0"),
    Release("2.12.0", "1.16.3", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.1", "1.16.7", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.2", "1.16.7", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.3", "1.16.7", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.4", "1.16.8", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.5", "1.16.8", "1.15.0", "1.17.0", "3.7.3", "0.11.0"),
    Release("2.12.6", "1.16.9", "1.15.0", "1.17.5", "3.7.3", "0.11.0"),
    Release("2.12.7", "1.16.11", "1.15.0", "1.17.7", "3.7.3", "0.11.0"),
    Release("2.12.8", "1.16.13", "1.15.0", "1.17.7", "3.7.3", "0.11.0"),
    Release("2.12.9", "1.16.13", "1.15.0", "1.17.7", "3.7.3", "0.11.0"),
    Release("2.12.10", "1.16.15", "1.15.0", "1.17.7", "3.7.3", "0.11.0"),
    Release("2.13.0", "1.17.5", "1.16.0", "1.18.2", "3.13.2", "0.12.0"),
    Release("2.13.1", "1.17.6", "1.16.0", "1.18.3", "3.13.2", "0.12.0"),
    Release("2.13.2", "1.17.7", "1.16.0", "1.18.4", "3.13.2", "0.12.0"),
    Release("2.13.3", "1.17.9", "1.16.0", "1.18.5", "3.13.2", "0.12.0"),
    Release("2.13.4", "1.17.12", "1.16.0", "1.18.9", "3.13.2", "0.12.0"),
    Release("2.14.0", "1.18.8", "1.17.0", "1.19.0", "3.15.2", "0.12.0"),
    Release("2.14.1", "1.18.9", "1.17.0", "1.19.2", "3.15.2", "0.12.0"),
    Release("2.14.2", "1.18.10", "1.17.0", "1.19.3", "3.15.2", "0.12.0"),
    Release("2.15.0", "1.19.7", "1.18.0", "1.19.7", "3.16.5", "0.13.0"),
    Release("2.15.1", "1.19.9", "1.18.0", "1.20.5", "3.16.9", "0.13.0"),
    Release("2.16.0", "1.20.7", "1.19.0", "1.21.1", "3.17.4", "0.13.0"),
    Release("2.17.0", "1.21.5", "1.19.0", "1.22.2", "3.19.2", "0.14.0"),
    Release("2.17.1", "1.21.6", "1.19.0", "1.22.2", "3.19.2", "0.14.0"),
    Release("2.18.0", "1.22.5", "1.20.0", "1.23.1", "3.20.3", "0.15.1"),
    Release("2.18.1", "1.22.8", "1.20.0", "1.23.5", "3.20.3", "0.15.1"),
    Release("2.18.2", "1.22.8", "1.20.0", "1.23.5", "3.20.3", "0.15.1"),
    Release("2.19.0", "1.23.7", "1.21.0", "1.24.1", "3.22.3", "0.17.0"),
    Release("2.19.1", "1.23.7", "1.21.0", "1.24.1", "3.22.3", "0.17.0"),
    Release("2.20.0", "1.24.6", "1.22.0", "1.24.6", "3.23.3", "0.19.2"),
    Release("2.21.0", "1.25.6", "1.23.0", "1.25.6", "3.24.5", "0.20.2"),
    Release("2.22.0", "1.26.5", "1.24.0", "1.26.5", "3.25.1", "0.21.4"),
    Release("2.22.1", "1.26.5", "1.24.0", "1.26.5", "3.25.1", "0.21.4"),
    Release("2.22.2", "1.26.13", "1.24.0", "1.26.13", "3.25.1", "0.21.4"),
    Release("2.23.0", "1.27.5", "1.25.0", "1.27.5", "3.25.2", "0.22.0"),
    Release("2.23.1", "1.27.7", "1.25.0", "1.27.7", "3.25.2", "0.22.0"),
    Release("2.23.2", "1.27.9", "1.25.0", "1.27.9", "3.25.2", "0.22.0"),
    Release("2.23.3", "1.27.10", "1.25.0", "1.27.10", "3.25.2", "0.22.0"),
    Release("2.24.0", "1.28.6", "1.26.0", "1.29.1", "3.26.4", "0.22.0"),
    Release("2.24.1", "1.28.6", "1.26.0", "1.29.1", "3.26.4", "0.22.0"),
    Release("2.24.2", "1.28.10", "1.26.0", "1.29.1", "3.26.4", "0.22.0"),
    Release("2.24.3", "1.28.14", "1.26.0", "1.29.9", "3.26.4", "0.22.0"),
    Release("2.25.0", "1.29.5", "1.27.0", "1.29.5", "3.27.3", "0.22.0"),
    Release("2.25.1", "1.29.10", "1.27.0", "1.29.10", "3.27.4", "0.22.0"),
    Release("2.26.0", "1.30.4", "1.28.0", "1.30.4", "3.28.1", "0.22.0"),
    Release("2.26.1", "1.30.6", "1.28.0", "1.30.6", "3.28.1", "0.22.0"),
    Release("2.27.0", "1.31.4", "1.29.0", "1.31.4", "3.29.1", "0.22.0"),
    Release("2.27.1", "1.31.9", "1.29.0", "1.31.9", "3.29.4", "0.22.0"),
    Release("2.28.0", "1.32.5", "1.30.0", "1.32.5", "3.29.3", "0.22.0"),
    Release("2.28.1", "1.32.8", "1.30.0", "1.32.8", "3.29.5", "0.22.0"),
    Release("2.29.0", "1.33.5", "1.31.0", "1.33.5", "3.30.3", "0.27.3"),
    Release("2.29.1", "1.33.7", "1.31.0", "1.33.7", "3.30.5", "0.27.3"),
    Release("2.30.0", "1.34.3", "1.32.0", "1.34.3", "3.30.6", "0.27.3"),
    Release("2.31.0", "1.35.4", "1.33.0", "1.35.4", "3.31.5", "0.28.4"),
)


def numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version, with or without v. Raises ValueError when it is none."""
    found = re.match(r"v?([0-9]{1,9}(?:\.[0-9]{1,9}){1,2})(?![\d.])", str(text).strip())
    if found is None:
        raise ValueError(f"version {text!r} is not understood: write it like 2.13.2")
    return tuple(int(one) for one in found[1].split("."))


def named(version: str) -> tuple[Release, ...]:
    """The tags of a release: one of 2.13.2, all of 2.13, none of one that is not in the table. Raises ValueError."""
    wanted = numbers(version)
    return tuple(release for release in RELEASES if numbers(release.version)[: len(wanted)] == wanted)


def in_tree(galaxy: str, kube: str) -> tuple[Release, ...]:
    """The tags that a checkout or an installed collection can be: what its galaxy.yml says (empty before 2.22), and its
    own default kube_version (empty since 2.28). No tag has both: none, as a checkout between two tags."""
    found = RELEASES
    if galaxy:
        found = tuple(one for version in GALAXY_SAYS.get(galaxy, (galaxy,)) for one in named(version))
    return tuple(release for release in found if not kube or release.kube == kube)


def that_install(kube_version: Optional[str]) -> tuple[Release, ...]:
    """The tags that can install this Kubernetes; all when it is not known. Raises ValueError for what is no version."""
    if not kube_version:
        return RELEASES
    wanted = numbers(kube_version)
    return tuple(release for release in RELEASES if numbers(release.oldest) <= wanted <= numbers(release.newest))


def at_least(release: Optional[Release], since: tuple[int, ...]) -> bool:
    """Whether a release is as new as `since`; one that is not in the table counts as newer than it."""
    return release is None or numbers(release.version) >= since
