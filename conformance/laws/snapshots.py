"""Snapshots, and volumes made from them."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.attached import must_show_nothing_of
from conformance.bench import Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, holds, same
from harness.errors import SnapshotIsBusy, VolumeIsBusy
from harness.model import GIB

law = Chapter("snapshots", level="core", stage=Bench, needs=["snapshots"])
MANAGER = "cinder.volume.manager:VolumeManager"
CREATE = "cinder.interface.volume_snapshot_driver:VolumeSnapshotDriver.create_snapshot"
DELETE = "cinder.interface.volume_snapshot_driver:VolumeSnapshotDriver.delete_snapshot"
FROM = "cinder.interface.volume_snapshot_driver:VolumeSnapshotDriver.create_volume_from_snapshot"
DELETE_VOLUME = "cinder.interface.volume_driver:VolumeDriverCore.delete_volume"
CHECKLIST = "Cinder's new-driver checklist, common gotchas"


@law(source=CREATE, needs=["data path"], before=contents("before"), after=contents("after"))
def a_snapshot_keeps_what_was(bench: Bench, before: Contents, after: Contents) -> None:
    """What is written after a snapshot does not show in a volume that is made from it."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")


@law(source=CREATE, needs=["data path"], before=contents("before"), after=contents("after"))
def a_snapshot_does_not_change_the_volume(bench: Bench, before: Contents, after: Contents) -> None:
    """A volume reads as before when it has a snapshot, and takes writes."""
    volume = bench.create()
    bench.write(volume, before)
    bench.snapshot(volume)
    bench.must_hold(volume, before, "the volume with a snapshot")
    bench.write(volume, after)
    bench.must_hold(volume, after, "the volume with a snapshot")


@law(
    source=f"{CREATE}; lvm2: a snapshot whose store is full is lost",
    needs=["data path", "storage in memory"],
    before=contents("before"),
    mib=st.sampled_from([768, 64]),
    weight=0.25,
)
def a_snapshot_outlives_much_writing(bench: Bench, before: Contents, mib: int) -> None:
    """A snapshot keeps what was when most of its volume is written anew."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    attached = bench.attach(volume)
    attached.fill(mib << 20)
    bench.detach(attached)
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")


@law(
    source=DELETE,
    needs=["data path"],
    before=contents("before"),
    after=contents("after"),
    rewrite=st.booleans(),
)
def deleting_a_snapshot_keeps_the_volume(
    bench: Bench, before: Contents, after: Contents, rewrite: bool
) -> None:
    """The volume holds its newest data when a snapshot of it is deleted."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    newest = after if rewrite else before
    if rewrite:
        bench.write(volume, after)
    bench.delete_snapshot(snapshot)
    bench.must_hold(volume, newest, "the volume")


@law(source=f"{DELETE}; {CHECKLIST}", size=sizes(4))
def deleting_an_absent_snapshot_succeeds(bench: Bench, size: int) -> None:
    """Deleting a snapshot that was never created succeeds."""
    bench.delete_snapshot(bench.snapshot_record(bench.create(size), status="error"))


@law(source=f"{DELETE}; {CHECKLIST}", size=sizes(4))
def deleting_a_snapshot_twice_succeeds(bench: Bench, size: int) -> None:
    """Deleting a snapshot that is gone already succeeds."""
    snapshot = bench.snapshot(bench.create(size))
    bench.driver.delete_snapshot(bench.fresh(snapshot))
    bench.driver.delete_snapshot(bench.fresh(snapshot))


@law(source=DELETE, size=sizes(3), restarted=st.booleans())
def a_name_is_free_again_after_deletion(bench: Bench, size: int, restarted: bool) -> None:
    """A snapshot that was deleted, be it by a new process, is gone: it can be taken again under the same id,
    and its volume be deleted."""
    volume = bench.create(size)
    snapshot = bench.snapshot(volume)
    if restarted:
        bench.restart()
    bench.driver.delete_snapshot(bench.fresh(snapshot))
    bench.fill_in_snapshot(snapshot)
    bench.delete_snapshot(snapshot)
    bench.delete(volume)


@law(source=f"{MANAGER}.delete_snapshot")
def delete_snapshot_returns_nothing(bench: Bench) -> None:
    """delete_snapshot has nothing to return."""
    bench.nothing(bench.driver.delete_snapshot(bench.snapshot(bench.create())), "delete_snapshot")


@law(source=FROM, needs=["data path"], size=sizes(4))
def a_volume_from_a_snapshot_has_its_size(bench: Bench, size: int) -> None:
    """A volume from a snapshot is as large as the snapshot, to the byte."""
    bench.must_have_size(
        bench.from_snapshot(bench.snapshot(bench.create(size))), size, "the volume from the snapshot"
    )


@law(source=f"{FROM}; {CHECKLIST}", needs=["data path"], size=sizes(3), more=sizes(4), written=contents())
def a_larger_volume_from_a_snapshot_is_grown(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A volume from a snapshot has the size that was asked for, where that is larger."""
    volume = bench.create(size)
    bench.write(volume, written)
    made = bench.from_snapshot(bench.snapshot(volume), size + more)
    bench.must_have_size(made, size + more, "the volume from the snapshot")
    bench.must_hold(made, written, "the volume from the snapshot", size)


@law(source=FROM, needs=["data path"], before=contents("before"), after=contents("after"))
def a_volume_from_a_snapshot_is_independent(bench: Bench, before: Contents, after: Contents) -> None:
    """Writes to a volume from a snapshot reach neither the snapshot nor the volume it was made of."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(bench.from_snapshot(snapshot), after)
    bench.must_hold(volume, before, "the first volume")
    bench.must_hold(bench.from_snapshot(snapshot), before, "a second volume from the snapshot")


@law(source=DELETE, needs=["data path"], written=contents())
def a_volume_outlives_its_snapshot(bench: Bench, written: Contents) -> None:
    """A snapshot from which a volume was made is deleted, or busy (SnapshotIsBusy); the volume keeps its
    data."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    made = bench.from_snapshot(snapshot)
    try:
        bench.delete_snapshot(snapshot)
    except SnapshotIsBusy:
        pass
    bench.must_hold(made, written, "the volume from the deleted snapshot")
    bench.must_hold(volume, written, "the first volume")


@law(
    source=DELETE,
    needs=["data path"],
    writers=st.lists(st.booleans(), min_size=2, max_size=4),
    first=st.integers(0, 3),
)
def snapshots_do_not_depend_on_one_another(bench: Bench, writers: list[bool], first: int) -> None:
    """Each of several snapshots keeps its own state, whichever of them is deleted."""
    volume = bench.create()
    taken = []
    for number, writes in enumerate(writers):
        state = Contents(f"writer {number if writes else 'none'}", ("first", "middle", "last"))
        bench.write(volume, state)
        taken.append((bench.snapshot(volume), state))
    newest = taken[-1][1]
    bench.delete_snapshot(taken.pop(first % len(taken))[0])
    for snapshot, state in taken:
        bench.must_hold(bench.from_snapshot(snapshot), state, "a volume from a snapshot that stays")
    bench.must_hold(volume, newest, "the volume")


@law(source=f"{MANAGER}.create_snapshot: quota alone limits", needs=["data path"], count=st.integers(9, 18),
     weight=0.25)  # fmt: skip
def a_volume_has_many_snapshots(bench: Bench, count: int) -> None:
    """A dozen snapshots of one volume each keep their state, and go one by one."""
    volume = bench.create()
    taken = []
    for number in range(count):
        state = Contents(f"state {number}", ("first", "last"))
        bench.write(volume, state)
        taken.append((bench.snapshot(volume), state))
    for snapshot, state in (taken[0], taken[count // 2], taken[-1]):
        bench.must_hold(bench.from_snapshot(snapshot), state, f"a volume from one of {count} snapshots")
    for snapshot, _ in taken:
        bench.delete_snapshot(snapshot)
    bench.must_hold(volume, taken[-1][1], "the volume")


@law(source=f"{MANAGER}.delete_volume", needs=["data path"], written=contents())
def a_volume_with_a_snapshot_is_deleted_or_busy(bench: Bench, written: Contents) -> None:
    """Deleting a volume that has a snapshot succeeds or raises VolumeIsBusy, and then nothing has changed."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    try:
        bench.delete_object(volume)
    except VolumeIsBusy:
        bench.must_hold(volume, written, "the volume that was busy")
        bench.must_hold(bench.from_snapshot(snapshot), written, "a volume from its snapshot")


@law(source=f"{DELETE_VOLUME}: VolumeIsBusy if it has snapshots", needs=["data path"], written=contents())
def a_snapshot_does_not_go_with_its_volume(bench: Bench, written: Contents) -> None:
    """A snapshot whose volume was deleted, if that is possible, still holds what was there: Cinder has it on
    record."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    try:
        bench.delete_object(volume)
    except VolumeIsBusy:
        return
    bench.must_hold(bench.from_snapshot(snapshot), written, "a volume from the snapshot that stays")


@law(
    source="cinder.volume.api:API.delete: snapshots first",
    needs=["inventory"],
    count=st.integers(1, 3),
    newest=st.booleans(),
)
def a_volume_can_be_deleted_after_its_snapshots(bench: Bench, count: int, newest: bool) -> None:
    """Snapshots first, in either order, then the volume: nothing is left."""
    before = bench.objects()
    volume = bench.create()
    snapshots = [bench.snapshot(volume) for _ in range(count)]
    for snapshot in reversed(snapshots) if newest else snapshots:
        bench.delete_snapshot(snapshot)
    bench.delete(volume)
    same("the objects in the end", bench.objects(), before)


@law(source=DELETE, needs=["data path"], count=st.integers(1, 2), more=sizes(2), written=contents())
def a_volume_whose_snapshots_are_gone_is_as_others(
    bench: Bench, count: int, more: int, written: Contents
) -> None:
    """When its snapshots have been deleted, a volume is extended, snapshotted and copied like any other."""
    volume = bench.create()
    bench.write(volume, written)
    for snapshot in [bench.snapshot(volume) for _ in range(count)]:
        bench.delete_snapshot(snapshot)
    bench.extend(volume, 1 + more)
    bench.must_have_size(volume, 1 + more, "the extended volume")
    bench.must_hold(volume, written, "the extended volume", 1)
    made = bench.from_snapshot(bench.snapshot(volume))
    bench.must_have_size(made, 1 + more, "a volume from a later snapshot")
    bench.must_hold(made, written, "a volume from a later snapshot", 1)


@law(source=CREATE, needs=["data path"], size=sizes(3), more=sizes(3), written=contents())
def a_snapshot_keeps_the_size_of_its_time(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A volume from a snapshot has the size of the snapshot, even if the first volume was extended since."""
    volume = bench.create(size)
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    bench.extend(volume, size + more)
    made = bench.from_snapshot(snapshot, size)
    bench.must_have_size(made, size, "the volume from the snapshot")
    bench.must_hold(made, written, "the volume from the snapshot", size)


@law(
    source=f"{MANAGER}.create_snapshot", needs=["data path"], before=contents("before"), after=contents("after")
)
def snapshots_of_a_volume_from_a_snapshot_work(bench: Bench, before: Contents, after: Contents) -> None:
    """A volume from a snapshot can itself be snapshotted, and everything keeps its own data."""
    volume = bench.create()
    bench.write(volume, before)
    child = bench.from_snapshot(bench.snapshot(volume))
    bench.write(child, after)
    grandchild = bench.from_snapshot(bench.snapshot(child))
    bench.must_hold(grandchild, after, "the grandchild")
    bench.must_hold(volume, before, "the first volume")


@law(source=f"{MANAGER}.create_snapshot", needs=["data path"], one=contents("one"), two=contents("two"))
def a_snapshot_is_of_its_own_volume(bench: Bench, one: Contents, two: Contents) -> None:
    """With several volumes each snapshot is of the volume that its record names."""
    first, second = bench.create(), bench.create()
    bench.write(first, one)
    bench.write(second, two)
    taken = [bench.snapshot(second), bench.snapshot(first)]
    bench.must_hold(bench.from_snapshot(taken[0]), two, "the volume from the snapshot of the second")
    bench.must_hold(bench.from_snapshot(taken[1]), one, "the volume from the snapshot of the first")


@law(source=f"{MANAGER}.create_snapshot")
def a_snapshot_of_an_absent_volume_is_an_error(bench: Bench) -> None:
    """A snapshot of a volume whose object is gone raises: success would promise what is not there."""
    volume = bench.create()
    bench.delete_object(volume)
    try:
        bench.snapshot(volume)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, "create_snapshot of a volume that is gone succeeded, but should raise")


@law(
    source=f"volume_clear; {DELETE}",
    needs=["data path"],
    secret=contents("former owner"),
    after=contents("after"),
    weight=0.5,
)
def a_new_volume_shows_nothing_of_a_deleted_snapshot(bench: Bench, secret: Contents, after: Contents) -> None:
    """No byte of what a deleted snapshot kept can be read in volumes that are created later."""
    volume = bench.create()
    bench.write(volume, secret)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.delete_snapshot(snapshot)
    bench.delete(volume)
    for _ in range(2):
        attached = bench.attach(bench.create())
        must_show_nothing_of(attached, pages_of(secret, GIB), "a new volume")
        bench.detach(attached)
