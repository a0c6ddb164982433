"""The payload of a container, as `cryptsetup open` and QEMU show it.

Where this differs from dm-crypt: a page of ciphertext that is all zero reads as a page of zeros, and not as the
noise that it decrypts to. A copy of whole chunks leaves out their zero pages, and so stores no ciphertext for
them, and so does the write of a chunk that is all zero; any other write stores what dm-crypt stores. With the
noise, every page of every encrypted volume would have to be held and copied: 262,144 pages for 1 GiB, where a
volume now costs what was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fake_backends.block_store import CHUNK, EMPTY, PAGE, PAGES_PER_CHUNK, ZERO_CHUNK, BlockDevice, Chunk
from fake_backends.luks.cipher import SectorCipher
from fake_backends.luks.container import unlock
from harness.errors import InvalidArgument, NoSpace

_ZERO_PAGE = bytes(PAGE)
CACHED_PAGES = 1024
"""Pages whose ciphertext is kept, and as many whose plaintext is: cells of a matrix write alike."""


class LuksDevice(BlockDevice):
    """The payload of a LUKS container, of the size that the device has now.

    InvalidArgument if `device` is no container or has no room for data; StorageError with EPERM for a wrong
    key. `slot` is the number of the key slot that the key opened.
    """

    def __init__(self, device: BlockDevice, key: bytes) -> None:
        header, master_key, self.slot = unlock(device, key)
        if header.payload_offset % PAGE:
            raise InvalidArgument(
                f"payload at {header.payload_offset}, no multiple of {PAGE}, is not supported"
            )
        if header.payload_offset >= device.size:
            raise InvalidArgument("Requested offset is beyond real size of device.")
        self._device = device
        self._cipher = _cipher(header.cipher, master_key, header.sector_size)
        self._offset_pages = header.payload_offset // PAGE
        self._header = header
        self.fit()

    def fit(self) -> None:
        """Take the size that the device has now (`cryptsetup resize`)."""
        room = self._device.size - self._header.payload_offset
        room -= room % self._header.sector_size
        self.size = room if self._header.size is None else min(room, self._header.size)

    @property
    def payload_offset(self) -> int:
        """Bytes of the device before the payload."""
        return self._offset_pages * PAGE

    def load(self, number: int) -> Chunk:
        below, shift = divmod(number * PAGES_PER_CHUNK + self._offset_pages, PAGES_PER_CHUNK)
        base = number * PAGES_PER_CHUNK
        pages: dict[int, bytes] = {}
        for index, page in self._device.load(below).items():
            if index >= shift:
                pages[index - shift] = self._decrypted(base + index - shift, page)
        if shift:
            rest = PAGES_PER_CHUNK - shift
            for index, page in self._device.load(below + 1).items():
                if index < shift:
                    pages[index + rest] = self._decrypted(base + index + rest, page)
        return {index: page for index, page in pages.items() if page != _ZERO_PAGE}

    def store(self, number: int, chunk: Chunk) -> None:
        device = self._device
        below, shift = divmod(number * PAGES_PER_CHUNK + self._offset_pages, PAGES_PER_CHUNK)
        rest = PAGES_PER_CHUNK - shift
        base = number * PAGES_PER_CHUNK
        cipher = {index: self._encrypted(base + index, page) for index, page in chunk.items()}
        if not shift:
            device.store(below, cipher)
            return
        pages = {index: page for index, page in device.load(below).items() if index < shift}
        pages.update((index + shift, page) for index, page in cipher.items() if index < rest)
        device.store(below, pages)
        if below + 1 < device.chunk_count:
            pages = {index: page for index, page in device.load(below + 1).items() if index >= shift}
            pages.update((index - rest, page) for index, page in cipher.items() if index >= rest)
            device.store(below + 1, pages)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise InvalidArgument(f"read of {length} bytes at {offset}")
        length = max(0, min(length, self.size - offset))
        first, skip = divmod(offset, PAGE)
        whole = min(-(-(skip + length) // PAGE) * PAGE, self.size - first * PAGE) if length else 0
        cipher = self._device.read(self.payload_offset + first * PAGE, whole)
        pages = [
            self._decrypted(first + number, cipher[number * PAGE : (number + 1) * PAGE].ljust(PAGE, b"\0"))
            for number in range(-(-len(cipher) // PAGE))
        ]
        return b"".join(pages)[skip : skip + length]

    def patch(self, number: int, start: int, data: bytes) -> None:
        if data == ZERO_CHUNK:
            # As in a copy of whole chunks: a GiB of encrypted zeros would be a GiB of memory.
            self.store(number, EMPTY)
            return
        first, inside = divmod(number * CHUNK + start, PAGE)
        begin = first * PAGE
        plain = self.read(begin, inside) + data
        plain += self.read(begin + len(plain), -len(plain) % PAGE)
        pages = [
            self._encrypted(first + position // PAGE, plain[position : position + PAGE].ljust(PAGE, b"\0"))
            for position in range(0, len(plain), PAGE)
        ]
        self._device.write(self.payload_offset + begin, b"".join(pages)[: len(plain)])

    def occupied(self, first: int, last: int) -> Iterable[int]:
        lowest, shift = divmod(first * PAGES_PER_CHUNK + self._offset_pages, PAGES_PER_CHUNK)
        ahead = lowest - first
        behind = last + ahead + (1 if shift else 0)
        numbers: dict[int, None] = {}
        for below in self._device.occupied(lowest, behind):
            chunk = self._device.load(below)
            if any(index < shift for index in chunk):
                numbers[below - ahead - 1] = None
            if any(index >= shift for index in chunk):
                numbers[below - ahead] = None
        return [number for number in numbers if first <= number < last]

    def allocate(self, first: int, last: int) -> None:
        if first >= last:
            return
        start, shift = divmod(first * PAGES_PER_CHUNK + self._offset_pages, PAGES_PER_CHUNK)
        end = start + last - first + (1 if shift else 0)
        try:
            self._device.allocate(start, min(end, self._device.chunk_count))
        except NoSpace as error:
            error.written = max(0, error.written - shift * PAGE)
            raise

    def _decrypted(self, position: int, page: bytes) -> bytes:
        return page if page == _ZERO_PAGE else _decrypted(self._cipher, position, page)

    def _encrypted(self, position: int, page: bytes) -> bytes:
        return _encrypted(self._cipher, position, page)


@lru_cache(maxsize=32)
def _cipher(specification: str, master_key: bytes, sector_size: int) -> SectorCipher:
    """One for equal containers, so that they share the pages below."""
    return SectorCipher(specification, master_key, sector_size)


@lru_cache(maxsize=CACHED_PAGES)
def _decrypted(cipher: SectorCipher, position: int, page: bytes) -> bytes:
    return cipher.decrypt(position * PAGE, page)


@lru_cache(maxsize=CACHED_PAGES)
def _encrypted(cipher: SectorCipher, position: int, page: bytes) -> bytes:
    return cipher.encrypt(position * PAGE, page)
