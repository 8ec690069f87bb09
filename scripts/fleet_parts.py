# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split a fleet into parts for several controllers, and merge what the parts found into one report.

  python3 scripts/fleet_parts.py split --inventory hosts.ini --parts 3 --directory parts
  python3 scripts/fleet_parts.py merge --expected parts/hosts.txt out/part-1 out/part-2 out/part-3

merge exits with 0 when the whole fleet is known and no host has a status of --fail-on, 2 when one has, 3 when something is not
known (a part is incomplete, an expected host was not seen, a host is unknown), 1 when it was called wrongly.
Needs Python 3.9, and ansible-inventory for --inventory. See docs/distributed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from find_collection import find_collection

find_collection()

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import part_files, parts  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import counts  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text, write_atomically  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES  # noqa: E402

USAGE_ERROR = 1
FINE = ("mitigated", "unaffected")


class Parser(argparse.ArgumentParser):
    """2 means affected here, so a wrong call is 1."""

    def error(self, message: str) -> Any:
        self.exit(USAGE_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def inventory_hosts(inventory: str, group: str) -> list[str]:
    """The hosts of a group, by name. Raises ValueError."""
    tool = shutil.which("ansible-inventory")
    if tool is None:
        raise ValueError("no ansible-inventory on PATH: activate the environment of ansible-core")
    if not os.path.exists(inventory) and "," not in inventory:
        raise ValueError(f"no inventory at {inventory}")
    # Ansible goes on without a source that it cannot read. Its hosts would not be missed.
    strict = {**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}
    command = [tool, "-i", inventory, "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=strict)
    try:
        groups = json.loads(done.stdout if done.returncode == 0 else "")
    except ValueError:
        raise ValueError(f"ansible-inventory cannot read {inventory}: {' '.join(done.stderr.split())[-300:]}") from None
    if group not in groups and group not in ("all", "ungrouped"):
        raise ValueError(f"no group {group} in {inventory}")
    found: set[str] = set()
    waiting, seen = [group], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        found.update(groups.get(name, {}).get("hosts", []))
        waiting += [child for child in groups.get(name, {}).get("children", []) if child not in seen]
    if not found:
        raise ValueError(f"no host in group {group} of {inventory}: a folder as inventory leaves *.ini files out, name the file")
    return sorted(found)


def listed_hosts(path: str) -> list[str]:
    """The hosts of a file with one name in each line. Raises ValueError."""
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ValueError(f"no host in {path}: one name in each line")
    return found


def split(options: argparse.Namespace) -> int:
    """Limit files, as AWX slices an inventory: hosts by name, each N-th to the same part."""
    hosts = inventory_hosts(options.inventory, options.group)
    count, folder = options.parts, Path(options.directory)
    if not 1 <= count <= len(hosts):
        raise ValueError(f"{count} parts of {len(hosts)} hosts: ask for 1 to {len(hosts)}, a part without a host fails")
    files = {"hosts.txt": hosts, **{f"part-{number}": hosts[number - 1 :: count] for number in range(1, count + 1)}}
    stale = sorted(path.name for path in folder.glob("part-*") if path.name not in files)
    if stale:
        raise ValueError(f"{folder} holds {stale[0]} of another split: use an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, members in files.items():
        write_atomically(str(folder / name), "".join(f"{host}\n" for host in members))
    print("\n".join(f"{folder / name}: {len(members)} hosts" for name, members in files.items()))
    return 0


def show(report: dict[str, Any]) -> None:
    """The counts, the hosts that are not fine, the parts."""
    lines = counts(report["summary"])
    lines += [line for line, host in zip(report["lines"], report["hosts"].values()) if host["status"] not in FINE]
    print("\n".join([*lines, *parts.part_lines(report)]))


def merge(options: argparse.Namespace) -> int:
    """Read the parts, print and write the report."""
    expected = [host for path in options.expected for host in listed_hosts(path)]
    if options.inventory:
        expected += inventory_hosts(options.inventory, options.group)
    report = parts.merge_parts(part_files.read_parts(options.part), expected, options.artifact)
    path = os.path.join(os.path.abspath(options.directory), "fleet.json") if options.directory else ""
    if path:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomically(path, as_text(report))
    show(report)
    print(f"report: {path}" if path else "", end="\n" if path else "")
    return parts.exit_code(report, options.fail_on)


def statuses(text: str) -> list[str]:
    """For --fail-on."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if word not in STATUSES:
            raise argparse.ArgumentTypeError(f"no status {word}: use {', '.join(STATUSES)}")
    return found


def command_line() -> Parser:
    parser = Parser(prog="fleet_parts.py", description="Split a fleet into parts; merge what the parts found.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("split", help="write limit files part-1, part-2, ... and hosts.txt")
    one.add_argument("-i", "--inventory", required=True, help="what ansible-inventory -i takes")
    one.add_argument("--group", default="all", help="the group to split (default: all)")
    one.add_argument("--parts", type=int, required=True, help="how many parts")
    one.add_argument("--directory", required=True, help="folder for the files, made when missing")
    one.set_defaults(run=split)
    one = commands.add_parser("merge", help="one report from parts; exits 0 clean, 2 affected, 3 incomplete, 1 wrong use")
    one.add_argument("part", nargs="+", help="artifacts of ansible-runner (DIR/artifacts/IDENT, or DIR with one run), or a fleet.json")
    one.add_argument("--expected", action="append", default=[], metavar="FILE", help="the hosts that ought to be there, one in each line")
    one.add_argument("-i", "--inventory", help="take the hosts that ought to be there from this inventory")
    one.add_argument("--group", default="all", help="the group of --inventory (default: all)")
    one.add_argument("--artifact", default="", help="name of the published result, when a part has several")
    one.add_argument("--directory", help="folder for fleet.json, made when missing (default: write none)")
    one.add_argument("--fail-on", type=statuses, default=["affected"], metavar="STATUS,...", help="exit 2 for these (default: affected)")
    one.set_defaults(run=merge)
    return parser


def main() -> int:
    options = command_line().parse_args()
    try:
        return int(options.run(options))
    except ValueError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'output'}: {error.strerror}"
    print(f"fleet_parts.py: {printable(message)}", file=sys.stderr)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
