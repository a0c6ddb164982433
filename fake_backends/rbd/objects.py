"""The content of the objects of an image or a snapshot: number to chunk. An object that is absent reads zero.

There are two kinds, in memory (here) and in files (`fake_backends.rbd.image_files`). A layer changes its
objects in two ways. Data is written by `put` and `patch`, and is there at once. What belongs to a change of
the image (``objects[number] = chunk``, ``del``, `clear`, `share`, `adopt`) takes effect with the image's
record, so that the change is made or not made as a whole when the process is killed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Protocol, Self

from fake_backends.block_store import EMPTY, Chunk, patched

if TYPE_CHECKING:
    from fake_backends.rbd.image import Image


class Objects(MutableMapping[int, Chunk]):
    """The objects of one layer of an image."""

    @abstractmethod
    def put(self, number: int, chunk: Chunk) -> None:
        """Write a whole object."""

    @abstractmethod
    def patch(self, number: int, start: int, data: bytes) -> None:
        """Write inside an object."""

    @abstractmethod
    def twin(self) -> Self:
        """Objects for another layer of the same image, none yet."""

    @abstractmethod
    def share(self, other: Mapping[int, Chunk]) -> None:
        """Hold what `other` holds, and nothing else. A later write to one does not show in the other."""

    @abstractmethod
    def own_versions(self) -> dict[int, int]:
        """The generation of each object that has a file of this image."""

    @abstractmethod
    def adopt(self) -> None:
        """Let the image itself store what it has held of its parent."""


class Store(Protocol):
    """Where an image is kept."""

    def objects(self) -> Objects:
        """Objects for the first layer of the image, none yet."""

    def save(self, image: Image) -> None:
        """Make what the image is now, and all its objects, what is found after the process was killed."""

    def remove(self) -> None:
        """Forget the image."""


class MemoryObjects(dict[int, Chunk], Objects):
    """Chunks in memory, which several layers hold together. Those that hold nothing are left out."""

    def put(self, number: int, chunk: Chunk) -> None:
        if chunk:
            self[number] = chunk
        else:
            self.pop(number, None)

    def patch(self, number: int, start: int, data: bytes) -> None:
        self.put(number, patched(self.get(number, EMPTY), start, data))

    def twin(self) -> Self:
        return type(self)()

    def share(self, other: Mapping[int, Chunk]) -> None:
        self.clear()
        self.update(other)

    def own_versions(self) -> dict[int, int]:
        return {}

    def adopt(self) -> None:
        """Whose chunks they are makes no difference in memory."""


class MemoryStore:
    """Keeps nothing: the image is an object in memory."""

    def objects(self) -> Objects:
        return MemoryObjects()

    def save(self, image: Image) -> None:
        """Nothing outlives the process."""

    def remove(self) -> None:
        """Nothing to remove."""
