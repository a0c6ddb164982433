"""Where extents are: runs of equal numbers, physical volumes, and which extents an allocation takes.

Nothing here ever lists the extents of a volume one by one: a volume of 1 TiB is one run.
"""

from __future__ import annotations

import hashlib
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from fake_backends.block_store import CHUNK, EMPTY, Chunk, chunks_between, patched

PV_METADATA = 1 << 20
"""Bytes at the start of a physical volume that lvm2 keeps for itself."""
_UUID_LETTERS = string.digits + string.ascii_letters


class Run(NamedTuple):
    """Numbers first <= n < last that all have the same tag."""

    first: int
    last: int
    tag: int


class Runs:
    """A sparse map from numbers to tags, kept as disjoint runs in ascending order."""

    def __init__(self, runs: Sequence[Run] = ()) -> None:
        self._runs = list(runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def copy(self) -> Runs:
        """An independent map with the same content."""
        return Runs(self._runs)

    def tag(self, number: int) -> int | None:
        """The number's tag, or None."""
        index = bisect_right(self._runs, number, key=_first) - 1
        if index >= 0 and number < self._runs[index].last:
            return self._runs[index].tag
        return None

    def assign(self, first: int, last: int, tag: int | None) -> None:
        """Give first <= n < last this tag; None takes their tags away."""
        low = max(0, bisect_left(self._runs, first, key=_first) - 1)
        high = bisect_right(self._runs, last, key=_first)
        pieces: list[Run] = []
        for run in self._runs[low:high]:
            if run.first < first:
                pieces.append(Run(run.first, min(run.last, first), run.tag))
        if tag is not None:
            pieces.append(Run(first, last, tag))
        for run in self._runs[low:high]:
            if run.last > last:
                pieces.append(Run(max(run.first, last), run.last, run.tag))
        self._runs[low:high] = _joined(pieces)

    def between(self, first: int, last: int) -> Iterator[Run]:
        """The parts of the runs that lie in first <= n < last, ascending."""
        for run in self._runs[max(0, bisect_right(self._runs, first, key=_first) - 1) :]:
            if run.first >= last:
                return
            if run.last > first:
                yield Run(max(first, run.first), min(last, run.last), run.tag)

    def gaps(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of first <= n < last that have no tag."""
        found: list[tuple[int, int]] = []
        position = first
        for run in self.between(first, last):
            if run.first > position:
                found.append((position, run.first))
            position = run.last
        if position < last:
            found.append((position, last))
        return found


def _first(run: Run) -> int:
    return run.first


def _joined(pieces: Sequence[Run]) -> list[Run]:
    joined: list[Run] = []
    for piece in pieces:
        if joined and joined[-1].last == piece.first and joined[-1].tag == piece.tag:
            joined[-1] = Run(joined[-1].first, piece.last, piece.tag)
        else:
            joined.append(piece)
    return joined


class PhysicalVolume:
    """A disk that belongs to a volume group, or is ready to. `contents` is what was last written, by anyone.

    Extents are counted from the first one behind lvm2's metadata, in units of 4 MiB: an extent of 32 MiB is
    eight of them. `name` is the path of the device. Only `get`, `put`, `patch` and `occupied` touch `contents`.
    """

    def __init__(self, size: int, name: str = "", uuid: str = "") -> None:
        self.size = size
        self.name = name
        self.uuid = uuid or lvm_uuid("pv", name, str(size))
        self.labelled = False
        """Whether lvm2 has made the disk a physical volume."""
        self.tags: list[str] = []
        self.contents: dict[int, Chunk] = {}
        self.extent_count = 0
        self.free = Runs()
        self.format(CHUNK)

    def initialize(self) -> None:
        """Become a physical volume, which belongs to no group (``pvcreate``)."""
        self.labelled = True

    def format(self, extent_size: int) -> None:
        """Cut into free extents of that many bytes. What was written stays."""
        self.extent_count = self.usable(extent_size) // CHUNK
        self.free = Runs([Run(0, self.extent_count, 0)] if self.extent_count else [])

    def grow(self, extent_size: int) -> None:
        """Make what the disk has gained in size usable; it must not have shrunk."""
        before, self.extent_count = self.extent_count, self.usable(extent_size) // CHUNK
        if self.extent_count > before:
            self.free.assign(before, self.extent_count, 0)

    def follow_size(self) -> None:
        """Keep the size where the disk says what it is. A group does that after its own metadata."""

    def usable(self, extent_size: int) -> int:
        """Bytes in whole extents of that size."""
        return max(0, self.size - PV_METADATA) // extent_size * extent_size

    @property
    def free_extents(self) -> int:
        """How many extents belong to no logical volume."""
        return sum(run.last - run.first for run in self.free)

    def close(self) -> None:
        """Let go of what the disk is kept in. Closing twice is nothing."""

    def get(self, extent: int) -> Chunk:
        """What an extent holds."""
        return self.contents.get(extent, EMPTY)

    def put(self, extent: int, chunk: Chunk) -> None:
        """Write a whole extent."""
        if chunk:
            self.contents[extent] = chunk
        else:
            self.contents.pop(extent, None)

    def patch(self, extent: int, start: int, data: bytes) -> None:
        """Write inside an extent, from its byte `start` on."""
        self.put(extent, patched(self.get(extent), start, data))

    def occupied(self, first: int, last: int) -> list[int]:
        """Extents first <= n < last that hold something, ascending."""
        return chunks_between(self.contents, first, last)


@lru_cache(maxsize=1024)
def lvm_uuid(*parts: str) -> str:
    """An identifier in lvm2's form (6-4-4-4-4-4-6 letters and digits) that follows from `parts` alone."""
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest())
    letters = []
    for _ in range(32):
        number, index = divmod(number, len(_UUID_LETTERS))
        letters.append(_UUID_LETTERS[index])
    text = "".join(letters)
    return "-".join((text[:6], *(text[at : at + 4] for at in range(6, 26, 4)), text[26:]))


class Segment(NamedTuple):
    """Logical extents from `first` on lie on `disk` from extent `start` on, `length` of them."""

    first: int
    length: int
    disk: PhysicalVolume
    start: int


class Area:
    """The extents of one logical volume, in logical order, as few segments."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._firsts: list[int] = []

    @property
    def count(self) -> int:
        """Extents in all segments."""
        return self.segments[-1].first + self.segments[-1].length if self.segments else 0

    def locate(self, number: int) -> tuple[PhysicalVolume, int]:
        """Disk and extent of a logical extent."""
        segment = self.segments[bisect_right(self._firsts, number) - 1]
        return segment.disk, segment.start + number - segment.first

    def occupied(self, first: int, last: int) -> list[int]:
        """Logical extents first <= n < last that hold something, ascending."""
        found: list[int] = []
        for segment in self.segments:
            low = max(first, segment.first) - segment.first + segment.start
            high = min(last, segment.first + segment.length) - segment.first + segment.start
            shift = segment.first - segment.start
            found.extend(extent + shift for extent in segment.disk.occupied(low, high))
        return found

    def append(self, disk: PhysicalVolume, start: int, count: int) -> None:
        """Grow by extents of a disk, which are taken out of its free ones."""
        disk.free.assign(start, start + count, None)
        first = self.count
        if self.segments:
            tail = self.segments[-1]
            if tail.disk is disk and tail.start + tail.length == start:
                self.segments[-1] = tail._replace(length=tail.length + count)
                return
        self.segments.append(Segment(first, count, disk, start))
        self._firsts.append(first)

    def release(self) -> None:
        """Give all extents back. What is in them stays."""
        for segment in self.segments:
            segment.disk.free.assign(segment.start, segment.start + segment.length, 0)
        self.segments.clear()
        self._firsts.clear()


def allocate(disks: Sequence[PhysicalVolume], area: Area, count: int) -> None:
    """Grow an area by `count` extents, which must be free.

    First choice: right behind its last extent. Second: the first free run that is long enough, disk by
    disk. Otherwise pieces, the longest first wherever it is (lvm2's policies contiguous, cling and normal).
    """
    if area.segments:
        tail = area.segments[-1]
        behind = tail.start + tail.length
        if not _taken(tail.disk, behind, count):
            area.append(tail.disk, behind, count)
            return
    for disk in disks:
        for run in disk.free:
            if run.last - run.first >= count:
                area.append(disk, run.first, count)
                return
    pieces = [(run.first - run.last, index, run) for index, disk in enumerate(disks) for run in disk.free]
    for _, index, run in sorted(pieces):
        taken = min(count, run.last - run.first)
        area.append(disks[index], run.first, taken)
        count -= taken
        if not count:
            return


def _taken(disk: PhysicalVolume, start: int, count: int) -> bool:
    return bool(disk.free.gaps(start, start + count))
