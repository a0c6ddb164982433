"""The copy-on-write store of a thick snapshot, in dm-snapshot's persistent format.

    page 0              header: "SnAp", valid, version 1, sectors in a page
    page 1              the first 256 exceptions: pairs (page of the origin, page of the store)
    pages 2 to 257      what those exceptions are about
    page 258            the next 256 exceptions, and so on

A page of the store is written before the exception that refers to it, and the next page of exceptions is
cleared before the last one is full, so that a reader finds the end. After a crash the store has the
exceptions that were written, and no half ones. Source: Linux, ``drivers/md/dm-snap-persistent.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from fake_backends.block_store import PAGE
from fake_backends.lvm.on_disk.medium import Medium
from harness.errors import Unreadable

EXCEPTIONS_PER_PAGE = 256
"""Entries of 16 bytes in a page of exceptions."""
FIRST_DATA_PAGE = 2

_HEADER = struct.Struct("<4sIII")
_MAGIC = b"SnAp"
_VERSION = 1
_SECTORS_PER_PAGE = PAGE // 512
_EXCEPTION = struct.Struct("<QQ")
_ZERO_PAGE = bytes(PAGE)


class ExceptionStore:
    """The exceptions of one snapshot: which pages of the origin it has a copy of, and where.

    The caller sees to it that the medium has room (`pages_taken`).
    """

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self.valid = True
        self._has_header = False
        self.places: dict[int, int] = {}
        """Pages of the origin, and where in the store their copies are, in the order of copying."""

    def format(self) -> None:
        """Make the store empty, whatever the medium holds. The header comes last."""
        self._medium.write(_page_of_exceptions(0) * PAGE, _ZERO_PAGE)
        self._write_header()
        self._has_header = True

    def load(self) -> None:
        """Read what the store holds; nothing is written. Unreadable, with the reason.

        A store that somebody overwrote with zeros is a new one, as the kernel sees it.
        """
        header = self._medium.read(0, PAGE)
        magic, valid, version, sectors = _HEADER.unpack_from(header)
        if magic == b"\0\0\0\0":
            return
        if magic != _MAGIC:
            raise Unreadable("holds no copy-on-write store")
        if version != _VERSION or sectors != _SECTORS_PER_PAGE:
            raise Unreadable(
                f"holds a copy-on-write store of version {version} with chunks of {sectors} sectors;"
                f" known is version {_VERSION} with {_SECTORS_PER_PAGE}"
            )
        self._has_header = True
        self.valid = bool(valid)
        if self.valid:
            self.places.update(self._exceptions())

    def add(self, pages: Mapping[int, bytes]) -> None:
        """Keep copies of pages of the origin that the store does not have yet: absent bytes are zeros."""
        if not self._has_header:
            self.format()
        first = len(self.places)
        new = {page: data_page(first + rank) for rank, page in enumerate(pages)}
        for start, content in _runs({new[page]: content for page, content in pages.items()}):
            self._medium.write(start * PAGE, content)
        self._record(first, list(new.items()))
        self.places.update(new)

    def write(self, pages: Mapping[int, bytes]) -> None:
        """Change copies that the store has."""
        for start, content in _runs({self.places[page]: content for page, content in pages.items()}):
            self._medium.write(start * PAGE, content)

    def read(self, pages: list[int]) -> Iterator[tuple[int, bytes]]:
        """Copies that the store has, in ascending order of where they lie."""
        places = sorted((self.places[page], page) for page in pages)
        start = 0
        for position in range(1, len(places) + 1):
            if position == len(places) or places[position][0] != places[position - 1][0] + 1:
                content = self._medium.read(places[start][0] * PAGE, (position - start) * PAGE)
                for rank, (_, page) in enumerate(places[start:position]):
                    yield page, content[rank * PAGE : (rank + 1) * PAGE]
                start = position

    def invalidate(self) -> None:
        """Give the store up for ever: it was full."""
        self.valid = False
        self.places.clear()
        self._write_header()

    def _write_header(self) -> None:
        header = _HEADER.pack(_MAGIC, self.valid, _VERSION, _SECTORS_PER_PAGE)
        self._medium.write(0, header.ljust(PAGE, b"\0"))

    def _record(self, first: int, exceptions: list[tuple[int, int]]) -> None:
        """Write exceptions from rank `first` on, area by area."""
        position = 0
        while position < len(exceptions):
            area, entry = divmod(first + position, EXCEPTIONS_PER_PAGE)
            batch = exceptions[position : position + EXCEPTIONS_PER_PAGE - entry]
            if entry + len(batch) == EXCEPTIONS_PER_PAGE:
                self._medium.write(_page_of_exceptions(area + 1) * PAGE, _ZERO_PAGE)
            raw = b"".join(_EXCEPTION.pack(*exception) for exception in batch)
            self._medium.write(_page_of_exceptions(area) * PAGE + entry * _EXCEPTION.size, raw)
            position += len(batch)

    def _exceptions(self) -> Iterator[tuple[int, int]]:
        area = 0
        while raw := self._medium.read(_page_of_exceptions(area) * PAGE, PAGE):
            for origin_page, store_page in _EXCEPTION.iter_unpack(raw):
                if store_page == 0:
                    return
                yield origin_page, store_page
            area += 1


def pages_taken(exceptions: int) -> int:
    """Pages of a store with so many exceptions, the page for the next exceptions included."""
    return 2 + exceptions + exceptions // EXCEPTIONS_PER_PAGE


def _page_of_exceptions(area: int) -> int:
    return 1 + area * (EXCEPTIONS_PER_PAGE + 1)


def data_page(rank: int) -> int:
    """The page of the store that has the copy of that rank."""
    return FIRST_DATA_PAGE + rank + rank // EXCEPTIONS_PER_PAGE


def _runs(pages: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """Pages by number as the fewest contiguous writes: first page, content."""
    start, pieces = 0, list[bytes]()
    for number in sorted(pages):
        if pieces and number != start + len(pieces):
            yield start, b"".join(pieces)
            pieces = []
        if not pieces:
            start = number
        pieces.append(pages[number])
    if pieces:
        yield start, b"".join(pieces)
