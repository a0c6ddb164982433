"""What differs between two states of an image, as `rbd_diff_iterate2` tells it.

An object that was written counts from its first byte that may differ to the last one. librbd knows the
extents of the writes; here they follow from the pages that differ, so a byte that was written with what
it already held does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fake_backends.block_store import CHUNK, EMPTY, PAGE, Chunk
from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.image import Image
from fake_backends.rbd.layers import Layer, Snapshot
from fake_backends.rbd.object_set import ObjectSet


class Extent(NamedTuple):
    """Bytes that differ. `exists` is False where they were discarded."""

    offset: int
    length: int
    exists: bool


def between(
    image: Image,
    older: Snapshot | None,
    newer: Layer,
    window: range,
    *,
    include_parent: bool = True,
    whole_object: bool = False,
) -> list[Extent]:
    """Extents inside of `window` in which `newer` differs from `older`, or from an empty image."""
    whole_object = whole_object and bool(image.base_features & feature_bits.FAST_DIFF)
    numbers = _candidates(image, older, newer, include_parent)
    extents: list[Extent] = []
    for first, last in numbers.between(window.start // CHUNK, -(-window.stop // CHUNK)).ranges():
        for number in range(first, last):
            extents.extend(_clipped(_of_object(number, older, newer, whole_object), window))
    return extents


def _candidates(image: Image, older: Snapshot | None, newer: Layer, include_parent: bool) -> ObjectSet:
    """Objects that may differ."""
    if older is None:
        return newer.visible() if include_parent else newer.own.copy()
    numbers = ObjectSet()
    for snapshot in image.snapshots[image.snapshots.index(older) :]:
        if snapshot is newer:
            break
        numbers.update(snapshot.changed)
    return numbers


def _of_object(number: int, older: Snapshot | None, newer: Layer, whole_object: bool) -> Iterator[Extent]:
    start = number * CHUNK
    after = newer.chunks.get(number, EMPTY)
    exists = number in newer.own or number in newer.inherited
    if older is None or whole_object:
        if older is not None and not exists and number not in older.visible():
            return
        length = CHUNK if whole_object or not after else _end(after)
        yield Extent(start, length, exists)
        return
    before = older.chunks.get(number, EMPTY)
    if not exists:
        if number in older.visible():
            yield Extent(start, _end(before) or CHUNK, False)
        return
    for first, last in _differing(before, after):
        yield Extent(start + first, last - first, True)


def _end(chunk: Chunk) -> int:
    """The end of the last byte that is not zero: how long the object is."""
    if not chunk:
        return 0
    index = max(chunk)
    return index * PAGE + len(chunk[index].rstrip(b"\0"))


def _differing(before: Chunk, after: Chunk) -> Iterator[tuple[int, int]]:
    """Byte ranges that differ, as runs of pages, cut to the first and the last byte that differs."""
    run: tuple[int, int] | None = None
    for index in sorted(before.keys() | after.keys()):
        old, new = before.get(index, bytes(PAGE)), after.get(index, bytes(PAGE))
        if old is new or old == new:
            continue
        first = next(place for place in range(PAGE) if old[place] != new[place])
        last = next(place for place in range(PAGE, 0, -1) if old[place - 1] != new[place - 1])
        begin, end = index * PAGE + first, index * PAGE + last
        if run is not None and run[1] == begin:
            run = run[0], end
            continue
        if run is not None:
            yield run
        run = begin, end
    if run is not None:
        yield run


def _clipped(extents: Iterator[Extent], window: range) -> Iterator[Extent]:
    for extent in extents:
        start = max(extent.offset, window.start)
        end = min(extent.offset + extent.length, window.stop)
        if start < end:
            yield Extent(start, end - start, extent.exists)
