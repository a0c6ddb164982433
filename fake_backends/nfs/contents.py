"""Where the bytes of a share's files are: in memory, or in sparse files of a storage directory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from fake_backends.block_store import CHUNK, EMPTY, PAGE, Chunk, chunks_between, patched
from fake_backends.files.chunks import ChunkFile
from fake_backends.files.directory import SparseFile


class Content(ABC):
    """Chunks by number; what is behind the end of the file is no concern of the content's, but for `cut`."""

    @abstractmethod
    def load(self, number: int) -> Chunk:
        """The non-zero pages of a chunk."""

    @abstractmethod
    def store(self, number: int, chunk: Chunk, end: int) -> None:
        """Write a whole chunk of a file of `end` bytes."""

    @abstractmethod
    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside a chunk."""

    @abstractmethod
    def occupied(self, first: int, last: int) -> Iterable[int]:
        """Numbers n of chunks with first <= n < last that may hold something, ascending."""

    @abstractmethod
    def resize(self, size: int) -> None:
        """The file is now `size` bytes long; what is cut off will read zero if it grows again."""

    def close(self) -> None:  # noqa: B027 - nothing to close in memory
        """Let go of the files."""


class MemoryContent(Content):
    """A mapping for each chunk that holds something."""

    def __init__(self) -> None:
        self._chunks: dict[int, Chunk] = {}

    def load(self, number: int) -> Chunk:
        return self._chunks.get(number, EMPTY)

    def store(self, number: int, chunk: Chunk, end: int) -> None:
        if chunk:
            self._chunks[number] = chunk
        else:
            self._chunks.pop(number, None)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self.store(number, patched(self.load(number), start, data), 0)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return chunks_between(self._chunks, first, last)

    def resize(self, size: int) -> None:
        last, inside = divmod(size, CHUNK)
        for number in [number for number in self._chunks if number > last or (number == last and not inside)]:
            del self._chunks[number]
        page, rest = divmod(inside, PAGE)
        kept = {index: data for index, data in self.load(last).items() if index < page}
        if rest and page in self.load(last):
            kept[page] = self.load(last)[page][:rest].ljust(PAGE, b"\0")
        self.store(last, kept, size)


class KeptContent(Content):
    """A sparse file, of the length that the file has, with holes where the file has holes."""

    def __init__(self, file: SparseFile) -> None:
        self._file = file
        self._chunks = ChunkFile(file)

    @property
    def size(self) -> int:
        """Bytes in the file, as it was found."""
        return self._file.size

    def data_ranges(self) -> Iterator[tuple[int, int]]:
        """Ranges [start, end) of bytes that take space."""
        return iter(self._file.data_ranges(0, self._file.size))

    def load(self, number: int) -> Chunk:
        return self._chunks.load(number)

    def store(self, number: int, chunk: Chunk, end: int) -> None:
        self._chunks.store(number, chunk)
        # The last page may reach behind the end of the file, and a chunk of holes not up to it.
        if self._file.size != end:
            self._file.truncate(end)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._chunks.patch(number, start, data)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self._chunks.occupied(first, last)

    def resize(self, size: int) -> None:
        self._chunks.resize(size)

    def close(self) -> None:
        self._file.close()
