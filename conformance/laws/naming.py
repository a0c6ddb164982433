"""Objects are found by `name`, which follows `name_id`: after a migration that is not the volume's id."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.bench import Bench
from conformance.contents import Contents, contents, pages_of, sizes, texts
from conformance.law import Broken, Chapter, same
from harness.model import Volume

law = Chapter("names", level="core", stage=Bench)
NAME_ID = "cinder.objects.volume:Volume.name_id; Cinder's new-driver checklist, common gotchas"


@law(source=NAME_ID, needs=["data path"], written=contents(), aliases=st.integers(1, 2))
def a_migrated_volume_is_connected(bench: Bench, written: Contents, aliases: int) -> None:
    """A record whose _name_id leads to an object is connected to that object."""
    volume = bench.create()
    bench.write(volume, written)
    for _ in range(aliases):
        volume = bench.another_name_for(volume)
    bench.must_hold(volume, written, "the volume of another name")


@law(source=NAME_ID, needs=["data path"], written=contents(), size=sizes(3))
def a_volume_is_created_under_its_name_id(bench: Bench, written: Contents, size: int) -> None:
    """create_volume of a record with _name_id makes the object that its name says."""
    named = bench.record(size).id
    volume = bench.create(size, _name_id=named)
    bench.write(volume, written)
    plain = bench.database.get_volume(named)
    plain.update(
        {
            name: getattr(bench.fresh(volume), name)
            for name in Volume.DEFAULTS
            if name.startswith("provider_") or name == "admin_metadata"
        }
    )
    plain.save()
    bench.must_hold(plain, written, "the record whose id is the name_id")


@law(
    source=f"{NAME_ID}; LP 2026718",
    needs=["inventory"],
    migration_status=st.sampled_from([None, "success", "error", "deleting", "target:x"]),
)
def a_migrated_volume_is_deleted(bench: Bench, migration_status: str | None) -> None:
    """Deleting a record with _name_id removes the object that its name says, also while a migration ends."""
    before = bench.objects()
    migrated = bench.another_name_for(bench.create())
    migrated.migration_status = migration_status
    migrated.save()
    bench.delete(migrated)
    same("the objects after the deletion", bench.objects(), before)


@law(source=NAME_ID, needs=["data path"], written=contents())
def deleting_a_migrated_volume_spares_its_id(bench: Bench, written: Contents) -> None:
    """Deleting a record with _name_id leaves the object that bears the record's id as its name alone."""
    other = bench.create()
    migrated = bench.another_name_for(other)
    stranger = bench.create(_name_id=migrated.id)
    bench.write(stranger, written)
    bench.delete(migrated)
    bench.must_hold(stranger, written, "the object that is named after the deleted volume's id")


@law(source=NAME_ID, needs=["data path"], size=sizes(3), more=sizes(3), written=contents())
def a_migrated_volume_is_extended(bench: Bench, size: int, more: int, written: Contents) -> None:
    """extend_volume grows the object that the name says."""
    volume = bench.create(size)
    bench.write(volume, written)
    migrated = bench.another_name_for(volume)
    bench.extend(migrated, size + more)
    bench.must_have_size(migrated, size + more, "the extended volume")
    bench.must_hold(migrated, written, "the extended volume", size)


@law(source=NAME_ID, needs=["data path", "snapshots"], before=contents("before"), after=contents("after"))
def a_migrated_volume_is_snapshotted(bench: Bench, before: Contents, after: Contents) -> None:
    """Snapshots are of the object that the name says, and are deleted there: they can be taken again."""
    volume = bench.another_name_for(bench.create())
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.must_hold(bench.from_snapshot(snapshot), before, "the volume from the snapshot")
    spare = bench.snapshot(volume)
    bench.driver.delete_snapshot(bench.fresh(spare))
    bench.fill_in_snapshot(spare)
    bench.delete_snapshot(spare)
    bench.must_hold(volume, after, "the volume")


@law(source=NAME_ID, needs=["data path", "clones"], written=contents())
def a_migrated_volume_is_cloned(bench: Bench, written: Contents) -> None:
    """Clones are of the object that the name says."""
    volume = bench.another_name_for(bench.create())
    bench.write(volume, written)
    bench.must_hold(bench.clone(volume), written, "the clone")


@law(
    source=NAME_ID,
    needs=["data path", "revert", "snapshots"],
    level="revert",
    before=contents("before"),
    after=contents("after"),
)
def a_migrated_volume_is_reverted(bench: Bench, before: Contents, after: Contents) -> None:
    """revert_to_snapshot acts on the object that the name says."""
    volume = bench.another_name_for(bench.create())
    bench.write(volume, before)
    snapshot = bench.snapshot(volume)
    bench.write(volume, after)
    bench.revert(volume, snapshot)
    bench.must_hold(volume, before, "the reverted volume")


@law(source=NAME_ID, needs=["data path"], written=contents())
def a_migrated_volume_survives_a_restart(bench: Bench, written: Contents) -> None:
    """ensure_export exports the object that the name says again."""
    volume = bench.another_name_for(bench.create())
    attached = bench.attach(volume)
    pages = pages_of(written, attached.size)
    attached.write(pages)
    bench.restart()
    same("what the connected host reads", attached.read(pages), dict(pages))
    bench.detach(attached)
    bench.must_hold(volume, written, "the volume after the restart")


@law(
    source="cinder.objects.volume:Volume.name: the display name is the user's",
    needs=["data path"],
    name=texts(255),
    metadata=st.dictionaries(texts(8), texts(255), max_size=2),
    written=contents(),
)
def display_names_are_the_users_affair(
    bench: Bench, name: str, metadata: dict[str, str], written: Contents
) -> None:
    """Any display name and metadata, in any script and 255 characters long, make no difference."""
    volume = bench.create(1, display_name=name, display_description=name, metadata=metadata)
    bench.write(volume, written)
    volume = bench.fresh(volume)
    volume.display_name = name[::-1] + "x"
    volume.save()
    bench.must_hold(volume, written, "the renamed volume")
    bench.delete(volume)


@law(
    source="cinder.objects.volume:Volume.name, cinder.objects.snapshot:Snapshot.name",
    needs=["data path", "snapshots", "clones"],
    name=texts(255),
    written=contents(),
)
def what_is_made_of_a_volume_may_be_called_anything(bench: Bench, name: str, written: Contents) -> None:
    """Whatever a volume, its snapshot and its copies are called, they can be made, extended and deleted."""
    called: dict[str, object] = {"display_name": name, "display_description": name, "metadata": {"name": name}}
    volume = bench.create(1, **called)
    bench.write(volume, written)
    bench.extend(volume, 2)
    snapshot = bench.fill_in_snapshot(bench.snapshot_record(volume, **called))
    made = bench.record(2, snapshot_id=snapshot.id, **called)
    copies = [bench.fill_in_from(made, snapshot)]
    copies.append(bench.fill_in_clone(bench.record(2, source_volid=volume.id, **called), volume))
    for copied in copies:
        bench.must_hold(copied, written, "the copy", 1)
        bench.delete(copied)
    bench.delete_snapshot(snapshot)
    bench.delete(volume)


@law(
    source="Two volumes may have the same display name",
    needs=["data path"],
    name=texts(20),
    one=contents("one"),
    two=contents("two"),
)
def two_volumes_may_have_one_display_name(bench: Bench, name: str, one: Contents, two: Contents) -> None:
    """Volumes of the same display name are two volumes."""
    first, second = (bench.create(1, display_name=name) for _ in range(2))
    bench.write(first, one)
    bench.write(second, two)
    bench.must_hold(first, one, "the first volume")
    bench.delete(first)
    bench.must_hold(second, two, "the second volume")


@law(
    source="cinder.objects.snapshot:Snapshot.name",
    needs=["data path", "snapshots"],
    name=texts(255),
    written=contents(),
)
def snapshots_of_one_display_name_are_two(bench: Bench, name: str, written: Contents) -> None:
    """Snapshots are told apart by their ids, whatever their display names."""
    volume = bench.create()
    bench.write(volume, written)
    first = bench.snapshot_record(volume, display_name=name)
    second = bench.snapshot_record(volume, display_name=name)
    for snapshot in (first, second):
        bench.driver.create_snapshot(snapshot)
        snapshot.status = "available"
        snapshot.save()
    bench.delete_snapshot(first)
    made = bench.from_snapshot(second)
    bench.must_hold(made, written, "the volume from the second snapshot")
    if made.name_id == volume.name_id:
        raise Broken("the volume from the snapshot has the name of the first volume")
