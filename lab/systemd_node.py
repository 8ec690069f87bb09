# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a lab that boot a systemd of their own, with udev, in systemd-nspawn.

power_on() replaces the plain node that topology.up() has made. The disk is an overlay of this machine's root in the memory
of a process of its own, so it outlives a reboot; the network namespace does not, as on a real node: what was in
it, devices and rules, is gone after a reboot until the CNI's and kube-proxy's stand-ins make it again (start_agents).
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

from . import addresses as ip
from . import agents, holder, inventory, links, mounts, node, scenarios
from . import namespaces as ns
from .errors import LabError
from .ruleset import enter
from .state import State

NSPAWN = "/usr/bin/systemd-nspawn"
INIT = "/usr/lib/systemd/systemd"
REBOOT = 133  # how nspawn ends when its machine asks for a reboot (--keep-unit)
PATIENCE = 60.0
ENVIRONMENT = "/opt/environment"  # this Python's, for nodes that run Ansible themselves: /tmp of this machine is not theirs
DISK, MACHINE = "#disk", "#machine"
# What would reach beyond the node (sysctls and file systems that namespaces do not divide), and terminals.
MASKED = (
    "console-getty.service", "dev-hugepages.mount", "getty.target", "kmod-static-nodes.service",
    "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "systemd-binfmt.service", "systemd-journal-flush.service", "systemd-logind.service",
    "systemd-modules-load.service", "systemd-random-seed.service", "systemd-sysctl.service",
)  # fmt: skip
UNITS = "/etc/systemd/system"
_STATE = threading.Lock()  # nodes may be rebooted side by side, by threads of one process
FILES = {
    # Only the node's own devices: a "change" of all of them would be seen by the machine's udev as well.
    UNITS + "/systemd-udev-trigger.service.d/lab.conf": "[Service]\nExecStart=\n"
    "ExecStart=/usr/bin/udevadm trigger --action=add --subsystem-match=net\n",
    # As Calico, flannel and their distributions ask for: udev keeps its hands off the address of a tunnel.
    "/etc/systemd/network/10-cni.link": "[Match]\nOriginalName=vxlan.calico flannel.1 cali*\n\n[Link]\nMACAddressPolicy=none\n",
    "/etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\n",
}


def check() -> None:
    for program in (NSPAWN, "/usr/bin/udevadm", INIT):
        if not os.access(program, os.X_OK):
            raise LabError("missing %s: lab/packages.sh tests/lab/boot/packages.txt" % program)


def insert_disk(lab: State, name: str) -> None:
    """The node's disk, in the mount namespace of a process that lives as long as the lab."""
    folder, machine = lab.node_directory(name), _machine_name(lab, name)

    def prepare() -> None:
        ns.unshare(ns.CLONE_NEWNS)
        _mount_disk(folder, machine)

    with holder.undisturbed():
        lab.servers[name + DISK] = holder.identify(holder.spawn(lab.marker + name + DISK, prepare))
        lab.save()


def _machine_name(lab: State, name: str) -> str:
    return "node-%d" % lab.nodes[name]["number"]


def _mount_disk(folder: str, machine: str) -> None:
    """Ends with a /run of its own: the machine's would keep what nspawn leaves there."""
    ns.mount("none", "/", None, ns.MS_REC | ns.MS_PRIVATE)
    run, shared = os.path.join(folder, "run"), mounts.remote_tmp(folder)
    ns.mount("tmpfs", run, "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=755")
    upper, work, root = (os.path.join(run, part) for part in ("upper", "work", "root"))
    for path in (upper + UNITS, work, root, os.path.join(run, os.path.relpath(shared, "/run"))):
        os.makedirs(path)
    # No unit that was enabled on this machine.
    os.setxattr(upper + UNITS, "trusted.overlay.opaque", b"y")
    for unit in MASKED:
        os.symlink("/dev/null", "%s%s/%s" % (upper, UNITS, unit))
    # Without one it would be a first boot, which enables what the vendor presets.
    for path, text in {**FILES, "/etc/machine-id": uuid.uuid4().hex + "\n"}.items():
        os.makedirs(os.path.dirname(upper + path), exist_ok=True)
        with open(upper + path, "w", encoding="ascii") as stream:
            stream.write(text)
    ns.mount(shared, os.path.join(run, os.path.relpath(shared, "/run")), None, ns.MS_BIND)
    ns.mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir=%s,workdir=%s" % (upper, work))
    mounts.know_own_name(root + "/etc/hosts", machine)
    ns.mount(run, "/run", None, ns.MS_MOVE)


def power_on(lab: State, name: str) -> None:
    """A network card with an address, no device of a CNI, no rules; returns as soon as systemd starts (booted() waits for the rest)."""
    with _STATE:
        _power_on(lab, name)


def _power_on(lab: State, name: str) -> None:
    planned = lab.nodes[name]
    if name + DISK not in lab.servers:
        check()
        node_holder = planned["holder"]
        if holder.is_running(node_holder):
            holder.end([node_holder["pid"]])
        insert_disk(lab, name)
    with holder.undisturbed():
        machine = _nspawn(lab, name)
        lab.servers[name + MACHINE] = holder.identify(machine)
        lab.save()
        planned["holder"] = holder.identify(_leader(machine, _log(lab, name)))
        lab.save()
    _plug_in(lab.pid("switch"), lab.pid(name), planned["number"])
    links.configure_node(lab.pid(name), planned["number"])
    inventory.write_shell(lab, name)


def _plug_in(switch: int, pid: int, number: int) -> None:
    """The cable of the boot before goes away with its namespace, a moment later."""
    deadline = time.monotonic() + PATIENCE
    while _link_exists(switch, "port%d" % number):
        if time.monotonic() > deadline:
            raise LabError("port%d of the switch is still there" % number)
        time.sleep(0.02)
    links.plug_in(switch, pid, number)


def _link_exists(pid: int, name: str) -> bool:
    return bool(subprocess.run([*enter(pid), "ip", "link", "show", name], capture_output=True, check=False).returncode == 0)


def _nspawn(lab: State, name: str) -> int:
    """Start it. A cgroup of its own for each machine: two of them in one would end each other's services."""
    holding = int(lab.servers[name + DISK]["pid"])  # type: ignore[index]
    _prepare_udev("/proc/%d/root/run/udev" % holding)
    disk = os.open("/proc/%d/ns/mnt" % holding, os.O_RDONLY)
    cgroups = [_make_cgroup(path, lab, name) for path in _cgroup_mounts()]
    log = open(_log(lab, name), "ab")  # noqa: SIM115 # the process keeps it
    shared = mounts.remote_tmp(lab.node_directory(name))

    def prepare() -> None:
        holder.disturbable()
        for path in cgroups:
            with open(path + "/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(os.getpid()))
        ns.setns(disk, ns.CLONE_NEWNS)

    try:
        process = subprocess.Popen(
            [
                lab.marker + name + MACHINE, "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--directory=/run/root",
                "--machine=%s" % _machine_name(lab, name), "--private-network", "--bind=%s" % shared,
                "--bind=/run/udev:/run/udev", "--bind-ro=%s:%s" % (sys.prefix, ENVIRONMENT), "--boot", "--",
                "systemd.unit=multi-user.target",
            ],
            executable=NSPAWN, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", preexec_fn=prepare,
            # A writable /sys: udev and device units need one.
            env={"PATH": os.defpath, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"},
        )  # fmt: skip
    finally:
        os.close(disk)
        log.close()
    process.returncode = 0  # it outlives this process on purpose
    return process.pid


def _prepare_udev(folder: str) -> None:
    """Without a devtmpfs on /dev systemd has device units only where udev's socket is there before it. Its unit replaces this file."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(folder + "/control", "w", encoding="ascii"):
        pass


def _log(lab: State, name: str) -> str:
    return os.path.join(lab.node_directory(name), "nspawn.log")


def _leader(machine: int, log: str) -> int:
    """The first process of the machine: nspawn's child that is systemd."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and holder.start_time(machine) is not None:
        for path in glob.glob("/proc/%d/task/*/children" % machine):
            try:
                with open(path, encoding="ascii") as stream:
                    children = [int(word) for word in stream.read().split()]
                for child in children:
                    if os.readlink("/proc/%d/exe" % child).endswith("/systemd"):
                        return child
            except OSError:
                continue
        time.sleep(0.01)
    with open(log, encoding="utf-8", errors="replace") as stream:
        said = stream.read().strip()[-500:]
    raise LabError("no systemd runs in systemd-nspawn on this machine: %s" % (said or "it said nothing"))


def _cgroup_mounts() -> list[str]:
    """Of the hierarchies that systemd uses."""
    with open("/proc/self/mounts", encoding="ascii") as stream:
        fields = [line.split() for line in stream]
    return [one[1] for one in fields if one[2] == "cgroup2" or one[2] == "cgroup" and "name=systemd" in one[3].split(",")]


def _make_cgroup(mounted: str, lab: State, name: str) -> str:
    path = os.path.join(mounted, "vxlan-offload-lab-%s.%s" % (lab.name, name))
    os.makedirs(path, exist_ok=True)
    return path


def cgroups_of(lab: State) -> list[str]:
    """A name of a lab may be the beginning of another's: the dot ends it."""
    return [path for mounted in _cgroup_mounts() for path in glob.glob(os.path.join(mounted, "vxlan-offload-lab-%s.*" % lab.name))]


def halt(lab: State) -> None:
    """The power goes off on all nodes: their processes end, then their cgroups. What else there is goes with removal.down()."""
    machines = [identity for name, identity in lab.servers.items() if name.endswith(MACHINE) and holder.is_running(identity)]
    holder.end([identity["pid"] for identity in machines if identity])
    holder.end(sorted({pid for folder in _folders(lab) for pid in _processes(folder)}))
    for folder in _folders(lab):  # again: a service that was just being started has made one more
        _remove_cgroup(folder)


def _folders(lab: State) -> list[str]:
    return [folder for path in cgroups_of(lab) for folder, _below, _files in os.walk(path, topdown=False)]


def _processes(cgroup: str) -> list[int]:
    """Nothing but this lab's machines has ever been in it."""
    with open(cgroup + "/cgroup.procs", encoding="ascii") as stream:
        return [int(line) for line in stream if int(line) > 0]


def _remove_cgroup(folder: str) -> None:
    for _attempt in range(100):
        try:
            os.rmdir(folder)
            return
        except OSError:
            time.sleep(0.02)  # its last process is on its way out
    raise LabError("cannot remove the cgroup %s" % folder)


def booted(lab: State, name: str) -> str:
    """Waits until the boot is over; running or degraded, as systemd says."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        command = [*enter(lab.pid(name)), "systemctl", "is-system-running", "--wait"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=PATIENCE, check=False)
        said = done.stdout.strip()
        if said in ("running", "degraded"):
            return said
        time.sleep(0.05)
    raise LabError("node %s did not boot in %d s" % (name, PATIENCE))


def reboot(lab: State, name: str) -> None:
    """systemctl reboot in the node, then the power again."""
    machine = lab.servers[name + MACHINE]
    assert machine is not None
    subprocess.run([*enter(lab.pid(name)), "systemctl", "start", "--no-block", "reboot.target"], check=True)
    code = _ended(int(machine["pid"]))
    if code not in (None, REBOOT):
        raise LabError("node %s: systemd-nspawn ended with %d, not %d" % (name, code, REBOOT))
    power_on(lab, name)


def _ended(pid: int) -> Any:
    """Its exit code; None when it was no child of this process."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            if holder.start_time(pid) is None:
                return None
        else:
            if done:
                return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    raise LabError("the machine of process %d did not go down" % pid)


def make_device(lab: State, name: str) -> None:
    """What the CNI's agent makes after a boot: the VXLAN device with neighbour, forwarding entry and route."""
    planned, pid = lab.nodes[name], lab.pid(name)
    scenario = scenarios.get(planned["scenario"])
    for device in scenario.devices:
        links.add_tunnel(pid, planned["number"], links.TUNNELS[device], scenario.udp_checksum)
        links.connect_tunnel(pid, links.TUNNELS[device], ip.BACKEND_NUMBER)
    node.write_files(scenario, pid, planned["number"])


def start_agents(lab: State, name: str) -> None:
    """What the CNI, kubelet and kube-proxy do after a boot: the device, then the rules, beside those that are there already."""
    make_device(lab, name)
    agents.of(lab, name).start()
