"""Key slots: a master key, blown up by the anti-forensic splitter and encrypted with a passphrase.

Source: the LUKS On-Disk Format Specification 1.2.3, sections 2.4 (splitter) and 4 (slots); LUKS2 keeps both.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.kdf.argon2 import Argon2i, Argon2id

from fake_backends.luks.cipher import SECTOR, SectorCipher
from fake_backends.luks.header import Digest, KeySlot
from harness.errors import InvalidArgument


@lru_cache(maxsize=16)
def seal(slot: KeySlot, passphrase: bytes, master_key: bytes, noise: bytes) -> bytes:
    """The key material of a slot, in whole sectors. `noise` fills all stripes but the last."""
    material = _split(master_key, slot.stripes, slot.hash, noise)
    material += bytes(-len(material) % SECTOR)
    return _slot_cipher(slot, passphrase).encrypt(0, material)


@lru_cache(maxsize=16)
def unseal(slot: KeySlot, passphrase: bytes, material: bytes) -> bytes:
    """The master key, if the passphrase is right; any other bytes if not. `material` is what `seal` made."""
    split = _slot_cipher(slot, passphrase).decrypt(0, material)
    return _merged(split[: slot.material_size], slot.key_size, slot.hash)


def opens(digest: Digest, master_key: bytes) -> bool:
    """True for the master key that the digest was made of."""
    return digest_value(master_key, digest.salt, digest.iterations, digest.hash, len(digest.value)) == (
        digest.value
    )


@lru_cache(maxsize=64)
def digest_value(master_key: bytes, salt: bytes, iterations: int, hash_: str, length: int) -> bytes:
    """What a header keeps of a master key, to recognise it."""
    return hashlib.pbkdf2_hmac(hash_, master_key, salt, iterations, length)


def _slot_cipher(slot: KeySlot, passphrase: bytes) -> SectorCipher:
    return SectorCipher(slot.cipher, _derived(slot, passphrase))


def _derived(slot: KeySlot, passphrase: bytes) -> bytes:
    """The slot's own key. InvalidArgument for a key derivation that is not known."""
    if slot.kdf == "pbkdf2":
        return hashlib.pbkdf2_hmac(slot.hash, passphrase, slot.salt, slot.iterations, slot.cipher_key_size)
    if slot.kdf not in ("argon2id", "argon2i"):
        raise InvalidArgument(f"key derivation {slot.kdf!r} is not supported")
    derivation = Argon2id if slot.kdf == "argon2id" else Argon2i
    return derivation(
        salt=slot.salt,
        length=slot.cipher_key_size,
        iterations=slot.iterations,
        lanes=slot.lanes,
        memory_cost=slot.memory,
    ).derive(passphrase)


def _split(key: bytes, stripes: int, hash_: str, noise: bytes) -> bytes:
    """`stripes` times as many bytes as the key has: lose one of them, and the key is gone."""
    size = len(key)
    noise = noise[: size * (stripes - 1)]
    return noise + _xor(_diffused_all(noise, size, hash_), key)


def _merged(material: bytes, size: int, hash_: str) -> bytes:
    last = len(material) - size
    return _xor(_diffused_all(material[:last], size, hash_), material[last:])


def _diffused_all(material: bytes, size: int, hash_: str) -> bytes:
    block = bytes(size)
    for start in range(0, len(material), size):
        block = _diffused(_xor(block, material[start : start + size]), hash_)
    return block


def _diffused(block: bytes, hash_: str) -> bytes:
    """Each part of a block hashed with its number, the last one cut to length."""
    step = hashlib.new(hash_).digest_size
    return b"".join(
        hashlib.new(hash_, number.to_bytes(4, "big") + block[start : start + step]).digest()[
            : len(block) - start
        ]
        for number, start in enumerate(range(0, len(block), step))
    )


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")
