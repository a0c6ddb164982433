"""lvm2's checksum: CRC-32 with a start value of its own, and without the final inversion."""

from __future__ import annotations

import zlib

_INITIAL = 0xF597A6CF
_ONES = 0xFFFFFFFF


def checksum(data: bytes) -> int:
    """The checksum of `data`, as label, metadata area header and text metadata carry it."""
    return zlib.crc32(data, _INITIAL ^ _ONES) ^ _ONES
