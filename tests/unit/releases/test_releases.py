# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What releases do: the tables' own rows and the numbers at their edges."""

from __future__ import annotations

import pytest
from packaging.version import Version

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import releases


@pytest.mark.parametrize(
    ("version", "clears_mark", "random"),
    [
        ("1.15.12", False, "never"),
        ("1.16.0", False, "maybe"),
        ("1.16.9", False, "maybe"),
        ("1.16.10", False, "always"),
        ("1.16.12", False, "always"),
        ("1.16.13", True, "always"),
        ("v1.17.8", False, "always"),
        ("1.17.9", True, "always"),
        ("1.18.5", False, "always"),
        ("v1.18.6", True, "always"),
        ("1.18.6-0", True, "always"),
        ("1.19.0", True, "always"),
        ("1.25.4+k3s1", True, "always"),
        ("1.36.2", True, "always"),
    ],
)
def test_kube_proxy(version: str, clears_mark: bool, random: str) -> None:
    found = releases.kube_proxy(version)
    assert (found.clears_mark, found.random) == (clears_mark, random)


@pytest.mark.parametrize(
    ("version", "order", "offload_off", "notrack"),
    [
        ("3.7.0", "first", "never", False),
        ("3.19.1", "first", "never", False),
        ("3.19.2", "first", "<5.7.0", False),
        ("3.24.5", "first", "<5.7.0", False),
        ("v3.24.6", "first", "always", False),
        ("3.27.5", "first", "always", False),
        ("3.28.0", "first", "<=5.7.0", False),
        ("3.28.1", "first", "always", False),
        ("3.28.2", "last", "<=5.7.0", False),
        ("3.28.5", "last", "<=5.7.0", False),
        ("v3.29.0", "last", "<=5.7.0", True),
        ("3.32.1", "last", "<=5.7.0", True),
    ],
)
def test_calico(version: str, order: str, offload_off: str, notrack: bool) -> None:
    found = releases.calico(version)
    assert (found.order, found.offload_off, found.notrack) == (order, offload_off, notrack)


@pytest.mark.parametrize(
    ("version", "order", "guarded", "random"),
    [
        ("0.10.0", "last", False, False),
        ("0.11.0", "last", False, True),
        ("0.19.2", "last", False, True),
        ("v0.20.0", "first", False, True),
        ("0.20.1", "first", False, True),
        ("0.20.2", "first", True, True),
        ("0.26.1", "first", True, True),
    ],
)
def test_flannel(version: str, order: str, guarded: bool, random: bool) -> None:
    found = releases.flannel(version)
    assert (found.order, found.guarded, found.random) == (order, guarded, random)


@pytest.mark.parametrize(
    ("calico", "kernel", "off"),
    [
        ("3.19.1", "4.18.0", False),
        ("3.20.0", "4.18.0", True),
        ("3.20.0", "5.7.0", False),
        ("3.28.0", "5.7.0", True),
        ("3.28.0", "5.15.0", False),
        ("3.28.1", "6.8.0", True),
    ],
)
def test_felix_compares_the_upstream_number(calico: str, kernel: str, off: bool) -> None:
    assert releases.felix_turns_offload_off(releases.calico(calico), Version(kernel)) is off


@pytest.mark.parametrize("text", ["", "latest", "1", "1.2.3.4", "v", "master"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        releases.calico(text)
