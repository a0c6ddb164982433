"""LUKS containers inside of images, as librbd makes and opens them without dm-crypt.

A handle that has loaded the encryption shows the plaintext: its size is what is left behind the header. The
size of the image itself, which `resize` sets and snapshots have, includes the header.
"""

from __future__ import annotations

import errno

from fake_backends import luks
from fake_backends.rbd.bindings import constants
from fake_backends.rbd.bindings.arguments import text
from fake_backends.rbd.bindings.opened import OpenImage
from fake_backends.rbd.bindings.rbd_errors import by_errno
from fake_backends.rbd.layers import ReadOnlyImage
from harness.errors import AlreadyExists, InvalidArgument, StorageError

_PROVIDERS = {
    constants.RBD_ENCRYPTION_FORMAT_LUKS1: "luks",
    constants.RBD_ENCRYPTION_FORMAT_LUKS2: "luks2",
}
_NAMES = {"luks": "luks1", "luks2": "luks2"}
_KEY_BITS = {constants.RBD_ENCRYPTION_ALGORITHM_AES128: 256, constants.RBD_ENCRYPTION_ALGORITHM_AES256: 512}
_SECTOR = {"luks": 512, "luks2": 4096}


class Encryption(OpenImage):
    """`encryption_format` and `encryption_load`."""

    def encryption_format(
        self,
        format: int,
        passphrase: str,
        cipher_alg: int = constants.RBD_ENCRYPTION_ALGORITHM_AES256,
    ) -> None:
        """Make the image a container, and load it. What it held is lost, though not overwritten.

        The payload begins with an object. NoSpace if the image is no larger than the header;
        OperationNotSupported for a clone.
        """
        provider, key = _provider(format), text(passphrase, "passphrase").encode()
        with self._told(f"error formatting image {self._quoted} with format {_NAMES[provider]}"):
            image = self._image
            if self._handle.read_only or self._handle.layer is not image.head:
                raise ReadOnlyImage("RBD read-only image")
            if cipher_alg not in _KEY_BITS:
                raise InvalidArgument("RBD invalid argument")
            if image.parent is not None:
                raise StorageError("RBD operation not supported", errno=errno.EOPNOTSUPP)
            self._reach()
            object_size = 1 << image.order
            offset = -(-luks.CRYPTSETUP_OFFSET[provider] // object_size) * object_size
            if image.size <= offset:
                raise StorageError("RBD insufficient space available", errno=errno.ENOSPC)
            luks.format(
                self._handle,
                provider=provider,
                key=key,
                key_size=_KEY_BITS[cipher_alg],
                payload_offset=offset,
                sector_size=_SECTOR[provider],
                salt=image.id.encode(),
            )
            self._plaintext = luks.LuksDevice(self._handle, key)

    def encryption_load(self, format: int, passphrase: str) -> None:
        """Show the plaintext from now on.

        ImageExists if it is shown already; InvalidArgument if the image is no such container; PermissionError
        for a wrong passphrase.
        """
        provider, key = _provider(format), text(passphrase, "passphrase").encode()
        with self._told(f"error loading encryption on image {self._quoted} with format {_NAMES[provider]}"):
            self._reach()
            if self._plaintext is not None:
                raise AlreadyExists("RBD image already exists")
            if luks.provider_of(self._handle) != provider:
                raise InvalidArgument("RBD invalid argument")
            self._plaintext = luks.LuksDevice(self._handle, key)


def _provider(format: int) -> str:
    provider = _PROVIDERS.get(format)
    if provider is None:
        raise by_errno(errno.EOPNOTSUPP, "Unsupported encryption format")
    return provider
