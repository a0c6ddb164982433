"""What can be mounted on a machine: an NFS share, or a directory of the process that runs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from fake_backends.block_store import Chunk, RegularFile
from fake_backends.files.chunks import ChunkFile
from fake_backends.files.directory import Directory, SparseFile
from fake_backends.lvm.host import ENDLESS, close_device

BLOCK = 4096
"""Bytes of a block, in every file system here."""


class Statistics(NamedTuple):
    """Bytes, as ``stat -f`` and ``df`` tell them."""

    total: int
    available: int


class FileSystem(Protocol):
    """One directory of files; `fake_backends.nfs.share.Share` is one. Changes may pass a named point."""

    def __contains__(self, name: str) -> bool: ...

    def names(self) -> list[str]:
        """The directory's entries, sorted."""

    def file(self, name: str) -> RegularFile:
        """The file of that name. NotFound."""

    def create(self, name: str) -> RegularFile:
        """The file of that name, made empty if there is none."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off at `size`, or let it grow to there; it is made if there is none."""

    def chmod(self, name: str, mode: int) -> None:
        """Set the permission bits. NotFound."""

    def rename(self, old: str, new: str) -> None:
        """Whatever bears the new name is replaced. NotFound."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def statistics(self) -> Statistics:
        """The size of the file system, and what is free in it."""


class Mount(NamedTuple):
    """A line of /proc/mounts: what is mounted at a path, from where, of which type, and how."""

    source: str
    path: str
    type: str
    options: str
    file_system: FileSystem


class DirectoryFiles:
    """A `Directory` as a file system, for a machine that shares files with the process that runs it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __contains__(self, name: str) -> bool:
        return name in self._directory

    def file(self, name: str) -> RegularFile:
        return OpenFile(self._directory.open(name))

    def names(self) -> list[str]:
        return self._directory.names()

    def create(self, name: str) -> RegularFile:
        return self.file(name) if name in self else OpenFile(self._directory.create(name))

    def truncate(self, name: str, size: int) -> None:
        file = self.create(name)
        file.truncate(size)
        close_device(file)

    def chmod(self, name: str, mode: int) -> None:
        """They are this process's own files: their bits stay."""
        close_device(self.file(name))

    def rename(self, old: str, new: str) -> None:
        self._directory.rename(old, new)

    def remove(self, name: str) -> None:
        self._directory.remove(name)

    def statistics(self) -> Statistics:
        """Room for everything: nothing is known of what is under the directory."""
        return Statistics(ENDLESS, ENDLESS)


class OpenFile(RegularFile):
    """A sparse file, read and written as a device. `close` lets go of it."""

    def __init__(self, file: SparseFile) -> None:
        self._file = file
        self._chunks = ChunkFile(file)
        self.size = file.size

    @property
    def allocated(self) -> int:
        return self._file.allocated

    def load(self, number: int) -> Chunk:
        return self._chunks.load(number)

    def store(self, number: int, chunk: Chunk) -> None:
        self._chunks.store(number, chunk)
        self._file.truncate(self.size)
        self.structure = None

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._chunks.patch(number, start, data)
        self.structure = None

    def occupied(self, first: int, last: int) -> Iterable[int]:
        return self._chunks.occupied(first, last)

    def truncate(self, size: int) -> None:
        self._file.truncate(size)
        self._chunks = ChunkFile(self._file)
        self.size = size
        self.structure = None

    def open_truncated(self, length: int) -> None:
        self.truncate(0)
        self.truncate(length)

    def close(self) -> None:
        """Closing twice is nothing."""
        self._file.close()
