"""Chunks that live in storage files: the join between `fake_backends.block_store` and a directory.

A chunk that is read from a file is a `FileChunk`: an immutable mapping, as every chunk, that looks into the
file when somebody looks into it. One that is only passed on, from a device to another, is copied from file to
file, by the kernel where the files are real, and its bytes never come to Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakValueDictionary

from fake_backends.block_store import CHUNK, EMPTY, PAGE, PAGES_PER_CHUNK, Chunk, chunks_between
from fake_backends.files.directory import SparseFile

_ZERO_PAGE = bytes(PAGE)

OpenFile = Callable[[], AbstractContextManager[SparseFile]]


class FileChunk(Mapping[int, bytes]):
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

    def copy_to(self, file: SparseFile, at: int) -> None:
        """Write all CHUNK bytes of the chunk, zeros as holes."""
        if self._pages is None:
            with self._open() as source:
                file.copy_from(source, self._start, self._start + CHUNK, at)
        else:
            write_pages(file, at, self._pages)

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
        if number not in self._occupied:
            return EMPTY
        chunk = self._lent.get(number)
        if chunk is None:
            chunk = self._lent[number] = FileChunk(lambda: nullcontext(self.file), self._at(number))
        return chunk

    def store(self, number: int, chunk: Chunk) -> None:
        """Write a whole chunk; absent pages become holes."""
        self._settle(number)
        write_chunk(self.file, self._at(number), chunk)
        if isinstance(chunk, FileChunk) or chunk:
            self._occupied.add(number)
        else:
            self._occupied.discard(number)

    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside a chunk, from its byte `start` on."""
        self._settle(number)
        self.file.write(self._at(number) + start, data)
        self._occupied.add(number)

    def punch(self, number: int, start: int, end: int) -> None:
        """Let bytes from `start` to `end` of a chunk read zero."""
        self._settle(number)
        self.file.punch(self._at(number) + start, self._at(number) + end)

    def occupied(self, first: int, last: int) -> list[int]:
        """Numbers n of chunks with first <= n < last that may hold something, ascending."""
        if last - first < len(self._occupied):
            return [number for number in range(first, last) if number in self._occupied]
        return chunks_between(self._occupied, first, last)

    def _at(self, number: int) -> int:
        return self.start + number * CHUNK

    def _settle(self, number: int) -> None:
        lent = self._lent.pop(number, None)
        if lent is not None:
            lent.settle()


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


def write_chunk(file: SparseFile, start: int, chunk: Chunk) -> None:
    """Write all CHUNK bytes of a chunk from byte `start` on, absent pages as holes."""
    if isinstance(chunk, FileChunk):
        chunk.copy_to(file, start)
    else:
        write_pages(file, start, chunk)


def write_pages(file: SparseFile, start: int, pages: Mapping[int, bytes]) -> None:
    """Write those pages from byte `start` on, and holes for all others of a chunk."""
    done = 0
    for first, last in _runs(sorted(pages)):
        file.punch(start + done * PAGE, start + first * PAGE)
        file.write(start + first * PAGE, b"".join(pages[index] for index in range(first, last)))
        done = last
    file.punch(start + done * PAGE, start + PAGES_PER_CHUNK * PAGE)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The numbers, which ascend, as ranges [first, last)."""
    first = 0
    for position in range(1, len(numbers) + 1):
        if position == len(numbers) or numbers[position] != numbers[position - 1] + 1:
            yield numbers[first], numbers[position - 1] + 1
            first = position
