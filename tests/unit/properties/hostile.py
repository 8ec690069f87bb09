# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real text, mutated: what a broken tool, a cut stream or a lying node could send. And how many examples are tried.

The same examples each time, so that CI is red or green for a reason; HOSTILE_EXAMPLES=2000 tries that many, new ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_WANTED = int(os.environ.get("HOSTILE_EXAMPLES", "0"))

# What does harm to a shell, a template, a page, a terminal, XML, Markdown, metrics, a number or a loop that takes it at its word.
WORDS = (
    "",
    " ",
    "-",
    "--",
    "!",
    '"',
    "'",
    "\\",
    "/",
    ":",
    ",",
    "=",
    "0",
    "-1",
    "1e9",
    "0x",
    "0xg",
    "9" * 5000,
    "0x" + "f" * 200,
    "\u00b2",
    "\u0663",
    "1_0",
    "a" * 3000,
    "$(touch h)",
    "`touch h`",
    ";touch h;",
    "{{ lookup('pipe', 'touch h') }}",
    "{% for x in range(9) %}",
    "{{ 7 * 7 }}",
    "!unsafe x",
    "&a *a",
    "<script>alert(1)</script>",
    "]]>",
    "<!--",
    "&lt;",
    "[x](http://e.example)",
    "`|`",
    "# h",
    '{a="b"} 1',
    "\\n",
    "%s%n",
    "../../etc/passwd",
    "\x00",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r",
    "\x07",
    "\x7f",
    "\u202egnp",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\x0b",
    "\x0c",
    "\x85",
    "\ud800",
    "\ufffe",
    "\U0001f525",
    "\u65e5\u672c",
    "__proto__",
    "constructor",
    "null",
    "true",
    "NaN",
    "[" * 3000,
    '{"a":' * 2000,
    "::",
    "::/0",
    "0.0.0.0/0",
    "10.96.0.10/33",
    "unknown",
    "ansible_facts",
    "-j",
    "-g",
    "-m",
    "--mark",
    "-A",
    "*nat",
    "COMMIT",
    ":POSTROUTING",
    "begin",
    "end",
    "complete",
    "cut",
    "vxlan id",
    "vxlan external",
)
words = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))


def tried(number: int) -> Callable[[Any], Any]:
    """How many examples a property is tried with in CI. Which ones they are says the profile of tests/unit/conftest.py."""
    return settings(max_examples=_WANTED or number, suppress_health_check=list(HealthCheck))


def _edit(kind: str, lines: list[str], at: int, other: int, word: str) -> list[str]:
    line = lines[at]
    parts = line.split(" ")
    place = other % len(parts)
    changed = {
        "drop line": list,
        "repeat line": lambda: [line] * 3,
        "cut line": lambda: [line[: other % (len(line) + 1)]],
        "join": lambda: [line + lines[other % len(lines)]],
        "new line": lambda: [line, word],
        "replace word": lambda: [" ".join([*parts[:place], word, *parts[place + 1 :]])],
        "insert word": lambda: [" ".join([*parts[:place], word, *parts[place:]])],
        "drop word": lambda: [" ".join([*parts[:place], *parts[place + 1 :]])],
        "into word": lambda: [line[: other % (len(line) + 1)] + word + line[other % (len(line) + 1) :]],
        "swap": lambda: [lines[other % len(lines)]],
    }
    return [*lines[:at], *changed[kind](), *lines[at + 1 :]]


_KINDS = ("drop line", "repeat line", "cut line", "join", "new line", "replace word", "insert word", "drop word", "into word", "swap")


@st.composite
def mutated(draw: Any, texts: Sequence[str], most: int = 6, frames: str = "") -> str:
    """One of the texts with some edits. `frames`: lines that start with this word are left alone, so that parsers of sections are met."""
    lines = draw(st.sampled_from(list(texts))).split("\n")
    for _edit_number in range(draw(st.integers(1, most))):
        places = [at for at, line in enumerate(lines) if not frames or not line.startswith(frames)]
        if not places:
            break
        at = places[draw(st.integers(0, 1 << 16)) % len(places)]
        lines = _edit(draw(st.sampled_from(_KINDS)), lines, at, draw(st.integers(0, 1 << 16)), draw(words))
    return "\n".join(lines)


def json_values(depth: int = 4) -> Any:
    """Anything that JSON can hold, with the keys that ours have among them."""
    leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
    keys = st.one_of(
        words, st.sampled_from(["devices", "tables", "chains", "unknown", "features", "name", "source", "status", "undo", "args", "module"])
    )
    return st.recursive(
        leaf, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=depth * 3
    )


@st.composite
def spoiled(draw: Any, values: Sequence[Any], most: int = 3) -> Any:
    """One of the values with something else at some of its places: what a node says that knows the shape."""
    found = _copy(draw(st.sampled_from(list(values))))
    for _number in range(draw(st.integers(1, most))):
        places = list(_places(found))
        if not places:
            return found
        holder, key = places[draw(st.integers(0, 1 << 16)) % len(places)]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = draw(json_values(2))
    return found


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, (list, tuple)) else value


def _places(value: Any) -> Any:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def plain(text: Any) -> str:
    """The text of an error or an unknown, if it is the project's own: one line, no Python in it, an end to it."""
    assert isinstance(text, str) and text.strip(), text
    assert "\n" not in text and len(text) <= 1000, text[:200]
    assert not any(
        word in text for word in ("Traceback", "object has no attribute", "NoneType", "KeyError", "not subscriptable", "unhashable")
    ), text
    assert "Exceeds the limit" not in text and "invalid literal" not in text, text
    return text
