"""Which bytes of an image were written, for `fake_backends.rbd.differences`: RADOS keeps track of that.

Two things are kept, both as ranges of the image's bytes. `Layer.filled` is how far each object reaches: from
its first byte to the last one that was ever written. `Snapshot.written` is what was written, zeroed or cut off
since the snapshot, whether or not that changed a byte. Both follow the image's own object size (`Image.order`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_backends.block_store import CHUNK, PAGE
from fake_backends.rbd.layers import Layer
from fake_backends.rbd.object_set import ObjectSet

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image


def seen(layer: Layer) -> ObjectSet:
    """How far the objects reach that a reader sees, those of the ancestors included."""
    reach = layer.filled.copy()
    reach.update(seen_of_parent(layer))
    return reach


def seen_of_parent(layer: Layer, first: int = 0, last: int | None = None) -> ObjectSet:
    """The part of it that comes from the parent, in chunks first <= n < last."""
    reach = ObjectSet()
    if layer.parent is None:
        return reach
    count = -(-layer.overlap // CHUNK)
    inherited = layer.inherited.between(first, count if last is None else min(last, count))
    if inherited:
        ancestors = seen(layer.parent.snapshot)
        for start, end in inherited.ranges():
            reach.update(ancestors.between(start * CHUNK, min(end * CHUNK, layer.overlap)))
    return reach


def copy_up(image: Image, number: int) -> None:
    """A chunk is about to be changed that comes from the parent: every layer that sees it stores it first.

    librbd reads all of an object that lies in the overlap, and stores it if it holds anything but zeros.
    """
    head = image.head
    if number not in head.inherited or number not in head.chunks:
        return
    size = min(1 << image.order, CHUNK)
    for start in range(number * CHUNK, min((number + 1) * CHUNK, head.overlap), size):
        pages = range(start % CHUNK // PAGE, (start % CHUNK + size) // PAGE)
        if any(page in pages for page in head.chunks[number]):
            for layer in (head, *image.snapshots):
                if number in layer.inherited:
                    layer.filled.add(start, min(start + size, layer.overlap))


def note_write(image: Image, first: int, last: int) -> None:
    """Bytes first <= n < last were written."""
    image.head.filled.add(first - first % (1 << image.order), min(last, image.size))
    if image.snapshots:
        image.snapshots[-1].written.add(first, last)


def note_discard(image: Image, first: int, last: int) -> None:
    """The range was zeroed.

    Objects that it covers are removed. One that it covers from inside to the end now ends there, even if it
    ended before. RADOS ignores a zeroing behind the end of an object, and cuts off one that ends inside of it.
    """
    size = 1 << image.order
    front, tail = first - first % size, last - last % size
    head = image.head.filled.between(front, front + size)
    back = image.head.filled.between(tail, tail + size)
    reach = max((end for _, end in back.ranges()), default=0)
    keeps_end = reach > last
    note_cut(image, first, max(first, tail) if keeps_end else last)
    if keeps_end and image.snapshots:
        image.snapshots[-1].written.add(max(first, tail), last)
    if head and front < first and last >= front + size:
        image.head.filled.add(front, first)


def note_cut(image: Image, first: int, last: int) -> None:
    """Objects end before `first`, up to `last`."""
    gone = image.head.filled.between(first, last)
    image.head.filled.remove(first, last)
    if image.snapshots:
        image.snapshots[-1].written.update(gone)
