"""Volume groups: extents, thick and thin volumes, snapshots, open counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fake_backends.block_store import CHUNK, PAGE, BlockDevice, MemoryDevice, copy_range
from fake_backends.lvm.extents import Run, Runs
from fake_backends.lvm.logical_volume import LinearVolume, ThickSnapshot
from fake_backends.lvm.volume_group import SignatureFound, VolumeGroup
from harness.errors import AlreadyExists, Busy, InvalidArgument, NoSpace, NotFound, StorageError
from harness.sim.points import Points

GIB = 1 << 30
TIB = 1 << 40
PV = 10 * GIB
STALE = {0: b"s" * PAGE, 5: b"t" * PAGE}


def group(*pv_sizes: int, points: Points | None = None) -> VolumeGroup:
    sizes = pv_sizes or (PV,)
    return VolumeGroup("vg", sizes, points=points) if points else VolumeGroup("vg", sizes)


def read(vg: VolumeGroup, name: str, offset: int = 0, length: int = PAGE) -> bytes:
    device = vg.open(name)
    try:
        return device.read(offset, length)
    finally:
        vg.close(device)


def write(vg: VolumeGroup, name: str, offset: int, data: bytes) -> None:
    device = vg.open(name)
    try:
        device.write(offset, data)
    finally:
        vg.close(device)


def thin_group(pool_size: int = GIB) -> VolumeGroup:
    vg = group()
    vg.create_thin_pool("pool", pool_size)
    return vg


# -------------------------------------------------------------------------------------------------- extents


def test_first_mib_of_a_disk_is_lvm_metadata() -> None:
    """A disk of 10 GiB has 2,559 extents, as lvm2 2.03.16 makes them."""
    assert group().extent_count == 2559


def test_sizes_are_rounded_up_to_extents() -> None:
    """5 MiB take two extents."""
    vg = group()
    vg.create("a", 5 << 20)
    assert vg.volume("a").size == 2 * CHUNK
    assert vg.free_extents == 2557


def test_allocation_takes_the_first_hole_that_is_long_enough() -> None:
    """A hole of two extents is passed over by three and taken by two."""
    vg = group()
    for name in "abc":
        vg.create(name, 2 * CHUNK)
    vg.remove("b")
    vg.create("long", 3 * CHUNK)
    vg.create("short", 2 * CHUNK)
    assert [starts(vg, name) for name in ("short", "long")] == [[2], [6]]


def test_neighbouring_holes_are_one_hole() -> None:
    """Whatever the order in which volumes go, their extents serve a larger one."""
    for order in ("abc", "cba", "bac", "acb"):
        vg = group()
        for name in "abcd":
            vg.create(name, 2 * CHUNK)
        for name in order:
            vg.remove(name)
        vg.create("large", 6 * CHUNK)
        assert starts(vg, "large") == [0]


def starts(vg: VolumeGroup, name: str) -> list[int]:
    volume = vg.volume(name)
    assert isinstance(volume, LinearVolume)
    return [segment.start for segment in volume.area.segments]


def test_volume_spans_disks_when_no_single_one_has_room() -> None:
    """6 GiB on two disks of 4 GiB are two segments, with one address space."""
    vg = group(4 * GIB, 4 * GIB)
    vg.create("big", 6 * GIB)
    write(vg, "big", 1023 * CHUNK - 2, b"over")
    assert starts(vg, "big") == [0, 0]
    assert read(vg, "big", 1023 * CHUNK - 2, 4) == b"over"


def test_too_large_volume_is_refused_with_the_words_of_lvm2() -> None:
    """NoSpace counts extents: those free, those required."""
    vg = group()
    vg.create("a", GIB)
    with pytest.raises(NoSpace, match=r'^Volume group "vg" has insufficient free space \(2303 extents\): 2304'):
        vg.create("b", 9 * GIB)
    assert vg.names() == ["a"]


def test_names_are_unique_and_some_are_reserved() -> None:
    """lvm2 refuses a name in use, and names that start with "snapshot"."""
    vg = group()
    vg.create("a", CHUNK)
    with pytest.raises(AlreadyExists, match="already exists in volume group"):
        vg.create("a", CHUNK)
    with pytest.raises(InvalidArgument, match='starting "snapshot" are reserved'):
        vg.create("snapshot-1", CHUNK)


@example([(0, 2, 2), (2, 1, 1), (2, 1, 2)])
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([None, 1, 2])), max_size=12))
def test_runs_agree_with_a_dict(assignments: list[tuple[int, int, int | None]]) -> None:
    """Runs are a compressed map from numbers to tags, and stay disjoint, ascending and joined."""
    runs, model = Runs(), dict[int, int]()
    for first, length, tag in assignments:
        runs.assign(first, first + length, tag)
        for number in range(first, first + length):
            model.pop(number, None)
            if tag is not None:
                model[number] = tag
    assert {number: runs.tag(number) for number in range(60)} == {n: model.get(n) for n in range(60)}
    listed = list(runs)
    assert all(a.last < b.first or (a.last == b.first and a.tag != b.tag) for a, b in pairwise(listed))
    gaps = {number for first, last in runs.gaps(3, 50) for number in range(first, last)}
    assert gaps == {number for number in range(3, 50) if number not in model}


def test_run_that_is_split_keeps_both_ends() -> None:
    """Taking the middle out of a run leaves two."""
    runs = Runs([Run(0, 10, 1)])
    runs.assign(4, 6, None)
    assert list(runs) == [Run(0, 4, 1), Run(6, 10, 1)]


# ------------------------------------------------------------------------------------------ stale contents


def test_new_thick_volume_shows_old_bytes_but_for_its_first_page() -> None:
    """lvcreate zeroes 4,096 bytes; everything else is what the extents held before."""
    vg = group()
    vg.create("old", 2 * CHUNK)
    write(vg, "old", 0, b"x" * 3 * PAGE)
    vg.remove("old")
    vg.create("new", 2 * CHUNK)
    assert read(vg, "new") == bytes(PAGE)
    assert read(vg, "new", PAGE, 2 * PAGE) == b"x" * 2 * PAGE


def test_extend_shows_old_bytes_too() -> None:
    """New extents of a linear volume are not zeroed at all."""
    vg = group()
    vg.age(STALE, 4)
    vg.create("a", CHUNK)
    vg.extend("a", 2 * CHUNK)
    assert read(vg, "a", CHUNK) == STALE[0]


def test_aging_reaches_the_free_extents_of_every_disk_and_nothing_else() -> None:
    """Allocated extents keep their content."""
    vg = group(4 * GIB, 4 * GIB)
    vg.create("a", CHUNK)
    vg.age(STALE, 3)
    assert read(vg, "a", 5 * PAGE) == bytes(PAGE)
    assert [sorted(disk.contents) for disk in vg.disks] == [[1, 2, 3], [0, 1, 2]]


def test_removed_snapshot_leaves_what_it_preserved() -> None:
    """The next volume on a store's extents shows the origin's old bytes, two metadata pages further on."""
    vg = group()
    vg.create("a", CHUNK)
    write(vg, "a", PAGE, b"k" * PAGE)
    vg.snapshot("a", "s", CHUNK)
    write(vg, "a", PAGE, b"n" * PAGE)
    vg.remove("s")
    vg.create("b", CHUNK)
    assert read(vg, "b", 2 * PAGE) == b"k" * PAGE


def test_cleared_store_leaves_nothing() -> None:
    """Zeros over the store's device: the snapshot's pages read zero, and so will the next owner's."""
    vg = group()
    vg.create("a", CHUNK)
    write(vg, "a", PAGE, b"k" * PAGE)
    vg.snapshot("a", "s", CHUNK)
    write(vg, "a", PAGE, b"n" * PAGE)
    vg.clear_store("s")
    assert read(vg, "s", PAGE) == bytes(PAGE)
    vg.remove("s")
    vg.create("b", CHUNK)
    assert read(vg, "b", 0, CHUNK) == bytes(CHUNK)


# ----------------------------------------------------------------------------------------- thick snapshots


def test_store_is_used_by_the_page_and_with_its_metadata() -> None:
    """8 MiB written over 16 MiB of store are 50.24 %, as lvm2 shows it."""
    vg = group()
    vg.create("a", 64 * CHUNK)
    vg.snapshot("a", "s", 4 * CHUNK)
    write(vg, "a", 0, bytes(2 * CHUNK))
    snapshot = vg.volume("s")
    assert isinstance(snapshot, ThickSnapshot)
    assert f"{100 * snapshot.used / snapshot.listed_size:.2f}" == "50.24"


def test_store_that_overflows_makes_the_snapshot_invalid_for_ever() -> None:
    """Reads and writes of it give EIO; the origin goes on; a merge is refused; removal works."""
    vg = group()
    vg.create("a", 4 * CHUNK)
    vg.snapshot("a", "s", 4 * CHUNK)
    write(vg, "a", 0, b"n" * 4 * CHUNK)
    assert read(vg, "a") == b"n" * PAGE
    with pytest.raises(StorageError, match="Input/output error"):
        read(vg, "s")
    with pytest.raises(StorageError, match="Input/output error"):
        write(vg, "s", 0, b"x")
    with pytest.raises(StorageError, match="Unable to merge invalidated snapshot LV vg/s"):
        vg.merge("s")
    vg.remove("s")
    assert vg.names() == ["a"]


def test_write_to_a_snapshot_that_overflows_fails() -> None:
    """7 MiB fit into a store of 8 MiB, the eighth does not."""
    vg = group()
    vg.create("a", 16 * CHUNK)
    vg.snapshot("a", "s", 2 * CHUNK)
    write(vg, "s", 0, b"x" * (7 << 20))
    with pytest.raises(StorageError, match="Input/output error"):
        write(vg, "s", 7 << 20, b"x" * (1 << 20))


def test_store_is_cut_down_to_what_it_can_ever_use() -> None:
    """An origin of 256 extents can fill 258."""
    vg = group()
    vg.create("a", GIB)
    vg.snapshot("a", "s", 100 * GIB)
    assert vg.volume("s").listed_size == 258 * CHUNK
    assert vg.volume("s").size == GIB


def test_full_copy_onto_an_origin_overflows_a_store_of_its_size() -> None:
    """Zeros over zeros are preserved as well: a full rewrite never fits."""
    vg = group()
    vg.create("a", GIB)
    vg.snapshot("a", "s", GIB)
    device = vg.open("a")
    copy_range(MemoryDevice(GIB), device, 0, 254)
    assert read(vg, "s") == bytes(PAGE)
    copy_range(MemoryDevice(GIB), device, 254, 256)
    with pytest.raises(StorageError):
        read(vg, "s")


def test_merge_restores_the_origin_and_spares_its_other_snapshots() -> None:
    """lvconvert --merge: the snapshot is gone, a second one still shows its own moment."""
    vg = group()
    vg.create("a", 4 * CHUNK)
    write(vg, "a", 0, b"1" * PAGE)
    vg.snapshot("a", "s1", 4 * CHUNK)
    write(vg, "a", 0, b"2" * PAGE)
    vg.snapshot("a", "s2", 4 * CHUNK)
    write(vg, "a", 0, b"3" * PAGE)
    assert vg.merge("s1") is True
    assert (read(vg, "a"), read(vg, "s2")) == (b"1" * PAGE, b"2" * PAGE)
    assert vg.names() == ["a", "s2"]


def test_merge_waits_for_the_next_activation_while_the_origin_is_open() -> None:
    """Until then the snapshot is hidden, cannot be removed, and no other can be made."""
    vg = group()
    vg.create("a", CHUNK)
    write(vg, "a", 0, b"1" * PAGE)
    vg.snapshot("a", "s", CHUNK)
    device = vg.open("a")
    device.write(0, b"2" * PAGE)
    assert vg.merge("s") is False
    assert vg.names() == ["a"]
    with pytest.raises(Busy, match="merging"):
        vg.remove("s")
    with pytest.raises(InvalidArgument, match="merging"):
        vg.snapshot("a", "t", CHUNK)
    vg.close(device)
    vg.deactivate("a")
    vg.activate("a")
    assert read(vg, "a") == b"1" * PAGE
    assert "s" not in vg


def test_origin_with_snapshots_is_extended_only_while_inactive() -> None:
    """lvm2 wants lvchange -an first, and that fails while the origin is open."""
    vg = group()
    vg.create("a", CHUNK)
    write(vg, "a", 0, b"1" * PAGE)
    vg.snapshot("a", "s", CHUNK)
    with pytest.raises(InvalidArgument, match="only while inactive"):
        vg.extend("a", 2 * CHUNK)
    with opened(vg, "a"), pytest.raises(Busy, match="Logical volume vg/a in use"):
        vg.deactivate("a")
    vg.deactivate("a")
    vg.snapshot("a", "t", CHUNK)
    for name in "ast":
        with pytest.raises(NotFound):
            vg.open(name)
    vg.extend("a", 2 * CHUNK)
    vg.activate("a")
    assert (read(vg, "s"), read(vg, "t")) == (b"1" * PAGE, b"1" * PAGE)


@contextmanager
def opened(vg: VolumeGroup, name: str) -> Iterator[BlockDevice]:
    """A device for the length of a with block."""
    device = vg.open(name)
    try:
        yield device
    finally:
        vg.close(device)


# ------------------------------------------------------------------------------------- removing and opening


def test_open_volume_cannot_be_removed() -> None:
    """Every opener counts; the last close frees it."""
    vg = group()
    vg.create("a", CHUNK)
    one, two = vg.open("a"), vg.open("a")
    for device in (one, two):
        with pytest.raises(Busy, match="Logical volume vg/a in use"):
            vg.remove("a")
        vg.close(device)
        vg.close(device)
    vg.remove("a")
    with pytest.raises(NotFound, match='Failed to find logical volume "vg/a"'):
        vg.remove("a")


def test_closed_device_is_dead() -> None:
    """Nobody reads through a handle that was closed."""
    vg = group()
    vg.create("a", CHUNK)
    device = vg.open("a")
    vg.close(device)
    with pytest.raises(StorageError, match="not open"):
        device.read(0, 1)


def test_snapshots_go_along_only_when_asked() -> None:
    """Without cascade they make the origin busy; an open one does so in any case, and nothing is removed."""
    vg = group()
    vg.create("a", CHUNK)
    vg.snapshot("a", "s", CHUNK)
    with pytest.raises(Busy, match="snapshot"):
        vg.remove("a")
    with opened(vg, "s"), pytest.raises(Busy, match="vg/s in use"):
        vg.remove("a", cascade=True)
    assert vg.names() == ["a", "s"]
    vg.remove("a", cascade=True)
    assert vg.names() == []
    assert vg.free_extents == vg.extent_count


def test_rename_and_extend_work_while_open() -> None:
    """The device follows both, and its size the extend."""
    vg = group()
    vg.create("a", CHUNK)
    vg.create("b", CHUNK)
    device = vg.open("a")
    device.write(0, b"x" * PAGE)
    vg.rename("a", "c")
    vg.extend("c", 3 * CHUNK)
    assert device.size == 3 * CHUNK
    assert device.read(0, PAGE) == b"x" * PAGE
    assert vg.names() == ["c", "b"]
    with pytest.raises(AlreadyExists):
        vg.rename("c", "b")
    with pytest.raises(NotFound, match='Existing logical volume "a" not found in volume group "vg"'):
        vg.rename("a", "d")


def test_extend_must_grow() -> None:
    """lvextend refuses the same size and a smaller one, and says how many extents are missing."""
    vg = group()
    vg.create("a", 2 * CHUNK)
    with pytest.raises(InvalidArgument, match="matches existing size"):
        vg.extend("a", 2 * CHUNK)
    with pytest.raises(InvalidArgument, match="not larger than existing size"):
        vg.extend("a", CHUNK)
    with pytest.raises(NoSpace, match="Insufficient free space: 2558 extents needed, but only 2557 available"):
        vg.extend("a", 2560 * CHUNK)


# ----------------------------------------------------------------------------------------------- thin pools


def test_pool_takes_metadata_and_a_spare() -> None:
    """A pool of 9.5 GiB takes 2,432 extents of data and twice 3 for metadata; all come back."""
    vg = group()
    vg.create_thin_pool("pool", int(9.5 * GIB))
    assert vg.free_extents == 121
    with pytest.raises(NoSpace, match="Insufficient free space: 122 extents needed, but only 121 available"):
        vg.create_thin_pool("p2", 121 * CHUNK)
    vg.remove("pool")
    assert vg.free_extents == vg.extent_count


def test_thin_volume_reads_zero_even_on_stale_extents() -> None:
    """Unwritten blocks of a pool are zero whatever the disks hold."""
    vg = group()
    vg.age(STALE, 1000)
    vg.create_thin_pool("pool", GIB)
    vg.create_thin("a", 100 * GIB, "pool")
    assert read(vg, "a", 0, 2 * CHUNK) == bytes(2 * CHUNK)
    assert (vg.pool("pool").data_used, vg.pool("pool").virtual_size) == (0, 100 * GIB)
    assert vg.names() == ["a"]


def test_thin_snapshots_share_blocks_until_one_side_writes() -> None:
    """Isolation both ways; the pool counts a shared block once."""
    vg = thin_group()
    pool = vg.pool("pool")
    vg.create_thin("a", GIB, "pool")
    write(vg, "a", 0, b"1" * 2 * CHUNK)
    vg.snapshot("a", "s", None)
    vg.activate("s")
    assert pool.data_used == 2 * CHUNK
    write(vg, "a", 0, b"2")
    write(vg, "s", CHUNK, b"3")
    assert pool.data_used == 2 * CHUNK + 2 * pool.block_size
    assert (read(vg, "s", 0, 1), read(vg, "a", CHUNK, 1)) == (b"1", b"1")
    vg.remove("a")
    assert pool.data_used == 2 * CHUNK
    assert vg.volume("s").origin is None


def test_full_pool_makes_writes_fail() -> None:
    """NoSpace for new blocks; a block that the volume has alone can still be rewritten."""
    vg = thin_group(2 * CHUNK)
    vg.create_thin("a", GIB, "pool")
    write(vg, "a", 0, b"1" * 2 * CHUNK)
    with pytest.raises(NoSpace, match="thin pool pool is full"):
        write(vg, "a", 2 * CHUNK, b"1")
    write(vg, "a", 0, b"2")
    vg.snapshot("a", "s", None)
    vg.activate("s")
    with pytest.raises(NoSpace):
        write(vg, "a", 0, b"3")
    assert read(vg, "s", 0, 1) == b"2"


def test_full_copy_allocates_a_thin_volume_as_far_as_the_pool_reaches() -> None:
    """Zeros that are written take blocks; sparse copies do not write them."""
    vg = thin_group()
    vg.create_thin("a", 2 * GIB, "pool")
    with opened(vg, "a") as device:
        copy_range(MemoryDevice(2 * GIB), device, 0, 100, sparse=True)
        assert vg.pool("pool").data_used == 0
        copy_range(MemoryDevice(2 * GIB), device, 0, 100)
        assert vg.pool("pool").data_used == 100 * CHUNK
        with pytest.raises(NoSpace) as caught:
            copy_range(MemoryDevice(2 * GIB), device, 50, 512)
        assert caught.value.written == GIB - 50 * CHUNK
    assert vg.pool("pool").data_used == GIB


def test_thin_snapshot_is_inactive_until_asked_for() -> None:
    """It skips activation, as lvcreate makes it; -K, which is Cinder's habit, overrides that."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    vg.snapshot("a", "s", None)
    with pytest.raises(NotFound):
        vg.open("s")
    vg.activate("s", skipping=True)
    assert not vg.volume("s").active
    vg.activate("s")
    assert vg.volume("s").active


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 1, 1), (65535, 2, 2), (0, 65536, 1), (10 * CHUNK - 1, 2, 2), (3, 1 << 20, 17)],
)
def test_thin_blocks_are_64_kib(offset: int, length: int, expected: int) -> None:
    """A write takes every block that it touches, and none twice."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    for _ in range(2):
        write(vg, "a", offset, b"x" * length)
        assert vg.pool("pool").data_used == expected * (64 << 10)


@pytest.mark.parametrize(
    ("gib", "kib"), [(1, 64), (127, 64), (500, 256), (1000, 512), (1900, 1024), (9000, 8192)]
)
def test_large_pools_have_larger_blocks(gib: int, kib: int) -> None:
    """lvm2 doubles the block until the metadata fits into 128 MiB; also beyond 4 MiB."""
    vg = group(10 * TIB)
    vg.create_thin_pool("pool", gib * GIB)
    assert vg.pool("pool").block_size == kib << 10
    vg.create_thin("a", TIB, "pool")
    write(vg, "a", 5 * GIB, b"x")
    with opened(vg, "a") as device:
        copy_range(MemoryDevice(TIB), device, 0, 3)
    assert vg.pool("pool").data_used == (kib << 10) + -(-3 * CHUNK // (kib << 10)) * (kib << 10)


def test_write_to_a_full_pool_goes_as_far_as_there_are_blocks() -> None:
    """What fitted before the pool was full is there, and counted."""
    vg = thin_group(CHUNK)
    vg.create_thin("a", GIB, "pool")
    write(vg, "a", 0, b"1" * (3 << 20))
    with pytest.raises(NoSpace) as caught:
        write(vg, "a", 6 << 20, b"2" * (3 << 20))
    assert caught.value.written == 1 << 20
    assert read(vg, "a", 6 << 20, 1 << 20) == b"2" * (1 << 20)
    assert read(vg, "a", 7 << 20, 1 << 20) == bytes(1 << 20)


def test_large_volumes_lie_on_the_freest_disks() -> None:
    """Where no run is long enough, lvm2 takes the longest ones first, whatever disk they are on."""
    vg = group(4 * GIB, 4 * GIB)
    vg.create("a", GIB)
    vg.create("b", 6 * GIB)
    volume = vg.volume("b")
    assert isinstance(volume, LinearVolume)
    assert [(segment.disk, segment.start, segment.length) for segment in volume.area.segments] == [
        (vg.disks[1], 0, 1023),
        (vg.disks[0], 256, 513),
    ]


def test_extents_of_32_mib() -> None:
    """Sizes are rounded up to the group's extents, and what is left behind the last one is lost."""
    vg = VolumeGroup("vg", [4 * GIB], extent_size=32 << 20)
    vg.create("a", GIB + 1)
    assert (vg.extent_count, vg.free_extents, vg.volume("a").size) == (127, 94, GIB + (32 << 20))
    with pytest.raises(NoSpace, match=r"\(94 extents\): 96 required"):
        vg.create("b", 3 * GIB)


SUPERBLOCKS = {
    "crypto_LUKS": (0, b"LUKS\xba\xbe"),
    "swap": (4086, b"SWAPSPACE2"),
    "ext2": (1080, b"\x53\xef"),
    "xfs": (0, b"XFSB"),
    "gpt": (512, b"EFI PART"),
}


@pytest.mark.parametrize("name", SUPERBLOCKS)
def test_signature_on_reused_extents_stops_lvcreate(name: str) -> None:
    """Unless it may be wiped; a failed lvcreate leaves nothing behind."""
    vg = group()
    offset, magic = SUPERBLOCKS[name]
    vg.create("a", CHUNK)
    write(vg, "a", offset, magic)
    vg.remove("a")
    with pytest.raises(SignatureFound, match="Failed to wipe signatures on logical volume vg/b") as caught:
        vg.create("b", CHUNK)
    assert [(found.name, found.offset) for found in caught.value.signatures] == [(name, offset)]
    assert (vg.names(), vg.free_extents) == ([], vg.extent_count)
    assert [found.name for found in vg.create("b", CHUNK, wipe=True)] == [name]
    assert read(vg, "b", 0, PAGE) == bytes(PAGE)


def test_read_only_volume_refuses_writes() -> None:
    """EPERM, as from a device whose table is read-only."""
    vg = group()
    vg.create("a", CHUNK)
    vg.volume("a").read_only = True
    with pytest.raises(StorageError, match="Operation not permitted"):
        write(vg, "a", 0, b"x")


def test_thin_merge_replaces_the_origin() -> None:
    """The origin takes the content and the size of the snapshot."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    write(vg, "a", 0, b"1")
    vg.snapshot("a", "s", None)
    write(vg, "a", 0, b"2")
    vg.extend("a", 2 * GIB)
    assert vg.merge("s") is True
    assert (read(vg, "a", 0, 1), vg.volume("a").size, vg.names()) == (b"1", GIB, ["a"])
    assert vg.pool("pool").data_used == 64 << 10


def test_thin_merge_that_waits_ends_with_its_origin() -> None:
    """The origin is open, so nothing happens; once it is gone, the snapshot is a volume of its own."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    vg.snapshot("a", "s", None)
    with opened(vg, "a"):
        assert vg.merge("s") is False
    vg.remove("a")
    assert vg.names() == ["s"]
    with pytest.raises(InvalidArgument, match="not a mergeable logical volume"):
        vg.merge("s")


def test_thick_snapshots_forbid_a_thin_merge() -> None:
    """They depend on what would be exchanged under them."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    vg.snapshot("a", "thin", None)
    vg.snapshot("a", "thick", CHUNK)
    with pytest.raises(InvalidArgument, match="not permitted on LV vg/thin"):
        vg.merge("thin")


def test_thick_snapshot_of_a_thin_volume() -> None:
    """lvcreate --snapshot with a size makes one, and thin volumes of a pool go with the pool."""
    vg = thin_group()
    vg.create_thin("a", GIB, "pool")
    write(vg, "a", 0, b"1")
    vg.snapshot("a", "s", CHUNK)
    write(vg, "a", 0, b"2")
    assert read(vg, "s", 0, 1) == b"1"
    with pytest.raises(Busy):
        vg.remove("pool")
    vg.remove("pool", cascade=True)
    assert vg.free_extents == vg.extent_count


# ---------------------------------------------------------------------------------------------------- laws


class SnapshotMachine(RuleBasedStateMachine):
    """A volume and its snapshots against plain dicts of pages."""

    def __init__(self) -> None:
        super().__init__()
        self.vg = self.make()
        self.model: dict[str, dict[int, bytes]] = {"v": {}}
        self.extents = 3

    def make(self) -> VolumeGroup:
        vg = group()
        vg.create("v", 3 * CHUNK)
        return vg

    def snapshot_size(self) -> int | None:
        return 50 * CHUNK

    @rule(
        data=st.data(),
        page=st.integers(0, 3 * 1024 - 1),
        byte=st.sampled_from(b"\0abc"),
        count=st.integers(1, 3),
    )
    def write(self, data: st.DataObject, page: int, byte: int, count: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        count = min(count, 3 * 1024 - page)
        write(self.vg, name, page * PAGE, bytes([byte]) * PAGE * count)
        self.model[name].update({page + step: bytes([byte]) * PAGE for step in range(count)})

    @precondition(lambda self: len(self.model) < 4)
    @rule(name=st.sampled_from(["s1", "s2", "s3"]))
    def snapshot(self, name: str) -> None:
        if name not in self.model:
            self.vg.snapshot("v", name, self.snapshot_size())
            self.vg.activate(name)
            self.model[name] = dict(self.model["v"])

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data(), merge=st.booleans())
    def take_away(self, data: st.DataObject, merge: bool) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.model) - {"v"})))
        content = self.model.pop(name)
        if merge and self.vg.volume(name).origin is not None:
            self.vg.merge(name)
            self.model["v"] = content
        else:
            self.vg.remove(name)

    @precondition(lambda self: self.extents < 6)
    @rule()
    def extend(self) -> None:
        self.extents += 1
        self.vg.deactivate("v")
        self.vg.extend("v", max(self.extents, self.vg.volume("v").size // CHUNK + 1) * CHUNK)
        self.vg.activate("v")

    @invariant()
    def contents_agree(self) -> None:
        for name, pages in self.model.items():
            for page, expected in pages.items():
                assert read(self.vg, name, page * PAGE) == expected, f"{name}, page {page}"

    @invariant()
    def extents_add_up(self) -> None:
        areas = [getattr(self.vg.volume(name), "area", None) for name in self.vg.names()]
        pools = [
            area for name in self.vg.pools() for area in (self.vg.pool(name).data, self.vg.pool(name).metadata)
        ]
        taken = sum(area.count for area in (*areas, *pools, self.vg._spare) if area)
        assert taken + self.vg.free_extents == self.vg.extent_count


class ThinSnapshotMachine(SnapshotMachine):
    """The same laws for thin snapshots, and the pool's count of blocks."""

    def make(self) -> VolumeGroup:
        vg = thin_group()
        vg.create_thin("v", 3 * CHUNK, "pool")
        return vg

    def snapshot_size(self) -> int | None:
        return None

    @invariant()
    def blocks_are_counted_right(self) -> None:
        pool = self.vg.pool("pool")
        before = pool.data_used
        pool.recount()
        assert pool.data_used == before


TestThickSnapshots = SnapshotMachine.TestCase
TestThinSnapshots = ThinSnapshotMachine.TestCase
TestThickSnapshots.settings = TestThinSnapshots.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), st.sampled_from(["create", "remove", "extend"])))
)
def test_allocated_and_free_extents_add_up(steps: list[tuple[int, int, str]]) -> None:
    """After any sequence, no extent belongs to two volumes and none is lost."""
    vg = group(13 * CHUNK, 10 * CHUNK)
    for index, extents, operation in steps:
        name = f"lv{index}"
        try:
            if operation == "remove":
                vg.remove(name)
            else:
                getattr(vg, operation)(name, extents * CHUNK)
        except StorageError:
            continue
    volumes = [vg.volume(name) for name in vg.names()]
    taken = [
        (id(segment.disk), segment.start + step)
        for volume in volumes
        if isinstance(volume, LinearVolume)
        for segment in volume.area.segments
        for step in range(segment.length)
    ]
    assert len(taken) == len(set(taken))
    assert len(taken) + vg.free_extents == vg.extent_count
    assert len(taken) * CHUNK == sum(volume.size for volume in volumes)


def test_tebibytes_cost_no_more_than_what_is_written() -> None:
    """A 1 TiB volume is one segment, a full copy of it one allocation."""
    vg = group(5 * TIB)
    vg.create("thick", TIB)
    vg.create_thin_pool("pool", 2 * TIB)
    vg.create_thin("thin", TIB, "pool")
    write(vg, "thick", TIB - PAGE, b"e" * PAGE)
    vg.snapshot("thick", "s", GIB)
    with opened(vg, "thick") as source, opened(vg, "thin") as destination:
        copy_range(source, destination, 0, TIB // CHUNK)
        copy_range(MemoryDevice(TIB), source, 0, TIB // CHUNK)
        assert destination.read(TIB - PAGE, PAGE) == b"e" * PAGE
    assert vg.pool("pool").data_used == TIB
    thick, thin = vg.volume("thick"), vg.pool("pool").volumes[0]
    assert isinstance(thick, LinearVolume)
    assert len(thick.area.segments) == 1
    assert len(list(thin.blocks)) == 1
    assert not any(disk.contents for disk in vg.disks)


# -------------------------------------------------------------------------------------------------- points


class Refusing:
    """Points that raise when they are passed, and remember which."""

    def __init__(self) -> None:
        self.armed = False
        self.passed: list[tuple[str, int]] = []

    def visit(self, name: str, detail: str = "", *, cost_us: int = 0) -> None:
        self.passed.append((name, cost_us))
        if self.armed:
            raise StorageError(f"planned fault at {name}")


@pytest.mark.parametrize(
    ("point", "operation"),
    [
        ("lvm.lvcreate", lambda vg: vg.create("b", CHUNK)),
        ("lvm.lvcreate", lambda vg: vg.create_thin_pool("b", CHUNK)),
        ("lvm.lvcreate", lambda vg: vg.create_thin("b", CHUNK, "pool")),
        ("lvm.lvcreate", lambda vg: vg.snapshot("a", "b", CHUNK)),
        ("lvm.lvremove", lambda vg: vg.remove("a", cascade=True)),
        ("lvm.lvrename", lambda vg: vg.rename("a", "b")),
        ("lvm.lvextend", lambda vg: vg.extend("a", 2 * CHUNK)),
        ("lvm.lvconvert", lambda vg: vg.merge("s")),
    ],
)
def test_fault_at_a_command_leaves_everything_as_it_was(
    point: str, operation: Callable[[VolumeGroup], object]
) -> None:
    """The point is passed before anything changes, and takes 20 ms."""
    points = Refusing()
    vg = group(points=points)
    vg.create("a", CHUNK)
    vg.create_thin_pool("pool", CHUNK)
    vg.snapshot("a", "s", CHUNK)
    before = (vg.names(), vg.pools(), vg.free_extents, vg.volume("a").size)
    points.armed = True
    with pytest.raises(StorageError, match=point):
        operation(vg)
    assert points.passed[-1] == (point, 20_000)
    assert (vg.names(), vg.pools(), vg.free_extents, vg.volume("a").size) == before


def test_a_thin_origin_that_waits_for_a_merge_gets_no_thick_snapshot() -> None:
    """The merge would change what the snapshot shows."""
    group = VolumeGroup("vg", [20 * CHUNK])
    group.create_thin_pool("pool", 2 * CHUNK)
    group.create_thin("origin", CHUNK, "pool")
    group.snapshot("origin", "thin", None)
    handle = group.open("origin")
    assert not group.merge("thin")
    with pytest.raises(InvalidArgument, match="merging snapshot"):
        group.snapshot("origin", "thick", CHUNK)
    group.close(handle)
