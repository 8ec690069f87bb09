# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that iptables -S prints for a rule, as a list of arguments and back (pure)."""

import re
from typing import List

# xtables_save_string() of libxtables leaves these as they are and quotes everything else
PLAIN = re.compile(r"[A-Za-z0-9_.,:/!+=%@^~-]+\Z")


def split(text):  # type: (str) -> List[str]
    """The arguments of a printed rule. Unlike in a shell, a backslash in quotes escapes any character."""
    words = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', text):
        quoted, plain = match.groups()
        words.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return words


def join(words):  # type: (List[str]) -> str
    """The arguments as iptables prints them."""
    return " ".join(
        word if PLAIN.match(word) else '"%s"' % re.sub(r"([\"'\\])", r"\\\1", word)
        for word in words
    )
