"""The LUKS1 header: 592 bytes with eight key slots, big-endian.

Source: the LUKS On-Disk Format Specification 1.2.3.
"""

from __future__ import annotations

import struct

from fake_backends.luks.cipher import SECTOR
from fake_backends.luks.header import ALIGNMENT, MAGIC, STRIPES, Digest, Header, KeySlot, area_size

SLOTS = 8
# magic, version, cipher, mode, hash, payload sector, master key bytes, digest, its salt and iterations, uuid
_HEADER = struct.Struct(">6sH32s32s32sII20s32sI40s")
# state, iterations, salt, sector of the key material, stripes
_SLOT = struct.Struct(">II32sII")
_ACTIVE, _DISABLED = 0x00AC71F3, 0x0000DEAD
SIZE = _HEADER.size + SLOTS * _SLOT.size
DIGEST_SIZE = 20


def material_offset(slot: int, key_size: int) -> int:
    """Where cryptsetup and qemu-img put the key material of a slot, in bytes."""
    return ALIGNMENT + slot * area_size(key_size)


def pack(header: Header) -> bytes:
    """The 592 bytes at the start of the device."""
    name, _, mode = header.cipher.partition("-")
    digest = header.digest
    packed = _HEADER.pack(
        MAGIC, 1, name.encode(), mode.encode(), digest.hash.encode(), header.payload_offset // SECTOR,
        header.key_size, digest.value, digest.salt, digest.iterations, header.uuid.encode(),
    )  # fmt: skip
    for number in range(SLOTS):
        slot = header.slots.get(number)
        if slot is None:
            sector = material_offset(number, header.key_size) // SECTOR
            packed += _SLOT.pack(_DISABLED, 0, b"", sector, STRIPES)
        else:
            packed += _SLOT.pack(_ACTIVE, slot.iterations, slot.salt, slot.offset // SECTOR, slot.stripes)
    return packed


def unpack(start: bytes) -> Header:
    """Read what `pack` or the real tools wrote."""
    _, _, name, mode, hash_, payload, key_size, value, salt, iterations, uuid = _HEADER.unpack_from(start)
    cipher = f"{_text(name)}-{_text(mode)}"
    slots = {}
    for number in range(SLOTS):
        state, rounds, slot_salt, sector, stripes = _SLOT.unpack_from(start, _HEADER.size + number * _SLOT.size)
        if state == _ACTIVE:
            slots[number] = KeySlot(
                salt=slot_salt,
                iterations=rounds,
                offset=sector * SECTOR,
                key_size=key_size,
                hash=_text(hash_),
                cipher=cipher,
                cipher_key_size=key_size,
                stripes=stripes,
            )
    return Header(
        version=1,
        uuid=_text(uuid),
        cipher=cipher,
        key_size=key_size,
        payload_offset=payload * SECTOR,
        digest=Digest(salt, iterations, value, _text(hash_)),
        slots=slots,
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace")
