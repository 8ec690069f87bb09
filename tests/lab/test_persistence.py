# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the systemd units bring a workaround back, on both backends. No systemd runs in these nodes: systemd-analyze
checks the units, and their commands are run as systemd would. A real systemd, reboots and timers: tests/lab/boot."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest

CURED = {"udp": "ok", "tcp": "ok"}
BROKEN = {"udp": "broken", "tcp": "broken"}
UNITS = "/etc/systemd/system"


@pytest.fixture(scope="module")
def lab(make_lab: Any) -> Any:
    return make_lab("pre_fix_kube_proxy", backend="both", nodes=8)


def apply(lab: Any, node: str, method: str, tmp_path: Any) -> list[str]:
    variables = {
        "vxlan_offload_report_dir": str(tmp_path),
        "workaround_method": method,
        "workaround_accept_risk": True,
        "workaround_service_cidr": "10.96.0.0/12",
    }
    run = lab.playbook("kubenet.vxlan_offload.apply", "--limit", node, variables=variables)
    assert run.returncode == 0, run.output
    return lab.run(node, "sh", "-c", "ls -d %s/vxlan-offload-*" % UNITS).split()


def start(lab: Any, node: str, unit: str) -> None:
    """Run the commands of a unit in order; a command with - before it may fail."""
    for command in re.findall(r"^ExecStart(?:Pre)?=(.*)$", lab.run(node, "cat", unit), re.M):
        words = shlex.split(command.lstrip("-").replace("%%", "%").replace("$$", "$"))
        lab.run(node, *words, check=not command.startswith("-"))


def verified(lab: Any, node: str, units: list[str]) -> str:
    return lab.run(node, "systemd-analyze", "verify", *units, check=False)


@pytest.mark.parametrize("node", ["pre_fix_kube_proxy_nft", "pre_fix_kube_proxy_legacy"])
@pytest.mark.parametrize("method, table", [("clear_mark", "mangle"), ("notrack", "raw")])
def test_a_flushed_table_gets_the_rule_again_at_boot(lab: Any, node: str, method: str, table: str, tmp_path: Any) -> None:
    units = apply(lab, node, method, tmp_path)
    unit, _timer = sorted(units)
    assert "vxlan-offload" not in verified(lab, node, units)
    lab.run(node, "iptables-" + node.rpartition("_")[2], "-t", table, "-F", "OUTPUT")
    assert lab.verdict(node) == BROKEN
    start(lab, node, unit)
    assert lab.verdict(node) == CURED
    start(lab, node, unit)
    rules = lab.run(node, "iptables-" + node.rpartition("_")[2], "-t", table, "-S", "OUTPUT")
    assert rules.count("--dport 4789") == 1


@pytest.mark.parametrize("node", ["pre_fix_kube_proxy_nft_4", "pre_fix_kube_proxy_legacy_4"])
def test_a_rule_that_must_be_first_is_put_first_again(lab: Any, node: str, tmp_path: Any) -> None:
    service, _timer = sorted(apply(lab, node, "underlay_accept", tmp_path))
    backend = "iptables-" + node.rstrip("_4").rpartition("_")[2]
    before = lab.run(node, backend, "-t", "nat", "-S", "POSTROUTING")
    # As Felix and kube-proxy do: their jump in front of everything.
    lab.run(node, backend, "-t", "nat", "-I", "POSTROUTING", "1", "-j", "KUBE-POSTROUTING")
    assert lab.verdict(node) == BROKEN
    start(lab, node, service)
    assert lab.verdict(node) == CURED
    lab.run(node, backend, "-t", "nat", "-D", "POSTROUTING", "2")
    start(lab, node, service)
    assert lab.run(node, backend, "-t", "nat", "-S", "POSTROUTING") == before


def test_a_device_that_comes_again_is_set_again(lab: Any, tmp_path: Any) -> None:
    node = "pre_fix_kube_proxy_nft_2"
    (unit,) = apply(lab, node, "tx_checksum_off", tmp_path)
    text = lab.run(node, "cat", unit)
    device = "sys-subsystem-net-devices-vxlan.calico.device"
    assert "BindsTo=" + device in text and "After=" + device in text
    assert lab.run(node, "readlink", "%s/%s.wants/%s" % (UNITS, device, unit.rpartition("/")[2])).strip() == unit
    assert "vxlan-offload" not in verified(lab, node, [unit])
    # What a device made anew is like: the kernel's default.
    lab.run(node, "ethtool", "-K", "vxlan.calico", "tx-checksum-ip-generic", "on")
    assert lab.verdict(node) == BROKEN
    start(lab, node, unit)
    assert lab.verdict(node) == CURED


@pytest.mark.parametrize("node", ["pre_fix_kube_proxy_nft_3", "pre_fix_kube_proxy_legacy_3"])
def test_what_a_kube_proxy_sync_erases_comes_back_with_the_timer(lab: Any, node: str, tmp_path: Any) -> None:
    units = apply(lab, node, "masquerade_without_random", tmp_path)
    service, timer = sorted(units)
    assert "vxlan-offload" not in verified(lab, node, units)
    assert "OnUnitActiveSec=15" in lab.run(node, "cat", timer)
    backend = "iptables-" + node.rstrip("_3").rpartition("_")[2]
    rules = lab.run(node, backend, "-t", "nat", "-S", "KUBE-POSTROUTING").splitlines()
    theirs = rules[2:]
    # A sync flushes the chain and writes kube-proxy's own rules (iptables-restore --noflush with ":KUBE-POSTROUTING - [0:0]").
    text = "*nat\n:KUBE-POSTROUTING - [0:0]\n%s\nCOMMIT\n" % "\n".join(theirs)
    lab.run(node, "sh", "-c", 'printf %s "$1" | "$0"-restore --noflush', backend, text)
    assert lab.verdict(node) == BROKEN
    start(lab, node, service)
    assert lab.verdict(node) == CURED
    before = lab.run(node, backend, "-t", "nat", "-S", "KUBE-POSTROUTING")
    start(lab, node, service)
    assert lab.run(node, backend, "-t", "nat", "-S", "KUBE-POSTROUTING") == before


def test_systemd_analyze_finds_a_broken_unit(tmp_path: Any) -> None:
    """The judge of the tests above can say no."""
    unit = tmp_path / "vxlan-offload-broken.service"
    unit.write_text("[Service]\nType=oneshot\nExecStart=ethtol -K vxlan.calico\n", encoding="utf-8")
    command = ["systemd-analyze", "verify", str(unit)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert "vxlan-offload-broken" in done.stdout
