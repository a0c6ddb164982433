"""Migrations between the driver and other back-ends, from the request to the end.

Generic ones are copied by Cinder; the driver's part is the temporary volume, its connection, its name and its
deletion. An assisted one is what the driver makes of it.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, holds, same
from conformance.move import OWNER, Move
from harness import errors

source_law = Chapter("migration from", level="migration-source", stage=Move, needs=["data path"], weight=0.6)
destination_law = Chapter(
    "migration to", level="migration-destination", stage=Move, needs=["data path"], weight=0.6
)
GENERIC = "cinder.volume.manager:VolumeManager._migrate_volume_generic"
COMPLETION = "cinder.volume.manager:VolumeManager.migrate_volume_completion"
FAULTS = st.sampled_from(["eio", "enospc", "ebusy"])
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])


def moved(move: Move, here: str, there: str, size: int, written: Contents, **options: bool) -> str:
    """A volume that was written and migrated; Broken unless it is whole at its destination."""
    move.open(here, there)
    volume = move.create(here, size)
    move.write(volume, written)
    move.migrate(volume, there, **options)
    move.must_have_moved(volume, there)
    move.must_hold(volume, written, "the migrated volume")
    return volume


def live_on(move: Move, volume: str) -> None:
    """Whatever users do to a volume can be done to one that has moved."""
    after = Contents("after", ("first", "last"))
    size = move.volume(volume).size + 1
    move.extend(volume, size)
    move.write(volume, after)
    move.must_hold(volume, after, "the migrated and extended volume")
    clone = move.act(move.cloud.api.create_volume, OWNER, size, source_volid=volume).id
    same("the status of a clone of the migrated volume", move.volume(clone).status, "available")
    move.must_hold(clone, after, "a clone of the migrated volume")
    move.delete(clone)


@source_law(source=GENERIC, there=others, size=sizes(2), written=contents(), lock=st.booleans())
def a_volume_arrives_elsewhere(move: Move, there: str, size: int, written: Contents, lock: bool) -> None:
    """A volume that is migrated away is whole at its destination."""
    moved(move, "subject", there, size, written, lock_volume=lock)


@destination_law(source=GENERIC, here=others, size=sizes(2), written=contents(), lock=st.booleans())
def a_volume_arrives_here(move: Move, here: str, size: int, written: Contents, lock: bool) -> None:
    """A volume that is migrated to the driver's back-end is whole there."""
    moved(move, here, "subject", size, written, lock_volume=lock)


@source_law(source=f"{GENERIC}: force_host_copy", needs=["inventory"], there=others, written=contents())
def a_forced_copy_leaves_nothing_at_the_source(move: Move, there: str, written: Contents) -> None:
    """A volume that Cinder copied away leaves no object, export or record behind."""
    move.open("subject", there)
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    move.migrate(volume, there, force_host_copy=True)
    holds(not move.assisted(), "the driver moved the volume, but Cinder should copy it")
    move.must_have_moved(volume, there)
    move.must_hold(volume, written, "the migrated volume")
    move.must_be_tidy(before)


@destination_law(source=f"{GENERIC}: force_host_copy", needs=["inventory"], here=others, written=contents())
def a_forced_copy_leaves_nothing_at_the_destination(move: Move, here: str, written: Contents) -> None:
    """A volume that Cinder copied here is one object, and leaves no other, no export and no record."""
    move.open(here, "subject")
    before = move.objects()
    volume = move.create(here)
    move.write(volume, written)
    move.migrate(volume, "subject", force_host_copy=True)
    holds(not move.assisted(), "the driver moved the volume, but Cinder should copy it")
    move.must_have_moved(volume, "subject")
    move.must_hold(volume, written, "the migrated volume")
    move.must_be_tidy(before)


@destination_law(
    source=f"{COMPLETION}; life after",
    needs=["clones"],
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    written=contents(),
    weight=0.4,
)
def a_migrated_volume_can_be_lived_with(move: Move, here: str, written: Contents) -> None:
    """A volume that has arrived can be extended, written, cloned and deleted."""
    volume = moved(move, here, "subject", 1, written)
    live_on(move, volume)
    move.delete(volume)


@destination_law(
    source="cinder.volume.manager:VolumeManager._copy_volume_data: sparse_copy_volume; LP 1455595, LP 1472486, "
    "LP 1491538",
    needs=["thin"],
    here=st.sampled_from(["twin", "lvm", "nfs"]),
    size=st.sampled_from([10, 20]),
    force=st.booleans(),
)
def what_is_empty_takes_no_space(move: Move, here: str, size: int, force: bool) -> None:
    """Where volumes are thin, one that arrives takes the space of what was written to it, not of its size."""
    move.open(here, "subject")
    volume = move.create(here, size)
    move.write(volume, Contents("owner", ("first", "last")))
    before = move.free_gb("subject")
    # What another driver makes of its own move is its own affair.
    move.migrate(volume, "subject", force_host_copy=force or here != "twin")
    move.must_have_moved(volume, "subject")
    taken = before - move.free_gb("subject")
    holds(taken <= size / 2, f"free_capacity_gb shrank by {taken:.2f} GiB for an empty volume of {size} GiB")


@destination_law(
    source="cinder.objects.volume:Volume.name_id",
    needs=["inventory"],
    away=st.sampled_from(["twin", "lvm", "rbd", "nfs"]),
    written=contents(),
    rounds=st.integers(2, 3),
    force=st.booleans(),
    weight=0.4,
)
def a_volume_migrates_again_and_again(
    move: Move, away: str, written: Contents, rounds: int, force: bool
) -> None:
    """To and fro, a volume stays whole, and in the end one object is left."""
    move.open("subject", away)
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    for number in range(rounds):
        there = away if number % 2 == 0 else "subject"
        move.migrate(volume, there, force_host_copy=force)
        move.must_have_moved(volume, there)
        move.must_hold(volume, written, f"the volume after {number + 1} migrations")
    move.must_be_tidy(before)
    move.delete(volume)
    move.must_be_tidy(before)


@destination_law(
    source=f"{GENERIC}; LP 1792339, LP 1798468",
    needs=["neighbour", "inventory"],
    written=contents(),
    force=st.just(True),
)
def a_copy_within_the_storage_is_whole(move: Move, written: Contents, force: bool) -> None:
    """Between two back-ends on one storage the original's name is taken: the copy is whole, the original
    goes."""
    move.open("subject", "neighbour")
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    move.migrate(volume, "neighbour", force_host_copy=force)
    move.must_have_moved(volume, "neighbour")
    move.must_hold(volume, written, "the migrated volume")
    move.must_be_tidy(before)
    move.delete(volume)
    move.must_be_tidy(before)


@destination_law(source=f"{GENERIC}; LP 1404013", needs=["neighbour"], written=contents())
def a_migration_within_the_storage_succeeds(move: Move, written: Contents) -> None:
    """Between two back-ends on one storage a migration succeeds, by the driver or by a copy."""
    moved(move, "subject", "neighbour", 1, written)


@source_law(
    source=f"{GENERIC}: clean-up",
    there=st.sampled_from(["lvm", "rbd", "nfs"]),
    nth=st.integers(1, 14),
    kind=FAULTS,
    written=contents(),
    lock=st.booleans(),
)
def a_failed_migration_away_keeps_the_volume(
    move: Move, there: str, nth: int, kind: str, written: Contents, lock: bool
) -> None:
    """Whichever step of the source's driver fails, the volume is whole, at rest and can be used."""
    fails(move, "subject", there, f"c-vol@{move.plan('subject').name}", nth, kind, written, lock)


@destination_law(
    source=f"{GENERIC}: clean-up",
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    nth=st.integers(1, 14),
    kind=FAULTS,
    written=contents(),
    lock=st.booleans(),
)
def a_failed_migration_here_keeps_the_volume(
    move: Move, here: str, nth: int, kind: str, written: Contents, lock: bool
) -> None:
    """Whichever step of the destination's driver fails, the volume is whole, at rest and can be used."""
    fails(move, here, "subject", f"c-vol@{move.plan('subject').name}", nth, kind, written, lock)


@source_law(
    source=f"{COMPLETION}: update_migrated_volume fails at the destination",
    there=st.sampled_from(["lvm", "rbd", "nfs"]),
    kind=FAULTS,
    written=contents(),
    lock=st.booleans(),
)
def a_migration_that_is_not_completed_keeps_the_volume(
    move: Move, there: str, kind: str, written: Contents, lock: bool
) -> None:
    """If the other driver fails when the copy is made, the volume is whole where it was: its driver has not
    let it go before Cinder asks for that."""
    move.open("subject", there)
    volume = move.create("subject")
    move.write(volume, written)
    move.fail_at("driver.update_migrated_volume", 1, kind)
    move.migrate(volume, there, force_host_copy=True, lock_volume=lock)
    move.heal()
    move.must_be_at_rest(volume, "available")
    same("the host", move.volume(volume).host, move.plan("subject").address)
    move.must_hold(volume, written, "the volume")


@destination_law(
    source=f"{GENERIC}: the temporary volume cannot be created",
    needs=["inventory"],
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    kind=FAULTS,
    written=contents(),
    lock=st.booleans(),
)
def a_failed_creation_leaves_no_record(move: Move, here: str, kind: str, written: Contents, lock: bool) -> None:
    """If the driver cannot create the temporary volume, the migration is undone: no record, no object is
    left."""
    move.open(here, "subject")
    before = move.objects()
    volume = move.create(here)
    move.write(volume, written)
    move.fail_at("driver.create_volume", 1, kind, f"c-vol@{move.plan('subject').name}")
    move.migrate(volume, "subject", force_host_copy=True, lock_volume=lock)
    move.heal()
    row = move.volume(volume)
    same(
        "(host, status, migration_status)",
        (row.host, row.status, row.migration_status),
        (move.plan(here).address, "available", "error"),
    )
    move.must_hold(volume, written, "the volume")
    move.must_be_tidy(before)


@destination_law(
    source=f"{GENERIC}: _clean_temporary_volume",
    needs=["inventory", "simulated Cinder"],
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    nth=st.integers(1, 2),
)
def a_failed_copy_leaves_nothing(move: Move, here: str, nth: int) -> None:
    """If Cinder cannot connect one of the two volumes for the copy, the temporary one goes, with its export."""
    written = Contents("owner", ("first", "middle", "last"))
    move.open(here, "subject")
    before = move.objects()
    volume = move.create(here)
    move.write(volume, written)
    move.fail_at("os-brick.connect_volume", nth, "eio")
    move.migrate(volume, "subject", force_host_copy=True)
    move.heal()
    row = move.volume(volume)
    same("(status, migration_status)", (row.status, row.migration_status), ("available", "error"))
    move.must_be_tidy(before)
    move.must_hold(volume, written, "the volume")


def fails(
    move: Move, here: str, there: str, actor: str, nth: int, kind: str, written: Contents, lock: bool
) -> None:
    move.open(here, there)
    volume = move.create(here)
    move.write(volume, written)
    move.fail_at("*", nth, kind, actor)
    move.migrate(volume, there, lock_volume=lock)
    move.heal()
    move.must_be_at_rest(volume, "available")
    move.must_hold(volume, written, "the volume")


@source_law(
    source="cinder.volume.manager:VolumeManager._copy_volume_data: sparse_copy_volume",
    needs=["simulated Cinder"],
    there=st.sampled_from(["lvm", "rbd", "nfs"]),
    written=contents(),
    secret=contents("former owner"),
)
def a_volume_arrives_on_used_storage(move: Move, there: str, written: Contents, secret: Contents) -> None:
    """A volume that is copied to storage which others have left uncleared reads as it did, also where nothing
    was written."""
    move.open("subject", there, volume_clear="none")
    volume = move.create("subject")
    move.write(volume, written)
    former = move.create(there)
    move.write(former, secret)
    move.delete(former)
    before = move.contents_of(volume)
    move.migrate(volume, there)
    move.must_have_moved(volume, there)
    same("whether the migrated volume reads as before", move.contents_of(volume) == before, True)


@source_law(
    source=f"{GENERIC}; migrate_volume: an exception is final",
    there=st.sampled_from(["lvm", "rbd", "nfs"]),
    lock=st.booleans(),
    written=contents(),
)
def a_foreign_destination_gets_a_copy(move: Move, there: str, lock: bool, written: Contents) -> None:
    """A destination of another kind is reached by a copy: the driver refuses, and does not raise."""
    moved(move, "subject", there, 1, written, lock_volume=lock)
    if move.plan(there).kind != move.plan("subject").kind:
        holds(not move.assisted(), "the driver said that it moved the volume to a back-end of another kind")


@destination_law(
    source="cinder.volume.manager:VolumeManager.migrate_volume: snapshots",
    needs=["snapshots"],
    there=st.just("twin"),
)
def a_volume_with_snapshots_is_refused(move: Move, there: str) -> None:
    """The API refuses to migrate a volume that has snapshots; the volume stays usable."""
    move.open("subject", there)
    volume = move.create("subject")
    move.act(move.cloud.api.create_snapshot, OWNER, volume)
    try:
        move.migrate(volume, there)
    except errors.ServiceError as error:
        same("the code of the refusal", error.code, 400)
        same("the status", move.volume(volume).status, "available")
        return
    holds(False, "the migration of a volume with a snapshot was accepted, but should be refused")
