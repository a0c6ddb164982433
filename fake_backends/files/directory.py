"""The little that storage needs of a file system: directories, small whole files, and sparse files.

There are two kinds, `real` and `fake`. What holds for both: an operation has happened or has not when the
process is killed, but for a write or a copy of data, of which a part may have happened. A small file is
replaced as a whole. Nothing is flushed to the disk: files outlive the process, not the machine.

Names are those of files in one directory. Whoever has names from outside goes through `names.safe_name`.
File systems refuse with `harness.errors.StorageError` and its kin, never with OSError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from harness.errors import InvalidArgument, NotFound

TEMPORARY = ".new"
"""The file that takes another one's place in the end. What a crash left of it is overwritten, or swept.

One name is enough: a directory has one writer, and a replacement does not wait for anything.
"""
NAME_MAX = 255
"""Bytes in the name of a file."""
PIECE = 1 << 20
"""Bytes that a copy reads at a time where the file system cannot copy by itself."""


class SparseFile(ABC):
    """Bytes from 0 to `size`; what was never written is a hole, reads zero and takes no space."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes, holes included."""

    @property
    @abstractmethod
    def allocated(self) -> int:
        """Bytes that take space."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: fewer at the end of the file, none behind it."""

    @abstractmethod
    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`; behind the end the file grows. NoSpace."""

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Cut the file off at `size`, or let it grow to there by a hole."""

    @abstractmethod
    def data_ranges(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        """Ranges [start, end) inside [first, last) that may hold other bytes than zero, ascending.

        All the rest is holes. The file must not be changed between one range and the next.
        """

    @abstractmethod
    def punch(self, first: int, last: int) -> None:
        """Make [first, last) read zero, without space where the file system can do that; the size stays."""

    def copy_from(self, source: SparseFile, first: int, last: int, at: int) -> None:
        """Write [first, last) of another sparse file here, from byte `at` on.

        Holes of the source, and what lies behind its end, become holes; the size grows by data only. The two
        ranges must not overlap in one file.
        """
        position = first
        for start, end in source.data_ranges(first, last):
            self.punch(at + position - first, at + start - first)
            self._copy_data(source, start, end, at + start - first)
            position = end
        self.punch(at + position - first, at + last - first)

    def _copy_data(self, source: SparseFile, start: int, end: int, at: int) -> None:
        for piece in range(start, end, PIECE):
            self.write(at + piece - start, source.read(piece, min(PIECE, end - piece)))

    def close(self) -> None:  # noqa: B027 - nothing to close in memory
        """Let go of the file. Closing twice is nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Directory(ABC):
    """Files and directories by name. Names that begin with a dot are its own and are not shown."""

    @abstractmethod
    def __contains__(self, name: str) -> bool: ...

    @abstractmethod
    def names(self) -> list[str]:
        """Files and directories, sorted."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A whole small file. NotFound."""

    @abstractmethod
    def replace(self, name: str, content: bytes) -> None:
        """Write a whole small file: whoever reads it gets the old content or the new. NoSpace."""

    @abstractmethod
    def open(self, name: str) -> SparseFile:
        """A sparse file for reading and writing. NotFound."""

    @abstractmethod
    def create(self, name: str) -> SparseFile:
        """An empty sparse file; one of that name that exists is emptied."""

    @abstractmethod
    def rename(self, name: str, new_name: str) -> None:
        """Rename a file or a directory; a file of the new name is replaced at once. NotFound."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file. NotFound."""

    @abstractmethod
    def directory(self, name: str) -> Directory:
        """The directory of that name; it is made if there is none."""

    @abstractmethod
    def remove_directory(self, name: str) -> None:
        """Remove a directory with all that is in it; an absent one is fine.

        It is renamed first, so that a crash leaves all of it or, out of sight, nothing.
        """

    @abstractmethod
    def sweep(self) -> None:
        """Remove what a process that was killed has left out of sight. For whoever opens the directory."""

    @contextmanager
    def replacing(self, name: str) -> Iterator[SparseFile]:
        """A new sparse file that gets this name in the end, in place of the one that has it now.

        Nothing happens to that one if the block raises.
        """
        with self.create(TEMPORARY) as file:
            yield file
        self.rename(TEMPORARY, name)


def check_name(name: str) -> str:
    """The name itself. InvalidArgument for one that would lead out of the directory, or is too long."""
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(name.encode()) > NAME_MAX:
        raise InvalidArgument(f"{name!r} is no name of a file")
    return name


def not_found(name: str) -> NotFound:
    """What a file system without a file of that name raises."""
    return NotFound(f"{name}: No such file or directory")
