# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleet reports for the tests of the formats, and text that a node or a file could try to harm a reader with."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package `reasoning`

from reasoning import build as b

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet

PROBE = {
    "verdict": "works", "reason": "3 of 3", "udp": {"asked": 3, "answered": 3}, "tcp": {"asked": 3, "answered": 3}, "evidence": {},
}  # fmt: skip
RESULTS = {
    "good": {"node": b.facts("kube_1_30_fixed")},
    "lost": {"node": b.facts("calico_first_fixed")},
    "lost2": {"node": b.facts("calico_first_fixed")},
    "kept": {"node": b.facts("calico_3_29_before_fix")},
    "soon": {"node": b.facts()},
    "gone": {"unreachable": True, "msg": "timed out"},
    "fail": {"failed": True, "msg": "no shell"},
}

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]>",
    "&lt;&#0;",
    "a`b``c```",
    "`",
    "\\`",
    "|",
    "\\|",
    "a\\|`<b>",
    "| x | y |",
    "@team #12 !3 ~label %1",
    "https://evil.example/ www.evil.example a@b.example",
    "[x](http://e)",
    "![i](http://e)",
    "\u202eabc\u2066",
    "\x1b[31mred",
    "\x00\x07\x7f\x85",
    "\ud800",
    "\ufffe\uffff",
    'quote" back\\ newline\nend',
    "\\",
    "- [ ] task",
    "\n# heading\n\n---\n",
    "```\nx\n```",
    "$(id)`id`",
    "日本語 é",
    "\u2028line",
    "x" * 5000,
    "  ",
    '{a="b"} 1',
    "%s %d {0}",
]

# A report with each status, a host that was not checked, and one that was asked.
_REPORT = fleet(RESULTS, {"good": PROBE}, [*RESULTS, "absent"])


def report(**changes: Any) -> dict[str, Any]:
    """One with each status, with these keys changed. The caller's own copy."""
    return {**copy.deepcopy(_REPORT), **changes}


def spiked(text: str) -> dict[str, Any]:
    """The report with a text at every place that a node, an inventory or a stranger can fill."""
    found = report()
    for host in found["hosts"].values():
        host.update(summary=text, action=text, tcp=text, udp=text, defects=[text] if host["defects"] else [])
        for condition in host["conditions"].values():
            condition.update(evidence=text, source=text)
        host["mitigations"] = [{"id": text, "owner": text, "evidence": text} for _one in host["mitigations"]]
        host["missing"] = [{"fact": "all", "reason": text, "how": text} for _one in host["missing"]]
    found["hosts"]["h" + text] = found["hosts"].pop("lost")
    found["summary"]["not_checked"] = ["n" + text]
    found["parts"] = {"p" + text: {"status": "incomplete", "reason": text, "hosts": 0}}
    return found
