"""The qcow2 image format, version 3: what QEMU calls an image, as the bytes of a file.

The file is cut into clusters of 64 KiB. The first holds the header; a two-level table leads from a cluster
of the virtual disk to a cluster of the file (L1 entry -> L2 table -> L2 entry), and another one counts how
often each cluster of the file is used. A cluster that no entry leads to is read from the backing file, or is
zero. Clusters are taken from the end of the file and never reused.

Source: QEMU's docs/interop/qcow2.rst. Internal snapshots, compression, encryption, external data files and
extended L2 entries are refused.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, groupby, pairwise

from fake_backends.block_store import CHUNK, EMPTY, PAGE, BlockDevice, Chunk, RegularFile
from harness.errors import InvalidArgument, NoSpace

MAGIC = b"QFI\xfb"
CLUSTER = 64 << 10
SECTOR = 512

_PAGES = CLUSTER // PAGE
_PER_CHUNK = CHUNK // CLUSTER
_L2_ENTRIES = CLUSTER // 8
_ENTRIES_PER_PAGE = PAGE // 8
_REFCOUNTS = CLUSTER // 2
"""16-bit counters in a refcount block."""
_COUNTED_ONCE = b"\0\1" * _REFCOUNTS
_COPIED = 1 << 63
"""The flag of an entry whose cluster is used once, and may be written in place."""
_OFFSET = 0x00FF_FFFF_FFFF_FE00
# magic, version, backing file offset and size, cluster bits, size, encryption, L1 size and offset,
# refcount table offset and clusters, snapshots and their offset, incompatible, compatible and autoclear
# features, refcount order, header length
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_HEADER_BYTES = 112
_EXTENSION = struct.Struct(">II")
_BACKING_FORMAT = 0xE2792ACA
_TABLE = 1
"""The refcount table of a new image; the first refcount block follows, and the L1 table."""


def is_qcow2(device: BlockDevice) -> bool:
    """True if the content begins as a qcow2 image does."""
    return device.read(0, len(MAGIC)) == MAGIC


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
    l1 = array("Q", [at * CLUSTER | _COPIED for at, _ in layout.tables])
    l1_size = -(-size // (_L2_ENTRIES * CLUSTER))
    l1.extend([0] * (l1_size - len(l1)))
    file.truncate(0)
    file.truncate(layout.end * CLUSTER if preallocated else layout.l1 * CLUSTER + 8 * l1_size)
    refcounts = (_TABLE * CLUSTER, layout.block - _TABLE)
    file.write(0, _head(size, (l1_size, layout.l1 * CLUSTER), refcounts, backing, backing_format))
    blocks = _packed(array("Q", [block * CLUSTER for block in layout.blocks]))
    file.write(_TABLE * CLUSTER, blocks.ljust((layout.block - _TABLE) * CLUSTER, b"\0"))
    file.write(layout.l1 * CLUSTER, _packed(l1))
    for number, block in enumerate(layout.blocks):
        counted = min(_REFCOUNTS, layout.end - number * _REFCOUNTS)
        file.write(block * CLUSTER, _COUNTED_ONCE[: 2 * counted].ljust(CLUSTER, b"\0"))
    left = size
    for at, first in layout.tables:
        number, inside = divmod(at, _PER_CHUNK)
        entries = min(_L2_ENTRIES, -(-left // CLUSTER))
        file.replace(number, inside * _PAGES, _PAGES, _Run(inside * _PAGES, first, entries))
        left -= entries * CLUSTER


class Qcow2Image(BlockDevice):
    """The virtual disk in `file`. `backing` is the open backing file, if the header names one.

    InvalidArgument if the file is no such image, or uses what is not known here.
    """

    def __init__(self, file: RegularFile, backing: BlockDevice | None = None) -> None:
        self.file = file
        self.backing = backing
        self.size = self._tables.size

    @property
    def _tables(self) -> _Tables:
        if not isinstance(self.file.structure, _Tables):
            self.file.structure = _Tables(self.file)
        return self.file.structure

    @property
    def backing_name(self) -> str | None:
        """The name of the backing file, as the header has it."""
        return self._tables.backing[0]

    @property
    def backing_format(self) -> str | None:
        """The backing file's format, as the header has it."""
        return self._tables.backing[1]

    # ------------------------------------------------------------------------------------------ the disk

    def load(self, number: int) -> Chunk:
        hosts = self._tables.hosts(number * _PER_CHUNK, _PER_CHUNK)
        pages: dict[int, bytes] = {}
        if self.backing is not None:
            below = self.backing.load(number)
            pages = {index: page for index, page in below.items() if not hosts[index // _PAGES]}
        places = dict(zip(hosts, range(_PER_CHUNK), strict=True))
        places.pop(0, None)
        for held in sorted({host // _PER_CHUNK for host in places}):
            for index, page in self.file.load(held).items():
                place = places.get(held * _PER_CHUNK + index // _PAGES)
                if place is not None:
                    pages[place * _PAGES + index % _PAGES] = page
        return pages or EMPTY

    def store(self, number: int, chunk: Chunk) -> None:
        if number * CHUNK >= self.size:
            raise NoSpace
        first = number * _PER_CHUNK
        used = {index // _PAGES for index in chunk}
        if self.backing is not None:
            used.update(index // _PAGES for index in self.backing.load(number))
        hosts = self._tables.hosts(first, _PER_CHUNK)
        self._put(number, chunk, [first + place for place, host in enumerate(hosts) if host or place in used])

    def _put(self, number: int, chunk: Chunk, guests: list[int]) -> None:
        """Write these clusters of a chunk, of which `chunk` is the content; of each run first the data."""
        if not guests:
            return
        tables = self._tables
        first = number * _PER_CHUNK
        for host, run in _runs(tables.reserve(guests), guests):
            below, inside = divmod(host, _PER_CHUNK)
            shift = (run[0] - first - inside) * _PAGES
            low, count = inside * _PAGES, len(run) * _PAGES
            pages = {
                index - shift: page
                for index, page in chunk.items()
                if low + shift <= index < low + shift + count
            }
            self.file.replace(below, low, count, pages)
            self.file.structure = tables
            tables.link(run, host)

    def patch(self, number: int, start: int, data: bytes) -> None:
        tables = self._tables
        position = 0
        while position < len(data):
            guest, inside = divmod(number * CHUNK + start + position, CLUSTER)
            piece = data[position : position + CLUSTER - inside]
            if self.backing is not None and tables.hosts(guest, 1) == [0]:
                below = self.backing.read(guest * CLUSTER, CLUSTER).ljust(CLUSTER, b"\0")
                piece = below[:inside] + piece + below[inside + len(piece) :]
                inside = 0
            [host] = tables.reserve([guest])
            self.file.write(host * CLUSTER + inside, piece)
            self.file.structure = tables
            tables.link([guest], host)
            position = (guest + 1) * CLUSTER - number * CHUNK - start

    def occupied(self, first: int, last: int) -> Iterable[int]:
        tables = self._tables
        own = tables.own()
        numbers = set(self.backing.occupied(first, last)) if self.backing is not None else set()
        for below in self.file.occupied(0, self.file.chunk_count):
            for cluster in {below * _PER_CHUNK + index // _PAGES for index in self.file.load(below)} - own:
                guest = tables.guest(cluster)
                if guest >= 0:
                    numbers.add(guest // _PER_CHUNK)
        return sorted(number for number in numbers if first <= number < last)

    # ----------------------------------------------------------------------------------------- the image

    def resize(self, size: int) -> None:
        """Grow the disk to `size` bytes; what is new reads zero (``qemu-img resize``)."""
        if size < self.size:
            raise InvalidArgument("Use the --shrink option to perform a shrink operation.")
        self._tables.grow(size)
        self.size = size

    def rebase(self, backing: str | None, backing_format: str | None) -> None:
        """Name another backing file, of the same content (``qemu-img rebase -u``)."""
        self._tables.name_backing(backing, backing_format)

    def clusters(self) -> Iterator[int]:
        """The clusters of the disk that the image itself holds, ascending."""
        return self._tables.guests()

    def commit(self) -> None:
        """Write what the image itself holds into its backing file, which grows if need be.

        The image stays as it is. InvalidArgument without a backing file.
        """
        below = self.backing
        if below is None:
            raise InvalidArgument("Image does not have a backing file")
        if below.size < self.size:
            if isinstance(below, Qcow2Image):
                below.resize(self.size)
            elif isinstance(below, RegularFile):
                below.truncate(self.size)
        for number in sorted({cluster * CLUSTER // CHUNK for cluster in self.clusters()}):
            below.store(number, self.load(number))

    def flatten(self) -> None:
        """Hold all that shows through the backing file; what reads zero takes no cluster of the file.

        QEMU marks such clusters in the table and writes no data either (`bdrv_co_do_copy_on_readv`). Once the
        image stands alone, as it may from now on, a mark says no more than no entry does.
        """
        for number in self.occupied(0, self.chunk_count):
            self.store(number, self.load(number))

    def take_over(self, clusters: Iterable[int]) -> None:
        """Hold these clusters of the disk itself, as they look through its backing file."""
        for number, guests in groupby(clusters, lambda guest: guest // _PER_CHUNK):
            hosts = self._tables.hosts(number * _PER_CHUNK, _PER_CHUNK)
            missing = [guest for guest in guests if not hosts[guest % _PER_CHUNK]]
            self._put(number, self.load(number), missing)


class _Tables:
    """What the header and the tables of an image say. Everything that changes is written at once."""

    def __init__(self, file: RegularFile) -> None:
        self._file = file
        head = file.read(0, _HEADER_BYTES)
        if len(head) < _HEADER_BYTES or head[:4] != MAGIC:
            raise InvalidArgument("Image is not in qcow2 format")
        (
         _, version, self._name_at, name_size, bits, self.size, encryption, self._l1_size, self._l1_at,
         self._table_at, self._table_size, snapshots, _, incompatible, _, _, order, length,
        ) = _HEADER.unpack_from(head)  # fmt: skip
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
        number, index = divmod(first, _L2_ENTRIES)
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
            if index < _L2_ENTRIES and self.hosts(number * _L2_ENTRIES + index, 1) == [host]:
                return number * _L2_ENTRIES + index
        return self._by_host().get(host, -1)

    def guests(self) -> Iterator[int]:
        """The clusters of the disk that have one in the file, ascending."""
        for number in range(self._l1_size):
            for index, host in enumerate(self._l2_table(number) or ()):
                if host:
                    yield number * _L2_ENTRIES + index

    def own(self) -> set[int]:
        """The clusters of the file that hold the header and the tables."""
        tables = [(entry & _OFFSET) // CLUSTER for entry in self._l1]
        blocks = [entry // CLUSTER for entry in self._entries(self._table_at, self._table_size * _L2_ENTRIES)]
        at, l1_at = self._table_at // CLUSTER, self._l1_at // CLUSTER
        l1 = range(l1_at, l1_at + max(1, -(-8 * self._l1_size // CLUSTER)))
        return {0, *range(at, at + self._table_size), *l1, *tables, *blocks}

    def reserve(self, guests: list[int]) -> list[int]:
        """The file's clusters for these of the disk, within a chunk. New ones are written, then linked."""
        first = guests[0]
        found = self.hosts(first, guests[-1] - first + 1)
        hosts = [found[guest - first] for guest in guests]
        if all(hosts):
            return hosts
        number = first // _L2_ENTRIES
        if not self._l1[number]:
            at = self._take()
            self._write(at * CLUSTER, bytes(CLUSTER))
            self._l1[number] = at * CLUSTER | _COPIED
            self._write(self._l1_at + 8 * number, _packed(self._l1[number : number + 1]))
        taken = count(self._take(hosts.count(0)))
        return [host or next(taken) for host in hosts]

    def link(self, guests: list[int], host: int) -> None:
        """From now on these clusters of the disk, in a row, are read from those in a row from `host` on."""
        if self.hosts(guests[0], len(guests)) == list(range(host, host + len(guests))):
            return
        number, index = divmod(guests[0], _L2_ENTRIES)
        table = self._l2_table(number)
        assert table is not None
        hosts = range(host, host + len(guests))
        table[index : index + len(guests)] = array("Q", hosts)
        entries = array("Q", [each * CLUSTER | _COPIED for each in hosts])
        self._write((self._l1[number] & _OFFSET) + 8 * index, _packed(entries))
        self._starts = None
        if self._guests is not None:
            self._guests.update(zip(hosts, guests, strict=True))

    def grow(self, size: int) -> None:
        """Make room in the L1 table, at a new place where the old one has no more."""
        l1_size = -(-size // (_L2_ENTRIES * CLUSTER))
        old_clusters, clusters = (max(1, -(-8 * n // CLUSTER)) for n in (self._l1_size, l1_size))
        self._l1.extend([0] * (l1_size - self._l1_size))
        if clusters > old_clusters:
            old, self._l1_at = self._l1_at // CLUSTER, self._take(clusters) * CLUSTER
            self._count(old, old_clusters, users=0)
        self._write(self._l1_at, _packed(self._l1))
        self.size, self._l1_size = size, l1_size
        self._write_head()

    def name_backing(self, name: str | None, format: str | None) -> None:
        """Write the header with another backing file."""
        self.backing = (name, format)
        self._write_head()

    def _write_head(self) -> None:
        l1, refcounts = (self._l1_size, self._l1_at), (self._table_at, self._table_size)
        self._write(0, _head(self.size, l1, refcounts, *self.backing))

    def _read_backing(self, at: int, name_size: int) -> tuple[str | None, str | None]:
        name = self._file.read(self._name_at, name_size).decode() if self._name_at else None
        while at + _EXTENSION.size <= CLUSTER:
            kind, length = _EXTENSION.unpack(self._file.read(at, _EXTENSION.size))
            if kind == 0:
                return name, None
            if kind == _BACKING_FORMAT:
                return name, self._file.read(at + _EXTENSION.size, length).decode()
            at += _EXTENSION.size + -(-length // 8) * 8
        raise InvalidArgument("Header extensions do not end in the first cluster")

    def _l2_table(self, number: int) -> array[int] | None:
        """The file's cluster for each of the disk that an entry of the L1 table leads to; None without one."""
        if number not in self._l2:
            if number >= self._l1_size or not self._l1[number]:
                return None
            packed = self._file.read(self._l1[number] & _OFFSET, 8 * _L2_ENTRIES)
            self._l2[number] = _clusters(packed.ljust(8 * _L2_ENTRIES, b"\0"))
        return self._l2[number]

    def _starts_of_tables(self) -> list[tuple[int, int]]:
        """The first cluster that an L2 table leads to, and the table's number, ascending."""
        if self._starts is None:
            firsts = [self._entries(entry & _OFFSET, 1)[0] & _OFFSET if entry else 0 for entry in self._l1]
            self._starts = sorted((first // CLUSTER, number) for number, first in enumerate(firsts) if first)
        return self._starts

    def _by_host(self) -> dict[int, int]:
        if self._guests is None:
            self._guests = {}
            for number in range(self._l1_size):
                hosts = self._l2_table(number) or ()
                self._guests.update(zip(hosts, count(number * _L2_ENTRIES), strict=False))
            self._guests.pop(0, None)
        return self._guests

    def _take(self, clusters: int = 1) -> int:
        """Take clusters in a row from the end of the file; a refcount block that is missing goes first."""
        # A file that was cut still has entries that lead behind its end.
        first = max(-(-self._file.size // CLUSTER), self._last_used() + 1)
        blocks = range(first // _REFCOUNTS, (first + clusters + 1) // _REFCOUNTS + 1)
        for block in blocks:
            if block >= self._table_size * _L2_ENTRIES:
                raise NoSpace
            if not self._refcount_block(block):
                self._write(self._table_at + 8 * block, _packed(array("Q", [first * CLUSTER])))
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
            tables = ((entry & _OFFSET) // CLUSTER for entry in self._l1)
            numbers = range(self._l1_size)
            self._last = max([0, *tables, *(max(self._l2_table(number) or [0]) for number in numbers)])
        return self._last

    def _refcount_block(self, block: int) -> int:
        return self._entries(self._table_at + 8 * block, 1)[0] & _OFFSET

    def _count(self, first: int, clusters: int = 1, *, users: int = 1) -> None:
        """Note how many use each of these clusters of the file."""
        end = first + clusters
        while first < end:
            block, index = divmod(first, _REFCOUNTS)
            here = min(end - first, _REFCOUNTS - index)
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


def _head(
    size: int, l1: tuple[int, int], refcounts: tuple[int, int], backing: str | None, backing_format: str | None
) -> bytes:
    """The first cluster: header, extensions, and the name of the backing file.

    `l1` is how many entries the L1 table has, and where it starts; `refcounts` is where the refcount table
    starts, and how many clusters it has.
    """
    extensions = b""
    if backing is not None and backing_format is not None:
        text = backing_format.encode()
        extensions = _EXTENSION.pack(_BACKING_FORMAT, len(text)) + text.ljust(-(-len(text) // 8) * 8, b"\0")
    extensions += _EXTENSION.pack(0, 0)
    name = (backing or "").encode()
    name_at = _HEADER_BYTES + len(extensions) if name else 0
    header = _HEADER.pack(
        MAGIC, 3, name_at, len(name), 16, size, 0, *l1, *refcounts, 0, 0, 0, 0, 0, 4, _HEADER_BYTES,
    )  # fmt: skip
    return (header.ljust(_HEADER_BYTES, b"\0") + extensions + name).ljust(CLUSTER, b"\0")


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
    l1_size = -(-size // (_L2_ENTRIES * CLUSTER))
    clusters = -(-size // CLUSTER) if preallocated else 0
    at_most = clusters + 2 * clusters // _L2_ENTRIES + 16
    block = _TABLE + -(-at_most // (_REFCOUNTS * _L2_ENTRIES))
    l1 = block + 1
    end = l1 + max(1, -(-8 * l1_size // CLUSTER))
    blocks = [block]

    def take(count: int) -> int:
        nonlocal end
        first, end = end, end + count
        while (end - 1) // _REFCOUNTS >= len(blocks):
            blocks.append(end)
            end += 1
        return first

    tables = [(take(1), take(min(_L2_ENTRIES, clusters - start))) for start in range(0, clusters, _L2_ENTRIES)]
    return _Layout(block, l1, tuple(tables), tuple(blocks), end)


class _Run(Mapping[int, bytes]):
    """The pages of a new L2 table, which leads to clusters in a row, made when they are asked for.

    A preallocated disk of 16 TiB has 2 GiB of tables, of which hardly anybody reads more than a few pages.
    """

    __slots__ = ("_first", "_length", "_page")

    def __init__(self, page: int, first: int, length: int) -> None:
        self._page, self._first, self._length = page, first, length

    def __getitem__(self, page: int) -> bytes:
        start = (page - self._page) * _ENTRIES_PER_PAGE
        count = min(_ENTRIES_PER_PAGE, self._length - start)
        if start < 0 or count <= 0:
            raise KeyError(page)
        return _entries_in_a_row(self._first + start, count)

    def __contains__(self, page: object) -> bool:
        return page in range(self._page, self._page + len(self))

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._page, self._page + len(self)))

    def __len__(self) -> int:
        return -(-self._length // _ENTRIES_PER_PAGE)


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


def _packed(entries: array[int]) -> bytes:
    """Entries as they stand in a file: 64 bits, the most significant byte first."""
    swapped = array("Q", entries)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()


def _clusters(entries: bytes) -> array[int]:
    """The clusters that entries lead to: without the flags in the first byte, and in units of 64 KiB."""
    numbers = bytearray(len(entries))
    for place in range(1, 6):
        numbers[place + 2 :: 8] = entries[place::8]
    clusters = array("Q", bytes(numbers))
    if sys.byteorder == "little":
        clusters.byteswap()
    return clusters


def _runs(hosts: list[int], guests: list[int]) -> Iterator[tuple[int, list[int]]]:
    """(first host, guests) for hosts in a row, within one chunk of the file, that hold guests in a row."""
    steps = zip(hosts, hosts[1:], guests, guests[1:], strict=False)
    ends = [
        end
        for end, (host, next_host, guest, next_guest) in enumerate(steps, 1)
        if next_host - host != 1 or next_guest - guest != 1 or not next_host % _PER_CHUNK
    ]
    for start, end in pairwise([0, *ends, len(hosts)]):
        yield hosts[start], guests[start:end]
