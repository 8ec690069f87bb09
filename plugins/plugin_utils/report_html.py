# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page that needs nothing but a browser: no network, no other file.

What is broken, why and what to do is plain HTML. The nodes come from data in the page, by a script that the page's own
Content-Security-Policy knows by its hash; nothing else can run in it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html_data import hosts_of, island, packed
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.report_html_groups import Group, status_of
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.verdict import STATUSES

_FOLDER = Path(__file__).with_name("report_page")
_SCRIPTS = ("model.js", "elements.js", "picture.js", "node.js", "compare.js", "page.js")
_SHOWN_GROUPS = 12
_SHOWN_HOSTS = 5
ICONS = {"affected": "✕", "exposed": "▲", "unknown": "?", "mitigated": "◆", "unaffected": "✓"}
MEANING = {
    "affected": "Service traffic is lost now", "exposed": "may be lost, or will be after the next change",
    "unknown": "a needed fact is missing", "mitigated": "a workaround keeps it safe", "unaffected": "cannot fail this way",
}  # fmt: skip
# What could turn the direction of text, or hide some of it: shown as an escape.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def _text(value: Any) -> str:
    """Any text as HTML that shows it literally."""
    return html.escape(_HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", str(value)), quote=True)


def _number(value: int) -> str:
    return f"{value:,}"


def _count(number: int, word: str = "node") -> str:
    return f"{_number(number)} {word}{'' if number == 1 else 's'}"


def badge(status: str) -> str:
    """A status as icon, word and colour: none of them alone carries the meaning."""
    return f'<span class="badge {status}"><span aria-hidden="true" class="icon">{ICONS[status]}</span>{status}</span>'


def headline(hosts: Mapping[str, Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """How many nodes are broken now."""
    broken = sum(1 for one in hosts.values() if status_of(one) == "affected")
    said = (
        f"<strong>{_number(broken)}</strong> of {_count(len(hosts))} {'is' if broken == 1 else 'are'} broken now"
        if broken else f"No node of {_number(len(hosts))} is broken now"
    )  # fmt: skip
    named = summary.get("not_checked")
    missing = [str(name) for name in named] if isinstance(named, list) else []
    lines = [f'<p class="headline {"bad" if broken else "good"}">{said}</p>']
    if missing:
        more = f" and {_number(len(missing) - 20)} more" if len(missing) > 20 else ""
        names = ", ".join(f"<bdi>{_text(name)}</bdi>" for name in missing[:20])
        lines.append(f'<p class="notice"><strong>{_count(len(missing))} not checked:</strong> {names}{more}.</p>')
    return "\n".join(lines)


def tiles(hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """One link for each status, and the shares as a bar."""
    number = {status: sum(1 for one in hosts.values() if status_of(one) == status) for status in STATUSES}
    items = "".join(
        f'<li><a class="tile {status}" href="#status={status}"><span class="count">{_number(number[status])}</span>'
        f"{badge(status)}<span class=\"meaning\">{MEANING[status]}</span></a></li>"
        for status in STATUSES
    )  # fmt: skip
    at, bars = 0.0, []
    for status in STATUSES:
        width = 1000 * number[status] / len(hosts) if hosts else 0
        # A share that would be no pixel wide is still there.
        bars.append(f'<rect class="{status}" x="{at:.1f}" y="0" width="{max(width, 3 if width else 0):.1f}" height="10"/>')
        at += width
    strip = f'<svg class="shares" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{"".join(bars)}</svg>'
    return f'<ul class="tiles">{items}</ul>{strip}'


def _names(group: Group, kind: str, at: int) -> str:
    shown = ", ".join(f"<bdi>{_text(name)}</bdi>" for name in group["hosts"][:_SHOWN_HOSTS])
    rest = len(group["hosts"]) - _SHOWN_HOSTS
    more = f" and {_number(rest)} more" if rest > 0 else ""
    return f'<a href="#{kind}={at}">{_count(len(group["hosts"]))}</a><span class="names">{shown}{more}</span>'


def _rest(groups: Sequence[Group], word: str) -> str:
    """What is below the last group that is shown."""
    left = groups[_SHOWN_GROUPS:]
    hosts = sum(len(group["hosts"]) for group in left)
    return f'<p class="more">{_count(len(left), word)} more, of {_count(hosts)}: choose them in the list of nodes.</p>' if left else ""


def causes_html(causes: Sequence[Group]) -> str:
    """Why, grouped by cause."""
    rows = "".join(
        f'<tr><td>{badge(group["status"])}</td><td><bdi>{_text(group["text"])}</bdi>'
        + (f'<span class="detail">{_text(group["detail"])}</span>' if group["detail"] else "")
        + f'</td><td class="hosts">{_names(group, "cause", at)}</td></tr>'
        for at, group in enumerate(causes[:_SHOWN_GROUPS])
    )
    head = '<thead><tr><th scope="col">Status</th><th scope="col">Cause</th><th scope="col">Nodes</th></tr></thead>'
    table = f'<table class="groups"><caption class="hidden">Causes, the worst first</caption>{head}<tbody>{rows}</tbody></table>'
    return f'<div class="scroll">{table}</div>{_rest(causes, "cause")}'


def actions_html(actions: Sequence[Group]) -> str:
    """What to do, in this order; nodes with nothing to do are left out."""
    wanted = [(at, group) for at, group in enumerate(actions) if group["text"] not in ("", "nothing to do", "keep it in place")]
    if not wanted:
        return '<p class="notice">There is nothing to do.</p>'
    items = "".join(
        f'<li><div class="what"><bdi>{_text(group["text"])}</bdi> {badge(group["status"])}</div>'
        + (f'<p class="detail">{_text(group["detail"])}</p>' if group["detail"] else "")
        + f'<p class="hosts">{_names(group, "action", at)}</p></li>'
        for at, group in wanted[:_SHOWN_GROUPS]
    )
    return f'<ol class="actions">{items}</ol>{_rest([group for _at, group in wanted], "thing")}'


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def page(report: Mapping[str, Any], before: Optional[Mapping[str, Any]] = None) -> str:
    """The page of a report (what fleet.json holds), with `before` a page that compares the two.

    Raises ValueError when one of them is no report.
    """
    hosts = hosts_of(report)
    data, causes, actions = packed(report, before)
    style = _asset("page.css")
    script = "(() => {\n'use strict';\n" + "".join(_asset(name) for name in _SCRIPTS) + "})();\n"
    summary = report.get("summary")
    parts = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'",
        "style": style, "script": script, "data": island(data),
        "headline": headline(hosts, summary if isinstance(summary, Mapping) else {}), "tiles": tiles(hosts),
        "causes": causes_html(causes), "actions": actions_html(actions),
    }  # fmt: skip
    return re.sub(r"\[\[([a-z]+)\]\]", lambda found: parts[found.group(1)], _asset("page.html"))
