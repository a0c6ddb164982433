"""Chunks that live in storage files: the join between `fake_backends.block_store` and a directory.

A chunk that is read from a file is a `FileChunk`: an immutable mapping, as every chunk, that looks into the
file when somebody looks into it. One that is only passed on, from a device to another, is copied from file to
file, by the kernel where the files are real, and its bytes never come to Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakValueDictionary

from fake_backends.block_store import (
    CHUNK,
    DD_BLOCK,
    EMPTY,
    PAGE,
    PAGES_PER_BLOCK,
    Chunk,
    StoredChunk,
    chunks_between,
    is_zero,
)
from fake_backends.files.directory import SparseFile

_ZERO_PAGE = bytes(PAGE)

OpenFile = Callable[[], AbstractContextManager[SparseFile]]


class FileChunk(StoredChunk):
    """The non-zero pages of CHUNK bytes of a file.

    Whoever changes or removes those bytes calls `settle` first: the chunk keeps what it showed.
    """

    __slots__ = ("__weakref__", "_open", "_pages", "_start")

    def __init__(self, open_file: OpenFile, start: int) -> None:
        self._open = open_file
        self._start = start
        self._pages: dict[int, bytes] | None = None

    def settle(self) -> dict[int, bytes]:
        """The pages, which from now on are in memory."""
        if self._pages is None:
            with self._open() as file:
                self._pages = read_pages(file, self._start)
        return self._pages

    def copied_to(self, file: SparseFile, at: int, first: int = 0, last: int = CHUNK) -> bool:
        """Copy bytes first <= n < last from file to file, zeros as holes; False if they are in memory."""
        if self._pages is not None:
            return False
        with self._open() as source:
            file.copy_from(source, self._start + first, self._start + last, at)
        return True

    def written_blocks(self) -> set[int]:
        if self._pages is not None:
            return {index // PAGES_PER_BLOCK for index in self._pages}
        found: set[int] = set()
        with self._open() as file:
            for low, high in file.data_ranges(self._start, self._start + CHUNK):
                blocks = range((low - self._start) // DD_BLOCK, -(-(high - self._start) // DD_BLOCK))
                found.update(block for block in blocks if _is_written(file, self._start + block * DD_BLOCK))
        return found

    def block(self, number: int) -> bytes:
        if self._pages is not None:
            first = number * PAGES_PER_BLOCK
            return b"".join(self._pages.get(first + step, _ZERO_PAGE) for step in range(PAGES_PER_BLOCK))
        with self._open() as file:
            return file.read(self._start + number * DD_BLOCK, DD_BLOCK).ljust(DD_BLOCK, b"\0")

    def __getitem__(self, index: int) -> bytes:
        return self.settle()[index]

    def get(self, index: int, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        return self.settle().get(index, default)

    def __contains__(self, index: object) -> bool:
        return index in self.settle()

    def __iter__(self) -> Iterator[int]:
        return iter(self.settle())

    def __len__(self) -> int:
        return len(self.settle())


class ChunkFile:
    """A row of chunks in a sparse file, from byte `start` on. It must be the only writer of that part."""

    def __init__(self, file: SparseFile, start: int = 0) -> None:
        self.file = file
        self.start = start
        self._lent: WeakValueDictionary[int, FileChunk] = WeakValueDictionary()
        self._occupied = {
            number
            for low, high in file.data_ranges(start, file.size)
            for number in range((low - start) // CHUNK, -(-(high - start) // CHUNK))
        }

    def load(self, number: int) -> Chunk:
        """The non-zero pages of a chunk, as they are now and will stay for whoever has the mapping."""
        return self.lend(number, 0) if number in self._occupied else EMPTY

    def lend(self, number: int, start: int) -> Chunk:
        """As `load`, CHUNK bytes that begin at byte `start` of a chunk, and may end in the next one."""
        at = self._at(number) + start
        chunk = self._lent.get(at)
        if chunk is None:
            chunk = self._lent[at] = FileChunk(lambda: nullcontext(self.file), at)
        return chunk

    def store(self, number: int, chunk: Chunk) -> None:
        """Write a whole chunk; absent pages become holes."""
        self._settle(number)
        held = number in self._occupied
        if isinstance(chunk, FileChunk) or chunk:
            self._occupied.add(number)
            write_chunk(self.file, self._at(number), chunk, over_hole=not held)
        elif held:
            self.file.punch(self._at(number), self._at(number + 1))
            self._occupied.discard(number)

    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside a chunk, from its byte `start` on."""
        self._settle(number)
        self._occupied.add(number)
        self.file.write(self._at(number) + start, data)

    def copied(self, number: int, start: int, chunk: FileChunk, first: int, last: int) -> bool:
        """Write bytes first <= n < last of another chunk inside this one; False if they are in memory."""
        self._settle(number)
        self._occupied.add(number)
        return chunk.copied_to(self.file, self._at(number) + start, first, last)

    def punch(self, number: int, start: int, end: int) -> None:
        """Let bytes from `start` to `end` of a chunk read zero."""
        self._settle(number)
        self.file.punch(self._at(number) + start, self._at(number) + end)

    def resize(self, size: int) -> None:
        """Let the file end behind the `size` bytes from `start` on, at once: cut it, or add a hole."""
        last, inside = divmod(size, CHUNK)
        for number in [number for number in self._occupied if number >= last]:
            self._settle(number)
            if number > last or not inside:
                self._occupied.discard(number)
        self.file.truncate(self.start + size)

    def occupied(self, first: int, last: int) -> list[int]:
        """Numbers n of chunks with first <= n < last that may hold something, ascending."""
        return chunks_between(self._occupied, first, last)

    def _at(self, number: int) -> int:
        return self.start + number * CHUNK

    def _settle(self, number: int) -> None:
        at = self._at(number)
        for start in [start for start in self._lent if at - CHUNK < start < at + CHUNK]:
            lent = self._lent.pop(start, None)
            if lent is not None:
                lent.settle()


def _is_written(file: SparseFile, start: int) -> bool:
    """Whether a block has any byte that is not zero. Mostly its first page tells."""
    for first, last in ((0, PAGE), (PAGE, DD_BLOCK)):
        data = file.read(start + first, last - first)
        if not is_zero(data):
            return True
    return False


def read_pages(file: SparseFile, start: int) -> dict[int, bytes]:
    """The non-zero pages of the chunk that begins at byte `start`."""
    pages: dict[int, bytes] = {}
    for low, high in file.data_ranges(start, start + CHUNK):
        first, last = (low - start) // PAGE, -(-(high - start) // PAGE)
        length = (last - first) * PAGE
        data = file.read(start + first * PAGE, length).ljust(length, b"\0")
        for index in range(first, last):
            page = data[(index - first) * PAGE : (index - first + 1) * PAGE]
            if page != _ZERO_PAGE:
                pages[index] = page
    return pages


def write_chunk(file: SparseFile, start: int, chunk: Chunk, *, over_hole: bool = False) -> None:
    """Write all CHUNK bytes of a chunk from byte `start` on, absent pages as holes.

    `over_hole` promises that nothing is there yet.
    """
    if isinstance(chunk, FileChunk) and chunk.copied_to(file, start):
        return
    done = 0
    for first, last in _runs(sorted(chunk)):
        if not over_hole:
            file.punch(start + done * PAGE, start + first * PAGE)
        file.write(start + first * PAGE, b"".join(chunk[index] for index in range(first, last)))
        done = last
    if not over_hole:
        file.punch(start + done * PAGE, start + CHUNK)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The numbers, which ascend, as ranges [first, last)."""
    first = 0
    for position in range(1, len(numbers) + 1):
        if position == len(numbers) or numbers[position] != numbers[position - 1] + 1:
            yield numbers[first], numbers[position - 1] + 1
            first = position
