"""Storage files on a real file system (Linux; elsewhere without holes and without copies by the kernel)."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from fake_backends.files.directory import PIECE, TEMPORARY, Directory, SparseFile, check_name
from harness.errors import AlreadyExists, NoSpace, NotFound, StorageError

_KINDS: dict[int, type[StorageError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: AlreadyExists,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
}
_CANNOT_COPY = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)
"""What copy_file_range says where it is not for these two files, or not for this kernel."""
_ZEROS = bytes(PIECE)
_DOOMED = TEMPORARY + "-doomed"
"""The name of a directory while it is removed."""


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise what the operating system says as a StorageError with the same errno."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, StorageError)
        where = f"{error.filename}: " if error.filename else ""
        refusal = kind(f"{where}{error.strerror}")
        if error.errno:
            refusal.errno = error.errno
        raise refusal from error


class RealFile(SparseFile):
    """An open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def allocated(self) -> int:
        return os.fstat(self._descriptor).st_blocks * 512

    def read(self, offset: int, length: int) -> bytes:
        with storage_errors():
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length:
                more = os.pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data

    def write(self, offset: int, data: bytes) -> None:
        with storage_errors():
            written = os.pwrite(self._descriptor, data, offset)
            while written < len(data):
                written += os.pwrite(self._descriptor, memoryview(data)[written:], offset + written)

    def truncate(self, size: int) -> None:
        with storage_errors():
            os.ftruncate(self._descriptor, size)

    def data_ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        if not hasattr(os, "SEEK_DATA"):
            last = min(last, self.size)
            if first < last:
                yield first, last
            return
        end = first
        while end < last:
            try:
                start = os.lseek(self._descriptor, end, os.SEEK_DATA)
            except OSError:
                # ENXIO: only a hole is left.
                return
            if start >= last:
                return
            end = min(last, os.lseek(self._descriptor, start, os.SEEK_HOLE))
            yield start, end

    def punch(self, first: int, last: int) -> None:
        for start, end in list(self.data_ranges(first, last)):
            if not _punched(self._descriptor, start, end):
                for piece in range(start, end, PIECE):
                    self.write(piece, _ZEROS[: min(PIECE, end - piece)])

    def _copy_data(self, source: SparseFile, start: int, end: int, at: int) -> None:
        """By the kernel, which on some file systems only shares the blocks."""
        position = start
        if isinstance(source, RealFile) and hasattr(os, "copy_file_range"):
            try:
                while position < end:
                    copied = os.copy_file_range(
                        source._descriptor, self._descriptor, end - position, position, at + position - start
                    )
                    if not copied:
                        return  # the file ends
                    position += copied
            except OSError as error:
                if error.errno not in _CANNOT_COPY:
                    with storage_errors():
                        raise
        super()._copy_data(source, position, end, at + position - start)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


@cache
def _fallocate() -> Any:
    """The C library's function, which Python has no name for; None where there is none."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function


_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02


def _punched(descriptor: int, first: int, last: int) -> bool:
    function = _fallocate()
    return function is not None and function(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, first, last - first) == 0


class RealDirectory(Directory):
    """A directory that exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<RealDirectory {self.path}>"

    def __contains__(self, name: str) -> bool:
        return os.path.lexists(self._at(name))

    def names(self) -> list[str]:
        with storage_errors():
            return sorted(name for name in os.listdir(self.path) if not name.startswith("."))

    def read(self, name: str) -> bytes:
        with storage_errors():
            return Path(self._at(name)).read_bytes()

    def replace(self, name: str, content: bytes) -> None:
        with self.replacing(name) as file:
            file.write(0, content)

    def open(self, name: str) -> SparseFile:
        with storage_errors():
            return RealFile(os.open(self._at(name), os.O_RDWR | os.O_CLOEXEC))

    def create(self, name: str) -> SparseFile:
        with storage_errors():
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            return RealFile(os.open(self._at(name), flags, 0o666))

    def rename(self, name: str, new_name: str) -> None:
        with storage_errors():
            os.replace(self._at(name), self._at(new_name))

    def remove(self, name: str) -> None:
        with storage_errors():
            os.unlink(self._at(name))

    def directory(self, name: str) -> Directory:
        with storage_errors():
            path = Path(self._at(name))
            path.mkdir(exist_ok=True)
            return RealDirectory(path)

    def remove_directory(self, name: str) -> None:
        with storage_errors():
            _remove(self._at(_DOOMED))
            try:
                os.rename(self._at(name), self._at(_DOOMED))
            except FileNotFoundError:
                return
            _remove(self._at(_DOOMED))

    def sweep(self) -> None:
        with storage_errors():
            _remove(self._at(_DOOMED))
            _remove(self._at(TEMPORARY))

    def _at(self, name: str) -> str:
        return f"{self.path}/{check_name(name)}"


def _remove(path: str) -> None:
    """Remove a file, or a directory with all that is in it; an absent one is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(path)
