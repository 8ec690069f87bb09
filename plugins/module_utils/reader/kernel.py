# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel and the distribution of this node, for node_info with the python reader."""

import gzip
import os
import re
import zlib
from typing import Any, Dict, List

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.command import Run
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import lines_of

FIX = "never update the UDP checksum"  # words of the fix's subject (kernel commit ea64d8d6c675)
DOCUMENTS = "/usr/share/doc"
NOTHING = {"line": "", "head": "", "newest": "", "oldest": "", "source": ""}


def os_release():  # type: () -> Dict[str, str]
    """What os-release(5) says; the name is that of /etc/redhat-release on CentOS 6 and older."""
    values = {}
    for line in lines_of("/etc/os-release") or lines_of("/usr/lib/os-release"):
        name, equals, value = line.partition("=")
        if equals:
            values[name] = re.sub(r"^(['\"])(.*)\1$", r"\2", value.strip())
    redhat = "".join(lines_of("/etc/redhat-release")[:1])
    return {
        "id": values.get("ID", ""),
        "version_id": values.get("VERSION_ID", ""),
        "id_like": values.get("ID_LIKE", ""),
        "name": values.get("PRETTY_NAME") or values.get("NAME") or redhat,
    }


def upstream(signature, version):  # type: (str, str) -> str
    """The stable release that an Ubuntu signature or a Debian version names."""
    found = re.search(r" (\d+\.\d+\.\d+)$", signature)
    found = found or re.search(r"\bDebian (\d+\.\d+\.\d+)", version)
    return found.group(1) if found else ""


def evidence(source, lines):  # type: (str, List[str]) -> Dict[str, Any]
    """The first line of a changelog, its newest and oldest entry and the line that tells of the fix."""
    entries = [line for line in lines if re.match(r"\* [A-Z]| -- ", line)]
    fixes = [line for line in lines if FIX in line]
    return {
        "line": "".join(fixes[-1:]).strip(),
        "head": "".join(lines[:1]).strip(),
        "newest": "".join(entries[:1]).strip(),
        "oldest": "".join(entries[-1:]).strip(),
        "source": source if entries else "",
    }


def changelog(release, run, documents=DOCUMENTS):  # type: (str, Run, str) -> Dict[str, Any]
    """That of the running kernel's own package, from dpkg's file or from rpm; Ubuntu's linux-image has that of its signature only."""
    for name in ("modules", "image"):
        path = os.path.join(documents, "linux-%s-%s" % (name, release), "changelog.Debian.gz")
        if os.access(path, os.R_OK):
            try:
                with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
                    return evidence(path, lines.read().split("\n"))
            except (OSError, EOFError, zlib.error):  # damaged
                continue
    # Packages of other builds may have put modules into this folder.
    number = re.split(r"[.-][a-z]", release)[0]
    for package in run(["rpm", "-qf", "/lib/modules/%s/kernel" % release])[1].split():
        if re.search(r"-%s[.-]" % re.escape(number), package):
            text = run(["rpm", "-q", "--changelog", package])[1]
            return evidence("rpm -q --changelog %s" % package, text.split("\n"))
    return dict(NOTHING)


def read(run, asked):  # type: (Run, bool) -> Dict[str, Any]
    """Part `kernel` of the facts."""
    uname = os.uname()
    signature = "".join(lines_of("/proc/version_signature")[:1])
    return {
        "source": "uname(2), /proc/version_signature, /etc/os-release",
        "release": uname.release,
        "version": uname.version,
        "machine": uname.machine,
        "version_signature": signature,
        "os": os_release(),
        "upstream": upstream(signature, uname.version),
        "changelog": dict(changelog(uname.release, run) if asked else NOTHING, asked=asked),
    }
