"""LUKS containers: layout as cryptsetup and qemu-img make it, and a payload that is noise without the key."""

from __future__ import annotations

import errno
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends import luks
from fake_backends.block_store import CHUNK, PAGE, BlockDevice, MemoryDevice, copy_range
from harness.errors import InvalidArgument, NoSpace, StorageError

KEY = b"0123456789abcdef" * 2
MIB = 1 << 20
GIB = 1 << 30


def container(
    size: int, *, provider: str = "luks", offset: int | None = None, salt: bytes = b""
) -> MemoryDevice:
    device = MemoryDevice(size)
    luks.format(device, provider=provider, key=KEY, payload_offset=offset, salt=salt)
    return device


def copied(device: MemoryDevice) -> MemoryDevice:
    twin = MemoryDevice(device.size)
    copy_range(device, twin, 0, device.chunk_count)
    return twin


@pytest.mark.parametrize(("provider", "version"), [("luks", 1), ("luks2", 2)])
def test_the_header_starts_with_magic_and_version(provider: str, version: int) -> None:
    """As the real ones do."""
    device = container(64 * MIB, provider=provider)
    assert device.read(0, 8) == bytes.fromhex("4c554b53babe") + bytes([0, version])
    assert luks.provider_of(device) == provider


def test_other_devices_are_no_containers() -> None:
    """isLuks, and an attempt to open them."""
    device = MemoryDevice(64 * MIB)
    assert luks.provider_of(device) is None
    assert luks.provider_of(MemoryDevice(4)) is None
    with pytest.raises(InvalidArgument):
        luks.LuksDevice(device, KEY)


def test_impossible_containers_are_refused() -> None:
    """A device without room for the header, an unknown provider, an offset inside a page."""
    with pytest.raises(InvalidArgument, match="LUKS requires at least 1049600 bytes"):
        luks.format(MemoryDevice(MIB), provider="luks", key=KEY)
    with pytest.raises(InvalidArgument):
        luks.format(MemoryDevice(8 * MIB), provider="plain", key=KEY)
    with pytest.raises(InvalidArgument):
        luks.format(MemoryDevice(8 * MIB), provider="luks", key=KEY, payload_offset=MIB + 1)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=64))
def test_a_wrong_key_does_not_open(key: bytes) -> None:
    """EPERM, in cryptsetup's words."""
    device = container(4 * MIB)
    if key == KEY:
        return
    with pytest.raises(StorageError, match=r"No key available with this passphrase\.") as caught:
        luks.LuksDevice(device, key)
    assert caught.value.errno == errno.EPERM


WRITES = st.lists(
    st.tuples(st.integers(0, 6 * MIB), st.binary(min_size=1, max_size=64), st.integers(1, 200)), max_size=8
)


@settings(max_examples=12, deadline=None)
@given(WRITES, st.sampled_from([2 * MIB, 4 * MIB, 2_068_480, 1_052_672]), st.integers(0, 9))
def test_what_is_written_comes_back(writes: list[tuple[int, bytes, int]], offset: int, tail: int) -> None:
    """Against a plain bytearray: any offset, any length, any header size, any number of sectors."""
    size = 5 * MIB + tail * 512
    device = container(offset + size, offset=offset)
    payload = luks.LuksDevice(device, KEY)
    model = bytearray(size)
    for start, piece, times in writes:
        data = piece * times
        fitting = max(0, min(len(data), size - start))
        if fitting == len(data):
            payload.write(start, data)
        else:
            with pytest.raises(NoSpace) as caught:
                payload.write(start, data)
            assert caught.value.written == fitting
        model[start : start + fitting] = data[:fitting]
    for opened in (payload, luks.LuksDevice(device, KEY)):
        assert chunk_bytes(opened) == model
        for start, piece, times in writes:
            assert opened.read(start, len(piece) * times) == model[start : start + len(piece) * times]
        assert holds_everything(opened)


def chunk_bytes(device: BlockDevice) -> bytes:
    """All of the device, by way of `load`."""
    data = bytearray(device.chunk_count * CHUNK)
    for number in range(device.chunk_count):
        for index, page in device.load(number).items():
            start = number * CHUNK + index * PAGE
            data[start : start + PAGE] = page
    return bytes(data[: device.size])


def holds_everything(device: BlockDevice) -> bool:
    """`occupied` names each chunk that holds something, in order, for any range."""
    filled = {number for number in range(device.chunk_count) if device.load(number)}
    ranges = itertools.product(range(device.chunk_count + 1), repeat=2)
    named = [(first, last, list(device.occupied(first, last))) for first, last in ranges]
    return all(
        numbers == sorted(set(numbers)) and filled.intersection(range(first, last)) <= set(numbers)
        for first, last, numbers in named
    )


@settings(max_examples=10, deadline=None)
@given(WRITES, WRITES, st.sampled_from([2 * MIB, 4 * MIB, 2_068_480]))
def test_copying_chunks_into_a_container_is_exact(
    old: list[tuple[int, bytes, int]], new: list[tuple[int, bytes, int]], offset: int
) -> None:
    """Whole chunks, stored across the boundaries of the device's own chunks, replace what was there."""
    payload = luks.LuksDevice(container(offset + 7 * MIB, offset=offset), KEY)
    for start, piece, times in old:
        payload.write(start, piece * times)
    source = MemoryDevice(7 * MIB)
    for start, piece, times in new:
        source.write(start, piece * times)
    copy_range(source, payload, 0, source.chunk_count)
    assert chunk_bytes(payload) == chunk_bytes(source)


@pytest.mark.parametrize("offset", [2 * MIB, 4 * MIB, 2_068_480])
def test_storing_a_chunk_leaves_its_neighbours_alone(offset: int) -> None:
    """It shares the device's chunks with them."""
    device = container(offset + 12 * MIB, offset=offset)
    payload = luks.LuksDevice(device, KEY)
    for place in (CHUNK - 1, 2 * CHUNK, 12 * MIB - 1):
        payload.write(place, b"a")
    payload.store(1, {1: b"b" * PAGE, 1023: b"c" * PAGE})
    assert payload.read(CHUNK - 1, 2 * PAGE + 2) == b"a" + bytes(PAGE) + b"b" * PAGE + b"\0"
    assert payload.read(2 * CHUNK - PAGE - 1, PAGE + 2) == b"\0" + b"c" * PAGE + b"a"
    assert luks.provider_of(device) == "luks"
    assert payload.read(12 * MIB - 1, 2) == b"a"


def test_ciphertext_is_not_the_plaintext_and_depends_on_the_position() -> None:
    """Equal pages look different in different places and different containers."""
    seen = set()
    for salt in (b"one", b"two"):
        device = container(16 * MIB, salt=salt)
        payload = luks.LuksDevice(device, KEY)
        for page in range(3):
            payload.write(page * PAGE, b"A" * PAGE)
            seen.add(device.read(2 * MIB + page * PAGE, PAGE))
    assert len(seen) == 6
    assert b"A" * PAGE not in seen


def test_a_raw_copy_opens_with_the_same_key() -> None:
    """The header travels with the bytes, whatever was on the other device."""
    device = container(16 * MIB, salt=b"source")
    luks.LuksDevice(device, KEY).write(5 * MIB - 3, b"secret")
    other = container(16 * MIB, salt=b"destination")
    luks.LuksDevice(other, KEY).write(MIB, b"overwritten")
    copy_range(device, other, 0, device.chunk_count)
    moved = luks.LuksDevice(other, KEY)
    assert moved.read(5 * MIB - 3, 6) == b"secret"
    assert moved.read(MIB, 11) == bytes(11)


def test_bytes_moved_to_another_place_do_not_decrypt() -> None:
    """A payload without its header, or at another offset, is noise."""
    device = container(16 * MIB, salt=b"source")
    luks.LuksDevice(device, KEY).write(MIB, b"secret")
    other = container(16 * MIB, salt=b"destination")
    other.write(3 * MIB, device.read(3 * MIB, PAGE))
    assert luks.LuksDevice(other, KEY).read(MIB, 6) not in (b"secret", bytes(6))
    shifted = copied(device)
    shifted.write(3 * MIB + PAGE, device.read(3 * MIB, PAGE))
    assert luks.LuksDevice(shifted, KEY).read(MIB + PAGE, 6) not in (b"secret", bytes(6))


def test_somebody_elses_bytes_are_noise() -> None:
    """What another tenant left on the device, plain or encrypted, is never shown as it was."""
    device = MemoryDevice(16 * MIB)
    device.write(5 * MIB, b"tenant's plaintext")
    luks.format(device, provider="luks", key=KEY)
    payload = luks.LuksDevice(device, KEY)
    assert payload.read(3 * MIB, 18) not in (b"tenant's plaintext", bytes(18))
    payload.write(3 * MIB, b"first owner")
    luks.format(device, provider="luks", key=b"another key" * 3)
    assert luks.LuksDevice(device, b"another key" * 3).read(3 * MIB, 11) not in (b"first owner", bytes(11))


def test_zeros_written_over_old_bytes_are_zeros() -> None:
    """They are encrypted as everything else, or left out by a copy of whole chunks, which clears as well."""
    device = MemoryDevice(16 * MIB)
    device.write(5 * MIB, b"x" * PAGE)
    luks.format(device, provider="luks", key=KEY)
    payload = luks.LuksDevice(device, KEY)
    payload.write(3 * MIB, bytes(PAGE))
    assert payload.read(3 * MIB, PAGE) == bytes(PAGE)
    assert payload.load(0) == {}
    assert device.read(5 * MIB, PAGE) not in (b"x" * PAGE, bytes(PAGE))
    payload.store(0, {})
    assert payload.read(3 * MIB, PAGE) == bytes(PAGE)
    assert device.read(5 * MIB, PAGE) == bytes(PAGE)


@pytest.mark.parametrize("offset", [None, 3 * CHUNK])
def test_chunks_of_zeros_take_no_memory(offset: int | None) -> None:
    """A copy through file objects writes all zeros of a volume. They clear what was there."""
    device = container(8 * CHUNK, offset=offset)
    before = sum(len(chunk) for chunk in device.chunks.values())
    payload = luks.LuksDevice(device, KEY)
    payload.write(CHUNK - PAGE, b"x" * 3 * PAGE)
    payload.write(0, bytes(3 * CHUNK))
    assert payload.read(0, 3 * CHUNK) == bytes(3 * CHUNK)
    assert sum(len(chunk) for chunk in device.chunks.values()) == before


def test_a_copy_that_does_not_fit_ends_where_the_container_ends() -> None:
    """A volume of N GiB into LUKS1 on N GiB: everything but the last 2 MiB goes through (dd's count)."""
    payload = luks.LuksDevice(container(64 * MIB), KEY)
    source = MemoryDevice(64 * MIB)
    source.write(61 * MIB, b"x" * 3 * MIB)
    with pytest.raises(NoSpace) as caught:
        copy_range(source, payload, 0, source.chunk_count)
    assert caught.value.written == 65_011_712
    assert payload.read(61 * MIB, MIB) == b"x" * MIB


def test_a_large_container_costs_what_is_written() -> None:
    """1 TiB with a few pages."""
    device = container(1024 * GIB)
    before = sum(len(chunk) for chunk in device.chunks.values())
    payload = luks.LuksDevice(device, KEY)
    payload.write(payload.size - 3, b"end")
    assert list(payload.occupied(0, payload.chunk_count)) == [payload.chunk_count - 1]
    assert sum(len(chunk) for chunk in device.chunks.values()) == before + 1


class CountingDevice(MemoryDevice):
    """Records what is allocated, and has room for a few chunks only."""

    def __init__(self, size: int, room: int) -> None:
        super().__init__(size)
        self.room = room
        self.ranges: list[tuple[int, int]] = []

    def allocate(self, first: int, last: int) -> None:
        self.ranges.append((first, last))
        if last > self.room:
            raise NoSpace(written=(self.room - first) * CHUNK)


def test_allocating_reaches_the_chunks_below() -> None:
    """A payload chunk that lies across two chunks of the device needs both."""
    device = CountingDevice(64 * MIB, room=10)
    luks.format(device, provider="luks", key=KEY)
    payload = luks.LuksDevice(device, KEY)
    payload.allocate(1, 3)
    assert device.ranges == [(1, 4)]
    with pytest.raises(NoSpace) as caught:
        payload.allocate(1, payload.chunk_count)
    assert device.ranges[-1] == (1, 16)
    assert caught.value.written == 9 * CHUNK - 2 * MIB


@pytest.mark.parametrize(("provider", "size"), [("luks", 1_049_600), ("luks", 2 * MIB), ("luks2", 8 * MIB)])
def test_a_small_device_has_a_header_and_nothing_else(provider: str, size: int) -> None:
    """cryptsetup formats it, with a warning, and cannot open it."""
    device = MemoryDevice(size)
    header = luks.format(device, provider=provider, key=KEY)
    assert header.payload_offset == max(size, luks.CRYPTSETUP_OFFSET["luks"])
    with pytest.raises(InvalidArgument, match="beyond real size"):
        luks.LuksDevice(device, KEY)


def test_formatting_clears_what_lies_before_the_payload() -> None:
    """And nothing behind; an older container's second header does not come back."""
    device = container(32 * MIB, provider="luks2")
    device.write(2 * MIB - 1, b"abc")
    luks.format(device, provider="luks", key=KEY)
    assert device.read(2 * MIB - 1, 3) == b"\0bc"
    assert luks.provider_of(device) == "luks"


def test_a_damaged_first_header_is_replaced_by_the_second() -> None:
    """LUKS2 keeps two copies, each with a checksum."""
    device = container(32 * MIB, provider="luks2")
    device.write(4200, b"x")
    assert luks.LuksDevice(device, KEY).size == 16 * MIB
    device.write(16384 + 4200, b"x")
    with pytest.raises(InvalidArgument, match="not a valid LUKS device"):
        luks.LuksDevice(device, KEY)


def test_passphrases_fill_the_slots() -> None:
    """Each opens the same payload; a slot that was erased is the next to be filled."""
    device = container(4 * MIB)
    luks.LuksDevice(device, KEY).write(0, b"data")
    assert [luks.add_key(device, KEY, b"key %d" % number) for number in range(1, 8)] == [*range(1, 8)]
    with pytest.raises(InvalidArgument, match=r"All key slots full\."):
        luks.add_key(device, KEY, b"one more")
    luks.erase_key(device, 3)
    assert luks.add_key(device, b"key 2", b"one more") == 3
    assert luks.LuksDevice(device, b"one more").read(0, 4) == b"data"
    with pytest.raises(StorageError, match="No key available"):
        luks.LuksDevice(device, b"key 3")
    with pytest.raises(InvalidArgument, match="Key slot 3 is full"):
        luks.add_key(device, KEY, b"another", slot=3)
