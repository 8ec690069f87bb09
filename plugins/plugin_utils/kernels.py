# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does this kernel have the two checksum defects? Says on which evidence; never guesses.

``zero_checksum`` concerns devices with ``noudpcsum`` and was fixed in 2020; vendors back-ported the fix under
numbers of their own. ``lco_checksum`` concerns devices with ``udpcsum`` and is fixed nowhere known. What kernel_selftest saw the running
kernel do outranks every name, number and changelog.
"""

from __future__ import annotations

import datetime
import marshal
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernel_table as table
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.versions import version, within

if TYPE_CHECKING:
    from packaging.version import Version


class KernelStatus(TypedDict):
    """What is known about one kernel. ``zero_checksum`` and ``lco_checksum``: affected, fixed or unknown.

    Only a selftest of the running kernel makes ``lco_checksum`` fixed.
    ``fixed_in`` is the first release of the same vendor or branch with the zero_checksum fix, empty if there is none or
    it is not known. ``reason`` and ``evidence`` are about zero_checksum, ``lco_reason`` about lco_checksum.
    """

    zero_checksum: str
    lco_checksum: str
    fixed_in: str
    reason: str
    evidence: str
    lco_reason: str
    upstream: str


class _Finding(NamedTuple):
    status: str
    reason: str
    evidence: str
    fixed_in: str = ""


# -rc4 upstream, -0.rc4.1.fc33 Fedora, -050700rc4-generic Ubuntu's mainline builds
_RELEASE = re.compile(r"^(\d+)\.(\d+)(?:\.(\d+))?(?:\.\d+)?(?:-(?:0\.|\d{6})?(rc\d+))?", re.ASCII)
_WHERE = {"release": "uname -r", "version": "uname -v", "version_signature": "/proc/version_signature"}
_LONGEST = 200  # of any text that is searched; the kernel itself allows 64
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2}) ([A-Z][a-z]{2}) (\d{4})\b")
_MONTH_FIRST = re.compile(r"\b([A-Z][a-z]{2})\s+(\d{1,2})\s+(?:\d{2}:\d{2}:\d{2}\s+(?:[AP]M\s+)?[A-Z]+\s+)?(\d{4})\b")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIGNED = re.compile(r"^linux\S*-signed|^linux-signed")
_HEAD = re.compile(r"^linux\S* \(([^)\s]+)\)")
_UBUNTU_BUILD = re.compile(r"^Ubuntu (\d\S*?)-[a-z]")
_DEBIAN_BUILD = re.compile(r"\bDebian (\d\S*)")
_UBUNTU_BASE = re.compile(r"^Ubuntu \S+ (\d+\.\d+\.\d+)")
_DEBIAN_BASE = re.compile(r"Debian (\d+\.\d+\.\d+)")
_PLAIN = re.compile(r"^\d+\.\d+\.[1-9]\d*")
# (whose kernel, its number, row). Compiled before ansible forks, so that the worker of each host need not do it again.
_ROWS = tuple((re.compile(row.release, re.ASCII), re.compile(row.build, re.ASCII), row) for row in table.VENDOR_ROWS)
SEEN = "seen on the running kernel by kernel_selftest"
COULD_NOT = "kernel_selftest could not tell"
# Reproducible builds print 1970 or 1980; no kernel that matters here is older than this.
_FIRST_CREDIBLE_YEAR = 2009


def kernel_status(kernel: Mapping[str, Any]) -> KernelStatus:
    """Judge a kernel given as the ``kernel`` part of the node facts; only ``release`` (``uname -r``) is required.

    Raises ValueError when ``release`` is missing. A release that cannot be understood is ``unknown``.
    """
    if "unknown" in kernel:
        return _unknown(str(kernel["unknown"]))
    release = kernel.get("release")
    if not isinstance(release, str):
        raise ValueError("kernel facts have no 'release': give the output of uname -r as text")
    return _with_selftest(KernelStatus(**_by_tables_once(kernel, release)), kernel)


def _by_tables_once(kernel: Mapping[str, Any], release: str) -> KernelStatus:
    """A diagnosis asks for each remedy and device again."""
    try:
        return _remembered(marshal.dumps({**kernel}, 2))
    except ValueError:  # values of a kind that only lives in a run of Ansible
        return _by_tables(kernel, release)


@lru_cache(maxsize=64)
def _remembered(content: bytes) -> KernelStatus:
    kernel = marshal.loads(content)
    return _by_tables(kernel, kernel["release"])


def _by_tables(kernel: Mapping[str, Any], release: str) -> KernelStatus:
    base = upstream_version(release)
    if base is None:
        return _unknown(f"the kernel release {release!r} does not start with a version")
    found = _zero_checksum(kernel, release, base)
    lco, lco_reason = _lco_checksum(base)
    return KernelStatus(
        zero_checksum=found.status,
        lco_checksum=lco,
        fixed_in=found.fixed_in,
        reason=found.reason,
        evidence=found.evidence,
        lco_reason=lco_reason,
        upstream=_known_upstream(kernel),
    )


def _with_selftest(status: KernelStatus, kernel: Mapping[str, Any]) -> KernelStatus:
    """What was seen on the running kernel outranks the tables; where it saw nothing, its reason helps."""
    selftest = kernel.get("selftest") or {}
    words = {"present": ("affected", "NAT damaged"), "absent": ("fixed", "NAT did not damage")}
    zero, lco = (words.get(str(selftest.get(name))) for name in ("zero_checksum", "lco_checksum"))
    if zero is not None:
        status["zero_checksum"], status["evidence"] = zero[0], SEEN
        status["reason"] = f"{zero[1]} the checksum of a noudpcsum device: {SEEN}"
    if lco is not None:
        status["lco_checksum"] = lco[0]
        status["lco_reason"] = f"{lco[1]} the checksum of a udpcsum device: {SEEN}"
    if selftest.get("reason"):
        could_not = f"; {COULD_NOT}: {selftest['reason']}"
        status["reason"] += could_not if status["zero_checksum"] == "unknown" else ""
        status["lco_reason"] += could_not if status["lco_checksum"] == "unknown" else ""
    return status


def upstream_version(release: str) -> Version | None:
    """The upstream number that a release string starts with, or None. A vendor may have frozen it."""
    match = _RELEASE.match(release[:_LONGEST])
    if match is None:
        return None
    major, minor, patch, candidate = match.groups()
    return version(f"{major}.{minor}.{patch or 0}{candidate or ''}")


def build_date(text: str) -> datetime.date | None:
    """The date in ``uname -v`` or in a changelog entry; None if there is none or it is a made-up one."""
    for pattern, order in ((_ISO_DATE, "ymd"), (_MONTH_FIRST, "mdy"), (_DAY_FIRST, "dmy")):
        match = pattern.search(text)
        if match is None:
            continue
        part = dict(zip(order, match.groups()))
        month = _MONTHS.index(part["m"]) + 1 if part["m"] in _MONTHS else int(part["m"]) if part["m"].isdigit() else 0
        try:
            date = datetime.date(int(part["y"]), month, int(part["d"]))
        except ValueError:
            continue
        return date if date.year >= _FIRST_CREDIBLE_YEAR else None
    return None


def _unknown(reason: str) -> KernelStatus:
    return KernelStatus(
        zero_checksum="unknown",
        lco_checksum="unknown",
        fixed_in="",
        reason=reason,
        evidence="",
        lco_reason=reason,
        upstream="",
    )


def _lco_checksum(base: Version) -> tuple[str, str]:
    if base >= version(table.LCO_SINCE):
        return "affected", (
            f"local checksum offload is there since {table.LCO_SINCE} and no release with a fix is known"
            f" (measured up to {table.LCO_LAST_MEASURED})"
        )
    return "unknown", f"kernel is older than {table.LCO_SINCE}: whether the vendor added local checksum offload is not known"


def _zero_checksum(kernel: Mapping[str, Any], release: str, base: Version) -> _Finding:
    """Mainline first (it holds for every vendor), then vendors, then the changelog, then the build date."""
    if base >= version(table.MAINLINE_FIXED):
        reason = f"every kernel since {table.MAINLINE_FIXED} has the fix {table.FIX_COMMIT}"
        return _Finding("fixed", reason, f"uname -r {release}", table.MAINLINE_FIXED)
    changelog = _changelog(kernel)
    if changelog.status == "fixed":
        return changelog
    row, number = _row(kernel, release, base)
    found = _judge_row(row, number, kernel)
    if found.status != "unknown":
        return found
    return _missing_from_changelog(row, kernel) or _by_date(kernel) or found


def _row(kernel: Mapping[str, Any], release: str, base: Version) -> tuple[table.VendorRow, Version]:
    """The first row of this vendor that can read its number; the last row of the table reads every release."""
    for whose, build, row in _ROWS:
        if not whose.search(release):
            continue
        if not row.build:
            return row, base
        match = build.search(str(kernel.get(row.field) or "")[:_LONGEST])
        if match is not None:
            return row, version(match.group(1))
    raise AssertionError("the last row of kernel_table reads every release")


def _judge_row(row: table.VendorRow, number: Version, kernel: Mapping[str, Any]) -> _Finding:
    if within(number, row.fixed):
        return _Finding("fixed", f"{row.vendor}: build {number} has the back-port", row.source, row.fixed_in)
    if within(number, row.affected) and not (row.built_later and _built_after_fix(kernel)):
        return _Finding("affected", f"{row.vendor}: build {number} is older than the fix", row.source, row.fixed_in)
    if row.upstream:
        found = _stable(number, f"{_WHERE[row.field]}: {number}; {row.source}")
        if found.status == "fixed" or not row.picks:
            return found
    hint = row.hint or "this build is not in the table"
    reason = f"{row.vendor}: {hint}; read its changelog (node_info with changelog) or run kernel_selftest"
    return _Finding("unknown", reason, row.source, row.fixed_in)


def _stable(number: Version, evidence: str) -> _Finding:
    if number >= version(table.MAINLINE_FIXED):
        return _Finding("fixed", f"every kernel since {table.MAINLINE_FIXED} has the fix", evidence, table.MAINLINE_FIXED)
    branch = f"{number.major}.{number.minor}"
    first = table.MAINLINE_FIXED if branch == "5.7" else table.STABLE_FIXED.get(branch)
    if first is None:
        return _Finding("affected", f"upstream never fixed the {branch} branch", evidence)
    if number >= version(first):
        return _Finding("fixed", f"upstream {branch} has the fix since {first}", evidence, first)
    return _Finding("affected", f"upstream {branch} has the fix only since {first}", evidence, first)


def _changelog(kernel: Mapping[str, Any]) -> _Finding:
    """A line in the changelog of the running build is proof."""
    entry = kernel.get("changelog") or {}
    line = str(entry.get("line") or "")
    source = str(entry.get("source") or "changelog of the kernel package")
    if table.FIX_SUBJECT.lower() in line.lower() and _of_this_build(kernel):
        return _Finding("fixed", "the changelog of the running kernel has the fix", f"{source}: {line.strip()}")
    return _Finding("unknown", "the changelog does not tell", source)


def _missing_from_changelog(row: table.VendorRow, kernel: Mapping[str, Any]) -> _Finding | None:
    """A missing line is proof where the changelog ends before the fix, or begins before it and names every patch."""
    entry = kernel.get("changelog") or {}
    newest, oldest = (build_date(str(entry.get(key) or "")) for key in ("newest", "oldest"))
    signature = _SIGNED.search(str(entry.get("head") or ""))
    if not entry.get("asked") or newest is None or signature or not _of_this_build(kernel):
        return None
    source = str(entry.get("source") or "changelog of the kernel package")
    if newest < table.FIX_POSTED and not _built_after_fix(kernel):
        return _Finding("affected", f"the newest changelog entry ({newest}) is older than the fix", source)
    if row.lists_fixes and oldest is not None and oldest < table.FIX_POSTED <= newest:
        return _Finding("affected", f"the changelog covers {oldest} to {newest} and lacks the fix", source)
    return None


def _of_this_build(kernel: Mapping[str, Any]) -> bool:
    """Not so when a Debian package was upgraded under the running kernel: builds of one ABI share a folder."""
    head = str((kernel.get("changelog") or {}).get("head") or "")
    read = _HEAD.search(head)
    signature = _UBUNTU_BUILD.search(str(kernel.get("version_signature") or ""))
    running = signature or _DEBIAN_BUILD.search(str(kernel.get("version") or ""))
    if read is None or running is None:
        return True
    # linux-signed of Debian writes + for the - of linux
    return read.group(1).replace("+", "-") == running.group(1).replace("+", "-")


def _built_after_fix(kernel: Mapping[str, Any]) -> bool:
    built = build_date(str(kernel.get("version") or ""))
    return built is not None and built >= table.FIX_POSTED


def _by_date(kernel: Mapping[str, Any]) -> _Finding | None:
    """Only ever a negative: an old build cannot have the fix, a new one may or may not."""
    built = build_date(str(kernel.get("version") or ""))
    if built is None or built >= table.FIX_POSTED:
        return None
    return _Finding("affected", f"built on {built}, before the fix was written ({table.FIX_POSTED})", "uname -v")


def _known_upstream(kernel: Mapping[str, Any]) -> str:
    """The upstream base where somebody states it; a frozen name such as 4.18.0-193.el8 states nothing."""
    given = str(kernel.get("upstream") or "")
    if given:
        return given
    signature = _UBUNTU_BASE.search(str(kernel.get("version_signature") or ""))
    debian = _DEBIAN_BASE.search(str(kernel.get("version") or ""))
    stated = signature or debian
    if stated is not None:
        return stated.group(1)
    release = str(kernel.get("release") or "")
    plain = _PLAIN.match(release)
    return plain.group(0) if plain is not None and not _frozen(release) else ""


@lru_cache(maxsize=256)
def _frozen(release: str) -> bool:
    """A vendor keeps this number whatever it patches."""
    return any(not row.upstream and whose.search(release) for whose, _build, row in _ROWS)
