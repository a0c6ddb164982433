"""LUKS containers: a header in front, and a payload that reads as noise without the volume's master key.

The header travels with the bytes: a raw copy of the device opens with the same key, wherever it lies. Each
4 KiB page is encrypted on its own, with a key stream that depends on the master key and on the page's
position, so bytes that somebody else left on the device show up as noise.

Where this differs from dm-crypt: a page of ciphertext that is all zero *is* a page of zeros. A page that
was never written reads as zeros (dm-crypt would show noise), and zeros that are written are stored as an
absent page. So a sparse volume stays sparse, and writing zeros over somebody else's bytes still clears them.
The binary header is that of LUKS1 for both versions; LUKS2's JSON area is left out. Keys are stretched with
a single hash, because what is protected here is nobody's secret.
"""

from __future__ import annotations

import errno
import hashlib
import struct
import uuid
from collections.abc import Iterable
from typing import Literal

from fake_backends.block_store import CHUNK, PAGE, PAGES_PER_CHUNK, BlockDevice, Chunk
from harness.errors import InvalidArgument, NoSpace, StorageError

Provider = Literal["luks", "luks2"]

MAGIC = b"LUKS\xba\xbe"
VERSIONS: dict[str, int] = {"luks": 1, "luks2": 2}
CRYPTSETUP_OFFSET = {"luks": 2 << 20, "luks2": 16 << 20}
"""Bytes before the payload as `cryptsetup luksFormat` lays it out, for any key size."""
QEMU_IMG_OFFSET = {128: 1_052_672, 256: 2_068_480}
"""Bytes before the payload in `qemu-img create -f luks` with aes-128 and aes-256 in XTS mode."""

_SECTOR = 512
_ZERO_PAGE = bytes(PAGE)
_STREAM_BLOCK = 64
_CACHED_PAGES = 2048
# magic, version, cipher, mode, hash, payload sector, master key bytes, digest, its salt and iterations, uuid
_HEADER = struct.Struct(">6sH32s32s32sII20s32sI40s")
# The first key slot: state, iterations, salt, sector of the key material, stripes
_SLOT = struct.Struct(">II32sII")
_SLOT_ACTIVE = 0x00AC71F3
_KEY_MATERIAL = PAGE


def format(
    device: BlockDevice,
    *,
    provider: str,
    key: bytes,
    key_size: int = 256,
    payload_offset: int | None = None,
    salt: bytes = b"",
) -> None:
    """Write a header; what the payload held before becomes noise (`cryptsetup luksFormat`).

    `provider` is luks or luks2, `key_size` the master key's bits, `payload_offset` bytes, by default
    cryptsetup's. The master key follows from `key` and `salt`: give each container its own salt where
    containers share a key. InvalidArgument for an unknown provider or a device that is too small.
    """
    if provider not in VERSIONS:
        raise InvalidArgument(f"unknown LUKS provider {provider!r}; there are luks and luks2")
    offset = CRYPTSETUP_OFFSET[provider] if payload_offset is None else payload_offset
    if offset % PAGE or offset < 2 * PAGE:
        raise InvalidArgument(f"payload offset {offset} is no multiple of {PAGE} behind the header")
    if device.size < offset:
        raise InvalidArgument(f"Device of {device.size} bytes is too small for a header of {offset} bytes.")
    master_key = _derive(b"master key", key, salt, key_size // 8)
    digest_salt = _derive(b"digest salt", key, salt, 32)
    slot_salt = _derive(b"slot salt", key, salt, 32)
    header = _HEADER.pack(
        MAGIC, VERSIONS[provider], b"aes", b"xts-plain64", b"sha256", offset // _SECTOR, len(master_key),
        _derive(b"digest", master_key, digest_salt, 20), digest_salt, 1,
        str(uuid.UUID(bytes=_derive(b"uuid", key, salt, 16), version=4)).encode(),
    )  # fmt: skip
    slot = _SLOT.pack(_SLOT_ACTIVE, 1, slot_salt, _KEY_MATERIAL // _SECTOR, 1)
    wrapped = _xor(master_key, _derive(b"slot", key, slot_salt, len(master_key)))
    device.write(0, (header + slot).ljust(PAGE, b"\0") + wrapped.ljust(PAGE, b"\0"))


def provider_of(device: BlockDevice) -> Provider | None:
    """What the device was formatted as, or None (`cryptsetup isLuks`)."""
    start = device.read(0, len(MAGIC) + 2)
    if start == MAGIC + b"\0\1":
        return "luks"
    if start == MAGIC + b"\0\2":
        return "luks2"
    return None


class LuksDevice(BlockDevice):
    """The payload of a LUKS container, as `cryptsetup open` shows it, of the size that it has now.

    InvalidArgument if `device` is no container; StorageError with EPERM for a wrong key.
    """

    def __init__(self, device: BlockDevice, key: bytes) -> None:
        if provider_of(device) is None:
            raise InvalidArgument("Device is not a valid LUKS device.")
        offset, self._master_key = _open_header(device.read(0, 2 * PAGE), key)
        self._device = device
        self._offset_pages = offset // PAGE
        self.size = device.size - offset
        self._cache: dict[int, tuple[bytes, bytes]] = {}

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
        return pages

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
        cipher = self._device.read(self.payload_offset + first * PAGE, skip + length)
        pages = [
            self._decrypted(first + number, cipher[number * PAGE : (number + 1) * PAGE].ljust(PAGE, b"\0"))
            for number in range(-(-len(cipher) // PAGE))
        ]
        return b"".join(pages)[skip : skip + length]

    def patch(self, number: int, start: int, data: bytes) -> None:
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
        cached = self._cache.get(position)
        if cached is not None and cached[0] == page:
            return cached[1]
        if page == _ZERO_PAGE:
            return page
        plain = self._crypt(position, page)
        self._remember(position, page, plain)
        return plain

    def _encrypted(self, position: int, page: bytes) -> bytes:
        cached = self._cache.get(position)
        if cached is not None and cached[1] == page:
            return cached[0]
        if page == _ZERO_PAGE:
            return page
        cipher = self._crypt(position, page)
        self._remember(position, cipher, page)
        return cipher

    def _remember(self, position: int, cipher: bytes, plain: bytes) -> None:
        if len(self._cache) >= _CACHED_PAGES:
            self._cache.clear()
        self._cache[position] = (cipher, plain)

    def _crypt(self, position: int, page: bytes) -> bytes:
        block = hashlib.blake2b(
            position.to_bytes(8, "big"), key=self._master_key, digest_size=_STREAM_BLOCK
        ).digest()
        return _xor(page, block * (PAGE // _STREAM_BLOCK))


def _open_header(start: bytes, key: bytes) -> tuple[int, bytes]:
    """Payload offset in bytes and the master key. StorageError (EPERM) for a wrong key."""
    _, _, _, _, _, sector, key_bytes, digest, digest_salt, _, _ = _HEADER.unpack_from(start)
    _, _, slot_salt, material, _ = _SLOT.unpack_from(start, _HEADER.size)
    wrapped = start[material * _SECTOR :][:key_bytes]
    master_key = _xor(wrapped, _derive(b"slot", key, slot_salt, key_bytes))
    if _derive(b"digest", master_key, digest_salt, 20) != digest:
        raise StorageError("No key available with this passphrase.", errno=errno.EPERM)
    return sector * _SECTOR, master_key


def _derive(purpose: bytes, key: bytes, salt: bytes, length: int) -> bytes:
    return hashlib.shake_128(b"%s/%d/%s/%s" % (purpose, len(key), key, salt)).digest(length)


def _xor(data: bytes, stream: bytes) -> bytes:
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(data), "little")
