"""The LUKS2 header: two copies, each a binary header and a JSON area under one checksum.

Source: the LUKS2 On-Disk Format Specification 1.1.1. Of its metadata, one crypt segment, one digest and any
number of key slots are understood: all that cryptsetup makes, unless asked for integrity or re-encryption.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

from fake_backends.luks.header import MAGIC, Digest, Header, KeySlot, area_size
from harness.errors import InvalidArgument

SECOND_MAGIC = b"SKUL\xba\xbe"
METADATA_SIZE = 16 << 10
"""One copy of the header, as cryptsetup makes it by default."""
SLOTS = 32
_BINARY_SIZE = 4096
# magic, version, size of header and JSON area, epoch, label, checksum's name, salt, uuid, subsystem, offset
_BINARY = struct.Struct(">6sHQQ48s32s64s40s48sQ")
_CHECKSUM_OFFSET = 448
_CHECKSUM_SIZE = 64
_SECOND_OFFSETS = tuple(0x4000 << shift for shift in range(9))
"""Where a second copy may be: behind a first one of any size."""


def area_offset(header: Header) -> int:
    """Where a new slot's key material goes: the first gap in the key slots' area. InvalidArgument if full."""
    needed = area_size(header.key_size)
    offset = 2 * header.metadata_size
    end = offset + header.keyslots_size
    for slot in sorted(header.slots.values(), key=lambda slot: slot.offset):
        if slot.offset - offset >= needed:
            break
        offset = slot.offset + area_size(slot.key_size)
    if offset + needed > end:
        raise InvalidArgument("No space for new keyslot.")
    return offset


def pack(header: Header) -> bytes:
    """Both copies, from the start of the device."""
    area = json.dumps(_metadata(header), separators=(",", ":")).encode()
    area = area.ljust(header.metadata_size - _BINARY_SIZE, b"\0")
    return _copy(MAGIC, header, 0, area) + _copy(SECOND_MAGIC, header, header.metadata_size, area)


def _copy(magic: bytes, header: Header, offset: int, area: bytes) -> bytes:
    salt = hashlib.shake_256(magic + header.salt).digest(64)
    binary = _BINARY.pack(
        magic, 2, header.metadata_size, header.epoch, b"", b"sha256", salt, header.uuid.encode(), b"", offset
    ).ljust(_BINARY_SIZE, b"\0")
    checksum = hashlib.sha256(binary + area).digest().ljust(_CHECKSUM_SIZE, b"\0")
    return binary[:_CHECKSUM_OFFSET] + checksum + binary[_CHECKSUM_OFFSET + _CHECKSUM_SIZE :] + area


def _metadata(header: Header) -> dict[str, Any]:
    return {
        "keyslots": {str(number): _slot_metadata(slot) for number, slot in sorted(header.slots.items())},
        "tokens": {},
        "segments": {
            "0": {
                "type": "crypt",
                "offset": str(header.payload_offset),
                "size": "dynamic" if header.size is None else str(header.size),
                "iv_tweak": "0",
                "encryption": header.cipher,
                "sector_size": header.sector_size,
            }
        },
        "digests": {
            "0": {
                "type": "pbkdf2",
                "keyslots": [str(number) for number in sorted(header.slots)],
                "segments": ["0"],
                "hash": header.digest.hash,
                "iterations": header.digest.iterations,
                "salt": base64.b64encode(header.digest.salt).decode(),
                "digest": base64.b64encode(header.digest.value).decode(),
            }
        },
        "config": {
            "json_size": str(header.metadata_size - _BINARY_SIZE),
            "keyslots_size": str(header.keyslots_size),
        },
    }


def _slot_metadata(slot: KeySlot) -> dict[str, Any]:
    kdf: dict[str, Any]
    if slot.kdf == "pbkdf2":
        kdf = {"type": "pbkdf2", "hash": slot.hash, "iterations": slot.iterations}
    else:
        kdf = {"type": slot.kdf, "time": slot.iterations, "memory": slot.memory, "cpus": slot.lanes}
    return {
        "type": "luks2",
        "key_size": slot.key_size,
        "af": {"type": "luks1", "stripes": slot.stripes, "hash": slot.hash},
        "area": {
            "type": "raw",
            "offset": str(slot.offset),
            "size": str(area_size(slot.key_size)),
            "encryption": slot.cipher,
            "key_size": slot.cipher_key_size,
        },
        "kdf": kdf | {"salt": base64.b64encode(slot.salt).decode()},
    }


def unpack(read: Callable[[int, int], bytes]) -> Header | None:
    """The header from the first copy, or from the second if the first is damaged; None without either.

    `read` gives bytes at an offset. InvalidArgument for metadata that is beyond what this module knows.
    """
    candidates = [(0, MAGIC), *((offset, SECOND_MAGIC) for offset in _SECOND_OFFSETS)]
    for offset, magic in candidates:
        binary = read(offset, _BINARY_SIZE)
        if len(binary) < _BINARY_SIZE or not binary.startswith(magic + b"\0\2"):
            continue
        fields = _BINARY.unpack_from(binary)
        size, epoch, checksum, salt, uuid = fields[2], fields[3], fields[5], fields[6], fields[7]
        if size not in _SECOND_OFFSETS or _text(checksum) not in hashlib.algorithms_guaranteed:
            continue
        area = read(offset + _BINARY_SIZE, size - _BINARY_SIZE)
        if _checksum_holds(binary, area, _text(checksum)):
            return _parsed(json.loads(area.partition(b"\0")[0]), size, epoch, salt, _text(uuid))
    return None


def _checksum_holds(binary: bytes, area: bytes, name: str) -> bool:
    end = _CHECKSUM_OFFSET + _CHECKSUM_SIZE
    blank = binary[:_CHECKSUM_OFFSET] + bytes(_CHECKSUM_SIZE) + binary[end:]
    value = hashlib.new(name, blank + area).digest()
    return binary[_CHECKSUM_OFFSET:end].startswith(value)


def _parsed(metadata: dict[str, Any], size: int, epoch: int, salt: bytes, uuid: str) -> Header:
    try:
        (segment,) = metadata["segments"].values()
        (digest,) = metadata["digests"].values()
        if segment["type"] != "crypt" or digest["type"] != "pbkdf2" or int(segment["iv_tweak"]) != 0:
            raise ValueError("only plain crypt segments are supported")
        slots = {int(number): _parsed_slot(slot) for number, slot in metadata["keyslots"].items()}
        return Header(
            version=2,
            uuid=uuid,
            cipher=segment["encryption"],
            key_size=max(slot.key_size for slot in slots.values()) if slots else 0,
            payload_offset=int(segment["offset"]),
            digest=Digest(
                base64.b64decode(digest["salt"]),
                digest["iterations"],
                base64.b64decode(digest["digest"]),
                digest["hash"],
            ),
            slots=slots,
            sector_size=segment["sector_size"],
            size=None if segment["size"] == "dynamic" else int(segment["size"]),
            epoch=epoch,
            metadata_size=size,
            keyslots_size=int(metadata["config"]["keyslots_size"]),
            salt=salt,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidArgument(f"LUKS2 metadata that are not understood: {error!r}") from error


def _parsed_slot(slot: dict[str, Any]) -> KeySlot:
    kdf, area = slot["kdf"], slot["area"]
    pbkdf2 = kdf["type"] == "pbkdf2"
    return KeySlot(
        salt=base64.b64decode(kdf["salt"]),
        iterations=kdf["iterations"] if pbkdf2 else kdf["time"],
        offset=int(area["offset"]),
        key_size=slot["key_size"],
        kdf=kdf["type"],
        hash=slot["af"]["hash"],
        cipher=area["encryption"],
        cipher_key_size=area["key_size"],
        stripes=slot["af"]["stripes"],
        memory=0 if pbkdf2 else kdf["memory"],
        lanes=0 if pbkdf2 else kdf["cpus"],
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace")
