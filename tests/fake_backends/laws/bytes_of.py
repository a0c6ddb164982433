"""What these tests write: sectors that say who wrote them, so that no byte can go astray unseen."""

from __future__ import annotations

from collections.abc import Mapping

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, BlockDevice

SECTOR = 512
Pages = dict[int, bytes]
"""Pages of 4 KiB by number; those that are all zero are left out."""

_ZERO_PAGE = bytes(PAGE)
_ZERO_SECTOR = bytes(SECTOR)


def signed(writer: int, number: int, offset: int, length: int) -> bytes:
    """`length` bytes for byte `offset` on, both of whole sectors: the writer's write of that number.

    No two sectors of two pages are equal, nor are those of two writes.
    """
    pieces: list[bytes] = []
    position, end = offset, offset + length
    while position < end:
        count = min(PAGE - position % PAGE, end - position)
        sector = b"<%d %d %d>" % (writer, number, position // PAGE)
        pieces.append(sector.ljust(SECTOR, b".") * (count // SECTOR))
        position += count
    return b"".join(pieces)


def writers(page: bytes) -> set[int]:
    """Who wrote the sectors of a page that are not zero; -1 for one that nobody signed."""
    found: set[int] = set()
    for start in range(0, PAGE, SECTOR):
        sector = page[start : start + SECTOR]
        if sector != _ZERO_SECTOR:
            found.add(int(sector[1:].split(b" ", 1)[0]) if sector.startswith(b"<") else -1)
    return found


def write(pages: Pages, offset: int, data: bytes) -> None:
    """Write into a model."""
    position = 0
    while position < len(data):
        number, inside = divmod(offset + position, PAGE)
        count = min(PAGE - inside, len(data) - position)
        page = pages.get(number, _ZERO_PAGE)
        page = page[:inside] + data[position : position + count] + page[inside + count :]
        if page == _ZERO_PAGE:
            pages.pop(number, None)
        else:
            pages[number] = page
        position += count


def touched(offset: int, length: int) -> range:
    """The pages in which these bytes lie."""
    return range(offset // PAGE, -(-(offset + length) // PAGE))


def read(device: BlockDevice) -> Pages:
    """All that a device shows."""
    return {
        number * PAGES_PER_CHUNK + index: bytes(page)
        for number in device.occupied(0, device.chunk_count)
        for index, page in device.load(number).items()
    }


def below(pages: Mapping[int, bytes], size: int) -> Pages:
    """What is left of pages when a device becomes `size` bytes long."""
    kept = {number: page for number, page in pages.items() if (number + 1) * PAGE <= size}
    last, inside = divmod(size, PAGE)
    if inside and last in pages and any(pages[last][:inside]):
        kept[last] = pages[last][:inside].ljust(PAGE, b"\0")
    return kept


def chunks(size: int) -> int:
    """Chunks of 4 MiB in so many bytes."""
    return -(-size // CHUNK)
