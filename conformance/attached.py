"""A volume as the host sees it that has it connected, and pages of it as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.law import Broken
from conformance.subjects import OpenDevice
from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, BlockDevice
from harness.model import ConnectionInfo, Connector, Volume


class Attached:
    """A volume that is connected on a host: what `Bench.attach` returns and `Bench.detach` takes."""

    def __init__(
        self, volume: Volume, connector: Connector, info: ConnectionInfo, opened: OpenDevice | None, row: str
    ) -> None:
        self.volume = volume
        self.connector = connector
        self.host: str = connector["host"]
        self.info = info
        self.row = row
        self._opened = opened

    @property
    def size(self) -> int:
        """Bytes that the host sees."""
        return int(self._device().size)

    def write(self, pages: Mapping[int, bytes]) -> None:
        for page, data in pages.items():
            self._device().write(page * PAGE, data)

    def fill(self, size: int) -> None:
        """Write to the first `size` bytes, which are so many whole chunks, at the cost of one."""
        chunk = {page: bytes([1 + page % 255]) * PAGE for page in range(PAGES_PER_CHUNK)}
        for number in range(size // CHUNK):
            self._device().store(number, chunk)

    def read(self, pages: Iterable[int]) -> dict[int, bytes]:
        return {page: self._device().read(page * PAGE, PAGE) for page in pages}

    def everything(self) -> Iterator[tuple[int, bytes]]:
        """Page number -> bytes of every page that is not zero."""
        return pages_written(self._device())

    def close(self) -> None:
        """Let the host's device go; the driver is not told."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _device(self) -> Any:
        if self._opened is None:
            raise Broken(f"the connection of {self.host} gives no device")
        return self._opened.device


def pages_written(device: BlockDevice) -> Iterator[tuple[int, bytes]]:
    """Page number -> bytes of every page that is not zero."""
    for number in device.occupied(0, device.chunk_count):
        for index, data in sorted(device.load(number).items()):
            yield number * PAGES_PER_CHUNK + index, data


def compare(read: Mapping[int, bytes], wanted: Mapping[int, bytes], what: str) -> None:
    """Broken if a page is not as it should be; the text names the first one."""
    for page, data in wanted.items():
        if read[page] != data:
            raise Broken(
                f"page {page} of {what} reads {_told(read[page])}, but should read {_told(data)} "
                f"({sum(read[each] != wanted[each] for each in wanted)} of {len(wanted)} pages differ)"
            )


def must_show_nothing_of(attached: Attached, secret: Mapping[int, bytes], what: str) -> None:
    """Broken if a page of a volume holds what one of these pages did."""
    foreign = set(secret.values())
    for page, data in attached.everything():
        if data in foreign:
            raise Broken(f"page {page} of {what} shows what somebody else's volume held, but should not")


def _told(data: bytes) -> str:
    """Bytes of a page in words: nothing, zeros, or how they begin."""
    if not data:
        return "nothing (it is behind the end)"
    return "zeros" if not any(data) else f"{data[:8].hex()}..."
