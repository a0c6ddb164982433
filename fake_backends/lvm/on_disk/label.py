"""The label that makes a device a physical volume: sector 1, with the identity and the areas of the volume.

    sector 1   LABELONE, its own sector, checksum of what follows, offset of the header, "LVM2 001"
      + 32     physical volume header: uuid, size of the device, then lists of (offset, size):
               data areas, an end mark, metadata areas, an end mark
      then     header extension: version, flags (1: the volume belongs to a group), boot loader areas

Numbers are little-endian. Source: lvm2, ``lib/label/label.c`` and ``lib/format_text/layout.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fake_backends.lvm.on_disk.checksum import checksum
from fake_backends.lvm.on_disk.medium import Medium
from fake_backends.lvm.on_disk.uuids import LENGTH, with_hyphens, without_hyphens
from harness.errors import Unreadable

SECTOR = 512
SECTORS_SCANNED = 4
"""lvm2 accepts a label in any of the first four sectors, and writes it to the second."""
DATA_START = 1 << 20
METADATA_START = 4096
METADATA_SIZE = DATA_START - METADATA_START

_ID = b"LABELONE"
_TYPE = b"LVM2 001"
_LABEL = struct.Struct("<8sQII8s")
_CHECKED_FROM = 20
_IDENTITY = struct.Struct(f"<{LENGTH}sQ")
_AREA = struct.Struct("<QQ")
_EXTENSION = struct.Struct("<II")
_EXTENSION_VERSION = 2
_EXTENSION_USED = 1


@dataclass(frozen=True)
class Label:
    """A physical volume's identity. Sizes and offsets are bytes; areas are pairs of offset and size."""

    uuid: str
    device_size: int
    data_areas: tuple[tuple[int, int], ...] = ((DATA_START, 0),)
    metadata_areas: tuple[tuple[int, int], ...] = ((METADATA_START, METADATA_SIZE),)
    used: bool = True
    """Whether the volume belongs to a group."""


def write_label(medium: Medium, label: Label) -> None:
    """Make a device a physical volume. One write of one sector."""
    header = _IDENTITY.pack(without_hyphens(label.uuid).encode(), label.device_size)
    for areas in (label.data_areas, label.metadata_areas):
        header += b"".join(_AREA.pack(*area) for area in (*areas, (0, 0)))
    header += _EXTENSION.pack(_EXTENSION_VERSION, _EXTENSION_USED if label.used else 0) + _AREA.pack(0, 0)
    sector = bytearray(SECTOR)
    _LABEL.pack_into(sector, 0, _ID, 1, 0, _LABEL.size, _TYPE)
    sector[_LABEL.size : _LABEL.size + len(header)] = header
    struct.pack_into("<I", sector, 16, checksum(bytes(sector[_CHECKED_FROM:])))
    medium.write(SECTOR, bytes(sector))


def has_label(medium: Medium) -> bool:
    """Whether a device has a label where lvm2 looks for one, damaged or not."""
    start = medium.read(0, SECTORS_SCANNED * SECTOR)
    return any(start.startswith(_ID, at) for at in range(0, len(start), SECTOR))


def read_label(medium: Medium) -> Label:
    """The label of a device. Unreadable, with the reason, if there is none that can be trusted."""
    start = medium.read(0, SECTORS_SCANNED * SECTOR)
    for number in range(SECTORS_SCANNED):
        sector = start[number * SECTOR : (number + 1) * SECTOR]
        if sector.startswith(_ID):
            return _parsed(sector, number)
    raise Unreadable("is no physical volume: it has no LVM2 label")


def _parsed(sector: bytes, number: int) -> Label:
    if len(sector) < SECTOR:
        raise Unreadable("ends inside its LVM2 label")
    _, written_to, crc, offset, kind = _LABEL.unpack_from(sector)
    if crc != checksum(sector[_CHECKED_FROM:]):
        raise Unreadable("has an LVM2 label with a wrong checksum")
    if written_to != number:
        raise Unreadable(f"has an LVM2 label for sector {written_to} in sector {number}")
    if kind != _TYPE:
        raise Unreadable(f"has a label of the unknown type {kind.decode('ascii', 'replace')!r}, not 'LVM2 001'")
    try:
        return _header(sector, offset)
    except (struct.error, UnicodeDecodeError):
        raise Unreadable("has an LVM2 label with a header that makes no sense") from None


def _header(sector: bytes, offset: int) -> Label:
    uuid, device_size = _IDENTITY.unpack_from(sector, offset)
    data_areas, offset = _area_list(sector, offset + _IDENTITY.size)
    metadata_areas, offset = _area_list(sector, offset)
    if not data_areas or not metadata_areas:
        raise Unreadable("has an LVM2 label without a data area and a metadata area")
    version, flags = _EXTENSION.unpack_from(sector, offset)
    if version > _EXTENSION_VERSION:
        raise Unreadable(f"has a header extension of version {version}; known are versions up to 2")
    used = bool(flags & _EXTENSION_USED)
    return Label(with_hyphens(uuid.decode("ascii")), device_size, data_areas, metadata_areas, used)


def _area_list(sector: bytes, offset: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Areas up to the end mark, and the offset behind it."""
    areas: list[tuple[int, int]] = []
    while (area := _AREA.unpack_from(sector, offset)) != (0, 0):
        areas.append(area)
        offset += _AREA.size
    return tuple(areas), offset + _AREA.size
