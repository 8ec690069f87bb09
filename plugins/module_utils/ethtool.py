# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of a network device by ioctl SIOCETHTOOL, which every kernel since 3.3 has (linux/ethtool.h)."""

import array
import errno
import fcntl
import socket
import struct
from typing import Dict, List, Tuple

from ansible_collections.kubenet.vxlan_offload.plugins.module_utils.errors import NodeError

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03
ETHTOOL_GSTRINGS = 0x1B
ETHTOOL_GSSET_INFO = 0x37
ETHTOOL_GFEATURES = 0x3A
ETHTOOL_SFEATURES = 0x3B
ETH_SS_FEATURES = 4
ETH_GSTRING_LEN = 32
F_UNSUPPORTED = 1  # a bit that was asked for cannot be changed

Features = Dict[str, Dict[str, bool]]

REASONS = {
    errno.ENODEV: "there is no device %s on this node: see ip link",
    errno.EPERM: "changing the features of %s needs root (CAP_NET_ADMIN): run with become",
    errno.EOPNOTSUPP: "device %s has no features that can be read (SIOCETHTOOL)",
}


def _ioctl(device, payload):  # type: (str, bytes) -> Tuple[int, bytes]
    """One SIOCETHTOOL call: (its return value, the answer)."""
    name = device.encode()
    if not 0 < len(name) < 16 or b"\0" in name:
        raise NodeError("there is no device %s on this node: see ip link" % device)
    answer = array.array("B", payload)
    # struct ifreq is 40 bytes on 64 bit; a bytearray makes fcntl return the return value
    request = bytearray(struct.pack("16sP16x", name, answer.buffer_info()[0]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            code = fcntl.ioctl(control.fileno(), SIOCETHTOOL, request, True)
        except OSError as error:
            reason = REASONS.get(error.errno or 0, "SIOCETHTOOL on %%s: %s" % error.strerror)
            raise NodeError(reason % device) from None
    return code, answer.tobytes()


def driver(device):  # type: (str) -> str
    """The name of the device's driver, first text of struct ethtool_drvinfo (196 bytes)."""
    _code, answer = _ioctl(device, struct.pack("=I192x", ETHTOOL_GDRVINFO))
    return answer[4:36].split(b"\0")[0].decode("ascii", "replace")


def _names(device):  # type: (str) -> List[str]
    """The kernel's feature names in bit order; empty for a bit without a name."""
    _code, answer = _ioctl(
        device, struct.pack("=IIQI", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0)
    )
    count = struct.unpack_from("=IIQI", answer)[3]
    _code, answer = _ioctl(
        device,
        struct.pack("=III", ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count)
        + bytes(count * ETH_GSTRING_LEN),
    )
    texts = [
        answer[12 + i * ETH_GSTRING_LEN : 12 + (i + 1) * ETH_GSTRING_LEN] for i in range(count)
    ]
    return [text.split(b"\0")[0].decode("ascii", "replace") for text in texts]


def decode(names, blocks):  # type: (List[str], List[Tuple[int, int, int, int]]) -> Features
    """Blocks of (available, requested, active, never_changed) words as a dict by feature name."""
    features = {}
    for bit, name in enumerate(names):
        if not name:
            continue
        available, requested, active, never = (
            bool(word >> bit % 32 & 1) for word in blocks[bit // 32]
        )
        fixed = not available or never
        # nobody can request a fixed feature: its word says nothing (ethtool -k shows [fixed] alone)
        features[name] = {
            "requested": active if fixed else requested,
            "active": active,
            "fixed": fixed,
        }
    return features


def _read(device):  # type: (str) -> Tuple[List[str], Features]
    names = _names(device)
    count = (len(names) + 31) // 32
    _code, answer = _ioctl(
        device, struct.pack("=II", ETHTOOL_GFEATURES, count) + bytes(count * 16)
    )
    blocks = [struct.unpack_from("=IIII", answer, 8 + i * 16) for i in range(count)]
    return names, decode(names, blocks)


def read(device):  # type: (str) -> Features
    """{name: {requested, active, fixed}} of every feature that the kernel has a name for."""
    return _read(device)[1]


def encode(names, wanted):  # type: (List[str], Dict[str, bool]) -> bytes
    """The (valid, requested) words of SFEATURES for just the wanted features."""
    words = [0, 0] * ((len(names) + 31) // 32)
    for name, state in wanted.items():
        bit = names.index(name)
        words[bit // 32 * 2] |= 1 << bit % 32
        words[bit // 32 * 2 + 1] |= int(state) << bit % 32
    return struct.pack("=%dI" % len(words), *words)


def set_requested(device, wanted):  # type: (str, Dict[str, bool]) -> Features
    """Request just these features, read again and return what is there now."""
    names = _names(device)
    words = encode(names, wanted)
    code, _answer = _ioctl(
        device, struct.pack("=II", ETHTOOL_SFEATURES, len(words) // 8) + words
    )
    after = read(device)
    missed = sorted(name for name in wanted if after[name]["requested"] != wanted[name])
    if code & F_UNSUPPORTED or missed:
        raise NodeError(
            "device %s did not take %s: compare with ethtool -k %s"
            % (device, ", ".join(missed or sorted(wanted)), device)
        )
    return after
