"""Taking over what Cinder did not make, and letting it go.

A law needs an object that Cinder does not know: it creates a volume, lets it go (`unmanage`), and takes it over
under another record by ``source-name``, or ``source-id`` where the driver wants that.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import Bench, Lacking
from conformance.contents import Contents, contents, sizes
from conformance.foreign.guard import shortened
from conformance.law import Broken, Chapter, holds, same
from conformance.laws.retype import kind, limits
from conformance.properties import properties
from fake_backends.block_store import CHUNK
from harness.errors import ManageExistingInvalidReference
from harness.model import GIB, QosSpecs, Volume

law = Chapter("manage", level="manage", stage=Bench, needs=["manage"])
MANAGE = "cinder.interface.volume_management_driver:VolumeManagementDriver.manage_existing"
SIZE = "cinder.interface.volume_management_driver:VolumeManagementDriver.manage_existing_get_size"
UNMANAGE = "cinder.interface.volume_management_driver:VolumeManagementDriver.unmanage"


def let_go(bench: Bench, volume: Volume) -> dict[str, str]:
    """Unmanage a volume; returns the reference by which it can be taken over."""
    bench.nothing(bench.driver.unmanage(bench.fresh(volume)), "unmanage")
    name = volume.name
    location = bench.fresh(volume).provider_location
    bench.database.destroy_volume(volume.id)
    if bench.plan.kind == "nfs" and location:
        return {"source-name": f"{location}/{name}"}
    return {"source-name": name, "source-id": volume.name_id}


def take_over(bench: Bench, reference: dict[str, str], **fields: object) -> Volume:
    """Size first, then the object, as `cinder.volume.flows.manager.manage_existing` does."""
    volume = bench.record(0, status="managing", **fields)
    size = bench.driver.manage_existing_get_size(volume, reference)
    holds(
        isinstance(size, int) and not isinstance(size, bool) and size > 0,
        f"manage_existing_get_size returned {shortened(size)}, but should return a whole number of GiB",
    )
    volume.size = size
    volume.save()
    bench.store(volume, bench.driver.manage_existing(volume, reference), "manage_existing")
    volume.status = "available"
    volume.save()
    return volume


@law(source=MANAGE, needs=["data path"], size=sizes(5), written=contents())
def a_volume_that_was_let_go_can_be_taken_over(bench: Bench, size: int, written: Contents) -> None:
    """Data and size are the same when a volume is unmanaged and managed again."""
    volume = bench.create(size)
    bench.write(volume, written)
    managed = take_over(bench, let_go(bench, volume))
    same("the size of the managed volume", managed.size, size)
    bench.must_hold(managed, written, "the managed volume")


@law(source=SIZE, size=sizes(20))
def the_size_is_told_before(bench: Bench, size: int) -> None:
    """manage_existing_get_size returns the size in whole GiB."""
    reference = let_go(bench, bench.create(size))
    same("manage_existing_get_size", bench.driver.manage_existing_get_size(bench.record(0), reference), size)


@law(source=MANAGE, needs=["data path"], size=sizes(3), more=sizes(3), written=contents())
def a_managed_volume_is_a_volume_like_any_other(bench: Bench, size: int, more: int, written: Contents) -> None:
    """A managed volume can be extended, read and deleted."""
    volume = bench.create(size)
    bench.write(volume, written)
    managed = take_over(bench, let_go(bench, volume))
    bench.extend(managed, size + more)
    bench.must_have_size(managed, size + more, "the managed volume")
    bench.must_hold(managed, written, "the managed volume", size)
    bench.delete(managed)


@law(source=f"{MANAGE}; cinder.volume.qos_specs: consumer back-end", qos=limits)
def a_managed_volume_has_the_limits_of_its_type(bench: Bench, qos: QosSpecs | None) -> None:
    """A volume that is taken over with a type is like one that was created with it."""
    limited = kind(bench, "limited", {}, qos)
    wanted = properties(bench.world, bench.plan, bench.create(volume_type_id=limited.id).name)
    if wanted is None:
        raise Lacking("nobody tells what the limits of a volume are")
    managed = take_over(bench, let_go(bench, bench.create()), volume_type_id=limited.id)
    found = properties(bench.world, bench.plan, managed.name)
    same("what the managed volume is like", found, wanted)


@law(source=MANAGE, needs=["inventory"])
def a_managed_volume_leaves_nothing(bench: Bench) -> None:
    """When a managed volume is deleted nothing is left, and nothing was added by managing it."""
    before = bench.objects()
    managed = take_over(bench, let_go(bench, bench.create()))
    same("the number of objects", len(bench.objects()), len(before) + 1)
    bench.delete(managed)
    same("the objects in the end", bench.objects(), before)


@law(source=SIZE)
def an_unknown_reference_is_refused(bench: Bench) -> None:
    """A reference that leads to nothing raises ManageExistingInvalidReference."""
    for reference in ({"source-name": "no-such-volume", "source-id": "no-such-volume"}, {"nonsense": "x"}):
        try:
            size = bench.driver.manage_existing_get_size(bench.record(0), reference)
        except ManageExistingInvalidReference:
            continue
        raise Broken(
            f"manage_existing_get_size({reference}) returned {shortened(size)}, but should raise "
            "ManageExistingInvalidReference"
        )


@law(source=UNMANAGE, needs=["inventory"], size=sizes(3))
def letting_go_touches_nothing(bench: Bench, size: int) -> None:
    """unmanage leaves the object where it is."""
    volume = bench.create(size)
    before = bench.objects()
    let_go(bench, volume)
    same("the number of objects after unmanage", len(bench.objects()), len(before))


@law(source=f"{MANAGE}; cinder.objects.volume:Volume.name_id", needs=["data path"], written=contents())
def a_migrated_volume_can_be_let_go(bench: Bench, written: Contents) -> None:
    """Of a volume that has a _name_id the object that its name says is let go and taken over."""
    volume = bench.create()
    bench.write(volume, written)
    migrated = bench.another_name_for(volume)
    bench.database.destroy_volume(volume.id)
    managed = take_over(bench, let_go(bench, migrated))
    bench.must_hold(managed, written, "the managed volume")


# ---------------------------------------------------------------------------------------------- listings

LISTING = "cinder.interface.volume_management_driver:VolumeManagementDriver.get_manageable_volumes"
SNAPSHOTS = "cinder.interface.volume_snapshotmanagement_driver:VolumeSnapshotManagementDriver"


@law(
    source=LISTING,
    needs=["manageable"],
    sizes_gb=st.lists(sizes(4), min_size=1, max_size=3),
    known=st.booleans(),
)
def what_can_be_taken_over_is_listed(bench: Bench, sizes_gb: list[int], known: bool) -> None:
    """get_manageable_volumes lists each object with its size; one that Cinder has on record is not safe."""
    before = [entry["reference"] for entry in bench.driver.get_manageable_volumes([])]
    volumes = [bench.create(size) for size in sizes_gb]
    found = bench.driver.get_manageable_volumes(volumes if known else [])
    holds(
        isinstance(found, list), f"get_manageable_volumes returned {shortened(found)}, but should return a list"
    )
    found = [entry for entry in found if entry["reference"] not in before]
    ids = {volume.id for volume in volumes}
    told = sorted((entry["size"], entry["safe_to_manage"], entry["cinder_id"] in ids) for entry in found)
    same("(size, safe_to_manage, known) of each", told, sorted((size, not known, known) for size in sizes_gb))
    if not known:
        sizes_told = [
            bench.driver.manage_existing_get_size(bench.record(0), each["reference"]) for each in found
        ]
        same("the sizes of the references", sorted(sizes_told), sorted(sizes_gb))


@law(
    source=f"{SNAPSHOTS}.get_manageable_snapshots",
    needs=["manageable", "snapshots"],
    known=st.booleans(),
)
def snapshots_that_can_be_taken_over_are_listed(bench: Bench, known: bool) -> None:
    """get_manageable_snapshots lists each snapshot with its size; one that Cinder has is not safe."""
    snapshots = [bench.snapshot(bench.create(size)) for size in (1, 2)]
    found = bench.driver.get_manageable_snapshots(snapshots if known else [])
    told = sorted((entry["size"], entry["safe_to_manage"]) for entry in found)
    same("(size, safe_to_manage) of each", told, [(1, not known), (2, not known)])


@law(
    source=f"{SNAPSHOTS}.manage_existing_snapshot, unmanage_snapshot",
    needs=["manage snapshots", "manageable", "snapshots", "data path"],
    before=contents("before"),
    between=contents("between"),
    first=st.booleans(),
)
def a_snapshot_that_was_let_go_can_be_taken_over(
    bench: Bench, before: Contents, between: Contents, first: bool
) -> None:
    """Of several snapshots the one that is meant is managed, with its size and data, and can be deleted."""
    volume = bench.create(2)
    states = (before, between)
    snapshots = []
    for state in states:
        bench.write(volume, state)
        snapshots.append(bench.snapshot(volume))
    gone = snapshots[0 if first else 1]
    kept = snapshots[1 if first else 0]
    bench.nothing(bench.driver.unmanage_snapshot(bench.fresh(gone)), "unmanage_snapshot")
    del bench.database.snapshots[gone.id]
    found = [each for each in bench.driver.get_manageable_snapshots([kept]) if each["safe_to_manage"]]
    same("the number of snapshots that can be taken over", len(found), 1)
    reference = found[0]["reference"]
    taken = bench.snapshot_record(volume)
    same("the size", bench.driver.manage_existing_snapshot_get_size(taken, reference), 2)
    bench.store(taken, bench.driver.manage_existing_snapshot(taken, reference), "manage_existing_snapshot")
    taken.status = "available"
    taken.save()
    made = bench.from_snapshot(taken)
    bench.must_hold(made, states[0 if first else 1], "the volume from the managed snapshot", 2)
    bench.delete(made)
    bench.delete_snapshot(taken)
    bench.delete_snapshot(kept)
    bench.delete(volume)


@law(source=MANAGE, needs=["data path"], one=contents("one"), two=contents("two"))
def the_volume_that_was_meant_is_taken_over(bench: Bench, one: Contents, two: Contents) -> None:
    """Of several objects the one that the reference names is taken over."""
    first, second = bench.create(), bench.create()
    bench.write(first, one)
    bench.write(second, two)
    references = [let_go(bench, first), let_go(bench, second)]
    managed = take_over(bench, references[1])
    bench.must_hold(managed, two, "the volume that was taken over")
    bench.must_hold(take_over(bench, references[0]), one, "the other volume")


@law(source=f"{SIZE}: rounded up to whole GiB", size=sizes(3), part=st.sampled_from([1, 256, 1023]))
def a_size_that_is_not_whole_is_rounded_up(bench: Bench, size: int, part: int) -> None:
    """An object of some GiB and a part of one more is managed with the next whole number of GiB."""
    name = made_by_hand(bench, size * GIB + (part << 20))
    got = bench.driver.manage_existing_get_size(bench.record(0), {"source-name": name, "source-id": name})
    # lvm2 prints two decimals of a GiB, so that Cinder's LVM driver does not see less than a hundredth.
    same("manage_existing_get_size", got, size + (part > 5 or bench.plan.kind != "lvm"))


def made_by_hand(bench: Bench, size: int) -> str:
    """An object that no driver has made, of so many bytes. Lacking if nobody knows how to make one."""
    name, plan = "made-by-hand", bench.plan
    if plan.kind == "rbd":
        bench.world.cluster(plan.cluster or "").pool(plan.configuration.rbd_pool).create(name, size)
    elif plan.kind == "lvm" and not plan.thin:
        group = bench.world.node(plan.node).volume_groups[plan.configuration.volume_group]
        group.create(name, -(-size // CHUNK) * CHUNK)
    else:
        raise Lacking("nobody says how to make an object by hand")
    return name


@law(
    source="cinder.exception:ManageExistingAlreadyManaged",
    needs=["data path"],
    written=contents(),
)
def what_is_on_record_is_not_taken_from_it(bench: Bench, written: Contents) -> None:
    """The object of a volume that Cinder has on record is not taken over by another one."""
    volume = bench.create()
    bench.write(volume, written)
    reference = {"source-name": volume.name, "source-id": volume.name_id}
    if bench.plan.kind == "nfs":
        reference = {"source-name": f"{volume.provider_location}/{volume.name}"}
    try:
        take_over(bench, reference)
    except Broken:
        raise
    except Exception as error:
        if not bench.is_foreign(error):
            raise
    bench.must_hold(volume, written, "the volume that was on record")


@law(
    source=f"{SNAPSHOTS}.manage_existing_snapshot_get_size",
    needs=["manage snapshots", "snapshots"],
    more=sizes(2),
)
def a_managed_snapshot_has_the_size_of_its_time(bench: Bench, more: int) -> None:
    """The size of a snapshot that is taken over is its own, and not that of a volume which has grown since."""
    volume = bench.create()
    snapshot = bench.snapshot(volume)
    bench.extend(volume, 1 + more)
    name = f"_{snapshot.name}" if bench.plan.kind == "lvm" else snapshot.name
    taken = bench.snapshot_record(volume)
    reference = {"source-name": name, "source-id": snapshot.id}
    same("the size", bench.driver.manage_existing_snapshot_get_size(taken, reference), 1)
