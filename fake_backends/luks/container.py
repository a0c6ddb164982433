"""Containers on a device: format, recognise, open with a passphrase, add and erase passphrases.

Nothing here is random: salts, master keys and the noise of the splitter follow from what the caller gives.
Key derivation makes the fewest iterations that cryptsetup accepts, because what is protected here is nobody's
secret. Unlike cryptsetup, the areas of unused key slots are zeros, not noise.
"""

from __future__ import annotations

import errno
import hashlib
import uuid
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from fake_backends.block_store import CHUNK, PAGE, BlockDevice
from fake_backends.luks import luks1, luks2
from fake_backends.luks.cipher import SECTOR, SectorCipher
from fake_backends.luks.header import MAGIC, Digest, Header, KeySlot, area_size
from fake_backends.luks.keyslots import digest_value, opens, seal, unseal
from harness.errors import InvalidArgument, StorageError

Provider = Literal["luks", "luks2"]

VERSIONS: dict[str, int] = {"luks": 1, "luks2": 2}
CRYPTSETUP_OFFSET = {"luks": 2 << 20, "luks2": 16 << 20}
"""Bytes before the payload as `cryptsetup luksFormat` lays it out, for any key size."""
QEMU_IMG_OFFSET = {128: 1_052_672, 256: 2_068_480}
"""Bytes before the payload in `qemu-img create -f luks` with aes-128 and aes-256 in XTS mode."""
ITERATIONS = 1000
_DATA_ALIGNMENT = 1 << 20
CIPHER = "aes-xts-plain64"


def format(
    device: BlockDevice,
    *,
    provider: str,
    key: bytes,
    key_size: int = 256,
    cipher: str = CIPHER,
    payload_offset: int | None = None,
    sector_size: int = SECTOR,
    salt: bytes = b"",
) -> Header:
    """Write a header; what the payload held before becomes noise.

    `provider` is luks or luks2, `key` the passphrase, `key_size` the master key's bits (in XTS mode, twice
    the cipher's). Without `payload_offset`, the layout is that of `cryptsetup luksFormat`, which clears all
    that lies before the payload; with it, in bytes, that of `qemu-img create`, which writes the header and
    nothing else. `sector_size` is the unit of encryption (LUKS2). The master key follows from `key` and
    `salt`: give each container its own salt where containers share a key.

    InvalidArgument for an unknown provider or cipher, or a device that is too small.
    """
    if provider not in VERSIONS:
        raise InvalidArgument(f"unknown LUKS provider {provider!r}; there are luks and luks2")
    offset = _cryptsetup_offset(provider, device.size) if payload_offset is None else payload_offset
    if offset % PAGE or offset < 2 * PAGE:
        raise InvalidArgument(f"payload offset {offset} is no multiple of {PAGE} behind the header")
    header, packed, material = _fresh(provider, key, key_size // 8, cipher, offset, sector_size, salt)
    needed = _needed(header)
    if device.size < needed:
        raise InvalidArgument(f"Device is too small. ({provider.upper()} requires at least {needed} bytes.)")
    if payload_offset is None:
        _clear(device, min(offset, device.size))
    device.write(0, packed)
    device.write(header.slots[0].offset, material)
    return header


def provider_of(device: BlockDevice) -> Provider | None:
    """What the device was formatted as, or None (`cryptsetup isLuks`)."""
    start = device.read(0, len(MAGIC) + 2)
    if start == MAGIC + b"\0\1":
        return "luks"
    if start == MAGIC + b"\0\2":
        return "luks2"
    return None


def read_header(device: BlockDevice) -> Header:
    """The header. InvalidArgument if the device is no container, or of a kind that is not known here."""
    if provider_of(device) == "luks":
        return luks1.unpack(device.read(0, luks1.SIZE))
    header = luks2.unpack(device.read)
    if header is None:
        raise InvalidArgument("Device is not a valid LUKS device.")
    return header


def unlock(device: BlockDevice, key: bytes) -> tuple[Header, bytes, int]:
    """Header, master key, and the number of the slot that the passphrase opens.

    InvalidArgument if the device is no container; StorageError with EPERM for a wrong passphrase.
    """
    header = read_header(device)
    return header, *unlock_with(device, header, key)


def unlock_with(device: BlockDevice, header: Header, key: bytes) -> tuple[bytes, int]:
    """The same by the slots of a header that was read before."""
    for number, slot in sorted(header.slots.items()):
        size = -(-slot.material_size // SECTOR) * SECTOR
        master_key = unseal(slot, key, device.read(slot.offset, size))
        if opens(header.digest, master_key):
            return master_key, number
    raise StorageError("No key available with this passphrase.", errno=errno.EPERM)


def add_key(device: BlockDevice, key: bytes, new_key: bytes, *, slot: int | None = None) -> int:
    """Let a second passphrase open the container; the number of its slot (`cryptsetup luksAddKey`).

    StorageError with EPERM for a wrong `key`; InvalidArgument if the slot is in use, or all are.
    """
    header, master_key, _ = unlock(device, key)
    limit = luks1.SLOTS if header.version == 1 else luks2.SLOTS
    free = [number for number in range(limit) if number not in header.slots]
    if not free or (slot is not None and slot not in free):
        wanted = (
            "All key slots full." if slot is None else f"Key slot {slot} is full, please select another one."
        )
        raise InvalidArgument(wanted)
    number = free[0] if slot is None else slot
    new = _write_slot(device, header, number, master_key, new_key)
    _rewrite(device, replace(header, slots={**header.slots, number: new}))
    return number


def change_key(device: BlockDevice, key: bytes, new_key: bytes) -> int:
    """Let another passphrase open the container instead (`cryptsetup luksChangeKey`); the number of its slot.

    LUKS1 writes the new one to a free slot and LUKS2 keeps the number, before the old one is erased; without
    a free slot the old one is overwritten. StorageError with EPERM for a wrong `key`.
    """
    header, master_key, old = unlock(device, key)
    slots = dict(header.slots)
    limit = luks1.SLOTS if header.version == 1 else luks2.SLOTS
    free = [number for number in range(limit) if number not in slots]
    if not free:
        del slots[old]
    number = old if header.version == 2 or not free else free[0]
    new = _write_slot(device, replace(header, slots=slots), number, master_key, new_key)
    if free:
        device.write(slots.pop(old).offset, bytes(header.slots[old].material_size))
    _rewrite(device, replace(header, slots={**slots, number: new}, epoch=header.epoch + 1))
    return number


def erase_key(device: BlockDevice, number: int) -> None:
    """Forget the passphrase of a slot, and overwrite its material (`cryptsetup luksKillSlot`).

    InvalidArgument if the device is no container or the slot is not in use.
    """
    header = read_header(device)
    slot = header.slots.get(number)
    if slot is None:
        raise InvalidArgument(f"Keyslot {number} is not active.")
    _rewrite(device, replace(header, slots={n: each for n, each in header.slots.items() if n != number}))
    device.write(slot.offset, bytes(slot.material_size))


def _write_slot(device: BlockDevice, header: Header, number: int, master_key: bytes, key: bytes) -> KeySlot:
    """Put the master key where there is room for slot `number`; the header does not know of it yet."""
    offset = (
        luks1.material_offset(number, header.key_size) if header.version == 1 else luks2.area_offset(header)
    )
    slot = KeySlot(
        salt=_derive("slot", 32, key, master_key, str(number).encode()),
        iterations=ITERATIONS,
        offset=offset,
        key_size=header.key_size,
        hash=header.digest.hash,
        cipher=header.cipher,
        cipher_key_size=header.key_size,
    )
    device.write(offset, seal(slot, key, master_key, _noise(slot)))
    return slot


def _rewrite(device: BlockDevice, header: Header) -> None:
    module = luks1 if header.version == 1 else luks2
    device.write(0, module.pack(replace(header, epoch=header.epoch + 1)))


def _cryptsetup_offset(provider: str, size: int) -> int:
    """Where `cryptsetup luksFormat` starts the payload on a device of `size` bytes.

    LUKS2 makes do with fewer key slots on a small device, and leaves no room for data. Source: cryptsetup's
    lib/luks2/luks2_json_format.c, `LUKS2_generate_hdr`.
    """
    offset = CRYPTSETUP_OFFSET[provider]
    if provider == "luks2":
        offset = min(offset, -(-size // _DATA_ALIGNMENT) * _DATA_ALIGNMENT)
    return offset


def _needed(header: Header) -> int:
    """Bytes that a device must have: up to the end of the last slot's key material (the first's in LUKS2)."""
    if header.version == 1:
        return luks1.material_offset(luks1.SLOTS - 1, header.key_size) + header.slots[0].material_size
    return header.slots[0].offset + area_size(header.key_size)


@lru_cache(maxsize=16)
def _fresh(
    provider: str, key: bytes, key_size: int, cipher: str, offset: int, sector_size: int, salt: bytes
) -> tuple[Header, bytes, bytes]:
    """A new header, its bytes, and the key material of its first slot."""
    master_key = _derive("master key", key_size, key, salt)
    SectorCipher(cipher, master_key, sector_size)  # refuses what cannot be opened afterwards
    version = VERSIONS[provider]
    digest_salt = _derive("digest", 32, key, salt)
    length = luks1.DIGEST_SIZE if version == 1 else hashlib.sha256().digest_size
    metadata_size = 0 if version == 1 else luks2.METADATA_SIZE
    slot = KeySlot(
        salt=_derive("slot", 32, key, salt),
        iterations=ITERATIONS,
        offset=luks1.material_offset(0, key_size) if version == 1 else 2 * metadata_size,
        key_size=key_size,
        cipher=cipher,
        cipher_key_size=key_size,
    )
    header = Header(
        version=version,
        uuid=str(uuid.UUID(bytes=_derive("uuid", 16, key, salt), version=4)),
        cipher=cipher,
        key_size=key_size,
        payload_offset=offset,
        digest=Digest(
            digest_salt, ITERATIONS, digest_value(master_key, digest_salt, ITERATIONS, "sha256", length)
        ),
        slots={0: slot},
        sector_size=sector_size if version == 2 else SECTOR,
        epoch=3,
        metadata_size=metadata_size,
        keyslots_size=0 if version == 1 else offset - 2 * metadata_size,
        salt=_derive("header", 32, key, salt),
    )
    packed = luks1.pack(header) if version == 1 else luks2.pack(header)
    return header, packed, seal(slot, key, master_key, _noise(slot))


def _clear(device: BlockDevice, length: int) -> None:
    """Zeros over the first `length` bytes; a page that ends behind them stays."""
    whole = length // CHUNK
    for number in range(whole):
        device.store(number, {})
    if length % CHUNK:
        device.store(
            whole,
            {
                index: page
                for index, page in device.load(whole).items()
                if whole * CHUNK + (index + 1) * PAGE > length
            },
        )


def _derive(purpose: str, length: int, *parts: bytes) -> bytes:
    text = b"/".join([purpose.encode(), *(b"%d:%s" % (len(part), part) for part in parts)])
    return hashlib.shake_128(text).digest(length)


def _noise(slot: KeySlot) -> bytes:
    return _derive("noise", slot.material_size, slot.salt)
