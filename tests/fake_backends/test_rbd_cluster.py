"""A fake Ceph cluster: librbd's semantics and errno, and the accounting of space."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.block_store import CHUNK, MemoryDevice, copy_range
from fake_backends.rbd import features as feature_bits
from fake_backends.rbd.cluster import Cluster
from fake_backends.rbd.layers import ImageHasSnapshots, ReadOnlyImage
from fake_backends.rbd.pool import Pool
from harness.errors import AlreadyExists, Busy, InvalidArgument, NoSpace, NotFound, StorageError
from harness.sim.faults import Fault
from harness.sim.simulation import Simulation

GIB = 1 << 30
MIB = 1 << 20


def a_pool(*, clone_format: int = 1, size: int = 100 << 40) -> Pool:
    return Cluster("ceph", clone_format=clone_format, size=size).create_pool("volumes")


def write(pool: Pool, name: str, offset: int, data: bytes) -> None:
    with pool.open(name) as handle:
        handle.write(offset, data)


def read(pool: Pool, name: str, offset: int, length: int, snapshot: str | None = None) -> bytes:
    with pool.open(name, read_only=True, snapshot=snapshot) as handle:
        return handle.read(offset, length)


def cloned(pool: Pool, parent: str = "p", child: str = "c") -> None:
    """A parent with some content, a protected snapshot `s`, and a clone of it."""
    pool.create(parent, 16 * MIB)
    write(pool, parent, CHUNK - 4096, b"P" * 8192)
    pool.image(parent).create_snapshot("s")
    pool.image(parent).protect_snapshot("s")
    pool.clone(parent, "s", child)


def recounted(cluster: Cluster) -> int:
    images = [
        image
        for pool in cluster.pools.values()
        for image in (*pool.images.values(), *(entry.image for entry in pool.trash.values()))
    ]
    return sum(image.used_objects() for image in images)


# ------------------------------------------------------------------------------------------------- pools


def test_a_pool_is_made_once_and_found_by_name() -> None:
    """create_pool is idempotent, pool() does not invent."""
    cluster = Cluster("ceph")
    assert cluster.create_pool("volumes") is cluster.create_pool("volumes")
    assert cluster.pool("volumes").name == "volumes"
    with pytest.raises(NotFound):
        cluster.pool("nopool")


def test_clusters_differ_by_name_alone() -> None:
    """The fsid depends on the name and on nothing else."""
    assert Cluster("ceph").fsid == Cluster("ceph").fsid != Cluster("other").fsid


def test_names_are_sorted() -> None:
    """librbd lists images in the order of their names."""
    pool = a_pool()
    for name in ("b", "a", "c"):
        pool.create(name, GIB)
    assert pool.names() == ["a", "b", "c"]
    assert "a" in pool
    assert "d" not in pool


# ------------------------------------------------------------------------------------------------ images


def test_creating_an_image_twice_is_eexist() -> None:
    """The first image stays as it was."""
    pool = a_pool()
    pool.create("v", GIB)
    with pytest.raises(AlreadyExists) as caught:
        pool.create("v", 2 * GIB)
    assert caught.value.errno == errno.EEXIST
    assert pool.image("v").size == GIB


@pytest.mark.parametrize(
    ("order", "bits", "name", "number"),
    [
        (11, feature_bits.LAYERING, "v", errno.EDOM),
        (26, feature_bits.LAYERING, "v", errno.EDOM),
        (22, feature_bits.LAYERING | feature_bits.OBJECT_MAP, "v", errno.EINVAL),
        (22, feature_bits.LAYERING | feature_bits.JOURNALING, "v", errno.EINVAL),
        (22, feature_bits.LAYERING | 1 << 20, "v", errno.ENOSYS),
        (22, feature_bits.LAYERING, "", errno.EINVAL),
    ],
)
def test_impossible_images_are_refused(order: int, bits: int, name: str, number: int) -> None:
    """Orders outside of 12 to 25, features without the lock that they need, and empty names."""
    with pytest.raises(StorageError) as caught:
        a_pool().create(name, GIB, features=bits, order=order)
    assert caught.value.errno == number


def test_a_fast_diff_alone_is_dropped() -> None:
    """As librbd does at creation."""
    bits = feature_bits.LAYERING | feature_bits.FAST_DIFF
    assert a_pool().create("v", GIB, features=bits).features == feature_bits.LAYERING


def test_unwritten_reads_zero_and_writes_come_back() -> None:
    """An image is sparse."""
    pool = a_pool()
    pool.create("v", 1 << 40)
    write(pool, "v", (1 << 40) - 5, b"hello")
    assert read(pool, "v", (1 << 40) - 8, 100) == b"\0\0\0hello"
    assert read(pool, "v", 0, 10) == bytes(10)
    assert pool.used_objects == 1


def test_a_write_that_crosses_the_end_writes_what_fits() -> None:
    """librbd's IncompleteWriteError."""
    pool = a_pool()
    pool.create("v", 8 * MIB)
    with pytest.raises(NoSpace) as caught:
        write(pool, "v", 8 * MIB - 3, b"abcdef")
    assert caught.value.written == 3
    assert read(pool, "v", 8 * MIB - 3, 10) == b"abc"


def test_a_full_image_of_a_tebibyte_is_one_range() -> None:
    """A copy that writes all of a volume costs no memory per object."""
    pool = a_pool()
    pool.create("v", 1 << 40)
    with pool.open("v") as handle:
        copy_range(MemoryDevice(1 << 40), handle, 0, handle.chunk_count)
    assert pool.statistics().used == 1 << 40
    assert list(pool.image("v").head.own.ranges()) == [(0, 1 << 18)]


def test_removing_an_absent_image_is_enoent() -> None:
    """ImageNotFound."""
    with pytest.raises(NotFound) as caught:
        a_pool().remove("v")
    assert caught.value.errno == errno.ENOENT


def test_an_image_with_snapshots_cannot_be_removed() -> None:
    """ImageHasSnapshots, errno 39, before anybody asks who has it open."""
    pool = a_pool()
    pool.create("v", GIB)
    with pool.open("v") as handle:
        handle.image.create_snapshot("s")
        with pytest.raises(ImageHasSnapshots) as caught:
            pool.remove("v")
    assert caught.value.errno == errno.ENOTEMPTY == 39


def test_an_image_that_is_open_read_write_cannot_be_removed() -> None:
    """ImageBusy while there are watchers, idle or not."""
    pool = a_pool()
    pool.create("v", GIB)
    with pool.open("v") as handle:
        with pytest.raises(Busy):
            pool.remove("v")
        handle.write(0, b"still usable")
    pool.remove("v")
    assert pool.names() == []


def test_a_read_only_opener_does_not_keep_an_image() -> None:
    """It reads zeros afterwards, of the old size."""
    pool = a_pool()
    pool.create("v", GIB)
    write(pool, "v", 0, b"data")
    handle = pool.open("v", read_only=True)
    pool.remove("v")
    assert handle.read(0, 4) == bytes(4)
    assert handle.size == GIB
    with pytest.raises(ReadOnlyImage):
        handle.write(0, b"x")


def test_a_closed_handle_refuses() -> None:
    """Closing twice is fine, using it is not."""
    pool = a_pool()
    pool.create("v", GIB)
    handle = pool.open("v")
    handle.close()
    handle.close()
    with pytest.raises(InvalidArgument):
        handle.read(0, 1)
    with pytest.raises(InvalidArgument):
        handle.write(0, b"x")


def test_an_image_in_use_can_be_renamed_and_resized() -> None:
    """Whoever has it open goes on, and sees the new size."""
    pool = a_pool()
    pool.create("v", GIB)
    pool.create("taken", GIB)
    with pool.open("v") as handle:
        pool.rename("v", "w")
        pool.image("w").resize(2 * GIB)
        assert handle.size == 2 * GIB
        handle.write(2 * GIB - 1, b"x")
    assert read(pool, "w", 2 * GIB - 1, 1) == b"x"
    with pytest.raises(NotFound):
        pool.rename("v", "w")
    with pytest.raises(AlreadyExists):
        pool.rename("w", "taken")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3 * CHUNK), st.integers(0, 3 * CHUNK), st.integers(1, 3 * CHUNK))
def test_resizing_keeps_what_is_in_front_and_loses_what_is_behind(written: int, small: int, large: int) -> None:
    """Shrunk and grown again, an image reads zero where it was cut, and keeps the rest."""
    pool = a_pool()
    pool.create("v", 3 * CHUNK)
    data = b"x" * 100
    start = min(written, 3 * CHUNK - 100)
    write(pool, "v", start, data)
    pool.image("v").resize(small)
    pool.image("v").resize(large)
    kept = max(0, min(small, start + 100) - start)
    expected = (data[:kept] + bytes(100))[:100][: max(0, large - start)]
    assert read(pool, "v", start, 100) == expected
    assert pool.used_objects == recounted(pool.cluster)


# --------------------------------------------------------------------------------------------- snapshots


def test_snapshot_errors_are_librbds() -> None:
    """Exists, absent, protected twice, not protected, protected and removed."""
    pool = a_pool()
    image = pool.create("v", GIB)
    image.create_snapshot("s")
    with pytest.raises(AlreadyExists):
        image.create_snapshot("s")
    with pytest.raises(NotFound):
        image.protect_snapshot("no")
    with pytest.raises(InvalidArgument):
        image.unprotect_snapshot("s")
    image.protect_snapshot("s")
    with pytest.raises(Busy):
        image.protect_snapshot("s")
    with pytest.raises(Busy):
        image.remove_snapshot("s")
    image.rename_snapshot("s", "t")
    image.unprotect_snapshot("t")
    image.remove_snapshot("t")
    with pytest.raises(NotFound):
        image.remove_snapshot("t")


def test_a_snapshot_cannot_be_protected_without_layering() -> None:
    """ENOSYS."""
    image = a_pool().create("v", GIB, features=feature_bits.EXCLUSIVE_LOCK)
    image.create_snapshot("s")
    with pytest.raises(StorageError) as caught:
        image.protect_snapshot("s")
    assert caught.value.errno == errno.ENOSYS


def test_a_snapshot_is_not_affected_by_later_writes() -> None:
    """And it cannot be written to."""
    pool = a_pool()
    pool.create("v", 16 * MIB)
    write(pool, "v", 0, b"old")
    pool.image("v").create_snapshot("s")
    write(pool, "v", 0, b"new")
    assert read(pool, "v", 0, 3, snapshot="s") == b"old"
    assert read(pool, "v", 0, 3) == b"new"
    with pool.open("v", snapshot="s") as handle, pytest.raises(ReadOnlyImage):
        handle.write(0, b"x")


def test_rolling_back_restores_content_and_size() -> None:
    """Whether the image was extended or shrunk since."""
    pool = a_pool()
    image = pool.create("v", 16 * MIB)
    write(pool, "v", 9 * MIB, b"old")
    image.create_snapshot("s")
    write(pool, "v", 9 * MIB, b"new")
    image.resize(32 * MIB)
    with pool.open("v") as watching:
        image.rollback("s")
        assert watching.size == image.size == 16 * MIB
        assert watching.read(9 * MIB, 3) == b"old"
    image.resize(8 * MIB)
    image.rollback("s")
    assert read(pool, "v", 9 * MIB, 3) == b"old"
    with pytest.raises(NotFound):
        image.rollback("no")


def test_rolling_back_needs_the_lock_that_another_client_holds() -> None:
    """A running guest owns the exclusive lock from its first write on; a refused removal takes it away."""
    pool = a_pool()
    image = pool.create("v", 16 * MIB)
    with pool.open("v") as guest, pool.open("v") as service:
        guest.write(0, b"x")
        image.create_snapshot("s")
        with pytest.raises(ReadOnlyImage) as caught:
            image.rollback("s", by=service)
        assert caught.value.errno == errno.EROFS
        service.write(0, b"y")
        image.rollback("s", by=service)
        guest.write(0, b"z")
        image.remove_snapshot("s")
        with pytest.raises(Busy):
            pool.remove("v")
        assert image.lock_owner is None


# ------------------------------------------------------------------------------------------------ clones


def test_a_clone_of_format_1_needs_a_protected_snapshot() -> None:
    """And keeps it from being unprotected."""
    pool = a_pool(clone_format=1)
    image = pool.create("p", 16 * MIB)
    image.create_snapshot("s")
    with pytest.raises(InvalidArgument):
        pool.clone("p", "s", "c")
    image.protect_snapshot("s")
    pool.clone("p", "s", "c")
    assert [child.name for child in image.children("s")] == ["c"]
    with pytest.raises(Busy):
        image.unprotect_snapshot("s")
    pool.remove("c")
    image.unprotect_snapshot("s")


def test_a_clone_of_format_2_outlives_its_snapshot_in_the_trash() -> None:
    """The snapshot goes to the trash namespace, and disappears with the last clone."""
    pool = a_pool(clone_format=2)
    image = pool.create("p", 16 * MIB)
    image.create_snapshot("s")
    clone = pool.clone("p", "s", "c")
    assert image.op_features == feature_bits.OP_CLONE_PARENT
    assert clone.features == feature_bits.DEFAULT | feature_bits.OPERATIONS
    image.remove_snapshot("s")
    [snapshot] = image.snapshots
    assert snapshot.trashed_from == "s" != snapshot.name
    with pytest.raises(ImageHasSnapshots):
        pool.remove("p")
    with pool.open("p"), pytest.raises(Busy):
        pool.remove("p")
    clone.flatten()
    assert image.snapshots == []
    pool.remove("p")


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (("p", "s", "c"), errno.EEXIST),
        (("p", "no", "d"), errno.ENOENT),
        (("no", "s", "d"), errno.ENOENT),
    ],
)
def test_clone_errors_are_librbds(arguments: tuple[str, str, str], number: int) -> None:
    """The target exists; snapshot or parent do not."""
    pool = a_pool()
    cloned(pool)
    with pytest.raises(StorageError) as caught:
        pool.clone(*arguments)
    assert caught.value.errno == number


def test_a_clone_cannot_have_smaller_objects_or_no_layering() -> None:
    """EINVAL and ENOSYS."""
    pool = a_pool()
    cloned(pool)
    with pytest.raises(InvalidArgument):
        pool.clone("p", "s", "d", order=20)
    with pytest.raises(StorageError) as caught:
        pool.clone("p", "s", "d", features=0)
    assert caught.value.errno == errno.ENOSYS
    larger = pool.clone("p", "s", "d", order=24)
    assert (larger.order, larger.features) == (24, feature_bits.DEFAULT | feature_bits.STRIPING)


def test_an_empty_snapshot_cannot_be_cloned() -> None:
    """EINVAL for a snapshot of no bytes."""
    pool = a_pool()
    image = pool.create("p", 0)
    image.create_snapshot("s")
    image.protect_snapshot("s")
    with pytest.raises(InvalidArgument):
        pool.clone("p", "s", "c")


def test_a_clone_stores_nothing_until_it_is_written_or_flattened() -> None:
    """One object for a write, the parent's objects for a flatten."""
    pool = a_pool()
    cloned(pool)
    assert pool.used_objects == 2
    write(pool, "c", 0, b"C")
    assert pool.used_objects == 3
    pool.image("c").flatten()
    assert pool.used_objects == 4
    assert pool.image("c").parent is None
    with pytest.raises(InvalidArgument):
        pool.image("c").flatten()


def test_a_shrunk_clone_sees_less_of_its_parent() -> None:
    """What was cut does not come back from the parent."""
    pool = a_pool()
    cloned(pool)
    clone = pool.image("c")
    clone.resize(CHUNK)
    clone.resize(16 * MIB)
    assert clone.head.overlap == CHUNK
    assert read(pool, "c", CHUNK - 4, 8) == b"PPPP" + bytes(4)


def test_a_snapshot_of_a_flattened_clone_keeps_the_parent_without_deep_flatten() -> None:
    """And with the feature it does not."""
    for bits, depends in ((feature_bits.DEFAULT, False), (feature_bits.LAYERING, True)):
        pool = a_pool()
        cloned(pool, child="first")
        clone = pool.clone("p", "s", "c", features=bits)
        pool.remove("first")
        clone.create_snapshot("cs")
        clone.flatten()
        assert bool(pool.image("p").children("s")) is depends
        assert read(pool, "c", CHUNK - 4, 8, snapshot="cs") == b"P" * 8
        clone.remove_snapshot("cs")
        assert pool.image("p").children("s") == []


def test_a_parent_in_the_trash_serves_its_clones() -> None:
    """Moving to the trash works where removing does not, and the id leads back."""
    pool = a_pool()
    cloned(pool)
    image_id = pool.trash_move("p")
    assert pool.names() == ["c"]
    assert read(pool, "c", CHUNK, 4) == b"PPPP"
    with pytest.raises(ImageHasSnapshots):
        pool.trash_remove(image_id)
    pool.trash_restore(image_id)
    assert pool.names() == ["c", "p"]


def test_the_trash_refuses_what_is_open_delayed_or_absent() -> None:
    """ImageBusy, EPERM unless forced, ENOENT; a taken name is EEXIST."""
    pool = a_pool()
    pool.create("v", GIB)
    with pool.open("v") as handle:
        image_id = pool.trash_move("v", 3600)
        handle.write(0, b"x")
        with pytest.raises(Busy):
            pool.trash_remove(image_id, force=True)
    with pytest.raises(StorageError) as caught:
        pool.trash_remove(image_id)
    assert caught.value.errno == errno.EPERM
    pool.create("v", GIB)
    with pytest.raises(AlreadyExists):
        pool.trash_restore(image_id)
    pool.trash_remove(image_id, force=True)
    assert pool.used_objects == 0
    with pytest.raises(NotFound):
        pool.trash_remove(image_id)


def test_cloning_a_full_image_is_fast() -> None:
    """A clone of 1 GiB with data in every object shares it all."""
    pool = a_pool()
    image = pool.create("p", GIB)
    with pool.open("p") as handle:
        for number in range(256):
            handle.store(number, {0: b"x" * 4096})
    image.create_snapshot("s")
    image.protect_snapshot("s")
    durations = []
    for number in range(10):
        started = time.perf_counter()
        pool.clone("p", "s", f"c{number}")
        durations.append(time.perf_counter() - started)
    assert min(durations) < 0.001
    assert pool.image("c0").head.chunks[7] is image.head.chunks[7]


# -------------------------------------------------------------------------------------------------- copy


def test_a_copy_is_independent_and_as_sparse_as_its_source() -> None:
    """Content and metadata go to the other pool; snapshots and parents do not."""
    cluster = Cluster("ceph")
    pool, other = cluster.create_pool("volumes"), cluster.create_pool("other")
    cloned(pool)
    write(pool, "c", 12 * MIB, b"own")
    pool.image("c").config_set("rbd_qos_iops_limit", "100")
    pool.image("c").create_snapshot("cs")
    copy = pool.copy("c", other, "c")
    write(pool, "c", CHUNK, b"changed")
    assert read(other, "c", CHUNK, 4) == b"PPPP"
    assert read(other, "c", 12 * MIB, 3) == b"own"
    assert (copy.parent, copy.snapshots) == (None, [])
    assert copy.metadata == {"conf_rbd_qos_iops_limit": "100"}
    assert other.used_objects == 3
    with pytest.raises(AlreadyExists):
        pool.copy("c", other, "c")


def test_a_copy_takes_time_by_what_is_stored() -> None:
    """200 MiB per second, in at most 8 steps."""
    simulation = Simulation()
    cluster = Cluster("ceph", points=simulation)
    pool, other = cluster.create_pool("volumes"), cluster.create_pool("other")
    pool.create("v", GIB)
    with pool.open("v") as handle:
        handle.allocate(0, 100)
    started_us = simulation.kernel.now_us
    pool.copy("v", other, "v")
    visits = [event for event in simulation.history if event.step == "rbd.copy"]
    assert len(visits) == 8
    assert simulation.kernel.now_us - started_us == 400 * MIB * 1_000_000 // (200 * MIB) + 8 * 10_000


def test_a_copy_that_fails_half_way_leaves_what_it_made() -> None:
    """And nobody has it open any more."""
    simulation = Simulation(faults=[Fault(point="rbd.copy", kind="eio", nth=2)])
    cluster = Cluster("ceph", points=simulation)
    pool, other = cluster.create_pool("volumes"), cluster.create_pool("other")
    pool.create("v", GIB)
    with pool.open("v") as handle:
        handle.allocate(0, 256)
    with pytest.raises(StorageError):
        pool.copy("v", other, "v")
    assert 0 < other.used_objects < 256
    other.remove("v")


# ---------------------------------------------------------------------------------------------- features


def test_switching_features_follows_librbd() -> None:
    """All bits have to change; object map and fast diff go together; who needs the lock keeps it on."""
    image = a_pool().create("v", GIB)
    image.set_features(feature_bits.OBJECT_MAP, False)
    assert image.features == 37
    for bits, enabled in ((28, False), (28, True), (1, False), (0, True), (1 << 20, True), (32, True)):
        with pytest.raises(InvalidArgument):
            image.set_features(bits, enabled)
    image.set_features(feature_bits.FAST_DIFF, True)
    assert image.features == 61
    with pytest.raises(InvalidArgument):
        image.set_features(feature_bits.EXCLUSIVE_LOCK, False)
    image.set_features(28, False)
    assert image.features == 33
    with pytest.raises(InvalidArgument):
        image.set_features(feature_bits.JOURNALING, True)
    image.set_features(28, True)
    assert image.features == 61


# ------------------------------------------------------------------------------------------------- space


def test_a_quota_ends_a_pool_before_the_cluster_does() -> None:
    """EDQUOT for the quota, ENOSPC for the cluster; the pool's figures say so."""
    cluster = Cluster("ceph", size=4 * CHUNK)
    limited, free = cluster.create_pool("limited", max_bytes=2 * CHUNK), cluster.create_pool("free")
    limited.create("v", GIB)
    free.create("v", GIB)
    with limited.open("v") as handle:
        with pytest.raises(NoSpace) as caught:
            handle.allocate(0, 3)
        assert (caught.value.errno, caught.value.written) == (errno.EDQUOT, 2 * CHUNK)
        handle.write(0, b"in place")
    assert limited.statistics() == (2 * CHUNK, 2 * CHUNK, 0)
    assert free.statistics() == (4 * CHUNK, 0, 2 * CHUNK)
    with free.open("v") as handle, pytest.raises(NoSpace) as caught:
        handle.write(0, b"x" * 3 * CHUNK)
    assert (caught.value.errno, caught.value.written) == (errno.ENOSPC, 2 * CHUNK)
    assert cluster.statistics().free == 0


OPERATIONS = (
    "create", "write", "zero", "allocate", "snapshot", "drop", "rollback", "clone", "flatten", "resize",
    "remove", "copy", "trash",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 2),
    st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)),
        max_size=30,
    ),
)
def test_used_is_what_a_recount_finds(clone_format: int, steps: list[tuple[str, int, int, int]]) -> None:
    """Whatever happens to images, snapshots and clones, and also when they refuse."""
    pool = a_pool(clone_format=clone_format, size=40 * CHUNK)
    pool.create("v0", 6 * CHUNK)
    for operation, first, second, number in steps:
        try:
            act(pool, operation, f"v{first}", f"v{second}", number)
        except StorageError:
            pass
        assert pool.used_objects == pool.cluster.used_objects == recounted(pool.cluster)
        assert 0 <= pool.used_objects <= 40 or operation == "rollback"
        for image in pool.images.values():
            assert all(number in image.head.visible() for number in image.head.chunks)


def act(pool: Pool, operation: str, name: str, other: str, number: int) -> None:
    snapshot = f"s{number % 2}"
    match operation:
        case "create":
            pool.create(name, 6 * CHUNK)
        case "write":
            write(pool, name, number * CHUNK, b"data")
        case "zero":
            write(pool, name, number * CHUNK, bytes(4))
        case "allocate":
            with pool.open(name) as handle:
                handle.allocate(number, 6)
        case "snapshot":
            pool.image(name).create_snapshot(snapshot)
            pool.image(name).protect_snapshot(snapshot)
        case "drop":
            pool.image(name).unprotect_snapshot(snapshot)
            pool.image(name).remove_snapshot(snapshot)
        case "rollback":
            pool.image(name).rollback(snapshot)
        case "clone":
            pool.clone(name, snapshot, other)
        case "flatten":
            pool.image(name).flatten()
        case "resize":
            pool.image(name).resize(number * CHUNK + 5)
        case "remove":
            pool.remove(name)
        case "copy":
            pool.copy(name, pool, other)
        case "trash":
            pool.trash_move(name)


class Versions:
    """Another way to count: writing an object that a snapshot shares makes a new version of it."""

    def __init__(self) -> None:
        self.head: dict[int, int] = {}
        self.snapshots: dict[str, dict[int, int]] = {}
        self._made = 0

    def write(self, first: int, last: int) -> None:
        for number in range(first, last):
            version = self.head.get(number)
            if version is None or any(version in frozen.values() for frozen in self.snapshots.values()):
                self.head[number] = self._new()

    def resize(self, count: int) -> None:
        self.head = {number: version for number, version in self.head.items() if number <= count}
        if count in self.head:
            self.write(count, count + 1)

    def rollback(self, frozen: dict[int, int]) -> None:
        self.head = {
            number: version if self.head.get(number) == version else self._new()
            for number, version in frozen.items()
        }

    def stored(self) -> int:
        return len({version for layer in (self.head, *self.snapshots.values()) for version in layer.values()})

    def _new(self) -> int:
        self._made += 1
        return self._made


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "allocate", "snapshot", "drop", "rollback", "resize"]),
            st.sampled_from(["s0", "s1", "s2"]),
            st.integers(0, 5),
        ),
        max_size=25,
    )
)
def test_every_version_of_an_object_is_stored_once(steps: list[tuple[str, str, int]]) -> None:
    """By the image, or by the newest snapshot that still has it."""
    pool = a_pool()
    image = pool.create("v", 6 * CHUNK)
    versions = Versions()
    for operation, name, number in steps:
        if operation == "write" and number * CHUNK < image.size:
            write(pool, "v", number * CHUNK, b"data")
            versions.write(number, number + 1)
        elif operation == "allocate":
            with pool.open("v") as handle:
                handle.allocate(number, 6)
                versions.write(number, handle.chunk_count)
        elif operation == "snapshot" and name not in versions.snapshots:
            image.create_snapshot(name)
            versions.snapshots[name] = dict(versions.head)
        elif operation == "drop" and name in versions.snapshots:
            image.remove_snapshot(name)
            del versions.snapshots[name]
        elif operation == "rollback" and name in versions.snapshots:
            image.rollback(name)
            versions.rollback(versions.snapshots[name])
        elif operation == "resize":
            if number * CHUNK + 5 < image.size:
                versions.resize(number)
            image.resize(number * CHUNK + 5)
        assert pool.used_objects == versions.stored()


def test_an_older_snapshot_inherits_what_a_removed_one_kept() -> None:
    """Two snapshots share an old version; it stays until both are gone."""
    pool = a_pool()
    image = pool.create("v", CHUNK)
    write(pool, "v", 0, b"old")
    for name in ("s0", "s1"):
        image.create_snapshot(name)
    write(pool, "v", 0, b"new")
    assert pool.used_objects == 2
    image.remove_snapshot("s1")
    assert pool.used_objects == 2
    image.remove_snapshot("s0")
    assert pool.used_objects == 1


def test_flattening_needs_room_for_what_is_not_written_yet() -> None:
    """What the clone has of its own does not count twice, and a refusal changes nothing."""
    pool = a_pool(size=4 * CHUNK)
    cloned(pool)
    write(pool, "c", 0, b"C")
    pool.image("c").flatten()
    assert pool.used_objects == 4
    crowded = a_pool(size=3 * CHUNK)
    cloned(crowded)
    with pytest.raises(NoSpace):
        crowded.image("c").flatten()
    assert (crowded.used_objects, crowded.image("c").parent is None) == (2, False)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 2),
    st.lists(
        st.tuples(
            st.sampled_from(["write", "snapshot", "rollback", "clone", "flatten"]),
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(0, 3),
        ),
        max_size=25,
    ),
)
def test_images_snapshots_and_clones_are_independent(
    clone_format: int, steps: list[tuple[str, int, int, int]]
) -> None:
    """Each of them shows what a plain copy made at the same moment would show."""
    pool = a_pool(clone_format=clone_format)
    pool.create("v0", 4 * CHUNK)
    model: dict[tuple[str, str | None], dict[int, bytes]] = {("v0", None): {}}
    for step, (operation, first, second, number) in enumerate(steps):
        name, other, snapshot = f"v{first}", f"v{second}", f"s{number % 2}"
        try:
            if operation == "write":
                write(pool, name, number * CHUNK, b"%04d" % step)
                model[name, None][number] = b"%04d" % step
            else:
                act(pool, operation, name, other, number)
                if operation == "snapshot":
                    model[name, snapshot] = dict(model[name, None])
                elif operation == "rollback":
                    model[name, None] = dict(model[name, snapshot])
                elif operation == "clone":
                    model[other, None] = dict(model[name, snapshot])
        except StorageError:
            continue
    for (name, frozen), content in model.items():
        for number in range(4):
            assert read(pool, name, number * CHUNK, 4, frozen) == content.get(number, bytes(4))


# ------------------------------------------------------------------------------------------------ points


@pytest.mark.parametrize(
    ("point", "detail"),
    [
        ("rbd.create", "rbd create volumes/new --size 1024"),
        ("rbd.remove", "rbd rm volumes/plain"),
        ("rbd.rename", "rbd rename volumes/plain volumes/renamed"),
        ("rbd.resize", "rbd resize volumes/plain --size 2048"),
        ("rbd.snap_create", "rbd snap create volumes/plain@x"),
        ("rbd.snap_remove", "rbd snap rm volumes/plain@bare"),
        ("rbd.clone", "rbd clone volumes/p@s volumes/new"),
        ("rbd.flatten", "rbd flatten volumes/c"),
        ("rbd.copy", "rbd cp volumes/plain volumes/new (1/1)"),
    ],
)
def test_a_planned_fault_leaves_the_old_state(point: str, detail: str) -> None:
    """Each operation passes its point before it changes anything."""
    simulation = Simulation()
    pool = Cluster("ceph", points=simulation).create_pool("volumes")
    cloned(pool)
    pool.create("plain", GIB)
    pool.image("plain").create_snapshot("bare")
    if point == "rbd.remove":
        pool.image("plain").remove_snapshot("bare")
    before = state(pool)
    simulation.faults = type(simulation.faults)([Fault(point=point, kind="eio")])
    plain = pool.image("plain")
    actions: dict[str, Callable[[], object]] = {
        "rbd.create": lambda: pool.create("new", GIB),
        "rbd.remove": lambda: pool.remove("plain"),
        "rbd.rename": lambda: pool.rename("plain", "renamed"),
        "rbd.resize": lambda: plain.resize(2 * GIB),
        "rbd.snap_create": lambda: plain.create_snapshot("x"),
        "rbd.snap_remove": lambda: plain.remove_snapshot("bare"),
        "rbd.clone": lambda: pool.clone("p", "s", "new"),
        "rbd.flatten": lambda: pool.image("c").flatten(),
        "rbd.copy": lambda: pool.copy("plain", pool, "new"),
    }
    with pytest.raises(StorageError, match="planned fault"):
        actions[point]()
    assert state(pool) == before
    simulation.faults.heal()
    actions[point]()
    assert state(pool) != before
    assert [event.detail for event in simulation.history if event.step == point][-1] == detail


def state(pool: Pool) -> list[object]:
    return [
        pool.used_objects,
        *((image.name, image.size, [snapshot.name for snapshot in image.snapshots], image.parent is None)
          for image in pool.images.values()),
    ]  # fmt: skip
