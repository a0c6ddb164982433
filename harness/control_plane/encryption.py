"""Keys and encryptors: what castellan and os-brick's LUKS encryptors do for Cinder and Nova."""

from __future__ import annotations

import hashlib

from fake_backends import luks
from fake_backends.block_store import BlockDevice
from fake_backends.connectors import Connection
from fake_backends.world import World
from harness import errors
from harness.model import Encryption
from harness.sim.seeds import Ids


class KeyManager:
    """The key manager. Drivers that encrypt by themselves reach the same keys through the world.

    `keys` has what opens a volume: the passphrase, which for os-brick and for QEMU is the secret in hexadecimal
    digits (`os_brick.encryptors.luks:LuksEncryptor._get_passphrase`).
    """

    def __init__(self, seed: int, world: World) -> None:
        self._ids = Ids(seed, "keys")
        self.keys = world.keys

    def create_key(self) -> str:
        """A new key; returns its id (`cinder.volume.volume_utils:create_encryption_key`)."""
        key_id = self._ids.uuid()
        self.keys[key_id] = hashlib.blake2b(key_id.encode(), digest_size=32).hexdigest().encode()
        return key_id

    def clone_key(self, key_id: str) -> str:
        """A key of its own with the same secret (`cinder.volume.volume_utils:clone_encryption_key`)."""
        clone = self._ids.uuid()
        self.keys[clone] = self.keys[key_id]
        return clone

    def delete_key(self, key_id: str) -> None:
        """Forget a key; an absent one is fine."""
        self.keys.pop(key_id, None)


def attach_encryptor(connection: Connection, encryption: Encryption, key: bytes) -> BlockDevice:
    """The plaintext device over a connected one; a device without a LUKS header is formatted first.

    dm-crypt needs a device path: an RBD handle has none, and os-brick fails with a TypeError on it
    (`os_brick.encryptors:get_volume_encryptor`).
    """
    if connection.path is None:
        raise errors.UnsupportedEncryption("expected str, bytes or os.PathLike object, not RBDVolumeIOWrapper")
    if luks.provider_of(connection.device) is None:
        luks.format(connection.device, provider=encryption.provider, key=key, key_size=encryption.key_size)
    return luks.LuksDevice(connection.device, key)
