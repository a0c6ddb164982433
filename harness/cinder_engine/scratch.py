"""Where a worker keeps the files that Cinder must write: a directory of its own, gone when it ends.

A worker that is killed leaves it behind, without the lock that says that it is used: the run that started it
sweeps it up or, if that was killed as well, the next run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "crucible-worker-"


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A new directory in `parent`, by default where temporary files belong."""
    parent = parent or Path(tempfile.gettempdir())
    # It gets its name when it is locked: nobody may take it for left.
    made = Path(tempfile.mkdtemp(dir=parent, prefix=f".{PREFIX}"))
    lock = _locked(made)
    home = made.rename(parent / made.name.removeprefix("."))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path | None = None) -> None:
    """Remove the directories of workers that are no more, and that we may remove."""
    for directory in (parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _locked(directory)
            shutil.rmtree(directory, ignore_errors=True)
            os.close(lock)


def _locked(directory: Path) -> int:
    """The descriptor that holds the lock of a directory, for as long as this process lives. BlockingIOError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
