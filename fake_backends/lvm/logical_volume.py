"""Logical volumes: linear ones, thick snapshots with a copy-on-write store, and open handles on them.

A write to a volume that has thick snapshots first copies the old content into each snapshot's store, in
pages of 4 KiB, as dm-snapshot does. A store that is full makes its snapshot invalid for ever: reads and
writes of it fail with EIO, while the origin goes on.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Iterable

from fake_backends.block_store import CHUNK, EMPTY, PAGE, PAGES_PER_CHUNK, BlockDevice, Chunk, patched
from fake_backends.lvm.extents import Area
from harness.errors import NoSpace, NotFound, StorageError

ALL_PAGES = (1 << PAGES_PER_CHUNK) - 1
"""A bit for every page of a chunk."""
EXCEPTIONS_PER_PAGE = 256
"""Entries of 16 bytes in a metadata page of a copy-on-write store."""


class OpenVolume(BlockDevice):
    """One opener of a logical volume. `size` follows an extend; after `close` every access fails.

    `mounted` says that a file system on it is in use.
    """

    def __init__(self, volume: LogicalVolume, *, mounted: bool = False) -> None:
        self.volume = volume
        self.mounted = mounted
        self.size = volume.size
        self.closed = False

    def load(self, number: int) -> Chunk:
        return self._open().load(number)

    def store(self, number: int, chunk: Chunk) -> None:
        self._open().store(number, chunk)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._open().patch(number, start, data)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self._open().occupied(first, last)

    def allocate(self, first: int, last: int) -> None:
        self._open().allocate(first, last)

    def close(self) -> None:
        """Stop counting as an opener. Closing twice is allowed."""
        if not self.closed:
            self.closed = True
            self.volume.openers.remove(self)

    def _open(self) -> LogicalVolume:
        if self.closed:
            raise StorageError(f"Input/output error: {self.volume.name} is not open any more")
        return self.volume


class LogicalVolume(BlockDevice):
    """What all kinds have in common. `size` is the size of the device in bytes.

    `origin` is the volume that a snapshot was made of; `snapshots` are the thick ones of this volume. A volume
    that `skips_activation` (``-k y``, the default of thin snapshots) is activated only when told to (``-K``).
    """

    def __init__(self, name: str, extents: int, uuid: str = "") -> None:
        self.name = name
        self.uuid = uuid
        self.size = extents * CHUNK
        self.active = True
        self.read_only = False
        self.skips_activation = False
        self.tags: list[str] = []
        self.origin: LogicalVolume | None = None
        self.merging = False
        self.snapshots: list[ThickSnapshot] = []
        self.openers: list[OpenVolume] = []

    @property
    def listed_size(self) -> int:
        """The size that `lvs` lists, in bytes."""
        return self.size

    def open(self, *, mounted: bool = False) -> OpenVolume:
        """A new handle. NotFound while the volume is inactive, because there is no device then."""
        if not self.active:
            raise NotFound(f"{self.name}: No such file or directory")
        handle = OpenVolume(self, mounted=mounted)
        self.openers.append(handle)
        return handle

    def resize(self, extents: int) -> None:
        """Change the size of the device, and of every open handle on it."""
        self.size = extents * CHUNK
        for handle in self.openers:
            handle.size = self.size

    def store(self, number: int, chunk: Chunk) -> None:
        self._write(number, chunk, ALL_PAGES)

    def patch(self, number: int, start: int, data: bytes) -> None:
        first, last = start // PAGE, -(-(start + len(data)) // PAGE)
        self._write(number, patched(self.load(number), start, data), (1 << last) - (1 << first))

    def allocate(self, first: int, last: int) -> None:
        for snapshot in self.snapshots:
            snapshot.preserve_all(first, last)

    def _write(self, number: int, chunk: Chunk, mask: int) -> None:
        """Write the pages of `mask`; `chunk` is the whole chunk as it is afterwards."""
        self._check_writable()
        if number * CHUNK >= self.size:
            raise NoSpace
        if self.snapshots:
            old = self.load(number)
            for snapshot in self.snapshots:
                snapshot.preserve(number, old, mask)
        self._put(number, chunk, mask)

    def _check_writable(self) -> None:
        if self.read_only:
            raise StorageError(f"Operation not permitted: {self.name} is read-only", errno=errno.EPERM)

    @abstractmethod
    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        """Store the pages of `mask`; `chunk` is the whole chunk as it is afterwards."""


class LinearVolume(LogicalVolume):
    """Extents of physical volumes. Unwritten chunks show what the extents held before."""

    def __init__(self, name: str, area: Area, uuid: str = "") -> None:
        super().__init__(name, area.count, uuid)
        self.area = area

    def load(self, number: int) -> Chunk:
        disk, extent = self.area.locate(number)
        return disk.get(extent)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self.area.occupied(first, last)

    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        disk, extent = self.area.locate(number)
        disk.put(extent, chunk)


class ThickSnapshot(LogicalVolume):
    """The origin as it was, but for the pages in the copy-on-write store, which were preserved or written.

    The store takes a header page, its data pages and a metadata page for every 256 of them (and one more),
    so a store as large as the origin cannot hold a full rewrite.
    """

    def __init__(self, name: str, origin: LogicalVolume, area: Area, uuid: str = "") -> None:
        super().__init__(name, origin.size // CHUNK, uuid)
        self.origin: LogicalVolume = origin
        self.area = area
        self.invalid = False
        self._copies: dict[int, tuple[int, Chunk]] = {}
        self._pages = 0

    @property
    def listed_size(self) -> int:
        return self.area.count * CHUNK

    @property
    def used(self) -> int:
        """Bytes of the store in use: all of them once the snapshot is invalid."""
        return self.listed_size if self.invalid else _store_pages(self._pages) * PAGE

    @property
    def percent_used(self) -> float:
        """What lvs shows as Data%: nothing as long as no page was copied, everything once it is invalid."""
        return 100 * self.used / self.listed_size if self._pages or self.invalid else 0.0

    def load(self, number: int) -> Chunk:
        self._check()
        mask, pages = self._copies.get(number, (0, EMPTY))
        if mask == ALL_PAGES:
            return pages
        below = self.origin.load(number)
        return {**_outside(below, mask), **pages} if mask else below

    def occupied(self, first: int, last: int) -> Iterable[int]:
        own = (number for number, (_, pages) in self._copies.items() if pages and first <= number < last)
        return sorted({*self.origin.occupied(first, last), *own})

    def allocate(self, first: int, last: int) -> None:
        self._check()
        self.preserve_all(first, last)
        self._check()

    def preserve(self, number: int, old: Chunk, mask: int) -> None:
        """Keep those pages of `old` that the mask names and the store does not have."""
        have, pages = self._copies.get(number, (0, EMPTY))
        missing = mask & ~have
        if self.invalid or not missing or not self._grow(missing.bit_count()):
            return
        kept = old if missing == ALL_PAGES else {**pages, **_inside(old, missing)}
        self._copies[number] = (have | mask, kept)

    def preserve_all(self, first: int, last: int) -> None:
        """Keep what chunks first <= n < last hold now: somebody writes zeros over zeros there."""
        known = sum(1 for number in self._copies if first <= number < last)
        if _store_pages(self._pages + (last - first - known) * PAGES_PER_CHUNK) > self._room:
            self._invalidate()
        for number in range(first, last) if not self.invalid else ():
            self.preserve(number, self.origin.load(number), ALL_PAGES)

    def merge(self) -> None:
        """Write the store back into the origin. Its other snapshots keep what they show."""
        for number, (mask, pages) in self._copies.items():
            chunk = {**_outside(self.origin.load(number), mask), **pages}
            self.origin._write(number, chunk, mask)

    def clear_store(self) -> None:
        """What zeros written over the store's own device do: every page in the store reads zero."""
        self._copies = {number: (mask, EMPTY) for number, (mask, _) in self._copies.items()}
        for number in self.area.occupied(0, self.area.count):
            disk, extent = self.area.locate(number)
            disk.put(extent, EMPTY)

    def release(self) -> None:
        """Give the extents of the store back, with the copied pages still in them."""
        self._leave_copies()
        self.area.release()

    @property
    def _room(self) -> int:
        return self.area.count * PAGES_PER_CHUNK

    def _check(self) -> None:
        if self.invalid:
            raise StorageError(f"Input/output error: snapshot {self.name} is invalid, its store was full")

    def _grow(self, pages: int) -> bool:
        """Account for more data pages; False if they do not fit, which makes the snapshot invalid."""
        if _store_pages(self._pages + pages) > self._room:
            self._invalidate()
            return False
        self._pages += pages
        return True

    def _invalidate(self) -> None:
        self._leave_copies()
        self.invalid = True
        self._copies.clear()

    def _write(self, number: int, chunk: Chunk, mask: int) -> None:
        self._check()
        self._check_writable()
        if number * CHUNK >= self.size:
            raise NoSpace
        have, _ = self._copies.get(number, (0, EMPTY))
        if not self._grow((mask & ~have).bit_count()):
            self._check()
        self._copies[number] = (have | mask, _inside(chunk, have | mask))

    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        self._write(number, chunk, mask)

    def _leave_copies(self) -> None:
        """Put the copied pages where the store had them on disk, so that the extents' next owner sees them."""
        written: dict[int, dict[int, bytes]] = {}
        position = 0
        for mask, pages in self._copies.values():
            for index in sorted(pages):
                rank = position + (mask & ((1 << index) - 1)).bit_count()
                number, inside = divmod(2 + rank + rank // EXCEPTIONS_PER_PAGE, PAGES_PER_CHUNK)
                written.setdefault(number, {})[inside] = pages[index]
            position += mask.bit_count()
        for number, pages_written in written.items():
            disk, extent = self.area.locate(number)
            disk.put(extent, {**disk.get(extent), **pages_written})


def _store_pages(data_pages: int) -> int:
    """Pages of a store that holds so many data pages."""
    return 1 + data_pages + data_pages // EXCEPTIONS_PER_PAGE + 1


def store_extents_max(origin_extents: int) -> int:
    """The most extents that a store can ever use: lvm2 makes none larger."""
    return -(-(_store_pages(origin_extents * PAGES_PER_CHUNK) + 1) // PAGES_PER_CHUNK)


def _inside(chunk: Chunk, mask: int) -> Chunk:
    if mask == ALL_PAGES:
        return chunk
    return {index: page for index, page in chunk.items() if mask >> index & 1}


def _outside(chunk: Chunk, mask: int) -> Chunk:
    return {index: page for index, page in chunk.items() if not mask >> index & 1}
