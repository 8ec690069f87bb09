# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn TX checksumming of a device off, by the ioctl that Felix uses (ETHTOOL_STXCSUM)."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17


def tx_checksum_off(device: str) -> None:
    """In the caller's network namespace."""
    request = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
    address, _length = request.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, SIOCETHTOOL, struct.pack("16sP", device.encode(), address))
