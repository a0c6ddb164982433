"""What a thick snapshot keeps of its origin: pages that were preserved or written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from fake_backends.block_store import EMPTY, PAGES_PER_CHUNK, Chunk
from fake_backends.lvm.extents import Area
from fake_backends.lvm.on_disk.exception_store import data_page

ALL_PAGES = (1 << PAGES_PER_CHUNK) - 1
"""A bit for every page of a chunk."""


class CopyStore(ABC):
    """Copies of pages, chunk by chunk, in the extents of `area`; `count` of them. A mask has a bit per page."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.count = 0

    @abstractmethod
    def numbers(self) -> Collection[int]:
        """The chunks that it has pages of."""

    @abstractmethod
    def mask(self, number: int) -> int:
        """Which pages of a chunk it has."""

    @abstractmethod
    def load(self, number: int) -> Chunk:
        """Those of them that are not zero."""

    @abstractmethod
    def put(self, number: int, mask: int, chunk: Chunk) -> None:
        """Keep those pages of `chunk` that the mask names, in place of what it has of them."""

    @abstractmethod
    def clear(self) -> None:
        """Somebody overwrote the store with zeros: every page in it reads zero."""

    @abstractmethod
    def abandon(self, *, invalid: bool = False) -> None:
        """Forget all pages. They stay where they are on the disks. `invalid`: the store was full."""


class MemoryStore(CopyStore):
    """Pages in memory, which go to the disk only when the store is given up."""

    def __init__(self, area: Area) -> None:
        super().__init__(area)
        self._copies: dict[int, tuple[int, Chunk]] = {}

    def numbers(self) -> Collection[int]:
        return self._copies

    def mask(self, number: int) -> int:
        return self._copies.get(number, (0, EMPTY))[0]

    def load(self, number: int) -> Chunk:
        return self._copies.get(number, (0, EMPTY))[1]

    def put(self, number: int, mask: int, chunk: Chunk) -> None:
        have, pages = self._copies.get(number, (0, EMPTY))
        self.count += (mask & ~have).bit_count()
        if mask != ALL_PAGES:
            chunk = {**outside(pages, mask), **inside(chunk, mask)}
        self._copies[number] = (have | mask, chunk)

    def clear(self) -> None:
        self._copies = {number: (mask, EMPTY) for number, (mask, _) in self._copies.items()}
        for number in self.area.occupied(0, self.area.count):
            disk, extent = self.area.locate(number)
            disk.put(extent, EMPTY)

    def abandon(self, *, invalid: bool = False) -> None:
        """Put the pages where dm-snapshot has them, so that the extents' next owner sees them."""
        written: dict[int, dict[int, bytes]] = {}
        position = 0
        for mask, pages in self._copies.values():
            for index in sorted(pages):
                rank = position + (mask & ((1 << index) - 1)).bit_count()
                number, place = divmod(data_page(rank), PAGES_PER_CHUNK)
                written.setdefault(number, {})[place] = pages[index]
            position += mask.bit_count()
        for number, pages_written in written.items():
            disk, extent = self.area.locate(number)
            disk.put(extent, {**disk.get(extent), **pages_written})
        self._copies.clear()


def inside(chunk: Chunk, mask: int) -> Chunk:
    """The pages of a chunk that a mask names."""
    if mask == ALL_PAGES:
        return chunk
    return {index: page for index, page in chunk.items() if mask >> index & 1}


def outside(chunk: Chunk, mask: int) -> Chunk:
    """The pages of a chunk that a mask does not name."""
    return {index: page for index, page in chunk.items() if not mask >> index & 1}
