# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the legacy backend through python-iptables, read only.

Two habits of the library are kept from doing harm: it opens, and so creates, every table to find out
whether a target is a chain, and it commits a table when it is closed.
"""

import ipaddress
import sys
from typing import Any, Dict, Iterator, List, Optional

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader import walk
from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.reader.files import lines_of

# what libxtables calls the protocols of its own list, whatever /etc/protocols says
PROTOCOLS = {
    1: "icmp",
    6: "tcp",
    17: "udp",
    50: "esp",
    51: "ah",
    58: "ipv6-icmp",
    132: "sctp",
    135: "mobility-header",
    136: "udplite",
}
VERDICTS = frozenset(["ACCEPT", "DROP", "QUEUE", "RETURN"])
INVERTED = {"-i": 0x01, "-o": 0x02, "-s": 0x08, "-d": 0x10, "-f": 0x20, "-p": 0x40}  # linux/netfilter_ipv4/ip_tables.h
IS_FRAGMENT = 0x01
IS_GOTO = 0x02


def _library():  # type: () -> Any
    """The import takes 0.3 s and starts ten processes (ldconfig, gcc), so only where there are rules to read."""
    import iptc

    return iptc


def _option(ip, letter, value):  # type: (Any, str, str) -> str
    return "%s%s %s" % ("! " if ip.invflags & INVERTED[letter] else "", letter, value)


def _address(number, mask):  # type: (int, int) -> str
    """Numbers in network order, as the kernel has them, as ADDRESS/LENGTH."""
    text = str(ipaddress.IPv4Address(number.to_bytes(4, sys.byteorder)))
    bits = int.from_bytes(mask.to_bytes(4, sys.byteorder), "big")
    length = bin(bits).count("1")
    if bits == (0xFFFFFFFF << 32 - length) & 0xFFFFFFFF:
        return "%s/%d" % (text, length)
    return "%s/%s" % (text, ipaddress.IPv4Address(bits))


def _protocol(number):  # type: (int) -> str
    if number in PROTOCOLS:
        return PROTOCOLS[number]
    for line in lines_of("/etc/protocols"):
        words = line.split("#")[0].split()
        if len(words) > 1 and words[1] == str(number):
            return words[0]
    return str(number)


def _interface(name, mask):  # type: (bytes, bytes) -> str
    # the mask covers the end of the name unless the rule means a prefix
    return name.decode("ascii", "replace") + ("+" if len(name) == len(mask) else "")


def _header(ip):  # type: (Any) -> Iterator[str]
    """What iptables prints before the matches, in its order."""
    if ip.smsk.s_addr or ip.invflags & INVERTED["-s"]:
        yield _option(ip, "-s", _address(ip.src.s_addr, ip.smsk.s_addr))
    if ip.dmsk.s_addr or ip.invflags & INVERTED["-d"]:
        yield _option(ip, "-d", _address(ip.dst.s_addr, ip.dmsk.s_addr))
    if ip.iniface_mask:
        yield _option(ip, "-i", _interface(ip.iniface, ip.iniface_mask))
    if ip.outiface_mask:
        yield _option(ip, "-o", _interface(ip.outiface, ip.outiface_mask))
    if ip.proto:
        yield _option(ip, "-p", _protocol(ip.proto))
    if ip.flags & IS_FRAGMENT:
        yield _option(ip, "-f", "").rstrip()


def _extension(option, module, revision, ip):  # type: (str, Any, int, Any) -> str
    """A match or target with what its own code prints of it."""
    text = "%s %s" % (option, module.name)
    if revision != module._revision:
        return text + " [unsupported revision]"
    saved = module._get_saved_buf(ip) or b""
    return text + saved.decode("utf-8", "replace").rstrip()


def _target(rule, table):  # type: (Any, Any) -> str
    ip = rule.get_ip()
    raw = rule.target.target.u.user
    name = (table.get_target(rule.entry) or b"").decode()
    if not name:
        return ""
    option = "-g" if ip.flags & IS_GOTO else "-j"
    if name in VERDICTS or table.is_chain(name):
        return "%s %s" % (option, name)
    return _extension("-j", rule.target, raw.revision, ip)


def render(rule, table):  # type: (Any, Any) -> str
    """One rule as iptables -S prints it after "-A CHAIN "."""
    ip = rule.get_ip()
    parts = list(_header(ip))
    for match in rule.matches:
        parts.append(_extension("-m", match, match.match.u.user.revision, ip))
    parts.append(_target(rule, table))
    return " ".join(part for part in parts if part)


def _rules(table, chain, limit):  # type: (Any, str, int) -> Iterator[str]
    iptc = _library()

    class Rule(iptc.Rule):  # type: ignore[misc, name-defined]
        # the original property opens all tables, and the kernel then creates those it does not have
        tables = property(lambda self: [table])

    owner = iptc.Chain(table, chain)
    entry = table.first_rule(chain)
    while entry and limit >= 0:
        yield render(Rule(entry, owner), table)
        entry = table.next_rule(entry)
        limit -= 1


def read_table(name):  # type: (str) -> Dict[str, Any]
    """The reachable chains of one table, which must exist already."""
    iptc = _library()
    try:
        table = iptc.Table(name, autocommit=False)
    except iptc.IPTCError as error:
        return {"state": "unknown", "reason": str(error), "chains": {}, "unread": []}

    def read_chain(chain, limit):  # type: (str, int) -> Optional[List[str]]
        return list(_rules(table, chain, limit)) if table.is_chain(chain) else None

    try:
        return dict(walk.walk(name, read_chain), state="read", reason="")
    finally:
        table.close()
        # the library keeps a closed table and would hand it out again
        iptc.Table._cache.pop(name, None)
