# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel part of a transcript: release, distribution, upstream base, changelog evidence."""

from __future__ import annotations

import re

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.facts import (
    Changelog,
    Kernel,
    OsRelease,
)
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript_frames import (
    Transcript,
)

QUOTES = re.compile(r"^(['\"])(.*)\1$")
OF_SIGNATURE = re.compile(r" (\d+\.\d+\.\d+)$")
OF_DEBIAN = re.compile(r"\bDebian (\d+\.\d+\.\d+)")
_LONGEST = 64  # struct new_utsname
SOURCE = "uname -r -v -m, /proc/version_signature, /etc/os-release"


def kernel(transcript: Transcript, changelog: bool) -> Kernel:
    uname = transcript.find("uname")
    if uname is None:
        return {"unknown": transcript.missing("uname")}
    words = uname.lines[0].split() if uname.lines else []
    if not uname.ok or len(words) < 3:
        return {"unknown": uname.reason()}
    if len(words[0]) > _LONGEST or len(uname.lines[0]) > 4 * _LONGEST:
        return {"unknown": f"uname printed more than the {_LONGEST} characters of a kernel's release: look at it with uname -a"}
    lines = _lines(transcript, "release")
    signature = next((text for key, text in lines if key == "signature"), "")
    version = " ".join(words[1:-1])
    return {
        "source": SOURCE,
        "release": words[0],
        "version": version,
        "machine": words[-1],
        "version_signature": signature,
        "os": os_release(lines),
        "upstream": upstream(signature, version),
        "changelog": _changelog(transcript, changelog),
    }


def _lines(transcript: Transcript, name: str) -> list[tuple[str, str]]:
    """(word, rest) of each line of a section; none if the section is not whole."""
    section = transcript.find(name)
    if section is None or not section.ok:
        return []
    pairs = (line.partition(" ") for line in section.lines)
    return [(key, text) for key, _space, text in pairs]


def os_release(lines: list[tuple[str, str]]) -> OsRelease:
    values: dict[str, str] = {}
    for key, text in lines:
        name, equals, value = text.partition("=")
        if key == "os" and equals:
            values[name] = QUOTES.sub(r"\2", value.strip())
    redhat = next((text for key, text in lines if key == "redhat"), "")
    return {
        "id": values.get("ID", ""),
        "version_id": values.get("VERSION_ID", ""),
        "id_like": values.get("ID_LIKE", ""),
        "name": values.get("PRETTY_NAME") or values.get("NAME") or redhat,
    }


def upstream(signature: str, version: str) -> str:
    """The stable release that a distribution kernel says it is built from; "" when it does not say."""
    match = OF_SIGNATURE.search(signature) or OF_DEBIAN.search(version)
    return match[1] if match else ""


def _changelog(transcript: Transcript, asked: bool) -> Changelog:
    """Its first line, first and last entry, the line of the fix; a transcript of an older probe has no first line and no last entry."""
    values = {key: text.strip() for key, text in _lines(transcript, "changelog")}
    return {
        "asked": asked,
        "line": values.get("line", ""),
        "head": values.get("head", ""),
        "newest": values.get("newest", ""),
        "oldest": values.get("oldest", ""),
        "source": values.get("source", "") if values.get("newest") else "",
    }
