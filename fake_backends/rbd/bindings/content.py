"""Reading and writing an open image, and the differences between its states."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from fake_backends.rbd import differences
from fake_backends.rbd.bindings.arguments import optional_text, quoted, text, unsigned
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.opened import OpenImage
from fake_backends.rbd.bindings.rbd_errors import IncompleteWriteError
from fake_backends.rbd.layers import ReadOnlyImage
from harness.errors import InvalidArgument, NoSpace, NotFound, StorageError

GRANULE = 64 << 10
"""`rbd_discard_granularity_bytes`: a discard clears whole granules only."""


class Content(OpenImage):
    """The bytes of an image."""

    def read(self, offset: int, length: int, fadvise_flags: int = 0) -> bytes:
        """Up to `length` bytes: fewer at the end. InvalidArgument behind it."""
        offset, length = unsigned(offset), unsigned(length, "size_t")
        with self._told(f"error reading {self._quoted} {offset}~{length}"):
            length = self._clipped(offset, length)
            self._reach()
            return self._shown.read(offset, length)

    def write(self, data: bytes, offset: int, fadvise_flags: int = 0) -> int:
        """The number of bytes. IncompleteWriteError at the end, after the part that fits was written."""
        if not isinstance(data, bytes):
            raise TypeError("data must be a byte string")
        offset = unsigned(offset)
        with self._told(f"error writing to {self._quoted}"):
            length = self._clipped(offset, len(data))
            if length:
                self._writing()
                self._written(offset, data[:length])
        if length < len(data):
            raise IncompleteWriteError(f"Wrote only {length} out of {len(data)} bytes")
        return length

    def discard(self, offset: int, length: int) -> None:
        """Let whole granules of 64 KiB read zero; what else is in the range keeps its bytes."""
        offset, length = unsigned(offset), unsigned(length)
        with self._told(f"error discarding region {offset}~{length}"):
            length = self._clipped(offset, length)
            if length == 0:
                return
            self._writing()
            end = offset + length
            object_size = 1 << self._image.order
            last = end if end == self._shown.size else end - end % min(GRANULE, object_size)
            first = -(-offset // GRANULE) * GRANULE
            self._handle.clear(self._hidden + first, self._hidden + last)

    def write_zeroes(self, offset: int, length: int, zero_flags: int = 0) -> None:
        """Let the range read zero."""
        offset, length = unsigned(offset), unsigned(length)
        with self._told(f"error zeroing region {offset}~{length}"):
            length = self._clipped(offset, length)
            if length:
                self._writing()
                self._handle.clear(self._hidden + offset, self._hidden + offset + length)

    def flush(self) -> None:
        """Writes are done when they return; all there is to do is to have the lock."""
        with self._told("error flushing image"):
            self._reach()
            image = self._image
            if image.lock_kept and image.lock_owner is not self._handle and not self._handle.read_only:
                raise ReadOnlyImage("RBD read-only image")

    def invalidate_cache(self) -> None:
        """There is no cache."""
        with self._told("error invalidating cache"):
            self._reach()

    def sparsify(self, sparse_size: int) -> None:
        """Give back space that holds zeros. InvalidArgument for a size that is no power of two."""
        with self._told(f"error sparsifying {self._quoted}"):
            if sparse_size < 4096 or sparse_size & (sparse_size - 1):
                raise InvalidArgument("RBD invalid argument")
            self._change()

    def diff_iterate(
        self,
        offset: int,
        length: int,
        from_snapshot: str | None,
        iterate_cb: Callable[[int, int, bool], Any],
        include_parent: bool = True,
        whole_object: bool = False,
    ) -> None:
        """Call back with (offset, length, exists) for what differs from a snapshot, or from nothing."""
        from_snapshot = optional_text(from_snapshot, "from_snapshot")
        offset, length = unsigned(offset), unsigned(length)
        with self._told(f"error generating diff from snapshot {quoted(from_snapshot)}"):
            self._reach()
            image = self._image
            length = self._clipped(offset, length)
            extents = differences.between(
                image,
                None if from_snapshot is None else image.snapshot(from_snapshot),
                self._handle.layer,
                range(self._hidden + offset, self._hidden + offset + length),
                include_parent=include_parent,
                whole_object=whole_object,
            )
        for extent in extents:
            iterate_cb(extent.offset - self._hidden, extent.length, extent.exists)

    # -------------------------------------------------------------------------------------------- copies

    def copy(
        self,
        dest_ioctx: Ioctx,
        dest_name: str,
        features: int | None = None,
        order: int | None = None,
        stripe_unit: int | None = None,
        stripe_count: int | None = None,
        data_pool: str | None = None,
        sparse_size: int | None = None,
    ) -> None:
        """A full copy of what the handle shows: no snapshots, no parent."""
        dest_name = text(dest_name, "dest_name")
        with self._told(f"error copying image {self._quoted} to {quoted(dest_name)}"):
            self._reach()
            layer = self._handle.layer
            shown = next((each.name for each in self._image.snapshots if each is layer), None)
            self._pool.copy_image(
                self._image,
                dest_ioctx.writable(),
                dest_name,
                snapshot=shown,
                features=None if features is None else unsigned(features),
                order=order or 0,
            )

    def deep_copy(
        self,
        dest_ioctx: Ioctx,
        dest_name: str,
        features: int | None = None,
        order: int | None = None,
        stripe_unit: int | None = None,
        stripe_count: int | None = None,
        data_pool: str | None = None,
        clone_format: int | None = None,
        flatten: bool = False,
    ) -> None:
        """A full copy with all snapshots."""
        dest_name = text(dest_name, "dest_name")
        with self._told(f"error copying image {self._quoted} to {quoted(dest_name)}"):
            self._reach()
            self._pool.deep_copy(self._image, dest_ioctx.writable(), dest_name)

    # ------------------------------------------------------------------------------------------- insides

    def _clipped(self, offset: int, length: int) -> int:
        """How much of a range lies in the image. NotFound if its snapshot is gone; InvalidArgument behind."""
        if self._handle.lost:
            raise NotFound("RBD image not found")
        if length == 0:
            return 0
        if offset >= self._shown.size:
            raise InvalidArgument("RBD invalid argument")
        return min(length, self._shown.size - offset)

    def _writing(self) -> None:
        """Refuse what may not be written. A demoted mirror image refuses with EPERM."""
        self._reach()
        image = self._image
        if self._handle.read_only or self._handle.layer is not image.head:
            raise ReadOnlyImage("RBD read-only image")
        if image.traits.mirror_id and not image.traits.primary:
            raise StorageError("RBD permission error", errno=errno.EPERM)

    def _written(self, offset: int, data: bytes) -> None:
        try:
            self._shown.write(offset, data)
        except NoSpace as error:
            raise StorageError(str(error), errno=error.errno) from error
