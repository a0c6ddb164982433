"""``rbd export-diff`` and ``rbd import-diff``: what changed in an image, as a stream in the format v1.

The stream is a banner and records, each of a tag and its values in little endian: ``f`` and ``t`` the snapshots
between which the differences lie, ``s`` the size, ``w`` data, ``z`` zeros, ``e`` the end.
Source: Ceph's ``doc/dev/rbd-diff.rst``.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fake_backends.block_store import PAGE

BANNER = b"rbd diff v1\n"

Progress = Callable[[int, int], None]
"""Called with what is done, and of how much."""


class DiffError(Exception):
    """`message` is for stderr, and may be empty."""

    def __init__(self, message: str, number: int, *, begun: bool = True) -> None:
        super().__init__(message)
        self.number = number
        self.begun = begun


class Record(NamedTuple):
    """A record: its tag, and the name, the size or the range that follows. `end` is its end in the stream."""

    tag: str
    name: str = ""
    offset: int = 0
    length: int = 0
    data: bytes = b""
    end: int = 0


def header(image: Any, older: str | None, newer: str | None) -> bytes:
    """The banner, and the records in front of the data."""
    stream = BANNER
    for tag, name in (("f", older), ("t", newer)):
        if name is not None:
            encoded = name.encode()
            stream += tag.encode() + struct.pack("<I", len(encoded)) + encoded
    return stream + b"s" + struct.pack("<Q", image.size())


def differences(image: Any, older: str | None, progress: Progress, *, whole_object: bool) -> bytes:
    """The records of data, and the end. `image` shows the newer snapshot. Raises what `diff_iterate` does."""
    extents: list[tuple[int, int, bool]] = []
    size = image.size()
    if size:
        image.diff_iterate(0, size, older, lambda *extent: extents.append(extent), True, whole_object)
    records: list[bytes] = []
    for offset, length, exists in extents:
        data = image.read(offset, length) if exists else b""
        if any(data):
            records += [b"w", struct.pack("<QQ", offset, length), data]
        else:
            records += [b"z", struct.pack("<QQ", offset, length)]
        progress(offset, size)
    return b"".join([*records, b"e"])


def apply(image: Any, stream: bytes, progress: Progress, *, from_stdin: bool) -> None:
    """Change an image as a stream says. Progress is that in the image, or in a file that the stream is in."""
    newer = ""
    for record in _records(stream):
        match record.tag:
            case "f":
                if not image.snap_exists(record.name):
                    text = f"start snapshot '{record.name}' does not exist in the image, aborting"
                    raise DiffError(text, errno.EINVAL)
            case "t":
                newer = record.name
                if image.snap_exists(newer):
                    raise DiffError(f"end snapshot '{newer}' already exists, aborting", errno.EEXIST)
            case "s":
                if record.length != image.size():
                    image.resize(record.length)
            case "z":
                if from_stdin:
                    progress(record.offset, image.size())
                image.discard(record.offset, record.length)
            case "w":
                for start, end, zero in _runs(record.data):
                    if from_stdin:
                        progress(record.offset + start, image.size())
                    if zero:
                        image.discard(record.offset + start, end - start)
                    else:
                        image.write(record.data[start:end], record.offset + start)
        if not from_stdin and record.tag != "e":
            progress(record.end, len(stream))
    if newer:
        image.create_snap(newer)


def _records(stream: bytes) -> Iterator[Record]:
    """All of a stream up to its end. DiffError where it is none, or is cut off."""
    if len(stream) < len(BANNER):
        raise DiffError("rbd: failed to decode diff banner", errno.EBADMSG, begun=False)
    if not stream.startswith(BANNER):
        raise DiffError("rbd: invalid or unexpected diff banner", errno.EINVAL, begun=False)
    at = len(BANNER)
    try:
        while True:
            tag = chr(stream[at])
            at += 1
            if tag == "e":
                yield Record(tag, end=at)
                return
            if tag in "ft":
                (length,) = struct.unpack_from("<I", stream, at)
                at += 4 + length
                yield Record(tag, name=stream[at - length : at].decode(), end=at)
            elif tag == "s":
                (size,) = struct.unpack_from("<Q", stream, at)
                at += 8
                yield Record(tag, length=size, end=at)
            elif tag in "wz":
                offset, length = struct.unpack_from("<QQ", stream, at)
                at += 16
                data = stream[at : at + length] if tag == "w" else b""
                if tag == "w" and len(data) < length:
                    raise IndexError
                at += len(data)
                yield Record(tag, offset=offset, length=length, data=data, end=at)
            else:
                raise DiffError(f"unrecognized tag byte {ord(tag)} in stream; skipping", errno.EINVAL)
    except (IndexError, struct.error):
        raise DiffError("", errno.EBADMSG) from None


def _runs(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where blocks of 4 KiB that are all zero, and others, begin and end: (first byte, byte after it, zero)."""
    start, zero = 0, not any(data[:PAGE])
    for at in range(PAGE, len(data), PAGE):
        if (not any(data[at : at + PAGE])) != zero:
            yield start, at, zero
            start, zero = at, not zero
    yield start, len(data), zero
