"""Block devices: a sparse device is a bytearray, and a copy is what dd does."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import (
    CHUNK,
    DD_BLOCK,
    PAGE,
    PAGES_PER_CHUNK,
    Chunk,
    MemoryDevice,
    copy_range,
)
from harness.errors import InvalidArgument, NoSpace

TIB = 1 << 40

SIZES = st.sampled_from(
    [
        PAGE,
        DD_BLOCK,
        CHUNK - PAGE,
        CHUNK,
        CHUNK + PAGE,
        CHUNK + DD_BLOCK,
        CHUNK + 5 * PAGE + DD_BLOCK,
        2 * CHUNK,
    ]
)
BORDERS = (0, PAGE, DD_BLOCK, 2 * DD_BLOCK, CHUNK, CHUNK + DD_BLOCK, 2 * CHUNK)
OFFSETS = st.builds(
    lambda border, shift: max(0, border + shift),
    st.sampled_from(BORDERS),
    st.sampled_from([-PAGE - 1, -PAGE, -512, -1, 0, 1, 511, PAGE]),
)
LENGTHS = st.sampled_from([0, 1, 511, 512, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, CHUNK])
WRITES = st.lists(st.tuples(OFFSETS, LENGTHS, st.integers(0, 3)), max_size=8)
Writes = list[tuple[int, int, int]]


def content(device: MemoryDevice) -> bytes:
    """All bytes of a small device."""
    return device.read(0, device.size)


def filled(size: int, writes: Writes, salt: int = 0) -> MemoryDevice:
    """A device after some writes, as far as they fit; fill 0 writes zeros."""
    device = MemoryDevice(size)
    for offset, length, fill in writes:
        length = max(0, min(length, size - offset))
        device.write(offset, bytes([fill + salt if fill else 0]) * length)
    return device


@settings(max_examples=60, deadline=None)
@given(size=SIZES, writes=WRITES, reads=st.lists(st.tuples(OFFSETS, LENGTHS), max_size=4))
def test_a_device_is_a_bytearray(size: int, writes: Writes, reads: list[tuple[int, int]]) -> None:
    """Reads and writes at any offset and length, over the borders of pages and chunks and at the end."""
    device, model = MemoryDevice(size), bytearray(size)
    for offset, length, fill in writes:
        data = bytes([fill]) * length
        fitting = max(0, min(length, size - offset))
        model[offset : offset + fitting] = data[:fitting]
        if fitting < length:
            with pytest.raises(NoSpace) as caught:
                device.write(offset, data)
            assert caught.value.written == fitting
        else:
            device.write(offset, data)
    for offset, length in reads:
        assert device.read(offset, length) == model[offset : offset + length]
    assert content(device) == model
    pages = {number * PAGES_PER_CHUNK + index for number, chunk in device.chunks.items() for index in chunk}
    assert pages == {
        page for page in range(size // PAGE) if model.count(0, page * PAGE, (page + 1) * PAGE) < PAGE
    }


def dd(source: bytes, destination: bytearray, first: int, last: int, sparse: bool) -> int | None:
    """GNU dd, bs=1M, from chunk `first` to `last`. The bytes that it got through when space ran out, or None.

    With conv=sparse, a block of zeros is seeked over; where the seek fails, because it would lead behind the
    end of the device, the block is written after all (`iwrite` in coreutils' dd.c).
    """
    position, end = first * CHUNK, min(last * CHUNK, len(source))
    while position < end:
        block = source[position : min(position + DD_BLOCK, end)]
        room = max(0, len(destination) - position)
        if not sparse or block.count(0) < len(block) or room < len(block):
            fitting = min(len(block), room)
            destination[position : position + fitting] = block[:fitting]
            if fitting < len(block):
                return max(0, len(destination) - first * CHUNK)
        position += len(block)
    return None


@settings(max_examples=120, deadline=None)
@given(
    sizes=st.tuples(SIZES, SIZES),
    written=WRITES,
    stale=WRITES,
    part=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    sparse=st.booleans(),
)
def test_a_copy_is_what_dd_does(
    sizes: tuple[int, int], written: Writes, stale: Writes, part: tuple[int, int], sparse: bool
) -> None:
    """Source larger or smaller, ends inside of chunks and blocks, stale bytes, any part of the range."""
    source, destination = filled(sizes[0], written), filled(sizes[1], stale, salt=100)
    model = bytearray(content(destination))
    before = content(source)
    ran_out = dd(before, model, *part, sparse)
    if ran_out is None:
        copy_range(source, destination, *part, sparse=sparse)
    else:
        with pytest.raises(NoSpace) as caught:
            copy_range(source, destination, *part, sparse=sparse)
        assert caught.value.written == ran_out
    assert content(destination) == model
    assert content(source) == before
    assert all(
        index * PAGE + number * CHUNK < destination.size
        for number, c in destination.chunks.items()
        for index in c
    )


def test_a_sparse_copy_leaves_stale_blocks_and_a_dense_one_does_not() -> None:
    """What another tenant left shows through a sparse copy, in blocks of 1 MiB that the source has not."""
    source, stale = MemoryDevice(CHUNK), b"s" * CHUNK
    source.write(0, b"new")
    for sparse, rest in ((True, b"s"), (False, b"\0")):
        destination = MemoryDevice(CHUNK)
        destination.write(0, stale)
        copy_range(source, destination, 0, 1, sparse=sparse)
        assert destination.read(0, DD_BLOCK) == b"new" + bytes(DD_BLOCK - 3)
        assert destination.read(DD_BLOCK, PAGE) == rest * PAGE


def test_a_sparse_copy_does_not_clear_a_block_for_the_stale_bytes_behind_the_source() -> None:
    """The source ends inside of a block and is zero there: the block is skipped, as a whole."""
    source, destination = MemoryDevice(2 * PAGE), MemoryDevice(CHUNK)
    destination.write(0, b"s" * (4 * PAGE))
    copy_range(source, destination, 0, 1, sparse=True)
    assert destination.read(0, 4 * PAGE) == b"s" * (4 * PAGE)


def test_a_sparse_copy_writes_the_block_that_crosses_the_end() -> None:
    """What the block has lies behind the end of the destination, but its zeros in front of it are written."""
    source, destination = MemoryDevice(CHUNK), MemoryDevice(DD_BLOCK + 2 * PAGE)
    source.write(DD_BLOCK + 3 * PAGE, b"behind")
    destination.write(DD_BLOCK, b"s" * (2 * PAGE))
    with pytest.raises(NoSpace) as caught:
        copy_range(source, destination, 0, 1, sparse=True)
    assert caught.value.written == destination.size
    assert destination.read(DD_BLOCK, 2 * PAGE) == bytes(2 * PAGE)


@pytest.mark.parametrize(("first", "last"), [(3, 3), (3, 2), (5, 9)])
@pytest.mark.parametrize("sparse", [True, False])
def test_an_empty_range_copies_nothing(first: int, last: int, sparse: bool) -> None:
    """Also behind the end of a destination that is too small for the whole source."""
    source, destination = MemoryDevice(4 * CHUNK), MemoryDevice(CHUNK + PAGE)
    source.write(CHUNK, b"x" * PAGE)
    copy_range(source, destination, first, last, sparse=sparse)
    assert destination.chunks == {}


def test_a_range_behind_the_end_of_the_destination_writes_nothing() -> None:
    """The last chunk of the destination is not part of the range."""
    source, destination = MemoryDevice(4 * CHUNK), MemoryDevice(CHUNK + DD_BLOCK)
    source.write(CHUNK, b"x" * PAGE)
    with pytest.raises(NoSpace) as caught:
        copy_range(source, destination, 2, 4)
    assert caught.value.written == 0
    assert destination.chunks == {}


class Pool(MemoryDevice):
    """A device with room for so many chunks, that keeps an account of what was allocated, in order."""

    def __init__(self, size: int, room: int) -> None:
        super().__init__(size)
        self.room = room
        self.allocated: list[int] = []

    def store(self, number: int, chunk: Chunk) -> None:
        self.allocate(number, number + 1)
        super().store(number, chunk)

    def allocate(self, first: int, last: int) -> None:
        for number in range(first, last):
            if number not in self.allocated:
                if len(self.allocated) == self.room:
                    raise NoSpace(written=(number - first) * CHUNK)
                self.allocated.append(number)


@pytest.mark.parametrize("room", range(6))
def test_a_pool_runs_out_where_dd_would(room: int) -> None:
    """Space is taken in ascending order, holes included; `written` is exact; nothing behind is written."""
    source, destination = MemoryDevice(7 * CHUNK), Pool(7 * CHUNK, room)
    for number in (2, 4, 6):
        source.write(number * CHUNK, b"x")
    with pytest.raises(NoSpace) as caught:
        copy_range(source, destination, 1, 7)
    assert caught.value.written == room * CHUNK
    assert destination.allocated == list(range(1, 1 + room))
    assert sorted(destination.chunks) == [number for number in (2, 4, 6) if number < 1 + room]


def test_a_dense_copy_allocates_all_and_a_sparse_one_what_it_writes() -> None:
    """What decides whether a thin volume stays thin."""
    source = MemoryDevice(5 * CHUNK + PAGE)
    source.write(2 * CHUNK, b"x")
    for sparse, allocated in ((True, [2]), (False, [0, 1, 2, 3, 4, 5])):
        destination = Pool(6 * CHUNK, 6)
        copy_range(source, destination, 0, 6, sparse=sparse)
        assert destination.allocated == allocated


def test_a_write_that_a_pool_has_no_room_for_counts_what_went_through() -> None:
    """`written` counts from the start of the write, over all chunks."""
    device = Pool(4 * CHUNK, 2)
    with pytest.raises(NoSpace) as caught:
        device.write(CHUNK - 10, b"x" * (2 * CHUNK))
    assert caught.value.written == CHUNK + 10
    assert device.read(2 * CHUNK - 1, 2) == b"x\0"


def test_copies_share_chunks() -> None:
    """A whole chunk is not copied, only referred to; a write to one of the two does not show in the other."""
    source, destination = MemoryDevice(2 * CHUNK), MemoryDevice(2 * CHUNK)
    source.write(0, b"x" * CHUNK)
    for sparse in (False, True):
        copy_range(source, destination, 0, 2, sparse=sparse)
        assert destination.chunks[0] is source.chunks[0]
    destination.write(0, b"mine")
    assert source.read(0, 4) == b"xxxx"


class Counting(MemoryDevice):
    """Counts the chunks that are touched."""

    touched = 0

    def load(self, number: int) -> Chunk:
        self.touched += 1
        return super().load(number)

    def occupied(self, first: int, last: int) -> Iterable[int]:
        found = list(super().occupied(first, last))
        self.touched += len(found)
        return found


def test_the_cost_of_a_copy_follows_what_was_written() -> None:
    """1 TiB that holds three pages takes three chunks' work, also over stale bytes, dense or sparse."""
    for sparse in (False, True):
        source, destination = Counting(TIB), Counting(TIB)
        for offset in (0, TIB // 2, TIB - PAGE):
            source.write(offset, b"x" * PAGE)
        destination.write(TIB // 4, b"stale")
        source.touched = destination.touched = 0
        copy_range(source, destination, 0, source.chunk_count, sparse=sparse)
        assert source.touched + destination.touched <= 16
        assert destination.read(TIB - PAGE, PAGE) == b"x" * PAGE
        assert destination.read(TIB // 4, 5) == (b"stale" if sparse else bytes(5))


def test_zeros_take_no_memory() -> None:
    """A page that is overwritten with zeros is dropped, and so is the chunk with its last page."""
    device = MemoryDevice(TIB)
    device.write(TIB - PAGE, b"x" * PAGE)
    device.write(TIB - PAGE, bytes(PAGE))
    assert device.chunks == {}


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (-5, 0)])
def test_a_read_in_front_of_the_device_is_refused(offset: int, length: int) -> None:
    """A negative offset or length is a mistake of the caller."""
    with pytest.raises(InvalidArgument):
        MemoryDevice(CHUNK).read(offset, length)


def test_a_write_in_front_of_the_device_is_refused() -> None:
    """As a read."""
    with pytest.raises(InvalidArgument):
        MemoryDevice(CHUNK).write(-1, b"x")


def test_reads_end_with_the_device() -> None:
    """Short at the end, empty behind it, as on a real one."""
    device = MemoryDevice(CHUNK + PAGE)
    assert len(device.read(CHUNK, 2 * PAGE)) == PAGE
    assert device.read(CHUNK + PAGE, 1) == b""
    assert device.read(TIB, 1) == b""
    assert device.chunk_count == 2
