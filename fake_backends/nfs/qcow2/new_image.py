"""A new qcow2 image, laid out as QEMU does it."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fake_backends.block_store import PAGE, RegularFile
from fake_backends.nfs.qcow2.format import (
    CLUSTER,
    CLUSTERS_PER_CHUNK,
    COPIED,
    COUNTED_ONCE,
    ENTRIES_PER_PAGE,
    L2_ENTRIES,
    PAGES_PER_CLUSTER,
    REFCOUNTS,
    SECTOR,
    TABLE,
    first_cluster,
    l1_clusters,
    l1_entries,
    packed,
)


def create(
    file: RegularFile,
    size: int,
    *,
    preallocated: bool = False,
    backing: str | None = None,
    backing_format: str | None = None,
) -> None:
    """Make `file` an image of `size` bytes, rounded up to sectors (``qemu-img create -f qcow2``).

    `preallocated` takes a cluster of the file for every cluster of the disk, in ascending order, and leaves
    them as holes (``preallocation=metadata``). `backing` names the file that the image stands over.
    """
    size = -(-size // SECTOR) * SECTOR
    layout = _layout(size, preallocated)
    l1 = array("Q", [at * CLUSTER | COPIED for at, _ in layout.tables])
    l1_size = l1_entries(size)
    l1.extend([0] * (l1_size - len(l1)))
    file.truncate(0)
    file.truncate(layout.end * CLUSTER if preallocated else layout.l1 * CLUSTER + 8 * l1_size)
    refcounts = (TABLE * CLUSTER, layout.block - TABLE)
    file.write(0, first_cluster(size, (l1_size, layout.l1 * CLUSTER), refcounts, backing, backing_format))
    blocks = packed(array("Q", [block * CLUSTER for block in layout.blocks]))
    file.write(TABLE * CLUSTER, blocks.ljust((layout.block - TABLE) * CLUSTER, b"\0"))
    file.write(layout.l1 * CLUSTER, packed(l1))
    for number, block in enumerate(layout.blocks):
        counted = min(REFCOUNTS, layout.end - number * REFCOUNTS)
        file.write(block * CLUSTER, COUNTED_ONCE[: 2 * counted].ljust(CLUSTER, b"\0"))
    left = size
    for at, first in layout.tables:
        number, inside = divmod(at, CLUSTERS_PER_CHUNK)
        page, entries = inside * PAGES_PER_CLUSTER, min(L2_ENTRIES, -(-left // CLUSTER))
        file.replace(number, page, PAGES_PER_CLUSTER, _Run(page, first, entries))
        left -= entries * CLUSTER


@dataclass(frozen=True)
class _Layout:
    """Where things stand in a new image; all numbers are clusters of the file.

    The refcount table is long enough for what the image has from the beginning: QEMU would move it to the end
    when a file has more than 16 TiB. A refcount block follows the run whose last cluster is the first one that
    no block counts yet.
    """

    block: int
    l1: int
    tables: tuple[tuple[int, int], ...]
    """Of each L2 table its own place, and the first of the clusters in a row that it leads to."""
    blocks: tuple[int, ...]
    end: int


@lru_cache(maxsize=4)
def _layout(size: int, preallocated: bool) -> _Layout:
    clusters = -(-size // CLUSTER) if preallocated else 0
    at_most = clusters + 2 * clusters // L2_ENTRIES + 16
    block = TABLE + -(-at_most // (REFCOUNTS * L2_ENTRIES))
    l1 = block + 1
    end = l1 + l1_clusters(l1_entries(size))
    blocks = [block]

    def take(count: int) -> int:
        nonlocal end
        first, end = end, end + count
        while (end - 1) // REFCOUNTS >= len(blocks):
            blocks.append(end)
            end += 1
        return first

    tables = [(take(1), take(min(L2_ENTRIES, clusters - start))) for start in range(0, clusters, L2_ENTRIES)]
    return _Layout(block, l1, tuple(tables), tuple(blocks), end)


class _Run(Mapping[int, bytes]):
    """The pages of a new L2 table, which leads to clusters in a row, made when they are asked for.

    A preallocated disk of 16 TiB has 2 GiB of tables, of which hardly anybody reads more than a few pages.
    """

    __slots__ = ("_first", "_length", "_page")

    def __init__(self, page: int, first: int, length: int) -> None:
        self._page, self._first, self._length = page, first, length

    def __getitem__(self, page: int) -> bytes:
        start = (page - self._page) * ENTRIES_PER_PAGE
        count = min(ENTRIES_PER_PAGE, self._length - start)
        if start < 0 or count <= 0:
            raise KeyError(page)
        return _entries_in_a_row(self._first + start, count)

    def __contains__(self, page: object) -> bool:
        return page in range(self._page, self._page + len(self))

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._page, self._page + len(self)))

    def __len__(self) -> int:
        return -(-self._length // ENTRIES_PER_PAGE)


@lru_cache(maxsize=256)
def _entries_in_a_row(first: int, count: int) -> bytes:
    """A page of entries for `count` clusters from `first` on."""
    clusters = array("I", range(first, first + count))
    if sys.byteorder == "little":
        clusters.byteswap()
    numbers, entries = clusters.tobytes(), bytearray(PAGE)
    entries[: 8 * count : 8] = b"\x80" * count
    # An offset in a file of 64 KiB clusters is the cluster's number and two bytes of zeros.
    for place in range(4):
        entries[2 + place : 8 * count : 8] = numbers[place::4]
    return bytes(entries)
