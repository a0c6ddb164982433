"""The metadata of a thin pool on disk: a journal of changes, in a format of Crucible's own.

dm-thin keeps copy-on-write B-trees there. This is a simpler thing with the same promise, that a change is
there or not after a crash: the area has two halves, and one of them is in force.

    half + 0        header: magic, version, generation, length and checksum of the checkpoint, own checksum
    half + 4096     checkpoint: all of the metadata, as it was when this half came into force
    behind it       records, each with its length and a checksum that begins with the generation

A record is appended with one write. When a half is full, a checkpoint goes to the other half, and its header
last, with the next generation: the half with the higher one is in force. Numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib

from fake_backends.lvm.on_disk.medium import Medium
from harness.errors import NoSpace, Unreadable

_MAGIC = b"CruThin\0"
_VERSION = 1
_HEADER = struct.Struct("<8sIQQII")
_CHECKPOINT_START = 4096
_RECORD = struct.Struct("<II")


class ThinJournal:
    """The journal in the first `size` bytes of a medium."""

    def __init__(self, medium: Medium, size: int) -> None:
        self._medium = medium
        self._half_size = size // 2
        self._generation = 0
        self._end = 0

    def checkpoint(self, state: bytes) -> None:
        """Begin anew with all of the metadata. NoSpace if that does not fit; then nothing changed."""
        generation = self._generation + 1
        if _CHECKPOINT_START + len(state) > self._half_size:
            raise NoSpace(f"thin pool metadata of {len(state)} bytes does not fit")
        start = self._start(generation)
        self._medium.write(start + _CHECKPOINT_START, state)
        self._medium.write(start, _header(generation, state))
        self._generation = generation
        self._end = start + _CHECKPOINT_START + len(state)

    def append(self, record: bytes) -> bool:
        """Add a change; False, with nothing done, if there is no room and a checkpoint is due."""
        if self._end + _RECORD.size + len(record) > self._start(self._generation) + self._half_size:
            return False
        raw = _RECORD.pack(len(record), _record_checksum(self._generation, record)) + record
        self._medium.write(self._end, raw)
        self._end += len(raw)
        return True

    def load(self) -> tuple[bytes, list[bytes]]:
        """The checkpoint in force and the records since. Unreadable, with the reason."""
        found = [half for half in (self._read_half(0), self._read_half(1)) if half is not None]
        if not found:
            raise Unreadable("holds no thin pool metadata in Crucible's format")
        self._generation, state = max(found)
        self._end = self._start(self._generation) + _CHECKPOINT_START + len(state)
        records: list[bytes] = []
        while (record := self._read_record()) is not None:
            records.append(record)
            self._end += _RECORD.size + len(record)
        return state, records

    def _start(self, generation: int) -> int:
        return generation % 2 * self._half_size

    def _read_half(self, half: int) -> tuple[int, bytes] | None:
        """Generation and checkpoint of a half, None if it was never in force."""
        start = half * self._half_size
        raw = self._medium.read(start, _HEADER.size)
        magic, version, generation, length, state_crc, crc = _HEADER.unpack(raw)
        if magic != _MAGIC or crc != zlib.crc32(raw[:-4]):
            return None
        if version != _VERSION:
            raise Unreadable(f"holds thin pool metadata of version {version}; known is version {_VERSION}")
        state = self._medium.read(start + _CHECKPOINT_START, min(length, self._half_size))
        return (generation, state) if zlib.crc32(state) == state_crc else None

    def _read_record(self) -> bytes | None:
        """The record at the end of what was read so far; None if there is none."""
        room = self._start(self._generation) + self._half_size - self._end - _RECORD.size
        if room < 0:
            return None
        length, crc = _RECORD.unpack(self._medium.read(self._end, _RECORD.size))
        if length > room:
            return None
        record = self._medium.read(self._end + _RECORD.size, length)
        return record if crc == _record_checksum(self._generation, record) else None


def _header(generation: int, state: bytes) -> bytes:
    raw = _HEADER.pack(_MAGIC, _VERSION, generation, len(state), zlib.crc32(state), 0)[:-4]
    return raw + struct.pack("<I", zlib.crc32(raw))


def _record_checksum(generation: int, record: bytes) -> int:
    return zlib.crc32(record, zlib.crc32(struct.pack("<QI", generation, len(record))))
