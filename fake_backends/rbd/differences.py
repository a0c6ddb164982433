"""What differs between two states of an image, as `rbd_diff_iterate2` tells it.

librbd asks RADOS for the snapshots of every object. What was written in between counts, changed or not, up to
where the object ends now; what it had behind that, and all of an object that is gone, is told as not existing.
An object that is new counts from its first byte to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fake_backends.rbd.image import Image
from fake_backends.rbd.layers import Layer, Snapshot
from fake_backends.rbd.object_set import ObjectSet
from fake_backends.rbd.written import seen


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
    """Extents inside of `window` in which `newer` differs from `older`, or from an empty image.

    Each lies in one object. With `whole_object` every object that differs is told as a whole.
    """
    after = seen(newer) if older is None and include_parent else newer.filled
    before = older.filled if older is not None else ObjectSet()
    written = _written_since(image, older, newer)
    candidates = written.copy()
    candidates.update(after if older is None else ObjectSet())
    extents: list[Extent] = []
    for start, end in _objects(candidates, image.order, window):
        found = _of_object(start, end, before, after, written)
        if whole_object and found:
            found = [Extent(start, end - start, any(extent.exists for extent in found))]
        extents.extend(found)
    return list(_clipped(extents, window))


def _written_since(image: Image, older: Snapshot | None, newer: Layer) -> ObjectSet:
    written = ObjectSet()
    if older is None:
        return written
    for snapshot in image.snapshots[image.snapshots.index(older) :]:
        if snapshot is newer:
            break
        written.update(snapshot.written)
    return written


def _objects(candidates: ObjectSet, order: int, window: range) -> Iterator[tuple[int, int]]:
    """First byte, and byte after the last, of each object that candidates touch."""
    size = 1 << order
    done = window.start >> order
    for first, last in candidates.between(window.start - window.start % size, window.stop).ranges():
        for number in range(max(done, first >> order), -(-last >> order)):
            yield number << order, (number + 1) << order
            done = number + 1


def _of_object(start: int, end: int, before: ObjectSet, after: ObjectSet, written: ObjectSet) -> list[Extent]:
    was, now = before.between(start, end), after.between(start, end)
    if not now:
        return [Extent(first, last - first, False) for first, last in was.ranges()]
    reach = max(last for _, last in now.ranges())
    changed = written.between(start, end)
    if not was:
        return [Extent(start, reach - start, True)]
    reached = max(last for _, last in was.ranges())
    extents = [Extent(first, last - first, True) for first, last in changed.between(start, reach).ranges()]
    extents += [Extent(first, last - first, False) for first, last in changed.between(reach, reached).ranges()]
    return extents


def _clipped(extents: list[Extent], window: range) -> Iterator[Extent]:
    for extent in extents:
        start = max(extent.offset, window.start)
        end = min(extent.offset + extent.length, window.stop)
        if start < end:
            yield Extent(start, end - start, extent.exists)
