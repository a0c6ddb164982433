"""Putting a volume back to its latest snapshot."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import ADMIN, Bench
from conformance.contents import Contents, contents, pages_of, sizes
from conformance.law import Chapter, same
from conformance.laws.faults import every_step, kinds

law = Chapter("revert", level="revert", stage=Bench, needs=["snapshots", "revert"])
REVERT = "cinder.interface.volume_snapshot_revert:VolumeSnapshotRevertDriver.revert_to_snapshot"


@law(source=REVERT, needs=["data path"], before=contents("before"), after=contents("after"), size=sizes(3))
def a_reverted_volume_is_as_the_snapshot(bench: Bench, before: Contents, after: Contents, size: int) -> None:
    """After a revert the volume has the data and the size that it had at the snapshot."""
    volume = bench.create(size)
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.revert(volume, snapshot)
    bench.must_have_size(volume, size, "the reverted volume")
    bench.must_hold(volume, before, "the reverted volume")


@law(source=REVERT, needs=["data path"], places=contents("after"))
def what_was_empty_is_empty_again(bench: Bench, places: Contents) -> None:
    """Pages that were written only after the snapshot are as they were before."""
    volume = bench.create()
    attached = bench.attach(volume)
    before = attached.read(pages_of(places, attached.size))
    bench.detach(attached)
    snapshot = bench.snapshot(volume)
    bench.write(volume, places)
    bench.revert(volume, snapshot)
    attached = bench.attach(volume)
    same("pages that were written after the snapshot", attached.read(before), before)
    bench.detach(attached)


@law(
    source=REVERT,
    needs=["data path"],
    before=contents("before"),
    after=contents("after"),
    times=st.integers(2, 3),
)
def a_snapshot_outlives_a_revert(bench: Bench, before: Contents, after: Contents, times: int) -> None:
    """The snapshot stays, and the volume can be reverted to it again."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    for _ in range(times):
        bench.write(volume, after)
        bench.revert(volume, snapshot)
    bench.must_hold(volume, before, "the reverted volume")
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")


@law(source=REVERT, needs=["data path"], before=contents("before"), after=contents("after"))
def a_revert_leaves_other_volumes_alone(bench: Bench, before: Contents, after: Contents) -> None:
    """Volumes that were made from the snapshot keep what was written to them."""
    volume = bench.create()
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    made = bench.from_snapshot(snapshot)
    bench.write(made, after)
    bench.write(volume, after)
    bench.revert(volume, snapshot)
    bench.must_hold(made, after, "the volume from the snapshot")


@law(source=REVERT, needs=["inventory"])
def a_revert_leaves_no_helpers(bench: Bench) -> None:
    """A revert adds nothing to the back-end, and the snapshot and the volume can be deleted after it."""
    start = bench.objects()
    volume = bench.create()
    snapshot = bench.snapshot(volume)
    before = bench.objects()
    bench.revert(volume, snapshot)
    same("the objects after the revert", bench.objects(), before)
    bench.delete_snapshot(snapshot)
    bench.delete(volume)
    same("the objects in the end", bench.objects(), start)


@law(source=REVERT, needs=["data path"], states=st.integers(2, 3), after=contents("after"))
def older_snapshots_outlive_a_revert(bench: Bench, states: int, after: Contents) -> None:
    """A revert to the latest snapshot leaves the older ones, each with its own state."""
    volume = bench.create()
    taken = []
    for number in range(states):
        state = Contents(f"state {number}", ("first", "middle", "last"))
        bench.write(volume, state)
        taken.append((bench.snapshot(volume), state))
    bench.write(volume, after)
    bench.revert(volume, taken[-1][0])
    bench.must_hold(volume, taken[-1][1], "the reverted volume")
    for snapshot, state in taken:
        bench.must_hold(bench.from_snapshot(snapshot), state, "the volume from a snapshot")


@law(
    source="cinder.volume.manager:VolumeManager.revert_to_snapshot: error, then again",
    needs=["data path"],
    kind=kinds,
    before=contents("before"),
    after=contents("after"),
    weight=0.25,
)
def a_failed_revert_can_be_repeated(bench: Bench, kind: str, before: Contents, after: Contents) -> None:
    """A revert that failed at any step succeeds when it is repeated, and one that succeeded is done."""
    for step in every_step(bench, kind):
        volume = bench.create()
        bench.write(volume, before)
        snapshot = bench.snapshot(volume)
        bench.write(volume, after)
        step.attempt(lambda volume=volume, snapshot=snapshot: bench.revert(volume, snapshot))  # type: ignore[misc]
        if step.failed:
            bench.revert(volume, snapshot)
        bench.must_hold(volume, before, "the reverted volume")


@law(source=REVERT)
def revert_returns_nothing(bench: Bench) -> None:
    """revert_to_snapshot has nothing to return."""
    volume = bench.create()
    snapshot = bench.snapshot(volume)
    answer = bench.driver.revert_to_snapshot(ADMIN, bench.fresh(volume), bench.fresh(snapshot))
    bench.nothing(answer, "revert_to_snapshot")


@law(source=REVERT, needs=["data path"], written=contents(), after=contents("after"))
def a_reverted_volume_takes_writes(bench: Bench, written: Contents, after: Contents) -> None:
    """A volume can be written, snapshotted and deleted after a revert."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    bench.revert(volume, snapshot)
    bench.write(volume, after)
    bench.must_hold(volume, after, "the reverted volume")
    bench.delete_snapshot(bench.snapshot(volume))
    bench.must_hold(volume, after, "the reverted volume")
