"""Sector encryption as dm-crypt and QEMU do it: each sector on its own, with its number as the IV."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from harness.errors import InvalidArgument

SECTOR = 512
"""Bytes that an IV counts in, whatever the size of the unit that is encrypted."""


class SectorCipher:
    """One of the ciphers that volume types name, such as ``aes-xts-plain64``, with a key.

    The modes are xts and cbc; the IVs are plain (32 bits of the sector's number), plain64, and essiv with
    any hash of hashlib (``aes-cbc-essiv:sha256``). `sector_size` is the unit in bytes.
    InvalidArgument for any other specification or a key of the wrong length.
    """

    def __init__(self, specification: str, key: bytes, sector_size: int = SECTOR) -> None:
        name, _, rest = specification.partition("-")
        mode, _, generator = rest.partition("-")
        generator, _, digest = generator.partition(":")
        if name != "aes" or mode not in ("xts", "cbc") or generator not in ("plain", "plain64", "essiv"):
            raise InvalidArgument(f"cipher {specification!r} is not supported")
        try:
            self._algorithm = algorithms.AES(key)
            self._mode = modes.XTS if mode == "xts" else modes.CBC
            self._essiv = algorithms.AES(hashlib.new(digest, key).digest()) if generator == "essiv" else None
            Cipher(self._algorithm, self._mode(bytes(16)))
        except ValueError as error:
            raise InvalidArgument(f"cipher {specification!r}, key of {len(key) * 8} bits: {error}") from error
        self._iv_mask = (1 << 32) - 1 if generator == "plain" else (1 << 64) - 1
        self.sector_size = sector_size

    def encrypt(self, offset: int, plain: bytes) -> bytes:
        """Encrypt whole sectors that lie `offset` bytes behind the start of the payload."""
        size = self.sector_size
        return b"".join(
            self._cipher(offset + start).encryptor().update(plain[start : start + size])
            for start in range(0, len(plain), size)
        )

    def decrypt(self, offset: int, cipher: bytes) -> bytes:
        """Undo `encrypt`."""
        size = self.sector_size
        return b"".join(
            self._cipher(offset + start).decryptor().update(cipher[start : start + size])
            for start in range(0, len(cipher), size)
        )

    def _cipher(self, offset: int) -> Cipher[modes.XTS | modes.CBC]:
        iv = (offset // SECTOR & self._iv_mask).to_bytes(16, "little")
        if self._essiv is not None:
            iv = Cipher(self._essiv, modes.ECB()).encryptor().update(iv)
        return Cipher(self._algorithm, self._mode(iv))
