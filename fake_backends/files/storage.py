"""A storage directory: marked as ours, and used by one process at a time.

    DIR/storage.json      what this is: format, schema, the release that made it
    DIR/lock              held while the directory is open; has the number of the process
    DIR/nodes/, ...       what `fake_backends.world` keeps there

A directory is either opened or left exactly as it was found: whatever is wrong is found out before anything
is written. A process that is killed while it makes the marker leaves a directory that counts as empty.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

import harness
from fake_backends.files.directory import TEMPORARY, Directory
from fake_backends.files.real import RealDirectory
from harness.errors import InputError

FORMAT = "crucible-storage"
SCHEMA = 1
MARKER = "storage.json"
LOCK = "lock"
_OF_AN_UNFINISHED_START = {LOCK, TEMPORARY}


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``storage.json``. `crucible` is the release that made the directory."""

    format: str
    schema: int
    crucible: str


class StorageDirectory:
    """An open storage directory; close it, or use it in a ``with``. `root` is where storage is kept."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open a directory, and make it first unless `create` is false.

        InputError, with nothing touched, if it is no directory, not ours, of a newer schema, damaged, not
        writable, or in use.
        """
        self.path = path
        self._lock = -1
        _check(path, create=create)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
            _check(path, create=create)  # somebody may have been faster
            self.root: Directory = RealDirectory(path)
            if MARKER not in self.root:
                marker = Marker(format=FORMAT, schema=SCHEMA, crucible=harness.__version__)
                self.root.replace(MARKER, msgspec.json.encode(marker))
        except OSError as error:
            raise InputError(f"{path}: cannot be used for storage: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it. Closing twice is nothing."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(path: Path, *, create: bool) -> None:
    """InputError if the directory cannot be opened, as far as that can be seen without a write."""
    try:
        names = set(os.listdir(path))
        content = (path / MARKER).read_bytes() if MARKER in names else None
    except FileNotFoundError:
        if create:
            return
        raise InputError(f"{path}: there is no such storage directory") from None
    except NotADirectoryError:
        raise InputError(f"{path}: is no directory; give a directory for storage, or a new name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give another directory") from error
    if content is not None:
        _check_marker(path, content)
    elif names - _OF_AN_UNFINISHED_START:
        raise InputError(
            f"{path}: is not empty, and no storage directory of crucible; give an empty directory or a new name"
        )
    elif not create:
        raise InputError(f"{path}: is empty; give a storage directory that crucible has made")
    writable = os.access(path, os.W_OK | os.X_OK) and stat.S_IMODE(path.stat().st_mode) & 0o200
    if not writable:
        raise InputError(f"{path}: is read-only; give a directory that can be written")


def _check_marker(path: Path, content: bytes) -> None:
    where = path / MARKER
    try:
        marker = msgspec.json.decode(content, type=Marker)
    except msgspec.DecodeError:
        raise InputError(f"{where}: is damaged; give another directory, or remove this one") from None
    if marker.format != FORMAT:
        raise InputError(f"{where}: says {marker.format[:40]!r} where {FORMAT!r} would be right")
    if marker.schema > SCHEMA:
        raise InputError(
            f"{where}: has schema {marker.schema} of crucible {marker.crucible[:40]}; "
            f"this is crucible {harness.__version__}, which knows schemas up to {SCHEMA}"
        )


def _locked(path: Path) -> int:
    """A descriptor that holds the lock. However the process ends, the system takes the lock away."""
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        by = f" by process {holder}" if holder.isdecimal() else ""
        raise InputError(f"{path}: is in use{by}; wait for its end, or give another directory") from None
    except BaseException:
        os.close(lock)
        raise
    os.truncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock
