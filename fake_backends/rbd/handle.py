"""An image that a client has open."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from fake_backends.block_store import CHUNK, EMPTY, BlockDevice, Chunk, chunks_between
from fake_backends.rbd.features import EXCLUSIVE_LOCK
from fake_backends.rbd.image import Image
from fake_backends.rbd.layers import Layer, ReadOnlyImage, Snapshot
from harness.errors import InvalidArgument, NoSpace


class ImageHandle(BlockDevice):
    """An image, or a snapshot of it, that a client has open.

    A read-write handle keeps the image from being removed, follows its size, and takes the exclusive lock
    when it writes (from another client too: the lock is handed over). A read-only one does none of this,
    and reads zeros once the image is gone. `client`, `client_id` and `cookie` are what others see of it.
    """

    def __init__(self, image: Image, *, read_only: bool, snapshot: str | None = None) -> None:
        self.image = image
        self.read_only = read_only
        self.closed = False
        self.client = ""
        self.client_id = 0
        self.cookie = 0
        self._layer: Layer = image.head if snapshot is None else image.snapshot(snapshot)
        self.size = self._layer.size
        if not read_only:
            image.watchers.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the image. Closing twice is nothing."""
        if not self.closed and not self.read_only:
            self.image.flush()
            self.image.watchers.remove(self)
            if self.image.lock_owner is self:
                self.image.give_up_lock()
        self.closed = True

    def show(self, snapshot: str | None) -> None:
        """Show a snapshot from now on, or the image itself. Raises NotFound."""
        self._check_open()
        self._layer = self.image.head if snapshot is None else self.image.snapshot(snapshot)
        self.size = self._layer.size

    @property
    def layer(self) -> Layer:
        """The image as it is, or the snapshot that is shown."""
        return self._layer

    @property
    def lost(self) -> bool:
        """True if the snapshot was removed and the handle knows: read-only ones are not told."""
        return not self.read_only and isinstance(self._layer, Snapshot) and self._layer.removed

    def maintain(self) -> None:
        """Change the image itself: its lock is taken if it is free, else the owner does the work."""
        if self.image.base_features & EXCLUSIVE_LOCK and self.image.lock_owner is None:
            self.image.lock_owner = self

    def take_lock(self) -> None:
        """Take the exclusive lock to write. ReadOnlyImage if another client keeps it."""
        image = self.image
        if not image.base_features & EXCLUSIVE_LOCK:
            return
        if image.lock_kept and image.lock_owner is not self:
            raise ReadOnlyImage(f"RBD read-only image (error acquiring lock on image {image.name})")
        image.lock_owner = self

    def follow_resize(self) -> None:
        """Another client changed the size."""
        self.size = self._layer.size

    def load(self, number: int) -> Chunk:
        self._check_open()
        return self._layer.chunks.get(number, EMPTY)

    def store(self, number: int, chunk: Chunk) -> None:
        self._check_writable()
        if number * CHUNK >= self.size:
            raise NoSpace
        self.image.write(number, chunk)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self._check_writable()
        if number * CHUNK >= self.size:
            raise NoSpace
        self.image.patch(number, start, data)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        self._check_open()
        return chunks_between(self._layer.chunks, first, last)

    def allocate(self, first: int, last: int) -> None:
        self._check_writable()
        self.image.allocate(first, last)

    def clear(self, first: int, last: int) -> None:
        """Let bytes first <= n < last read zero. Objects that are cleared as a whole give their space back."""
        self._check_writable()
        if first < last:
            self.image.discard(first, last)

    def _check_open(self) -> None:
        if self.closed:
            raise InvalidArgument("RBD invalid argument (image is closed)")

    def _check_writable(self) -> None:
        self._check_open()
        image = self.image
        if self.read_only or self._layer is not image.head:
            raise ReadOnlyImage(f"RBD read-only image (error writing to {image.name})")
        self.take_lock()
