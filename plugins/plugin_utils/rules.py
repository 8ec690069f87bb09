# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rule text, as `iptables -S` or `iptables-save` of any version prints it, as matches and a target.

Nothing here raises on broken text: a rule that cannot be read keeps its text in `broken`, and the walk treats
its matches as "maybe" and its effect as unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Optional

from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.printable import short

# A rule that is longer, or has more matches, is no ordinary one: looking at all of it is not worth the time of the other nodes.
LONGEST_RULE = 4096
MOST_MATCHES = 64
_BARE = re.compile(r"[A-Za-z0-9_.:/,+=@%^~#*-]+\Z")
# iptables prints these through xtables_save_string(): bare only when nothing but these characters is in the text.
_TEXT_OPTIONS = frozenset({"--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--string"})
_BARE_TEXT = re.compile(r"[A-Za-z0-9_-]+\Z")
# Of rules that cannot be read, and of those of nft.
_QUOTED = r'"(?:[^"\\]|\\.)*(?:"|\Z)'
_COMMENT = re.compile(rf"(?:^|(?<= ))(?:-m comment )?--comment (?:{_QUOTED}|\S+)(?: |\Z)|(?:^| )comment {_QUOTED}")
_OPTION = re.compile(r"-[A-Za-z-][A-Za-z0-9-]*\Z")
_LONG_NAMES = {
    "--protocol": "-p", "--proto": "-p", "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d",
    "--in-interface": "-i", "--out-interface": "-o", "--fragment": "-f", "--jump": "-j", "--goto": "-g", "--match": "-m",
}  # fmt: skip
BASIC_OPTIONS = frozenset({"-p", "-s", "-d", "-i", "-o", "-f", "-c", "-4", "-6"})


@dataclass(frozen=True)
class Option:
    """One option with its values, for example `! --mark 0x4000/0x4000`."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False

    @property
    def value(self) -> str:
        """The first value, or nothing."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True)
class Match:
    """One `-m MODULE` with its options; module "" holds one of the basic options (-p, -s, -d, -i, -o)."""

    module: str
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Target:
    """What a rule does: a built-in target, an extension or a chain."""

    name: str
    options: tuple[Option, ...] = ()
    goto: bool = False

    def option(self, *names: str) -> Optional[Option]:
        """The first option that has one of these names."""
        return next((option for option in self.options if option.name in names), None)


@dataclass(frozen=True)
class Rule:
    """Matches that must all hold, then the targets in order (iptables: one at most, nftables: any number)."""

    matches: tuple[Match, ...] = ()
    targets: tuple[Target, ...] = ()
    broken: str = ""

    @property
    def target(self) -> str:
        """Name of the first target, or nothing."""
        return self.targets[0].name if self.targets else ""

    def options(self, *names: str) -> list[Option]:
        """Every match option that has one of these names."""
        return [option for match in self.matches for option in match.options if option.name in names]


@dataclass(frozen=True)
class Token:
    """A word of rule text; a quoted word is never an option."""

    text: str
    quoted: bool = False


def tokenize(text: str) -> Optional[list[Token]]:
    """Split rule text into words; None when a quotation is not closed."""
    tokens: list[Token] = []
    word, quoted, inside, escaped = "", False, False, False
    for character in text:
        if escaped:
            word, escaped = word + character, False
        elif inside and character == "\\":
            escaped = True
        elif character == '"':
            inside, quoted = not inside, True
        elif character.isspace() and not inside:
            if word or quoted:
                tokens.append(Token(word, quoted))
            word, quoted = "", False
        else:
            word += character
    if inside or escaped:
        return None
    if word or quoted:
        tokens.append(Token(word, quoted))
    return tokens


def quote(text: str, bare: re.Pattern[str] = _BARE) -> str:
    """One word as iptables prints it: bare when that is safe, otherwise in double quotes."""
    if bare.match(text) and not text.startswith("-"):
        return text
    return '"' + re.sub(r"([\\\"'])", r"\\\1", text) + '"'


@dataclass
class _Draft:
    """A rule while it is being read."""

    matches: list[Match] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    open_target: bool = False

    def add(self, option: Option) -> bool:
        """Put an option where it belongs; False when nothing can own it."""
        if option.name == "-m":
            self.matches.append(Match(option.value))
            self.open_target = False
            return len(option.values) == 1 and bool(option.value) and not option.negated
        if option.name in ("-j", "-g"):
            self.targets.append(Target(option.value, goto=option.name == "-g"))
            self.open_target = True
            return len(option.values) == 1 and not option.negated and len(self.targets) == 1
        if option.name in BASIC_OPTIONS:
            self.matches.append(Match("", (option,)))
            return True
        return self._extend(option)

    def _extend(self, option: Option) -> bool:
        if self.open_target:
            last = self.targets[-1]
            self.targets[-1] = Target(last.name, (*last.options, option), last.goto)
            return True
        owner = next((i for i in range(len(self.matches) - 1, -1, -1) if self.matches[i].module), None)
        if owner is None:
            # `-p udp --dport 53` without `-m udp`: the protocol is the module that owns the option.
            self.matches.append(Match(self._protocol()))
            owner = len(self.matches) - 1
        found = self.matches[owner]
        self.matches[owner] = Match(found.module, (*found.options, option))
        return bool(found.module)

    def _protocol(self) -> str:
        names = [m.options[0].value for m in self.matches if not m.module and m.options[0].name == "-p"]
        return names[-1] if names else ""


def _read_option(tokens: list[Token], at: int) -> tuple[Optional[Option], int]:
    """The option at this place and the place after it; None when there is none."""
    negated = False
    if _is_not(tokens, at):
        negated, at = True, at + 1
    if at >= len(tokens) or tokens[at].quoted or not _is_option(tokens[at]):
        return None, at
    name = _LONG_NAMES.get(tokens[at].text, tokens[at].text)
    at += 1
    # iptables before 1.4.3 printed the negation between the option and its value.
    if _is_not(tokens, at) and at + 1 < len(tokens) and not _is_option(tokens[at + 1]):
        negated, at = True, at + 1
    values: list[str] = []
    if name in _TEXT_OPTIONS:  # a text may look like an option: iptables quotes only what has spaces
        if at == len(tokens):
            return None, at
        values.append(tokens[at].text)
        at += 1
    while at < len(tokens) and not _is_option(tokens[at]) and not _is_not(tokens, at):
        values.append(tokens[at].text)
        at += 1
    return Option(name, tuple(values), negated), at


def _is_not(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at] == Token("!")


def _is_option(token: Token) -> bool:
    return not token.quoted and len(token.text) > 1 and token.text[0] == "-" and not token.text[1].isdigit() \
        or token in (Token("-4"), Token("-6"))  # fmt: skip


@lru_cache(maxsize=16384)
def parse_rule(text: str) -> Rule:
    """Read one rule: the text after `-A CHAIN `."""
    tokens = tokenize(text) if len(text) <= LONGEST_RULE else None
    if tokens is None:
        return Rule(broken=text)
    draft, at = _Draft(), 0
    while at < len(tokens):
        option, at = _read_option(tokens, at)
        if option is None or not draft.add(option):
            return Rule(broken=text)
    if len(draft.matches) > MOST_MATCHES:
        return Rule(broken=text)
    return Rule(tuple(draft.matches), tuple(draft.targets))


def _print_option(option: Option) -> list[str]:
    words = ["!"] if option.negated else []
    bare = _BARE_TEXT if option.name in _TEXT_OPTIONS else _BARE
    return [*words, option.name, *(quote(value, bare) for value in option.values)]


def print_rule(rule: Rule) -> str:
    """Rule text that reads back as the same rule."""
    if rule.broken:
        return rule.broken
    words: list[str] = []
    for match in rule.matches:
        words += ["-m", quote(match.module)] if match.module else []
        for option in match.options:
            words += _print_option(option)
    for target in rule.targets:
        words += ["-g" if target.goto else "-j", quote(target.name)]
        for option in target.options:
            words += _print_option(option)
    return " ".join(words)


def rule_text(arguments: list[str]) -> str:
    """The text of a rule given as a list of arguments, as iptables prints it."""
    text = " ".join(word if word == "!" or _OPTION.match(word) else quote(word) for word in arguments)
    return print_rule(parse_rule(text))


def rule_arguments(text: str) -> list[str]:
    """The arguments of a rule given as text; ValueError when a quotation is not closed."""
    tokens = tokenize(text)
    if tokens is None:
        raise ValueError(f"rule text has an open quotation: {text!r}")
    return [token.text for token in tokens]


@lru_cache(maxsize=4096)
def shown_text(text: str) -> str:
    """The text of a rule as far as a verdict repeats it: a comment decides nothing, and nobody knows what people write there."""
    if "comment" in text:
        rule = parse_rule(text)
        kept = tuple(match for match in rule.matches if match.module != "comment")
        text = _COMMENT.sub("", text).strip() if rule.broken else print_rule(replace(rule, matches=kept))
    return short(text)


def same_rule(one: str, other: str) -> bool:
    """Whether two rule texts mean the same rule, whatever the quoting and the spelling of options."""
    return parse_rule(one) == parse_rule(other)
