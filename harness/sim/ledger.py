"""What an owner was told is safely written: the ground truth that data is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

PAGE = 4096
PAGES_PER_CHUNK = 1024
_ZERO_PAGE = bytes(PAGE)


class Ledger:
    """The acknowledged pages of one volume, as its owner sees it. Pages are 4 KiB."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}

    def acknowledge(self, page: int, data: bytes) -> None:
        """The device said that `data` (4,096 bytes) is written at `page`."""
        self.pages[page] = data

    def lost(self, load: Callable[[int], Mapping[int, bytes]]) -> list[int]:
        """Pages that do not read back as acknowledged; `load` gives the non-zero pages of a 4 MiB chunk."""
        lost: list[int] = []
        by_chunk: dict[int, Mapping[int, bytes]] = {}
        for page, data in self.pages.items():
            number, index = divmod(page, PAGES_PER_CHUNK)
            chunk = by_chunk.get(number)
            if chunk is None:
                chunk = by_chunk[number] = load(number)
            if chunk.get(index, _ZERO_PAGE) != data:
                lost.append(page)
        return lost


def foreign_pages(
    load: Callable[[int], Mapping[int, bytes]], chunks: Iterable[int], foreign: frozenset[bytes]
) -> set[int]:
    """Pages in `chunks` that hold somebody else's bytes."""
    return {
        number * PAGES_PER_CHUNK + index
        for number in chunks
        for index, page in load(number).items()
        if page in foreign
    }
