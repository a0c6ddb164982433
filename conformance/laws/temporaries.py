"""The second record of a migration: what it is like while data are copied to it, and what becomes of it.

When the copy is done the two records change places: the temporary one then leads to the old object, and is
deleted with it. These are laws on the whole, like those on records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.altered import Change
from conformance.contents import Contents, contents
from conformance.law import Chapter, holds, same
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import kinds
from conformance.laws.trouble import alter
from conformance.move import OWNER, Move
from harness.model import Service, Volume
from harness.sim.faults import Fault, FaultPlan

law = Chapter("temporary volumes", level="migration-source", stage=Move, needs=["data path"], weight=0.4)
MANAGER = "cinder.volume.manager:VolumeManager"
GENERIC = f"{MANAGER}._migrate_volume_generic"
COMPLETION = f"{MANAGER}.migrate_volume_completion"
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])
failures = st.sampled_from(["eio", "ebusy"])
ITS_OWN = frozenset(
    {"id", "_name_id", "host", "cluster_name", "availability_zone", "service_uuid", "status", "attach_status",
     "migration_status", "previous_status", "use_quota", "created_at", "launched_at", "glance_metadata",
     "provider_location", "provider_id", "provider_auth", "provider_geometry"}
)  # fmt: skip
"""The fields in which a temporary volume differs from the one that migrates."""


def see(move: Move, backend: str, method: str, look: Callable[..., None]) -> None:
    """From now on `look` is given the arguments of a driver's method, before the driver is."""

    def seen(own: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            look(*arguments)
            return own(*arguments, **keywords)

        return call

    alter(move, backend, method, seen)


def shared_fields(volume: Volume) -> dict[str, Any]:
    """What a temporary volume has of the one that migrates. A driver may note the format of its file."""
    fields = {name: getattr(volume, name) for name in Volume.DEFAULTS if name not in ITS_OWN}
    fields["admin_metadata"] = {key: value for key, value in volume.admin_metadata.items() if key != "format"}
    return fields


def temporaries(move: Move) -> list[Volume]:
    """The temporary volumes on record."""
    database = move.cloud.database
    return [
        database.get_volume(row["id"])
        for row in list(database.volumes.values())
        if (row["migration_status"] or "").startswith("target:")
    ]


@law(source=f"{GENERIC}: new_vol_values", there=others, attached=st.booleans(), lock=st.booleans())
def a_temporary_volume_is_its_volumes_twin(move: Move, there: str, attached: bool, lock: bool) -> None:
    """While a volume is copied there is one other record, for nobody's quota: it is at the destination and
    in its zone, says which volume it is for, and is else like that one."""
    move.open("subject", there)
    volume = move.create("subject")
    move.cloud.database.update(
        Volume, volume, {"display_name": "name", "display_description": "words", "metadata": {"a": "b"}}
    )
    if attached:
        move.attach(volume)
    plan = move.plan(there)
    move.cloud.database.update(Service, plan.service, {"availability_zone": "far"})
    seen: set[str] = set()

    def look() -> None:
        for each in temporaries(move):
            source = move.volume(volume)
            same("what a temporary volume has of its own", shared_fields(each), shared_fields(source))
            same(
                "(migration_status, use_quota, host, availability_zone)",
                (each.migration_status, each.use_quota, each.host, each.availability_zone),
                (f"target:{volume}", False, plan.address, "far"),
            )
            wanted = "in-use" if attached else "maintenance" if lock else "available"
            holds(source.status in (wanted, "detaching"), f"the volume is {source.status} while it is copied")
            seen.add(each.status)

    move.observe(look)
    move.migrate(volume, there, lock_volume=lock, force_host_copy=True)
    move.must_have_moved(volume, there, "in-use" if attached else "available")
    holds("available" in seen or attached, f"the statuses of the temporary volume were {sorted(seen)}")
    same("availability_zone of the migrated volume", move.volume(volume).availability_zone, "far")


@law(
    source=f"{GENERIC}: snapshot_id, source_volid; LP 1580013",
    needs=["clones", "snapshots"],
    there=others,
    snapshot=st.booleans(),
)
def a_temporary_volume_is_made_empty(move: Move, there: str, snapshot: bool) -> None:
    """Whatever a volume was made of, at its destination an empty volume is made for it; it still says of
    what it was made when it has moved."""
    move.open("subject", there)
    origin = move.create("subject")
    source = {"source_volid": origin}
    if snapshot:
        source = {"snapshot_id": move.act(move.cloud.api.create_snapshot, OWNER, origin).id}
    volume = move.act(move.cloud.api.create_volume, OWNER, 1, **source).id
    same("the status of the copy", move.volume(volume).status, "available")
    begun = len(move.watch.steps)
    move.migrate(volume, there, force_host_copy=True)
    move.must_have_moved(volume, there)
    makers = ("create_volume", "create_cloned_volume", "create_volume_from_snapshot")
    asked = [step.partition("(")[0].rpartition(".")[2] for step in move.watch.steps[begun:]]
    made = [each for each in asked if each in makers]
    same("what was made at the destination", made, ["create_volume"])
    row = move.volume(volume)
    same("what it was made of", {key: getattr(row, key) for key in source}, source)


@law(
    source=f"{COMPLETION}; {MANAGER}.update_migrated_volume; finish_volume_migration",
    needs=["simulated Cinder"],
    there=others,
    attached=st.booleans(),
    again=st.booleans(),
)
def the_old_object_is_deleted_by_what_was_on_record(
    move: Move, there: str, attached: bool, again: bool
) -> None:
    """The destination names the copy while the migration is completing. Then the source deletes its object
    by the very name, location and fields that the volume had; the record that it is given is being
    deleted."""
    here = there if again else "subject"
    move.open("subject", there)
    volume = move.create("subject")
    if attached:
        move.attach(volume)
    if again:
        move.migrate(volume, there)
        move.must_have_moved(volume, there, "in-use" if attached else "available")
    to = "subject" if again else there
    described: list[tuple[Any, ...]] = []
    during: list[tuple[Any, ...]] = []

    def note(record: Volume) -> None:
        fields = ("name", "provider_location", "provider_auth", "provider_id", "host")
        described.append(tuple(getattr(record, field) for field in fields))

    def named(context: Any, record: Volume, *further: Any) -> None:
        note(record)
        during.append((move.volume(volume).migration_status,))

    def deleted(record: Volume, *further: Any) -> None:
        note(record)
        row = move.volume(record.id)
        during.append((row.status, row.migration_status, row.use_quota, row.display_description))

    knows_none = move.volume(volume).provider_id is None
    if knows_none:
        move.cloud.database.update(Volume, volume, {"provider_id": "the old object"})
        alter(move, to, "create_volume", knowing("the copy"))
    see(move, to, "update_migrated_volume", named)
    see(move, here, "delete_volume", deleted)
    move.migrate(volume, to, force_host_copy=True)
    move.must_have_moved(volume, to, "in-use" if attached else "available")
    same("how often the copy was named and the old object deleted", len(described), 2)
    same("(name, location, auth, id, host) of what is deleted", described[1], described[0])
    same("migration_status while the copy is named", during[0], ("completing",))
    wanted = ("deleting", "deleting", False, f"migration src for {volume}")
    same("(status, migration_status, use_quota, display_description) of the old volume", during[1], wanted)
    if knows_none:
        same("the provider_id of the volume", move.volume(volume).provider_id, "the copy")


def knowing(provider_id: str) -> Change:
    """The driver answers as it does, and says by what its storage knows the object."""
    return lambda own: lambda volume: {**(own(volume) or {}), "provider_id": provider_id}


@law(
    source=f"{MANAGER}._clear_db",
    needs=["simulated Cinder", "inventory"],
    level="migration-destination",
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    kind=failures,
    written=contents(),
)
def a_temporary_volume_that_cannot_be_deleted_is_forgotten(
    move: Move, here: str, kind: Any, written: Contents
) -> None:
    """When the copy fails and then the temporary volume cannot be deleted, its record goes all the same:
    the owner has the volume as it was, and one object stays that nobody knows of."""
    move.open(here, "subject")
    volume = move.create(here)
    move.write(volume, written)
    objects = sum(map(len, move.objects().values()))
    move.simulation.faults = FaultPlan(
        [
            Fault(point="os-brick.connect_volume", kind="eio"),
            Fault(point="driver.delete_volume", kind=kind, actor=f"c-vol@{move.plan('subject').name}"),
        ]
    )
    move.migrate(volume, "subject", force_host_copy=True)
    move.heal()
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (move.plan(here).address, "available", "error"))
    same("the volumes on record", list(move.cloud.database.volumes), [volume])
    same("how many objects there are", sum(map(len, move.objects().values())), objects + 1)
    quota_must_be_true(move)
    move.must_hold(volume, written)
    move.delete(volume)


@law(
    source=f"{COMPLETION}: delete_volume; {MANAGER}.delete_volume",
    needs=["inventory"],
    there=others,
    kind=failures,
)
def an_old_volume_that_stays_can_be_deleted(move: Move, there: str, kind: str) -> None:
    """When the source cannot delete what was copied, the migration is a success all the same; its owner
    sees the old volume in error, pays nothing for it, and deletes it."""
    move.open("subject", there)
    before = move.objects()
    volume = move.create("subject")
    move.fail_at("driver.delete_volume", 1, kind, f"c-vol@{move.plan('subject').name}")
    move.migrate(volume, there, force_host_copy=True)
    move.heal()
    move.must_have_moved(volume, there)
    quota_must_be_true(move)
    left = [row for row in move.cloud.database.volumes.values() if row["id"] != volume]
    told = [(row["status"], row["migration_status"], row["host"]) for row in left]
    address = move.plan("subject").address
    same("(status, migration_status, host) of the old", told, [("error_deleting", "deleting", address)])
    move.cloud.database.update(Volume, left[0]["id"], {"status": "error"})  # by an operator
    move.delete(left[0]["id"])
    quota_must_be_true(move)
    move.must_be_tidy(before)


@law(
    source=f"{MANAGER}._clean_temporary_volume: a migration that was completing",
    needs=["inventory"],
    there=others,
    kind=failures,
    written=contents(),
    lock=st.booleans(),
)
def a_copy_that_cannot_be_named_is_kept(
    move: Move, there: str, kind: str, written: Contents, lock: bool
) -> None:
    """When the destination's driver fails to name the copy, the volume stays where it was, in error and
    whole; the copy is kept as an ordinary volume, costs nothing, and can be deleted."""
    move.open("subject", there)
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    move.fail_at("driver.update_migrated_volume", 1, kind)
    move.migrate(volume, there, force_host_copy=True, lock_volume=lock)
    move.heal()
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (move.plan("subject").address, "available", "error"))
    copies = [row for row in move.cloud.database.volumes.values() if row["id"] != volume]
    told = [(row["status"], row["migration_status"], row["host"]) for row in copies]
    same("(status, migration_status, host) of the copy", told, [("available", None, move.plan(there).address)])
    quota_must_be_true(move)
    move.must_hold(volume, written)
    move.delete(copies[0]["id"])
    move.must_be_tidy(before)
    quota_must_be_true(move)


@law(
    source=f"{MANAGER}.update_migrated_volume: NotImplementedError, None",
    level="migration-destination",
    needs=["simulated Cinder"],
    here=st.sampled_from(["lvm", "rbd", "nfs"]),
    implemented=st.booleans(),
    written=contents(),
)
def a_copy_without_another_name_keeps_its_own(
    move: Move, here: str, implemented: bool, written: Contents
) -> None:
    """Where a driver does not name copies, or answers nothing, the volume leads to the copy by the name and
    the location that this was made with."""
    move.open(here, "subject")
    volume = move.create(here)
    move.write(volume, written)
    names: list[str] = []

    def change(own: Callable[..., Any]) -> Callable[..., Any]:
        def method(context: Any, record: Volume, copy: Volume, status: str) -> None:
            names.append(copy.name_id)
            if not implemented:
                raise NotImplementedError

        return method

    alter(move, "subject", "update_migrated_volume", change)
    move.migrate(volume, "subject", force_host_copy=True)
    move.must_have_moved(volume, "subject")
    same("the names by which the volume is known", [move.volume(volume).name_id], names)
    move.must_hold(volume, written, "the migrated volume")


@law(
    source=f"{MANAGER}._copy_volume_data: detach",
    needs=["simulated Cinder", "inventory"],
    there=others,
    nth=st.integers(1, 6),
    kind=st.sampled_from(["eio", "enospc"]),
    lock=st.booleans(),
)
def a_copy_that_breaks_off_leaves_nothing(move: Move, there: str, nth: int, kind: str, lock: bool) -> None:
    """When the copy itself fails, both volumes are disconnected and the temporary one goes; the volume is
    whole, and can be migrated the next time."""
    written = Contents("owner", ("first", "middle", "last"))
    move.open("subject", there)
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    move.fail_at("copy.*", nth, kind)
    begun = len(move.watch.steps)
    move.migrate(volume, there, force_host_copy=True, lock_volume=lock)
    move.heal()
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (move.plan("subject").address, "available", "error"))
    told = [step for step in move.watch.steps[begun:] if "after_volume_copy(" in step]
    same("what the driver was told of the copy", told, [])
    move.must_be_tidy(before)
    quota_must_be_true(move)
    move.must_hold(volume, written)
    move.migrate(volume, there, force_host_copy=True)
    move.must_have_moved(volume, there)
    move.must_be_tidy(before)


@law(
    source="cinder.volume.volume_utils:notify_about_volume_usage; use_quota; LP 1922920",
    needs=["simulated Cinder"],
    there=others,
)
def nobody_is_billed_for_a_temporary_volume(move: Move, there: str) -> None:
    """Who listens hears of a retype that was done, and of no volume that was created or deleted
    meanwhile."""
    move.open("subject", there)
    kinds(move, "subject", there, **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    heard = told(move)
    move.fail_at("os-brick.connect_volume", 1, "eio")
    move.retype(volume, "new", "on-demand")
    move.heal()
    same("what was told of a retype that failed", told(move), heard)
    move.retype(volume, "new", "on-demand")
    kind = move.cloud.database.get_volume_type("new").id
    heard.append(("volume.retype", volume, kind))
    same("what was told of a retype", told(move), heard)
    unbound = move.create("subject")
    heard = told(move)
    move.migrate(unbound, there, force_host_copy=True)
    same("what was told of a migration", told(move), heard)


def told(move: Move) -> list[tuple[str, str, str]]:
    """(event, volume, type) of the notifications about volumes."""
    return [
        (each.event_type, each.payload["volume_id"], each.payload["volume_type"])
        for each in move.cloud.notifications.sent
        if each.event_type.startswith("volume.")
    ]
