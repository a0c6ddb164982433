"""What the formats are read from and written to."""

from __future__ import annotations

from typing import Protocol


class Medium(Protocol):
    """Bytes from 0 on: a file, or a block device (`files.directory.SparseFile`, `block_store.BlockDevice`)."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: fewer at the end, none behind it."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`."""
