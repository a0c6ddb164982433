"""From the storage's errors to the exceptions of `rbd`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fake_backends.rbd.bindings.rbd_errors import by_errno
from harness.errors import StorageError


@contextmanager
def told(message: str, *, of_group: bool = False) -> Iterator[None]:
    """Let what the storage refuses be the binding's exception for its error number, with `message`."""
    try:
        yield
    except StorageError as error:
        raise by_errno(error.errno, message, of_group=of_group) from error
