"""A directory that tells before it changes anything: for faults between the steps of one change.

What `before` raises comes out of the operation, with nothing changed: a process that is killed there, or a
disk that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fake_backends.files.directory import Directory, SparseFile


class WatchedDirectory(Directory):
    """Another directory, with `before` called with the name of each operation that changes something."""

    def __init__(self, inner: Directory, before: Callable[[str], None]) -> None:
        self._inner = inner
        self._before = before

    def __contains__(self, name: str) -> bool:
        return name in self._inner

    def names(self) -> list[str]:
        return self._inner.names()

    def read(self, name: str) -> bytes:
        return self._inner.read(name)

    def open(self, name: str) -> SparseFile:
        return WatchedFile(self._inner.open(name), self._before)

    def create(self, name: str) -> SparseFile:
        self._before("create")
        return WatchedFile(self._inner.create(name), self._before)

    def replace(self, name: str, content: bytes) -> None:
        self._before("replace")
        self._inner.replace(name, content)

    def rename(self, name: str, new_name: str) -> None:
        self._before("rename")
        self._inner.rename(name, new_name)

    def remove(self, name: str) -> None:
        self._before("remove")
        self._inner.remove(name)

    def directory(self, name: str) -> Directory:
        if name not in self._inner:
            self._before("directory")
        return WatchedDirectory(self._inner.directory(name), self._before)

    def remove_directory(self, name: str) -> None:
        self._before("remove_directory")
        self._inner.remove_directory(name)

    def sweep(self) -> None:
        self._before("sweep")
        self._inner.sweep()


class WatchedFile(SparseFile):
    """Another file, watched in the same way."""

    def __init__(self, inner: SparseFile, before: Callable[[str], None]) -> None:
        self._inner = inner
        self._before = before

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def allocated(self) -> int:
        return self._inner.allocated

    def read(self, offset: int, length: int) -> bytes:
        return self._inner.read(offset, length)

    def data_ranges(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        return self._inner.data_ranges(first, last)

    def write(self, offset: int, data: bytes) -> None:
        self._before("write")
        self._inner.write(offset, data)

    def truncate(self, size: int) -> None:
        self._before("truncate")
        self._inner.truncate(size)

    def punch(self, first: int, last: int) -> None:
        self._before("punch")
        self._inner.punch(first, last)

    def copy_from(self, source: SparseFile, first: int, last: int, at: int) -> None:
        self._before("copy_from")
        self._inner.copy_from(source._inner if isinstance(source, WatchedFile) else source, first, last, at)

    def close(self) -> None:
        self._inner.close()
