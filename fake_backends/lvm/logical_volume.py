"""Logical volumes: linear ones, thick snapshots with a copy-on-write store, and open handles on them.

A write to a volume that has thick snapshots first copies the old content into each snapshot's store, in
pages of 4 KiB, as dm-snapshot does. A store that is full makes its snapshot invalid for ever: reads and
writes of it fail with EIO, while the origin goes on.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Iterable
from typing import NoReturn

from fake_backends.block_store import (
    CHUNK,
    DD_BLOCK,
    PAGE,
    PAGES_PER_BLOCK,
    PAGES_PER_CHUNK,
    BlockDevice,
    Chunk,
    StoredChunk,
    chunks_between,
    patched,
)
from fake_backends.lvm.copy_store import ALL_PAGES, CopyStore, inside, outside
from fake_backends.lvm.extents import Area
from fake_backends.lvm.on_disk.exception_store import pages_taken
from harness.errors import NoSpace, NotFound, StorageError


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

    def store_blocks(self, number: int, chunk: Chunk, blocks: set[int]) -> None:
        self._open().store_blocks(number, chunk, blocks)

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

    def stand_in_for(self, other: LogicalVolume) -> None:
        """Take the place of the same volume in another form: who has that open has this open."""
        self.active = other.active
        self.openers, other.openers = other.openers, []
        for handle in self.openers:
            handle.volume, handle.size = self, self.size

    def resize(self, extents: int) -> None:
        """Change the size of the device, and of every open handle on it."""
        self.size = extents * CHUNK
        for handle in self.openers:
            handle.size = self.size

    def store(self, number: int, chunk: Chunk) -> None:
        self._write(number, chunk, ALL_PAGES)

    def store_blocks(self, number: int, chunk: Chunk, blocks: set[int]) -> None:
        pages = (1 << PAGES_PER_BLOCK) - 1
        mask = sum(pages << block * PAGES_PER_BLOCK for block in blocks)
        self._preserve(number, mask)
        self._put_blocks(number, chunk, blocks, mask)

    def patch(self, number: int, start: int, data: bytes) -> None:
        first, last = start // PAGE, -(-(start + len(data)) // PAGE)
        self._patch(number, start, data, (1 << last) - (1 << first))

    def allocate(self, first: int, last: int) -> None:
        for snapshot in self.snapshots:
            snapshot.preserve_all(first, last)

    def _write(self, number: int, chunk: Chunk, mask: int) -> None:
        """Write the pages of `mask`; `chunk` is the whole chunk as it is afterwards."""
        self._preserve(number, mask)
        self._put(number, chunk, mask)

    def _preserve(self, number: int, mask: int) -> None:
        """Let the snapshots keep what a write is about to change."""
        if self.read_only or number * CHUNK >= self.size:
            self._refuse_write()
        if self.snapshots:
            old = self.load(number)
            for snapshot in self.snapshots:
                snapshot.preserve(number, old, mask)

    def _patch(self, number: int, start: int, data: bytes, mask: int) -> None:
        """Write `data`, which touches the pages of `mask`."""
        self._write(number, patched(self.load(number), start, data), mask)

    def _refuse_write(self) -> NoReturn:
        """To a device that must not be written, or behind the end of one."""
        if self.read_only:
            raise StorageError(f"Operation not permitted: {self.name} is read-only", errno=errno.EPERM)
        raise NoSpace

    def _put_blocks(self, number: int, chunk: Chunk, blocks: set[int], mask: int) -> None:
        """Store some blocks of `chunk`, whose pages `mask` names."""
        self._put(number, chunk, mask)

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

    def _patch(self, number: int, start: int, data: bytes, mask: int) -> None:
        self._preserve(number, mask)
        disk, extent = self.area.locate(number)
        disk.patch(extent, start, data)

    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        disk, extent = self.area.locate(number)
        disk.put(extent, chunk)

    def _put_blocks(self, number: int, chunk: Chunk, blocks: set[int], mask: int) -> None:
        disk, extent = self.area.locate(number)
        if isinstance(chunk, StoredChunk):
            for block in sorted(blocks):
                disk.patch(extent, block * DD_BLOCK, chunk.block(block))
        else:
            disk.put(extent, {**outside(disk.get(extent), mask), **inside(chunk, mask)})


class ThickSnapshot(LogicalVolume):
    """The origin as it was, but for the pages in the copy-on-write store, which were preserved or written.

    The store takes a header page, its data pages and a metadata page for every 256 of them (and one more),
    so a store as large as the origin cannot hold a full rewrite.
    """

    def __init__(self, name: str, origin: LogicalVolume, store: CopyStore, uuid: str = "") -> None:
        super().__init__(name, origin.size // CHUNK, uuid)
        self.origin: LogicalVolume = origin
        self.area = store.area
        self.copies = store
        self.invalid = False

    @property
    def listed_size(self) -> int:
        return self.area.count * CHUNK

    @property
    def used(self) -> int:
        """Bytes of the store in use: all of them once the snapshot is invalid."""
        return self.listed_size if self.invalid else pages_taken(self.copies.count) * PAGE

    @property
    def percent_used(self) -> float:
        """What lvs shows as Data%: nothing as long as no page was copied, everything once it is invalid."""
        return 100 * self.used / self.listed_size if self.copies.count or self.invalid else 0.0

    def load(self, number: int) -> Chunk:
        self._check()
        mask = self.copies.mask(number)
        if mask == ALL_PAGES:
            return self.copies.load(number)
        below = self.origin.load(number)
        return {**outside(below, mask), **self.copies.load(number)} if mask else below

    def occupied(self, first: int, last: int) -> Iterable[int]:
        own = chunks_between(self.copies.numbers(), first, last)
        return sorted({*self.origin.occupied(first, last), *own})

    def allocate(self, first: int, last: int) -> None:
        self._check()
        self.preserve_all(first, last)
        self._check()

    def preserve(self, number: int, old: Chunk, mask: int) -> None:
        """Keep those pages of `old` that the mask names and the store does not have."""
        missing = mask & ~self.copies.mask(number)
        if not self.invalid and missing and self._has_room(missing.bit_count()):
            self.copies.put(number, missing, old)

    def preserve_all(self, first: int, last: int) -> None:
        """Keep what chunks first <= n < last hold now: somebody writes zeros over zeros there."""
        known = sum(1 for number in self.copies.numbers() if first <= number < last)
        if self._has_room((last - first - known) * PAGES_PER_CHUNK):
            for number in range(first, last):
                self.preserve(number, self.origin.load(number), ALL_PAGES)

    def merge(self) -> None:
        """Write the store back into the origin. Its other snapshots keep what they show."""
        for number in self.copies.numbers():
            mask = self.copies.mask(number)
            chunk = {**outside(self.origin.load(number), mask), **self.copies.load(number)}
            self.origin._write(number, chunk, mask)

    def clear_store(self) -> None:
        """What zeros written over the store's own device do: every page in the store reads zero."""
        self.copies.clear()

    def release(self) -> None:
        """Give the extents of the store back, with the copied pages still in them."""
        self.copies.abandon()
        self.area.release()

    def _check(self) -> None:
        if self.invalid:
            raise StorageError(f"Input/output error: snapshot {self.name} is invalid, its store was full")

    def _has_room(self, pages: int) -> bool:
        """Whether so many more copies fit; if they do not, the snapshot becomes invalid."""
        if not self.invalid and pages_taken(self.copies.count + pages) > self.area.count * PAGES_PER_CHUNK:
            self.invalid = True
            self.copies.abandon(invalid=True)
        return not self.invalid

    def _write(self, number: int, chunk: Chunk, mask: int) -> None:
        self._check()
        if self.read_only or number * CHUNK >= self.size:
            self._refuse_write()
        if not self._has_room((mask & ~self.copies.mask(number)).bit_count()):
            self._check()
        self.copies.put(number, mask, chunk)

    def _put(self, number: int, chunk: Chunk, mask: int) -> None:
        self._write(number, chunk, mask)


def store_extents_max(origin_extents: int) -> int:
    """The most extents that a store can ever use: lvm2 makes none larger."""
    return -(-(pages_taken(origin_extents * PAGES_PER_CHUNK) + 1) // PAGES_PER_CHUNK)
