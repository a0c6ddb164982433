"""What an RBD image or a snapshot of it shows, and where it got it from.

Content is shared, never copied: a snapshot or a clone takes a new mapping to the same chunks.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from fake_backends.rbd.object_set import ObjectSet
from fake_backends.rbd.objects import Objects
from harness.errors import InvalidArgument, StorageError

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image


class ImageHasSnapshots(InvalidArgument):
    """The image cannot go while it has snapshots (librbd's ImageHasSnapshots)."""

    errno = errno.ENOTEMPTY


class ReadOnlyImage(StorageError):
    """The handle is read-only, shows a snapshot, or another client holds the exclusive lock."""

    errno = errno.EROFS


class Parent(NamedTuple):
    """Where a clone came from. `clone_format` 1 needs a protected snapshot, 2 does not."""

    image: Image
    snapshot: Snapshot
    clone_format: int


class Layer:
    """What an image, or one of its snapshots, shows.

    `own` are the objects that it stores, `inherited` those that it sees through its parent, up to
    `overlap` bytes. `filled` are the bytes up to which its objects reach (`fake_backends.rbd.written`).
    """

    __slots__ = ("chunks", "filled", "inherited", "overlap", "own", "parent", "size")

    def __init__(self, size: int, chunks: Objects) -> None:
        self.size = size
        self.chunks = chunks
        self.own = ObjectSet()
        self.inherited = ObjectSet()
        self.filled = ObjectSet()
        self.parent: Parent | None = None
        self.overlap = 0

    def take(self, other: Layer) -> None:
        """Show exactly what `other` shows, with the same parent."""
        self.size = other.size
        self.chunks.share(other.chunks)
        self.own = other.own.copy()
        self.inherited = other.inherited.copy()
        self.filled = other.filled.copy()
        self.parent = other.parent
        self.overlap = other.overlap

    def visible(self) -> ObjectSet:
        """The objects that exist for a reader, stored here or by an ancestor."""
        objects = self.own.copy()
        objects.update(self.inherited)
        return objects

    def adopt_inherited(self) -> None:
        """Store what was seen through the parent, and let go of the parent."""
        self.chunks.adopt()
        self.own.update(self.inherited)
        self.inherited = ObjectSet()
        self.parent = None
        self.overlap = 0


class Snapshot(Layer):
    """A frozen layer.

    `changed` are the objects that differ from the next newer snapshot, or from the image itself where this
    is the newest, and `written` the bytes that were written until then. A removed snapshot that still has
    clones of format 2 lives on under a made-up name; `trashed_from` is then the name that it had. `group` is
    the group and its snapshot that it is a part of. `removed` tells those that still have it open that it is
    gone.
    """

    __slots__ = (
        "changed",
        "children",
        "created_s",
        "group",
        "id",
        "name",
        "protected",
        "removed",
        "trashed_from",
        "written",
    )

    def __init__(self, number: int, name: str, layer: Layer) -> None:
        super().__init__(layer.size, layer.chunks.twin())
        self.take(layer)
        self.id = number
        self.name = name
        self.protected = False
        self.trashed_from: str | None = None
        self.group: tuple[str, str] | None = None
        self.created_s = 0
        self.removed = False
        self.changed = ObjectSet()
        self.written = ObjectSet()
        self.children: list[Image] = []
