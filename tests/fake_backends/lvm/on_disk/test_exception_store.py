"""The copy-on-write store of a thick snapshot: what dm-snapshot would find in it, also after a crash."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import PAGE, MemoryDevice
from fake_backends.lvm.on_disk.exception_store import ExceptionStore, pages_taken
from harness.errors import Unreadable

SIZE = 8 << 20


class Crash(Exception):
    """The process dies."""


class DyingDevice(MemoryDevice):
    """A device that takes so many more writes."""

    writes_left = 1 << 30

    def write(self, offset: int, data: bytes) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            super().write(offset, data[: len(data) // 2])
            raise Crash
        super().write(offset, data)


def page(seed: int) -> bytes:
    return struct.pack("<I", seed + 1) * (PAGE // 4)


def formatted() -> tuple[DyingDevice, ExceptionStore]:
    """A new store on a medium full of somebody else's bytes."""
    device = DyingDevice(SIZE)
    device.write(0, page(77) * 600)
    store = ExceptionStore(device)
    store.format()
    return device, store


def reopened(device: MemoryDevice) -> dict[int, bytes]:
    store = ExceptionStore(device)
    store.load()
    return dict(store.read(list(store.places)))


def test_the_layout_is_the_kernels() -> None:
    """Header, a page of exceptions, 256 data pages, the next page of exceptions; numbers little-endian."""
    device, store = formatted()
    store.add({1000 + number: page(number) for number in range(257)})
    assert device.read(0, 16) == b"SnAp" + struct.pack("<III", 1, 1, 8)
    assert device.read(PAGE, 32) == struct.pack("<QQQQ", 1000, 2, 1001, 3)
    assert device.read(2 * PAGE, PAGE) == page(0)
    assert device.read(258 * PAGE, 32) == struct.pack("<QQQQ", 1256, 259, 0, 0)
    assert device.read(259 * PAGE, PAGE) == page(256)
    assert pages_taken(257) == 260


@given(st.lists(st.dictionaries(st.integers(0, 5000), st.integers(0, 99), max_size=300), max_size=5))
@settings(max_examples=25)
def test_a_store_reads_as_it_was_written(batches: list[dict[int, int]]) -> None:
    """Across pages of exceptions, with copies that are changed later, over stale bytes."""
    device, store = formatted()
    expected: dict[int, bytes] = {}
    for batch in batches:
        pages = {number: page(seed) for number, seed in batch.items()}
        store.write({number: content for number, content in pages.items() if number in store.places})
        store.add({number: content for number, content in pages.items() if number not in store.places})
        expected |= pages
    assert dict(store.read(list(store.places))) == expected
    assert reopened(device) == expected


@given(st.integers(0, 600), st.integers(1, 300), st.integers(0, 7))
@settings(max_examples=50)
def test_a_crash_leaves_the_first_of_the_new_copies(before: int, new: int, writes: int) -> None:
    """All of the old ones, and some of the new ones with their content."""
    device, store = formatted()
    store.add({number: page(number) for number in range(before)})
    device.writes_left = writes
    try:
        store.add({number: page(number) for number in range(before, before + new)})
    except Crash:
        pass
    found = reopened(device)
    assert before <= len(found) <= before + new
    assert found == {number: page(number) for number in range(len(found))}


def test_an_invalid_store_stays_invalid() -> None:
    """The header says so, and the exceptions do not matter any more."""
    device, store = formatted()
    store.add({1: page(1)})
    store.invalidate()
    again = ExceptionStore(device)
    again.load()
    assert not again.valid
    assert again.places == {}


def test_a_store_of_zeros_is_a_new_one() -> None:
    """As the kernel takes it: somebody cleared the store."""
    device, store = formatted()
    store.add({1: page(1)})
    device.write(0, bytes(2 * PAGE))
    assert reopened(device) == {}
    again = ExceptionStore(device)
    again.load()
    again.add({2: page(2)})
    assert reopened(device) == {2: page(2)}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"noise" * 4, "no copy-on-write store"),
        (b"SnAp" + struct.pack("<III", 1, 2, 8), "version 2 with chunks of 8 sectors"),
        (b"SnAp" + struct.pack("<III", 1, 1, 16), "version 1 with chunks of 16 sectors"),
    ],
)
def test_another_format_is_named(header: bytes, reason: str) -> None:
    """What is there is not touched."""
    device = MemoryDevice(SIZE)
    device.write(0, header)
    with pytest.raises(Unreadable, match=reason):
        ExceptionStore(device).load()
    assert device.read(0, len(header)) == header
