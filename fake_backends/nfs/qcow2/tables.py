"""The tables of a qcow2 file, which lead from the disk to the file and count what is used."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import count

from fake_backends.block_store import RegularFile
from fake_backends.nfs.qcow2.format import (
    BACKING_FORMAT,
    CLUSTER,
    COPIED,
    EXTENSION,
    HEADER,
    HEADER_BYTES,
    L2_ENTRIES,
    MAGIC,
    OFFSET,
    REFCOUNTS,
    clusters_of,
    first_cluster,
    l1_clusters,
    l1_entries,
    packed,
)
from harness.errors import InvalidArgument, NoSpace


class Tables:
    """What the header and the tables of an image say. Everything that changes is written at once."""

    def __init__(self, file: RegularFile) -> None:
        self._file = file
        head = file.read(0, HEADER_BYTES)
        if len(head) < HEADER_BYTES or head[:4] != MAGIC:
            raise InvalidArgument("Image is not in qcow2 format")
        (
         _, version, self._name_at, name_size, bits, self.size, encryption, self._l1_size, self._l1_at,
         self._table_at, self._table_size, snapshots, _, incompatible, _, _, order, length,
        ) = HEADER.unpack_from(head)  # fmt: skip
        if (version, bits, encryption, snapshots, incompatible, order) != (3, 16, 0, 0, 0, 4):
            raise InvalidArgument("Unsupported qcow2 features")
        self.backing = self._read_backing(length, name_size)
        self._l1 = self._entries(self._l1_at, self._l1_size)
        self._l2: dict[int, array[int]] = {}
        self._guests: dict[int, int] | None = None
        self._starts: list[tuple[int, int]] | None = None
        self._last = -1

    def hosts(self, first: int, count: int) -> list[int]:
        """The file's clusters that hold `count` of the disk from `first` on, all in one chunk; 0 for none."""
        number, index = divmod(first, L2_ENTRIES)
        table = self._l2_table(number)
        return table[index : index + count].tolist() if table is not None else [0] * count

    def guest(self, host: int) -> int:
        """The cluster of the disk that a cluster of the file holds; -1 if it holds none.

        Tables that lead to clusters in a row, as those of a preallocated image do, need not be read for it.
        """
        starts = self._starts_of_tables()
        place = bisect_right(starts, (host, self._l1_size)) - 1
        if place >= 0:
            first, number = starts[place]
            index = host - first
            if index < L2_ENTRIES and self.hosts(number * L2_ENTRIES + index, 1) == [host]:
                return number * L2_ENTRIES + index
        return self._by_host().get(host, -1)

    def guests(self) -> Iterator[int]:
        """The clusters of the disk that have one in the file, ascending."""
        for number in range(self._l1_size):
            for index, host in enumerate(self._l2_table(number) or ()):
                if host:
                    yield number * L2_ENTRIES + index

    def own(self) -> set[int]:
        """The clusters of the file that hold the header and the tables."""
        tables = [(entry & OFFSET) // CLUSTER for entry in self._l1]
        blocks = [entry // CLUSTER for entry in self._entries(self._table_at, self._table_size * L2_ENTRIES)]
        at, l1_at = self._table_at // CLUSTER, self._l1_at // CLUSTER
        l1 = range(l1_at, l1_at + l1_clusters(self._l1_size))
        return {0, *range(at, at + self._table_size), *l1, *tables, *blocks}

    def reserve(self, guests: list[int]) -> list[int]:
        """The file's clusters for these of the disk, within a chunk. New ones are written, then linked."""
        first = guests[0]
        found = self.hosts(first, guests[-1] - first + 1)
        hosts = [found[guest - first] for guest in guests]
        if all(hosts):
            return hosts
        number = first // L2_ENTRIES
        if not self._l1[number]:
            at = self._take()
            self._write(at * CLUSTER, bytes(CLUSTER))
            self._l1[number] = at * CLUSTER | COPIED
            self._write(self._l1_at + 8 * number, packed(self._l1[number : number + 1]))
        taken = count(self._take(hosts.count(0)))
        return [host or next(taken) for host in hosts]

    def link(self, guests: list[int], host: int) -> None:
        """From now on these clusters of the disk, in a row, are read from those in a row from `host` on."""
        if self.hosts(guests[0], len(guests)) == list(range(host, host + len(guests))):
            return
        number, index = divmod(guests[0], L2_ENTRIES)
        table = self._l2_table(number)
        assert table is not None
        hosts = range(host, host + len(guests))
        table[index : index + len(guests)] = array("Q", hosts)
        entries = array("Q", [each * CLUSTER | COPIED for each in hosts])
        self._write((self._l1[number] & OFFSET) + 8 * index, packed(entries))
        self._starts = None
        if self._guests is not None:
            self._guests.update(zip(hosts, guests, strict=True))

    def grow(self, size: int) -> None:
        """Make room in the L1 table, at a new place where the old one has no more."""
        l1_size = l1_entries(size)
        old_clusters, clusters = l1_clusters(self._l1_size), l1_clusters(l1_size)
        self._l1.extend([0] * (l1_size - self._l1_size))
        if clusters > old_clusters:
            old, self._l1_at = self._l1_at // CLUSTER, self._take(clusters) * CLUSTER
            self._count(old, old_clusters, users=0)
        self._write(self._l1_at, packed(self._l1))
        self.size, self._l1_size = size, l1_size
        self._write_head()

    def name_backing(self, name: str | None, format: str | None) -> None:
        """Write the header with another backing file."""
        self.backing = (name, format)
        self._write_head()

    def _write_head(self) -> None:
        l1, refcounts = (self._l1_size, self._l1_at), (self._table_at, self._table_size)
        self._write(0, first_cluster(self.size, l1, refcounts, *self.backing))

    def _read_backing(self, at: int, name_size: int) -> tuple[str | None, str | None]:
        name = self._file.read(self._name_at, name_size).decode() if self._name_at else None
        while at + EXTENSION.size <= CLUSTER:
            kind, length = EXTENSION.unpack(self._file.read(at, EXTENSION.size))
            if kind == 0:
                return name, None
            if kind == BACKING_FORMAT:
                return name, self._file.read(at + EXTENSION.size, length).decode()
            at += EXTENSION.size + -(-length // 8) * 8
        raise InvalidArgument("Header extensions do not end in the first cluster")

    def _l2_table(self, number: int) -> array[int] | None:
        """The file's cluster for each of the disk that an entry of the L1 table leads to; None without one."""
        if number not in self._l2:
            if number >= self._l1_size or not self._l1[number]:
                return None
            packed = self._file.read(self._l1[number] & OFFSET, 8 * L2_ENTRIES)
            self._l2[number] = clusters_of(packed.ljust(8 * L2_ENTRIES, b"\0"))
        return self._l2[number]

    def _starts_of_tables(self) -> list[tuple[int, int]]:
        """The first cluster that an L2 table leads to, and the table's number, ascending."""
        if self._starts is None:
            firsts = [self._entries(entry & OFFSET, 1)[0] & OFFSET if entry else 0 for entry in self._l1]
            self._starts = sorted((first // CLUSTER, number) for number, first in enumerate(firsts) if first)
        return self._starts

    def _by_host(self) -> dict[int, int]:
        if self._guests is None:
            self._guests = {}
            for number in range(self._l1_size):
                hosts = self._l2_table(number) or ()
                self._guests.update(zip(hosts, count(number * L2_ENTRIES), strict=False))
            self._guests.pop(0, None)
        return self._guests

    def _take(self, clusters: int = 1) -> int:
        """Take clusters in a row from the end of the file; a refcount block that is missing goes first."""
        # A file that was cut still has entries that lead behind its end.
        first = max(-(-self._file.size // CLUSTER), self._last_used() + 1)
        blocks = range(first // REFCOUNTS, (first + clusters + 1) // REFCOUNTS + 1)
        for block in blocks:
            if block >= self._table_size * L2_ENTRIES:
                raise NoSpace
            if not self._refcount_block(block):
                self._write(self._table_at + 8 * block, packed(array("Q", [first * CLUSTER])))
                self._write(first * CLUSTER, bytes(CLUSTER))
                self._count(first)
                first += 1
        self._count(first, clusters)
        self._file.truncate((first + clusters) * CLUSTER)
        self._file.structure = self
        self._last = first + clusters - 1
        return first

    def _last_used(self) -> int:
        """The last cluster of the file that an entry leads to."""
        if self._last < 0:
            tables = ((entry & OFFSET) // CLUSTER for entry in self._l1)
            numbers = range(self._l1_size)
            self._last = max([0, *tables, *(max(self._l2_table(number) or [0]) for number in numbers)])
        return self._last

    def _refcount_block(self, block: int) -> int:
        return self._entries(self._table_at + 8 * block, 1)[0] & OFFSET

    def _count(self, first: int, clusters: int = 1, *, users: int = 1) -> None:
        """Note how many use each of these clusters of the file."""
        end = first + clusters
        while first < end:
            block, index = divmod(first, REFCOUNTS)
            here = min(end - first, REFCOUNTS - index)
            self._write(self._refcount_block(block) + 2 * index, users.to_bytes(2, "big") * here)
            first += here

    def _entries(self, at: int, count: int) -> array[int]:
        entries = array("Q", self._file.read(at, 8 * count).ljust(8 * count, b"\0"))
        if sys.byteorder == "little":
            entries.byteswap()
        return entries

    def _write(self, at: int, data: bytes) -> None:
        self._file.write(at, data)
        self._file.structure = self
