"""Physical volumes in sparse files, and the extents of an area as one row of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fake_backends.block_store import CHUNK, EMPTY, PAGE, Chunk
from fake_backends.files.chunks import ChunkFile, FileChunk
from fake_backends.files.directory import SparseFile
from fake_backends.lvm.extents import PV_METADATA, Area, PhysicalVolume, lvm_uuid
from fake_backends.lvm.on_disk.label import SECTOR, Label, write_label
from fake_backends.lvm.on_disk.metadata_area import MetadataArea
from harness.errors import Unreadable

_ZERO_PAGE = bytes(PAGE)


class FileDisk(PhysicalVolume):
    """A disk in a file; with a label it is a physical volume, whose extents begin at 1 MiB.

    It must be the only writer of the file. Unreadable if the label says that the data lies elsewhere.
    """

    def __init__(self, file: SparseFile, name: str, label: Label | None = None) -> None:
        self._label = label or _new_label(name, file.size)
        if self._label.data_areas[0][0] != PV_METADATA:
            raise Unreadable(f"has its data at byte {self._label.data_areas[0][0]}; known is {PV_METADATA}")
        super().__init__(self._label.device_size if label else file.size, name, self._label.uuid)
        self.labelled = label is not None
        self._file = file
        self._chunks = ChunkFile(file, PV_METADATA)
        self.metadata_area = MetadataArea(file, *self._label.metadata_areas[0])
        self.damaged = False
        """Whether the metadata area could not be read."""

    def initialize(self) -> None:
        """Become a physical volume: an empty metadata area first, and then the label that leads to it."""
        if not self.labelled:
            self.metadata_area.format()
            self._write_label(used=False)
        super().initialize()

    def join_group(self) -> None:
        """Say that the volume belongs to a group, before that is true."""
        self._write_label(used=True)

    def leave_group(self) -> None:
        """Say that it belongs to none, after its metadata area was emptied."""
        self._write_label(used=False)

    def grow(self, extent_size: int) -> None:
        """Make usable what the file has gained."""
        self.size = max(self.size, self._file.size // SECTOR * SECTOR)
        super().grow(extent_size)

    def close(self) -> None:
        self._file.close()

    def get(self, extent: int) -> Chunk:
        return self._chunks.load(extent)

    def put(self, extent: int, chunk: Chunk) -> None:
        self._chunks.store(extent, chunk)

    def patch(self, extent: int, start: int, data: bytes) -> None:
        self._chunks.patch(extent, start, data)

    def occupied(self, first: int, last: int) -> list[int]:
        return self._chunks.occupied(first, last)

    @property
    def file_size(self) -> int:
        """Bytes in the file."""
        return self._file.size

    def read(self, extent: int, start: int, length: int) -> bytes:
        """Bytes inside an extent."""
        return self._file.read(self._at(extent, start), length).ljust(length, b"\0")

    def lend(self, extent: int, start: int) -> Chunk:
        """CHUNK bytes from inside an extent on."""
        return self._chunks.lend(extent, start) if self.occupied(extent, extent + 2) else EMPTY

    def copied(self, extent: int, start: int, chunk: FileChunk, first: int, last: int) -> bool:
        """Write a part of a chunk inside an extent, from file to file; False if it is in memory."""
        return self._chunks.copied(extent, start, chunk, first, last)

    def punch(self, extent: int, start: int, length: int) -> None:
        """Let bytes inside an extent read zero."""
        self._chunks.punch(extent, start, start + length)

    def data_ranges(self, extent: int, start: int, length: int) -> list[tuple[int, int]]:
        """Ranges of bytes inside an extent that may hold something."""
        if not self.occupied(extent, extent + 1):
            return []
        low, zero = self._at(extent, start), self._at(extent, 0)
        return [(first - zero, last - zero) for first, last in self._file.data_ranges(low, low + length)]

    def prepare(self) -> None:
        """Be ready for a change: as large as the group says, and with a metadata area that can be written.

        One that is damaged becomes empty: another disk has what it held.
        """
        if self._file.size < self.size:
            self._file.truncate(self.size)
        if self.damaged:
            self.metadata_area.format()
            self.damaged = False

    def follow_size(self) -> None:
        if self.size // SECTOR * SECTOR != self._label.device_size:
            self._write_label(used=self._label.used)

    def _write_label(self, *, used: bool) -> None:
        self._label = replace(self._label, device_size=self.size // SECTOR * SECTOR, used=used)
        write_label(self._file, self._label)

    @staticmethod
    def _at(extent: int, start: int) -> int:
        return PV_METADATA + extent * CHUNK + start


def _new_label(name: str, size: int) -> Label:
    return Label(lvm_uuid("pv", name, str(size)), size // SECTOR * SECTOR, used=False)


class AreaBytes:
    """The extents of an area in files as a row of bytes (a `Medium`), which grows with the area."""

    def __init__(self, area: Area) -> None:
        self._area = area

    def read(self, offset: int, length: int) -> bytes:
        pieces = self._pieces(offset, offset + length)
        return b"".join(disk.read(extent, start, count) for disk, extent, start, count in pieces)

    def write(self, offset: int, data: bytes) -> None:
        position = 0
        for disk, extent, start, count in self._pieces(offset, offset + len(data)):
            disk.patch(extent, start, data[position : position + count])
            position += count

    def chunk(self, at: int) -> Chunk | None:
        """The CHUNK bytes from byte `at` on; None if they are in two places."""
        number, start = divmod(at, CHUNK)
        disk, extent = self._area.locate(number)
        assert isinstance(disk, FileDisk)
        if start == 0:
            return disk.get(extent)
        return disk.lend(extent, start) if self._area.locate(number + 1) == (disk, extent + 1) else None

    def copied(self, at: int, chunk: FileChunk, first: int, last: int) -> bool:
        """Write bytes first <= n < last of a chunk from byte `at` on, from file to file.

        False if they are in memory, and have to be written as pages.
        """
        for disk, extent, start, count in self._pieces(at, at + last - first):
            if not disk.copied(extent, start, chunk, first, first + count):
                return False
            first += count
        return True

    def clear(self, first: int, last: int) -> None:
        """Let bytes first <= n < last read zero."""
        for disk, extent, start, count in self._pieces(first, last):
            if disk.data_ranges(extent, start, count):
                disk.punch(extent, start, count)

    def data_ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges in first <= n < last that may hold other bytes than zero, ascending."""
        position = first
        for disk, extent, start, count in self._pieces(first, last):
            for low, high in disk.data_ranges(extent, start, count):
                yield position + low - start, position + high - start
            position += count

    def pages(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The pages in first <= n < last, both ends of pages, that are not zero: offset and content."""
        for low, high in self.data_ranges(first, last):
            low, high = low // PAGE * PAGE, -(-high // PAGE) * PAGE
            data = self.read(low, high - low)
            for offset in range(low, high, PAGE):
                page = data[offset - low : offset - low + PAGE]
                if page != _ZERO_PAGE:
                    yield offset, page

    def _pieces(self, first: int, last: int) -> Iterator[tuple[FileDisk, int, int, int]]:
        """The parts of a range, up to the end of the area: disk, extent, first byte in it, length."""
        last = min(last, self._area.count * CHUNK)
        while first < last:
            number, start = divmod(first, CHUNK)
            count = min(CHUNK - start, last - first)
            disk, extent = self._area.locate(number)
            assert isinstance(disk, FileDisk)
            yield disk, extent, start, count
            first += count
