"""What stands where in a cluster of a qcow2 file: the header, and entries of its tables."""

from __future__ import annotations

import struct
import sys
from array import array

from fake_backends.block_store import CHUNK, PAGE, BlockDevice

MAGIC = b"QFI\xfb"
CLUSTER = 64 << 10
SECTOR = 512

PAGES_PER_CLUSTER = CLUSTER // PAGE
CLUSTERS_PER_CHUNK = CHUNK // CLUSTER
L2_ENTRIES = CLUSTER // 8
ENTRIES_PER_PAGE = PAGE // 8
REFCOUNTS = CLUSTER // 2
"""16-bit counters in a refcount block."""
COUNTED_ONCE = b"\0\1" * REFCOUNTS
COPIED = 1 << 63
"""The flag of an entry whose cluster is used once, and may be written in place."""
OFFSET = 0x00FF_FFFF_FFFF_FE00
# magic, version, backing file offset and size, cluster bits, size, encryption, L1 size and offset,
# refcount table offset and clusters, snapshots and their offset, incompatible, compatible and autoclear
# features, refcount order, header length
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
HEADER_BYTES = 112
EXTENSION = struct.Struct(">II")
BACKING_FORMAT = 0xE2792ACA
TABLE = 1
"""The refcount table of a new image; the first refcount block follows, and the L1 table."""


def is_qcow2(device: BlockDevice) -> bool:
    """True if the content begins as a qcow2 image does."""
    return device.read(0, len(MAGIC)) == MAGIC


def first_cluster(
    size: int, l1: tuple[int, int], refcounts: tuple[int, int], backing: str | None, backing_format: str | None
) -> bytes:
    """The first cluster: header, extensions, and the name of the backing file.

    `l1` is how many entries the L1 table has, and where it starts; `refcounts` is where the refcount table
    starts, and how many clusters it has.
    """
    extensions = b""
    if backing is not None and backing_format is not None:
        text = backing_format.encode()
        extensions = EXTENSION.pack(BACKING_FORMAT, len(text)) + text.ljust(-(-len(text) // 8) * 8, b"\0")
    extensions += EXTENSION.pack(0, 0)
    name = (backing or "").encode()
    name_at = HEADER_BYTES + len(extensions) if name else 0
    header = HEADER.pack(
        MAGIC, 3, name_at, len(name), 16, size, 0, *l1, *refcounts, 0, 0, 0, 0, 0, 4, HEADER_BYTES,
    )  # fmt: skip
    return (header.ljust(HEADER_BYTES, b"\0") + extensions + name).ljust(CLUSTER, b"\0")


def packed(entries: array[int]) -> bytes:
    """Entries as they stand in a file: 64 bits, the most significant byte first."""
    swapped = array("Q", entries)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()


def l1_entries(size: int) -> int:
    """How many L2 tables a disk of `size` bytes has, at the most."""
    return -(-size // (L2_ENTRIES * CLUSTER))


def l1_clusters(entries: int) -> int:
    """How many clusters an L1 table takes."""
    return max(1, -(-8 * entries // CLUSTER))


def clusters_of(entries: bytes) -> array[int]:
    """The clusters that entries lead to: without the flags in the first byte, and in units of 64 KiB."""
    numbers = bytearray(len(entries))
    for place in range(1, 6):
        numbers[place + 2 :: 8] = entries[place::8]
    clusters = array("Q", bytes(numbers))
    if sys.byteorder == "little":
        clusters.byteswap()
    return clusters
