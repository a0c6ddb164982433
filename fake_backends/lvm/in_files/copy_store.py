"""The copy-on-write store of a thick snapshot in the extents that belong to it."""

from __future__ import annotations

from collections.abc import Collection

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, Chunk
from fake_backends.lvm.copy_store import CopyStore
from fake_backends.lvm.extents import Area
from fake_backends.lvm.in_files.disk import AreaBytes
from fake_backends.lvm.on_disk.exception_store import ExceptionStore

_ZERO_PAGE = bytes(PAGE)


class FileStore(CopyStore):
    """Copies in dm-snapshot's format. Only where they lie is kept in memory."""

    def __init__(self, area: Area) -> None:
        """The store that is in `area`, unless `format` makes a new one. Unreadable."""
        super().__init__(area)
        self._exceptions = ExceptionStore(AreaBytes(area))
        self._masks: dict[int, int] = {}

    def format(self) -> None:
        """Make the store empty."""
        self._exceptions.format()

    def load_all(self) -> bool:
        """Find out what the store has; False if it is invalid. Unreadable."""
        self._exceptions.load()
        for page in self._exceptions.places:
            self._note(page)
        return self._exceptions.valid

    def numbers(self) -> Collection[int]:
        return self._masks

    def mask(self, number: int) -> int:
        return self._masks.get(number, 0)

    def load(self, number: int) -> Chunk:
        mask, base = self.mask(number), number * PAGES_PER_CHUNK
        pages = [base + index for index in range(PAGES_PER_CHUNK) if mask >> index & 1]
        found = self._exceptions.read(pages)
        return {page - base: content for page, content in found if content != _ZERO_PAGE}

    def put(self, number: int, mask: int, chunk: Chunk) -> None:
        have, base = self.mask(number), number * PAGES_PER_CHUNK
        old: dict[int, bytes] = {}
        new: dict[int, bytes] = {}
        for index in range(PAGES_PER_CHUNK):
            if mask >> index & 1:
                (old if have >> index & 1 else new)[base + index] = chunk.get(index, _ZERO_PAGE)
        self._exceptions.write(old)
        self._exceptions.add(new)
        for page in new:
            self._note(page)

    def clear(self) -> None:
        AreaBytes(self.area).clear(0, self.area.count * CHUNK)

    def abandon(self, *, invalid: bool = False) -> None:
        if invalid:
            self._exceptions.invalidate()
        self._masks.clear()

    def _note(self, page: int) -> None:
        number, index = divmod(page, PAGES_PER_CHUNK)
        self._masks[number] = self.mask(number) | 1 << index
        self.count += 1
