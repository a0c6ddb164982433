"""QEMU's block driver ``rbd``: images by names like ``rbd:pool/image:conf=/etc/ceph/ceph.conf:id=cinder``.

Source of the names: `cinder.volume.drivers.rbd:RBDDriver._copy_image_to_volume` and
QEMU's ``block/rbd.c:qemu_rbd_parse_filename``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, Chunk

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


class RbdDevice(BlockDevice):
    """An image that was opened through the bindings, as a device."""

    def __init__(self, image: Any) -> None:
        self.image = image
        self.size = image.size()

    def load(self, number: int) -> Chunk:
        data = self._read(number * CHUNK, CHUNK)
        pages = {
            at // PAGE: data[at : at + PAGE].ljust(PAGE, b"\0")
            for at in range(0, len(data), PAGE)
            if any(data[at : at + PAGE])
        }
        return pages

    def store(self, number: int, chunk: Chunk) -> None:
        start = number * CHUNK
        length = min(CHUNK, self.size - start)
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

    def _read(self, offset: int, length: int) -> bytes:
        return bytes(self.image.read(offset, min(length, self.size - offset)))
