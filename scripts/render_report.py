# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a report again in another format, from fleet.json alone.

  python3 scripts/render_report.py --format markdown vxlan-offload-report/fleet.json
  python3 scripts/render_report.py --format junit --output junit.xml vxlan-offload-report/fleet.json
  python3 scripts/render_report.py --format html --before old/fleet.json --output report.html new/fleet.json
  python3 scripts/render_report.py --format npd --host node1 --max-age 3600 vxlan-offload-report/fleet.json

Exits with 0 when it is written (npd: the host is fine), 1 for npd when the host is affected or exposed, 2 when something is wrong
with the call or the report (npd: or the host's state is not known). `-` is stdin, or stdout. Needs Python 3.9, not Ansible.
See docs/report-formats.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from find_collection import find_collection

find_collection()

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import report_formats  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import printable  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_file import as_text, write_atomically  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_input import parsed  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_junit import FAILURES, junit  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_textfile import UNKNOWN, npd, npd_line, textfile  # noqa: E402
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES  # noqa: E402

NAME = "render_report.py"
WRONG = 2
# Some 60 kB a host: room for 10,000 of them. A bigger file is no report.
LARGEST = 1 << 30
# Options that say something about one format only.
ONLY = {"before": ("html",), "host": ("npd", "textfile"), "fleet": ("textfile",), "max_age": ("npd",), "fail_on": ("junit",)}


def statuses(text: str) -> tuple[str, ...]:
    """For --fail-on."""
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in found:
        if word not in STATUSES:
            raise argparse.ArgumentTypeError(f"no status {word}: use {', '.join(STATUSES)}")
    return found


def seconds(text: str) -> float:
    """For --max-age."""
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds above 0")
    return found


def read(path: str) -> tuple[dict[str, Any], float]:
    """The report, and when it was made: the file's time. Raises ValueError and OSError."""
    if path == "-":
        raw, made = sys.stdin.buffer.read(LARGEST + 1), time.time()
    else:
        with open(path, "rb") as stream:
            raw, made = stream.read(LARGEST + 1), os.fstat(stream.fileno()).st_mtime
    if len(raw) > LARGEST:
        raise ValueError(f"{path} is above {LARGEST >> 20} MiB: that is no fleet report")
    try:
        return parsed(raw.decode("utf-8")), made
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def render(options: argparse.Namespace) -> tuple[int, str]:
    """Exit code and text."""
    report, made = read(options.report)
    if options.format == "json":
        return 0, as_text(report)
    if options.format == "npd":
        code, line = npd(report, options.host or "", time.time() - made, options.max_age or 0)
        return code, line + "\n"
    if options.format == "textfile":
        return 0, textfile(report, made, options.host or "", options.fleet or "")
    if options.format == "junit":
        return 0, junit(report, FAILURES if options.fail_on is None else options.fail_on)
    before = read(options.before)[0] if options.before else None
    return 0, report_formats.render(options.format, report, made, before)


def write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
        return
    write_atomically(os.path.abspath(path), text)


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=NAME, description="Make a report again in another format, from fleet.json alone.")
    parser.add_argument(
        "report", nargs="?", default="vxlan-offload-report/fleet.json", help="fleet.json, or - for stdin (default: %(default)s)"
    )
    parser.add_argument("--format", required=True, choices=[*report_formats.FILES, "npd", "json"], help="what to make")
    parser.add_argument("--output", default="-", metavar="FILE", help="written atomically, - for stdout (default)")
    parser.add_argument("--before", metavar="OLD.json", help="html: an earlier report to compare with")
    parser.add_argument("--host", metavar="NAME", help="npd, textfile: this host only (npd: needed when the report has several)")
    parser.add_argument("--max-age", type=seconds, metavar="SECONDS", help="npd: an older report is not known, exit 2")
    parser.add_argument("--fail-on", type=statuses, metavar="STATUS,...", help=f"junit: failures (default: {','.join(FAILURES)})")
    parser.add_argument("--fleet", metavar="NAME", help="textfile: a label fleet on every sample")
    return parser


def main() -> int:
    parser = command_line()
    options = parser.parse_args()
    for name, formats in ONLY.items():
        if getattr(options, name) is not None and options.format not in formats:
            parser.error(f"--{name.replace('_', '-')} is for --format {' or '.join(formats)} only")
    try:
        code, text = render(options)
        write(options.output, text)
        return code
    except BrokenPipeError:
        # head(1) has seen enough. Python would complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValueError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or options.output}: {error.strerror}"
    if options.format == "npd" and options.output == "-":
        # node-problem-detector shows what is on stdout.
        print(npd_line(f"vxlan_offload: {printable(message)}"))
        return UNKNOWN
    print(f"{NAME}: {printable(message)}", file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    sys.exit(main())
