"""QEMU's block driver ``rbd``: images by names like ``rbd:pool/image:conf=/etc/ceph/ceph.conf:id=cinder``.

Source of the names: `cinder.volume.drivers.rbd:RBDDriver._copy_image_to_volume` and
QEMU's ``block/rbd.c:qemu_rbd_parse_filename``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from fake_backends.block_store import CHUNK, EMPTY, PAGE, BlockDevice, Chunk
from fake_backends.rbd.bindings import Modules

PREFIX = "rbd:"


class Location(NamedTuple):
    """What a name says. `snapshot`, `conf` and `user` are None where it does not say."""

    pool: str
    namespace: str
    image: str
    snapshot: str | None
    conf: str | None
    user: str | None

    @classmethod
    def parse(cls, name: str) -> Location:
        """Take a name apart; a backslash takes the meaning from the character behind it."""
        spec, *settings = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", name)[1:]]
        options = dict(setting.partition("=")[::2] for setting in settings)
        pool, _, rest = spec.partition("/")
        namespace, slash, image = rest.rpartition("/")
        image, at, snapshot = image.partition("@")
        return cls(
            pool, namespace if slash else "", image, snapshot if at else None,
            options.get("conf"), options.get("id"),
        )  # fmt: skip

    def described(self) -> str:
        """The name that ``qemu-img info`` gives it."""
        file = {"pool": self.pool, "image": self.image}
        optional = {"snapshot": self.snapshot, "conf": self.conf}
        file |= {key: value for key, value in optional.items() if value is not None}
        file |= {"driver": "rbd", "namespace": self.namespace}
        if self.user is not None:
            file["user"] = self.user
        return "json:" + json.dumps({"driver": "raw", "file": file})


class RbdFailure(Exception):
    """What QEMU says, without the name that it was given."""


def open_image(bindings: Modules, location: Location) -> RbdDevice:
    """The image or its snapshot. RbdFailure if it cannot be reached."""
    ioctx = _ioctx(bindings, location)
    try:
        image = bindings.rbd.Image(
            ioctx, location.image, location.snapshot, read_only=location.snapshot is not None
        )
    except bindings.rbd.OSError as error:
        raise RbdFailure(f"error reading header from {location.image}: {os.strerror(error.errno)}") from error
    return RbdDevice(image)


def create_image(bindings: Modules, location: Location, size: int) -> None:
    """A new image of `size` bytes. RbdFailure."""
    ioctx = _ioctx(bindings, location)
    try:
        bindings.rbd.RBD().create(ioctx, location.image, size)
    except bindings.rbd.OSError as error:
        raise RbdFailure(f"error rbd create: {os.strerror(error.errno)}") from error


def _ioctx(bindings: Modules, location: Location) -> Any:
    try:
        client = bindings.rados.Rados(
            rados_id=location.user or "admin", conffile=location.conf or "/etc/ceph/ceph.conf"
        )
    except bindings.rados.Error as error:
        raise RbdFailure(f"error reading conf file {location.conf}: {os.strerror(error.errno)}") from error
    try:
        client.connect()
        ioctx = client.open_ioctx(location.pool)
    except bindings.rados.Error as error:
        doing = "connecting" if client.state == "configuring" else f"opening pool {location.pool}"
        raise RbdFailure(f"error {doing}: {os.strerror(error.errno)}") from error
    ioctx.set_namespace(location.namespace)
    return ioctx


class RbdDevice(BlockDevice):
    """An image that was opened through the bindings, as a device."""

    def __init__(self, image: Any) -> None:
        self.image = image
        self.size = image.size()

    def load(self, number: int) -> Chunk:
        start = number * CHUNK
        if start >= self.size:
            return EMPTY
        data = self.image.read(start, min(CHUNK, self.size - start))
        pages = {
            at // PAGE: data[at : at + PAGE].ljust(PAGE, b"\0")
            for at in range(0, len(data), PAGE)
            if any(data[at : at + PAGE])
        }
        return pages

    def store(self, number: int, chunk: Chunk) -> None:
        start = number * CHUNK
        length = min(CHUNK, self.size - start)
        if not chunk:
            self.image.write_zeroes(start, length)
            return
        data = b"".join(chunk.get(index, bytes(PAGE)) for index in range(-(-length // PAGE)))
        self.image.write(data[:length], start)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self.image.write(data, number * CHUNK + start)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        numbers: dict[int, None] = {}
        start, end = first * CHUNK, min(last * CHUNK, self.size)

        def note(offset: int, length: int, exists: bool) -> None:
            numbers.update(
                dict.fromkeys(range(offset // CHUNK, -(-(offset + length) // CHUNK)) if exists else ())
            )

        if start < end:
            self.image.diff_iterate(start, end - start, None, note)
        return sorted(numbers)

    def close(self) -> None:
        """Close the image."""
        self.image.close()
