"""Clones of volumes."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import Bench
from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, holds, same
from harness.errors import VolumeIsBusy

law = Chapter("clones", level="core", stage=Bench, needs=["clones"])
CLONE = "cinder.interface.volume_driver:VolumeDriverCore.create_cloned_volume"
CHECKLIST = "Cinder's new-driver checklist, common gotchas"
DELETE = "cinder.volume.manager:VolumeManager.delete_volume"


@law(source=CLONE, needs=["data path"], size=sizes(4), written=contents())
def a_clone_has_the_data_and_size_of_its_source(bench: Bench, size: int, written: Contents) -> None:
    """A clone reads as its source does, and is as large."""
    volume = bench.create(size)
    bench.write(volume, written)
    clone = bench.clone(volume)
    bench.must_have_size(clone, size, "the clone")
    bench.must_hold(clone, written, "the clone")


@law(source=CLONE, needs=["data path"], written=contents(), after=contents("after"), to_clone=st.booleans())
def clone_and_source_are_independent(bench: Bench, written: Contents, after: Contents, to_clone: bool) -> None:
    """Writes to a clone do not show in its source, nor the other way round."""
    volume = bench.create()
    bench.write(volume, written)
    clone = bench.clone(volume)
    changed, other = (clone, volume) if to_clone else (volume, clone)
    bench.write(changed, after)
    bench.must_hold(other, written, "the source" if to_clone else "the clone")
    bench.must_hold(changed, after, "the clone" if to_clone else "the source")


@law(source=f"{CLONE}; {CHECKLIST}", needs=["data path"], size=sizes(3), more=sizes(4), written=contents())
def a_larger_clone_is_grown(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A clone has the size that was asked for, where that is larger than its source."""
    volume = bench.create(size)
    bench.write(volume, written)
    clone = bench.clone(volume, size + more)
    bench.must_have_size(clone, size + more, "the clone")
    bench.must_hold(clone, written, "the clone", size)


@law(source=CLONE, needs=["data path", "snapshots"], size=st.sampled_from([100, 511, 1024]), more=sizes(2),
     weight=0.5)  # fmt: skip
def large_copies_have_exactly_their_size(bench: Bench, size: int, more: int) -> None:
    """Clones and volumes from snapshots of hundreds of GiB are whole, to the last page."""
    written = Contents("owner", ("first", "middle", "last"))
    volume = bench.create(size)
    bench.write(volume, written)
    for copied in (bench.clone(volume), bench.from_snapshot(bench.snapshot(volume))):
        bench.must_have_size(copied, size, "the copy")
        bench.must_hold(copied, written, "the copy")
        bench.extend(copied, size + more)
        bench.must_have_size(copied, size + more, "the extended copy")


@law(source=CLONE, needs=["data path"], size=sizes(3), more=sizes(3))
def a_larger_clone_leaves_its_source_as_it_was(bench: Bench, size: int, more: int) -> None:
    """The source of a larger clone keeps its size."""
    volume = bench.create(size)
    bench.clone(volume, size + more)
    bench.must_have_size(volume, size, "the source")


@law(source=CLONE, needs=["data path"], depth=st.integers(2, 7), weight=0.5)
def clones_of_clones_keep_their_own_data(bench: Bench, depth: int) -> None:
    """In a chain of clones, each written to, everybody keeps what was written to it."""
    chain = [bench.create()]
    for _ in range(depth):
        chain.append(bench.clone(chain[-1]))
    for number, volume in enumerate(chain):
        bench.write(volume, Contents(f"owner of link {number}", ("first", "middle", "last")))
    for number, volume in enumerate(chain):
        bench.must_hold(
            volume,
            Contents(f"owner of link {number}", ("first", "middle", "last")),
            f"link {number} of the chain",
        )


@law(source=DELETE, needs=["data path"], written=contents())
def a_clone_outlives_its_source(bench: Bench, written: Contents) -> None:
    """The source of a clone can be deleted, or is busy (VolumeIsBusy); the clone keeps its data."""
    volume = bench.create()
    bench.write(volume, written)
    clone = bench.clone(volume)
    try:
        bench.delete(volume)
    except VolumeIsBusy:
        bench.must_hold(volume, written, "the source that was busy")
    bench.must_hold(clone, written, "the clone of the deleted volume")


@law(source=DELETE, needs=["data path"], written=contents())
def a_source_outlives_its_clone(bench: Bench, written: Contents) -> None:
    """Deleting a clone leaves its source as it was."""
    volume = bench.create()
    bench.write(volume, written)
    bench.delete(bench.clone(volume))
    bench.must_hold(volume, written, "the source")


@law(source=DELETE, needs=["inventory"], clones=st.integers(1, 3), source_first=st.booleans())
def clones_leave_nothing(bench: Bench, clones: int, source_first: bool) -> None:
    """When source and clones are deleted, in either order, the back-end holds what it held before."""
    before = bench.objects()
    volume = bench.create()
    made = [bench.clone(volume) for _ in range(clones)]
    for each in [volume, *made] if source_first else [*made, volume]:
        bench.delete(each)
    same("the objects in the end", bench.objects(), before)


@law(source=CLONE, needs=["inventory"])
def cloning_adds_one_volume(bench: Bench) -> None:
    """A clone adds one object to the back-end: what helps to make it does not stay."""
    volume = bench.create()
    before = bench.objects()
    bench.clone(volume)
    same("the number of objects", len(bench.objects()), len(before) + 1)


@law(source=CLONE, needs=["data path", "snapshots"], written=contents(), after=contents("after"))
def a_source_with_clones_can_be_snapshotted(bench: Bench, written: Contents, after: Contents) -> None:
    """Snapshots, clones and volumes from snapshots of one source keep to their own data."""
    volume = bench.create()
    bench.write(volume, written)
    snapshot = bench.snapshot(volume)
    clone = bench.clone(volume)
    bench.write(volume, after)
    bench.must_hold(bench.from_snapshot(snapshot), written, "the volume from the snapshot")
    bench.must_hold(clone, written, "the clone")
    bench.must_hold(bench.clone(volume), after, "a second clone")


@law(source=CLONE, needs=["data path"], size=sizes(3), more=sizes(3), written=contents())
def a_clone_can_be_extended(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A clone grows like any volume, and its source does not."""
    volume = bench.create(size)
    bench.write(volume, written)
    clone = bench.clone(volume)
    bench.extend(clone, size + more)
    bench.must_have_size(clone, size + more, "the clone")
    bench.must_hold(clone, written, "the clone", size)
    bench.must_have_size(volume, size, "the source")


@law(source=CLONE, needs=["data path", "snapshots"], size=sizes(2), more=sizes(2), written=contents())
def a_clone_of_a_volume_with_a_snapshot_can_be_extended(
    bench: Bench, size: int, more: int, written: Contents
) -> None:
    """A clone grows like any volume, also when its source has a snapshot."""
    volume = bench.create(size)
    bench.snapshot(volume)
    bench.write(volume, written)
    clone = bench.clone(volume)
    bench.extend(clone, size + more)
    bench.must_have_size(clone, size + more, "the clone")
    bench.must_hold(clone, written, "the clone", size)


@law(source=CLONE)
def a_clone_of_an_absent_volume_is_an_error(bench: Bench) -> None:
    """Cloning a volume whose object is gone raises: success would promise what is not there."""
    volume = bench.create()
    bench.delete_object(volume)
    try:
        bench.clone(volume)
    except Exception as error:
        if not bench.is_foreign(error):
            raise
        return
    holds(False, "create_cloned_volume of a volume that is gone succeeded, but should raise")
