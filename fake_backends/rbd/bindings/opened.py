"""What all parts of `rbd.Image` build on: an open image, and the checks before each call."""

from __future__ import annotations

import errno
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from fake_backends.block_store import BlockDevice
from fake_backends.luks import LuksDevice
from fake_backends.rbd.bindings.arguments import optional_text, quoted
from fake_backends.rbd.bindings.client import Ioctx
from fake_backends.rbd.bindings.rbd_errors import InvalidArgument
from fake_backends.rbd.bindings.refusals import told
from fake_backends.rbd.handle import ImageHandle
from fake_backends.rbd.image import Image as StoredImage
from fake_backends.rbd.layers import ReadOnlyImage
from fake_backends.rbd.pool import Pool
from harness.errors import NotFound, StorageError


class OpenImage:
    """An image that this client has open. Its name is what it was opened by, and stays when it is renamed."""

    def __init__(
        self,
        ioctx: Ioctx,
        name: str | None = None,
        snapshot: str | None = None,
        read_only: bool = False,
        image_id: str | None = None,
        _oncomplete: object = None,
    ) -> None:
        if name is None and image_id is None:
            raise InvalidArgument("image name or image id was not specified")
        if not isinstance(ioctx, Ioctx):
            raise TypeError(f"Cannot convert {type(ioctx).__name__} to rados.Ioctx")
        name, image_id = optional_text(name, "name"), optional_text(image_id, "image_id")
        snapshot = optional_text(snapshot, "snapshot")
        self.closed = True
        self._plaintext: LuksDevice | None = None
        self._ioctx = ioctx
        self._name = name if name is not None else image_id or ""
        with told(f"error opening image {quoted(self._name)} at snapshot {quoted(snapshot)}"):
            stored = _found(ioctx.readable(), name, image_id)
            self._handle = ImageHandle(stored, read_only=read_only, snapshot=snapshot or None)
        if name is None:
            self._name = stored.name
        self._handle.client = ioctx.rados.address
        self._cookie = _cookie(ioctx, stored)
        self._handle.cookie = self._cookie
        self._handle.client_id = ioctx.rados.instance_id
        self._quoted = quoted(self._name)
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'rbd.Image' object has no attribute '{name}'")

    def __repr__(self) -> str:
        return f"rbd.Image(ioctx, {self._quoted})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Again is nothing."""
        if not self.closed:
            self.closed = True
            self._handle.close()

    def require_not_closed(self) -> None:
        """InvalidArgument, without a number, once the image is closed."""
        if self.closed:
            raise InvalidArgument("image is closed")

    @property
    def _image(self) -> StoredImage:
        self.require_not_closed()
        return self._handle.image

    @property
    def _pool(self) -> Pool:
        return self._image.pool

    @property
    def _shown(self) -> BlockDevice:
        """What reads and writes see: the image, or the plaintext of the container that is in it."""
        if self._plaintext is None:
            return self._handle
        self._plaintext.fit()
        return self._plaintext

    @property
    def _hidden(self) -> int:
        """Bytes in front of what is shown."""
        return 0 if self._plaintext is None else self._plaintext.payload_offset

    def _told(self, message: str) -> AbstractContextManager[None]:
        self.require_not_closed()
        return told(message)

    def _reach(self) -> None:
        """StorageError if the storage does not answer."""
        if not self._ioctx.rados.cluster.storage_answers:
            raise StorageError("timed out", errno=errno.ETIMEDOUT)

    def _change(self, *, snapshot_too: bool = True) -> StoredImage:
        """The image, to change it: ReadOnlyImage if the handle, or a demoted mirror, does not allow it.

        Most changes are made to the image even while the handle shows a snapshot.
        """
        image = self._image
        self._reach()
        demoted = bool(image.traits.mirror_id) and not image.traits.primary
        shown_only = not snapshot_too and self._handle.layer is not image.head
        if self._handle.read_only or demoted or shown_only:
            raise ReadOnlyImage(f"RBD read-only image ({image.name})")
        self._handle.maintain()
        return image


def _found(pool: Pool, name: str | None, image_id: str | None) -> StoredImage:
    """By its name, or by its id, from the trash too. Raises NotFound."""
    if name is not None:
        return pool.image(name)
    for image in (*pool.images.values(), *(entry.image for entry in pool.trash.values())):
        if image.id == image_id:
            return image
    raise NotFound(f"RBD image not found (no image of id {image_id})")


def _cookie(ioctx: Ioctx, image: StoredImage) -> int:
    """What tells the watches of one client apart: an address in its memory, in reality."""
    return 139_633_000_000_000 - ioctx.rados.instance_id * 4096 - len(image.watchers) * 160


Entries = list[dict[str, Any]]
