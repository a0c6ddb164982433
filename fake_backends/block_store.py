"""Block devices of real size and sparse cost.

A device is a row of 4 MiB *chunks*: the size of an LVM physical extent and of an RBD object. A chunk
holds only its non-zero 4 KiB *pages*, as an immutable mapping from page number to bytes, so time and memory
follow the bytes written, never the size, and a copy or a snapshot shares chunks instead of copying them.

A device has three primitives (`load`, `store`, `occupied`); reading, writing and copying are built on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from harness.errors import InvalidArgument, NoSpace

PAGE = 4096
CHUNK = 4 << 20
PAGES_PER_CHUNK = CHUNK // PAGE
DD_BLOCK = 1 << 20
"""dd's block size in a volume copy (`volume_dd_blocksize`): what ``conv=sparse`` skips as a whole."""
PAGES_PER_BLOCK = DD_BLOCK // PAGE
BLOCKS_PER_CHUNK = CHUNK // DD_BLOCK

Chunk: TypeAlias = Mapping[int, bytes]
EMPTY: Chunk = MappingProxyType({})
_ZERO_PAGE = bytes(PAGE)
_ZERO_BLOCK = bytes(DD_BLOCK)
ZERO_CHUNK = bytes(CHUNK)
"""What every reader of an empty chunk gets: comparing it with itself, or copying it whole, costs nothing."""


class StoredChunk(Mapping[int, bytes]):
    """A chunk that lies somewhere as a row of bytes, so that larger parts cost less than their pages."""

    __slots__ = ()

    @abstractmethod
    def written_blocks(self) -> set[int]:
        """Numbers of its blocks (of `DD_BLOCK` bytes) that are not all zero."""

    @abstractmethod
    def block(self, number: int) -> bytes:
        """All bytes of a block."""


class BlockDevice(ABC):
    """`size` bytes, addressed from 0. Reads end at the end of the device, as on a real one."""

    size: int

    @abstractmethod
    def load(self, number: int) -> Chunk:
        """The non-zero pages of a chunk. The caller must not change the mapping."""

    @abstractmethod
    def store(self, number: int, chunk: Chunk) -> None:
        """Write a whole chunk: pages that are absent become zero, and space is allocated for all.

        The device may keep the mapping itself. NoSpace if there is none left.
        """

    @abstractmethod
    def occupied(self, first: int, last: int) -> Iterable[int]:
        """Numbers n of chunks with first <= n < last that may hold non-zero pages, ascending."""

    def store_blocks(self, number: int, chunk: Chunk, blocks: set[int]) -> None:
        """Write some blocks (of `DD_BLOCK` bytes) of a chunk; the other ones keep what they hold."""
        kept = {
            index: page for index, page in self.load(number).items() if index // PAGES_PER_BLOCK not in blocks
        }
        new = {index: page for index, page in chunk.items() if index // PAGES_PER_BLOCK in blocks}
        self.store(number, kept | new)

    def allocate(self, first: int, last: int) -> None:  # noqa: B027 - a plain device has no accounts
        """Account for chunks first <= n < last as written with zeros where they hold nothing.

        NoSpace if there is not enough for all; `written` then counts the bytes of those that were allocated.
        """

    def open_truncated(self, length: int) -> None:  # noqa: B027 - a device cannot be cut
        """Be opened with O_TRUNC, as dd and ``open(path, "wb")`` do, for `length` bytes that will be written.

        A file is emptied, and ends up with that length; a device stays as it is.
        """

    @property
    def chunk_count(self) -> int:
        """Chunks in the device; the last one may be partial."""
        return -(-self.size // CHUNK)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: fewer at the end of the device, none behind it."""
        if offset < 0 or length < 0:
            raise InvalidArgument(f"read of {length} bytes at {offset}")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // PAGE, -(-end // PAGE)
        pieces: list[bytes] = []
        page = first
        while page < last:
            number, index = divmod(page, PAGES_PER_CHUNK)
            chunk = self.load(number)
            count = min(PAGES_PER_CHUNK - index, last - page)
            if chunk:
                pieces += [chunk.get(each, _ZERO_PAGE) for each in range(index, index + count)]
            else:
                pieces.append(ZERO_CHUNK[: count * PAGE])
            page += count
        data = b"".join(pieces)
        skip = offset - first * PAGE
        return data if skip == 0 and len(data) == end - offset else data[skip : skip + end - offset]

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`. What does not fit raises NoSpace, after the part that fits was written."""
        if offset < 0:
            raise InvalidArgument(f"write at {offset}")
        fitting = max(0, min(len(data), self.size - offset))
        position = 0
        while position < fitting:
            number, start = divmod(offset + position, CHUNK)
            count = min(CHUNK - start, fitting - position)
            try:
                self.patch(number, start, data[position : position + count])
            except NoSpace as error:
                error.written += position
                raise
            position += count
        if fitting < len(data):
            raise NoSpace(written=fitting)

    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside one chunk. Devices that account for space in less than a chunk override this."""
        self.store(number, patched(self.load(number), start, data))


def is_zero(data: bytes) -> bool:
    """True if all bytes are zero. Most blocks and chunks of a copy are: they cost one comparison."""
    known = {DD_BLOCK: _ZERO_BLOCK, CHUNK: ZERO_CHUNK}
    return data == (known.get(len(data)) or bytes(len(data)))


class _Layers(Mapping[int, bytes]):
    """Two chunks, of which the one above wins."""

    __slots__ = ("_above", "_below")

    def __init__(self, below: Chunk, above: Chunk) -> None:
        self._below, self._above = below, above

    def __getitem__(self, page: int) -> bytes:
        return self._above[page] if page in self._above else self._below[page]

    def __iter__(self) -> Iterator[int]:
        return iter({**dict.fromkeys(self._below), **dict.fromkeys(self._above)})

    def __len__(self) -> int:
        return len(set(self._below) | set(self._above))


def _outside(chunk: Chunk, first: int, last: int) -> Chunk:
    return {index: page for index, page in chunk.items() if not first <= index < last} if chunk else EMPTY


def replaced(chunk: Chunk, first: int, count: int, pages: Chunk) -> Chunk:
    """A chunk of which `count` pages from page `first` on are those in `pages`, or zero.

    Pages that are made only when they are read stay unread.
    """
    kept = _outside(chunk, first, first + count)
    if not kept:
        return pages
    return {**kept, **pages} if isinstance(pages, dict) else _Layers(kept, pages)


def patched(chunk: Chunk, start: int, data: bytes) -> Chunk:
    """A chunk with `data` written at byte `start`; pages that become zero are dropped."""
    if not (start % PAGE or len(data) % PAGE) and is_zero(data):
        return _outside(chunk, start // PAGE, (start + len(data)) // PAGE)
    pages = dict(chunk)
    position = 0
    while position < len(data):
        index, inside = divmod(start + position, PAGE)
        count = min(PAGE - inside, len(data) - position)
        if count == PAGE:
            page = bytes(data[position : position + PAGE])
        else:
            old = pages.get(index, _ZERO_PAGE)
            page = old[:inside] + data[position : position + count] + old[inside + count :]
        if page == _ZERO_PAGE:
            pages.pop(index, None)
        else:
            pages[index] = page
        position += count
    return pages


class MemoryDevice(BlockDevice):
    """A plain device in memory: unwritten pages read zero."""

    def __init__(self, size: int, chunks: Mapping[int, Chunk] | None = None) -> None:
        self.size = size
        self.chunks: dict[int, Chunk] = dict(chunks or {})

    def load(self, number: int) -> Chunk:
        return self.chunks.get(number, EMPTY)

    def store(self, number: int, chunk: Chunk) -> None:
        if number * CHUNK >= self.size:
            raise NoSpace
        if chunk:
            self.chunks[number] = chunk
        else:
            self.chunks.pop(number, None)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return chunks_between(self.chunks, first, last)


class RegularFile(BlockDevice):
    """A file, read and written as a device is. Unlike one it can be cut, and grows where it is written.

    `structure` is what a reader of an image format has learned of the content; it is void, and None again, as
    soon as somebody writes who does not know of it.
    """

    structure: object | None = None
    mode: int = 0o644
    """Permission bits."""

    @property
    @abstractmethod
    def allocated(self) -> int:
        """Bytes that the file takes of its file system."""

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Cut off at `size`, or grow to there by a hole."""

    def write(self, offset: int, data: bytes) -> None:
        if offset + len(data) > self.size:
            self.truncate(offset + len(data))
        super().write(offset, data)

    def replace(self, number: int, first: int, count: int, pages: Chunk) -> None:
        """Write `count` pages of a chunk from page `first` on; those that are not in `pages` become zero."""
        end = number * CHUNK + (first + count) * PAGE
        if end > self.size:
            self.truncate(end)
        self.store(number, replaced(self.load(number), first, count, pages))


class MemoryFile(MemoryDevice, RegularFile):
    """A file in memory, of a file system that has room for all."""

    @property
    def allocated(self) -> int:
        return sum(len(chunk) for chunk in self.chunks.values()) * PAGE

    def store(self, number: int, chunk: Chunk) -> None:
        super().store(number, chunk)
        self.structure = None

    def truncate(self, size: int) -> None:
        if size < self.size:
            last, inside = divmod(size, CHUNK)
            for number in [number for number in self.chunks if number > last]:
                del self.chunks[number]
            if last in self.chunks:
                self.store(last, patched(self.load(last), inside, bytes(CHUNK - inside)))
        self.size = size
        self.structure = None

    def open_truncated(self, length: int) -> None:
        self.truncate(0)
        self.truncate(length)


def chunks_between(numbers: Collection[int], first: int, last: int) -> list[int]:
    """The members of first <= n < last, ascending."""
    if last - first < len(numbers):
        return [number for number in range(first, last) if number in numbers]
    return sorted([number for number in numbers if first <= number < last])


def copy_range(
    source: BlockDevice, destination: BlockDevice, first: int, last: int, *, sparse: bool = False
) -> None:
    """Copy chunks first <= n < last; what lies behind the source's end is not touched.

    `sparse` skips blocks of 1 MiB that are all zero in the source, as dd's ``conv=sparse`` does: on a
    destination whose unwritten blocks are not zero, that leaves the old bytes in place. Otherwise every
    byte is written, and all of the range is allocated. NoSpace where the destination ends first;
    `written` then counts the bytes of the range that were written.
    """
    last = min(last, source.chunk_count)
    if first >= last:
        return
    whole = min(last, destination.size // CHUNK)
    numbers = set(source.occupied(first, whole))
    if not sparse:
        numbers.update(destination.occupied(first, whole))
    complete = 0 if sparse else source.size // CHUNK
    done = first
    try:
        for number in sorted(numbers):
            if not sparse and done < number:
                destination.allocate(done, number)
            done = number
            if number < complete:
                destination.store(number, source.load(number))
            else:
                _copy_chunk(source, destination, number, sparse)
            done = number + 1
        if not sparse and done < whole:
            destination.allocate(done, whole)
        if first <= whole < last and destination.size > whole * CHUNK:
            done = whole
            _copy_chunk(source, destination, whole, sparse)
    except NoSpace as error:
        error.written += (done - first) * CHUNK
        raise
    if destination.size < min(source.size, last * CHUNK):
        raise NoSpace(written=max(0, destination.size - first * CHUNK))


def _copy_chunk(source: BlockDevice, destination: BlockDevice, number: int, sparse: bool) -> None:
    """Copy what the source has of a chunk and the destination has room for; keep what lies behind that."""
    end = (number + 1) * CHUNK
    needed = min(source.size - end + CHUNK, CHUNK)
    room = min(destination.size - end + CHUNK, CHUNK)
    length = min(needed, room)
    new = source.load(number)
    written = _written_blocks(new) if sparse else set(range(BLOCKS_PER_CHUNK))
    if length == CHUNK:
        if len(written) == BLOCKS_PER_CHUNK:
            destination.store(number, new)
        elif written:
            destination.store_blocks(number, new, written)
        return
    if sparse:
        if needed > room and room % DD_BLOCK:
            # dd cannot seek over a block that crosses the end of the device, and falls back to writing.
            written.add(room // DD_BLOCK)
        if not written:
            return
    kept = {
        index: page
        for index, page in destination.load(number).items()
        if index * PAGE >= length or index // PAGES_PER_BLOCK not in written
    }
    if kept or length < needed:
        new = kept | {index: page for index, page in new.items() if index * PAGE < length}
    destination.store(number, new)


def _written_blocks(chunk: Chunk) -> set[int]:
    """Numbers of the blocks of a chunk that are not all zero."""
    if isinstance(chunk, StoredChunk):
        return chunk.written_blocks()
    return {index // PAGES_PER_BLOCK for index in chunk}
