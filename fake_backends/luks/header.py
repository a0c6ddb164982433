"""What a LUKS header says, in either version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAGIC = b"LUKS\xba\xbe"
STRIPES = 4000
"""How far the anti-forensic splitter blows up a key: each slot's material is this many keys long."""
ALIGNMENT = 4096
"""Key material starts at multiples of this."""


@dataclass(frozen=True)
class KeySlot:
    """A master key, wrapped with a passphrase. Offsets and sizes are bytes, `memory` (argon2) is KiB."""

    salt: bytes
    iterations: int
    offset: int
    key_size: int
    kdf: str = "pbkdf2"
    hash: str = "sha256"
    cipher: str = "aes-xts-plain64"
    cipher_key_size: int = 0
    stripes: int = STRIPES
    memory: int = 0
    lanes: int = 0

    @property
    def material_size(self) -> int:
        """Bytes of key material."""
        return self.key_size * self.stripes


@dataclass(frozen=True)
class Digest:
    """What tells the right master key from a wrong one: PBKDF2 of it."""

    salt: bytes
    iterations: int
    value: bytes
    hash: str = "sha256"


@dataclass(frozen=True)
class Header:
    """One container. `slots` are those in use; `size` is the payload's, None for all that the device has.

    `epoch` counts the changes of a LUKS2 header; `keyslots_size` is the room for key material in it.
    """

    version: int
    uuid: str
    cipher: str
    key_size: int
    payload_offset: int
    digest: Digest
    slots: Mapping[int, KeySlot]
    sector_size: int = 512
    size: int | None = None
    epoch: int = 0
    metadata_size: int = 0
    keyslots_size: int = 0
    salt: bytes = b""


def area_size(key_size: int) -> int:
    """Bytes from one slot's key material to the next."""
    return -(-key_size * STRIPES // ALIGNMENT) * ALIGNMENT
