# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/kernels.md from the kernel table; test_page.py compares.

    PYTHONPATH=(the folder that holds ansible_collections) python tests/unit/kernels/page.py > docs/kernels.md
"""

from __future__ import annotations

import score

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import kernel_table as table

INTRODUCTION = """\
<!--
Copyright (c) 2026 the kubenet.vxlan_offload authors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
Written by tests/unit/kernels/page.py from plugins/plugin_utils/kernel_table.py
-->

# Is my kernel fixed?

There are two defects. `lco_checksum` (devices with `udpcsum`, the default since {lco}) is fixed in no release that is known;
it was measured up to {measured}. This page is about the other one, `zero_checksum` (devices with `noudpcsum`), fixed by
{commit} "netfilter: nat: never update the UDP checksum when it's 0", first posted on {posted}.

```yaml
- ansible.builtin.debug:
    msg: "{{{{ {{'release': '4.18.0-193.el8.x86_64'}} | kubenet.vxlan_offload.kernel_status }}}}"
```

Upstream, and whoever takes its releases whole: fixed in mainline {mainline}, {stable}; no other branch before 5.7 ever got the fix.
Every kernel since {mainline} is fixed, whatever its vendor calls it. Below that the first row that fits decides. "unknown" means that
nobody can tell from the name: `node_info` with `changelog: true` looks for the fix in the changelog of the running kernel's
package, and `kernel_selftest` tries the kernel itself. A kernel built before {posted} is affected; a later date proves nothing.

Judged by this table, of {all} kernels whose truth, or whose unknowability, is known (tests/data/kernels): {figures}.
The truths were researched by those who wrote the table: the figures say that the two agree, not that either is complete.

| Whose kernel | Affected builds | Fixed builds | Otherwise | Source |
|---|---|---|---|---|
"""


def row_text(row: table.VendorRow) -> str:
    affected, fixed, otherwise = row.affected or "-", row.fixed or "-", "unknown"
    if row.upstream:
        fixed = row.fixed or "as upstream"
        affected = row.affected or ("-" if row.picks else "as upstream")
    if row.upstream and not row.picks:
        otherwise = "-"
    elif row.hint:
        otherwise = f"unknown: {row.hint}"
    if row.built_later:
        affected += ", unless built after the fix"
    cells = (row.vendor, affected, fixed + (f" ({row.fixed_in})" if row.fixed_in else ""), otherwise, row.source)
    return "| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*") for cell in cells) + " |\n"


def page() -> str:
    counts = score.counts()
    head = INTRODUCTION.format(
        lco=table.LCO_SINCE,
        measured=table.LCO_LAST_MEASURED,
        commit=table.FIX_COMMIT,
        posted=table.FIX_POSTED,
        mainline=table.MAINLINE_FIXED,
        stable=", ".join(table.STABLE_FIXED.values()),
        all=sum(counts.values()),
        figures=", ".join(f"{counts.get(word, 0)} {word}" for word in ("right", "honestly unknown", "missed", "wrong")),
    )
    return head + "".join(map(row_text, table.VENDOR_ROWS))


if __name__ == "__main__":
    print(page(), end="")
