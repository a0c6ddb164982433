"""A metadata area: a header of one sector that points into a ring of text metadata.

A change never overwrites what is in force. The new text is written behind the current one, on a sector
boundary, and wraps around at the end of the area. Then one sector is written, the header: first with the
new place in its second slot (precommit), then in its first (commit). A crash at any point leaves the old
text or the new one in force. Source: lvm2, ``lib/format_text/format-text.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from fake_backends.lvm.on_disk.checksum import checksum
from fake_backends.lvm.on_disk.medium import Medium
from harness.errors import NoSpace, StorageError, Unreadable

HEADER = 512
_ALIGNMENT = 512
_MAGIC = b" LVM2 x[5A%r0N*>"
_VERSION = 1
_FIXED = struct.Struct("<I16sIQQ")
_LOCATION = struct.Struct("<QQII")
_SLOTS = 2
_IGNORED = 1


@dataclass(frozen=True)
class Location:
    """Where a text lies: bytes from the start of the area, its length with the final zero, its checksum."""

    offset: int = 0
    size: int = 0
    checksum: int = 0
    flags: int = 0


NOWHERE = Location()


class MetadataArea:
    """The area at `start` of a device, `size` bytes long."""

    def __init__(self, medium: Medium, start: int, size: int) -> None:
        self._medium = medium
        self._start = start
        self._size = size

    @property
    def room(self) -> int:
        """Bytes of the largest text, with its final zero: two of them have to fit into the ring."""
        return (self._size - HEADER) // 2 - _ALIGNMENT

    def format(self) -> None:
        """Make the area valid and empty."""
        self._write_header(NOWHERE, NOWHERE)

    def read(self) -> str | None:
        """The text in force, None if there is none yet. Unreadable, with the reason."""
        committed, _ = self._header()
        if committed.size == 0 or committed.flags & _IGNORED:
            return None
        if not HEADER <= committed.offset < self._size or committed.size > self._size - HEADER:
            raise Unreadable("has a metadata area that points outside of itself")
        raw = self._ring_read(committed)
        if checksum(raw) != committed.checksum:
            raise Unreadable("has text metadata with a wrong checksum")
        try:
            return raw.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise Unreadable("has text metadata that is no text") from None

    def write(self, text: str) -> Location:
        """Put a text behind the one in force, without committing to it. NoSpace if it is too long."""
        raw = text.encode() + b"\0"
        room = self.room
        if len(raw) > room:
            raise NoSpace(f"metadata of {len(raw)} bytes exceeds the maximum of {room} bytes")
        committed, _ = self._header()
        place = Location(self._next_offset(committed), len(raw), checksum(raw))
        first = min(len(raw), self._size - place.offset)
        self._medium.write(self._start + place.offset, _padded(raw[:first]))
        if first < len(raw):
            self._medium.write(self._start + HEADER, _padded(raw[first:]))
        return place

    def precommit(self, place: Location) -> None:
        """Announce a text that `write` has placed."""
        committed, _ = self._header()
        self._write_header(committed, place)

    def commit(self, place: Location) -> None:
        """Put a text in force that `write` has placed."""
        self._write_header(place, NOWHERE)

    def _header(self) -> tuple[Location, Location]:
        sector = self._medium.read(self._start, HEADER)
        if len(sector) < HEADER:
            raise Unreadable("ends before its metadata area")
        crc, magic, version, start, size = _FIXED.unpack_from(sector)
        if magic != _MAGIC:
            raise Unreadable("has no metadata area where its label says")
        if crc != checksum(sector[4:]):
            raise Unreadable("has a metadata area header with a wrong checksum")
        if version != _VERSION:
            raise Unreadable(f"has a metadata area of version {version}; known is version 1")
        if (start, size) != (self._start, self._size):
            raise Unreadable("has a metadata area whose header contradicts its label")
        committed, announced = (
            Location(*_LOCATION.unpack_from(sector, _FIXED.size + slot * _LOCATION.size))
            for slot in range(_SLOTS)
        )
        return committed, announced

    def _write_header(self, *slots: Location) -> None:
        sector = bytearray(HEADER)
        _FIXED.pack_into(sector, 0, 0, _MAGIC, _VERSION, self._start, self._size)
        for slot, place in enumerate(slots):
            values = (place.offset, place.size, place.checksum, place.flags)
            _LOCATION.pack_into(sector, _FIXED.size + slot * _LOCATION.size, *values)
        struct.pack_into("<I", sector, 0, checksum(bytes(sector[4:])))
        self._medium.write(self._start, bytes(sector))

    def _next_offset(self, committed: Location) -> int:
        """Behind the text in force, on a sector boundary; at the start if less than a sector is left there."""
        if committed.size == 0:
            return HEADER
        end = committed.offset + committed.size
        if end > self._size:
            end -= self._size - HEADER
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        return start if start <= self._size - _ALIGNMENT else HEADER

    def _ring_read(self, place: Location) -> bytes:
        first = min(place.size, self._size - place.offset)
        raw = self._medium.read(self._start + place.offset, first)
        return raw + self._medium.read(self._start + HEADER, place.size - first)


def _padded(raw: bytes) -> bytes:
    return raw.ljust(-(-len(raw) // _ALIGNMENT) * _ALIGNMENT, b"\0")


def commit_everywhere(areas: Sequence[MetadataArea], text: str) -> None:
    """Put a text in force on all physical volumes of a group.

    It is written everywhere before it is announced anywhere, and announced everywhere before any area
    commits to it. A crash between two commits leaves areas of two ages; the newest is the group's. So one
    area that commits is enough; an error before that leaves the old text in force (lvm2's ``vg_commit``).
    """
    places = [area.write(text) for area in areas]
    for area, place in zip(areas, places, strict=True):
        area.precommit(place)
    errors: list[StorageError] = []
    for area, place in zip(areas, places, strict=True):
        try:
            area.commit(place)
        except StorageError as error:
            errors.append(error)
    if errors and len(errors) == len(areas):
        raise errors[0]
