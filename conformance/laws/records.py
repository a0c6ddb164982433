"""What Cinder has on record of a volume that moves: quota, attachments, keys, and what users wrote.

These are laws on the whole: a driver breaks them by what it answers, Cinder by what it makes of it.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from conformance.contents import Contents, contents
from conformance.law import Chapter, holds, same
from conformance.laws.retype_moves import encrypted, kinds
from conformance.move import ADMIN, OWNER, Move
from harness import errors
from harness.model import Volume

law = Chapter("records", level="migration-source", stage=Move, needs=["data path"], weight=0.4)
MANAGER = "cinder.volume.manager:VolumeManager"
API = "cinder.volume.api:API"
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])
words = st.text(min_size=1, max_size=12)


def recount(move: Move) -> dict[str, int]:
    """What the owner's quota should say: what the records add up to, per resource, in volumes and GiB."""
    database, counted = move.cloud.database, Counter[str]()
    rows = [(row, "volumes", row["size"]) for row in database.volumes.values() if row["use_quota"]]
    rows += [(row, "snapshots", row["volume_size"]) for row in database.snapshots.values()]
    for row, resource, size in rows:
        named = database.volume_types.get(row["volume_type_id"], {}).get("name")
        for ending in ("", f"_{named}") if named else ("",):
            counted[resource + ending] += 1
            counted["gigabytes" + ending] += size
    return dict(counted)


def quota_must_be_true(move: Move) -> None:
    """Broken unless the quota in use is the recount."""
    usages = move.cloud.quotas.usages(OWNER.project_id)
    in_use = {resource: usage.in_use for resource, usage in usages.items() if usage.in_use}
    same("the quota in use", in_use, recount(move))


@law(
    source=f"{MANAGER}._migrate_volume_generic: use_quota; LP 1923828",
    there=others,
    arrives=st.booleans(),
    force=st.booleans(),
)
def the_quota_counts_a_volume_once(move: Move, there: str, arrives: bool, force: bool) -> None:
    """While a volume moves and afterwards, its owner is charged for one volume of its size."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    volume = move.create(here)
    move.observe(lambda: quota_must_be_true(move))
    move.migrate(volume, there, force_host_copy=force)
    move.must_have_moved(volume, there)
    quota_must_be_true(move)
    move.delete(volume)
    quota_must_be_true(move)


@law(
    source="cinder.objects.volume:Volume.finish_volume_migration; LP 1538926",
    there=others,
    force=st.booleans(),
    name=words,
    metadata=st.dictionaries(words, words, max_size=2),
    image=st.dictionaries(words, words, max_size=2),
    bootable=st.booleans(),
)
def what_users_wrote_moves_along(
    move: Move, there: str, force: bool, name: str, metadata: dict[str, str], image: dict[str, str],
    bootable: bool,
) -> None:  # fmt: skip
    """Names, metadata, what came with an image, owner and size of a volume are the same when it has moved."""
    fields = {
        "display_name": name, "display_description": name[::-1], "metadata": metadata, "bootable": bootable,
        "glance_metadata": image,
    }  # fmt: skip
    move.open("subject", there)
    volume = move.create("subject")
    move.cloud.database.update(Volume, volume, fields)
    fields.update({"size": 1, "project_id": OWNER.project_id, "user_id": OWNER.user_id})
    move.migrate(volume, there, force_host_copy=force)
    move.must_have_moved(volume, there)
    row = move.volume(volume)
    same("what the record says", {key: getattr(row, key) for key in fields}, fields)


@law(source=f"{API}.migrate_volume: lock_volume", there=others, attached=st.booleans())
def a_lock_lasts_as_long_as_the_migration(move: Move, there: str, attached: bool) -> None:
    """A locked volume is in maintenance until it has moved, and one that is not locked, or in use, never is."""
    move.open("subject", there)
    volume = move.create("subject")
    if attached:
        move.attach(volume)
    before = move.volume(volume).status
    seen: set[str] = set()

    def look() -> None:
        row = move.volume(volume)
        if row.migration_status in ("starting", "migrating"):
            seen.add(row.status)

    move.observe(look)
    for lock, to in ((True, there), (False, "subject")):
        seen.clear()
        move.migrate(volume, to, lock_volume=lock, force_host_copy=not attached)
        during = "maintenance" if lock and not attached else before
        same("the statuses while it migrates", seen - {"detaching"}, {during})
        move.must_have_moved(volume, to, before)


@law(
    source=f"{MANAGER}.migrate_volume: an exception of the driver is final",
    level="assisted",
    needs=["assisted migration", "inventory"],
    kind=st.sampled_from(["eio", "enospc", "ebusy"]),
    lock=st.booleans(),
    written=contents(),
)
def a_driver_that_raises_ends_the_migration(move: Move, kind: str, lock: bool, written: Contents) -> None:
    """When the driver raises, nothing is copied in its place: the volume stays where it was, at rest and whole,
    and its migration is in error."""
    move.open("subject", "twin")
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    move.fail_at("driver.migrate_volume", 1, kind)
    move.migrate(volume, "twin", lock_volume=lock)
    move.heal()
    row = move.volume(volume)
    same(
        "(host, status, migration_status)",
        (row.host, row.status, row.migration_status),
        (move.plan("subject").address, "available", "error"),
    )
    same("whether no temporary volume was made", move.assisted(), True)
    move.must_hold(volume, written)
    move.must_be_tidy(before)


@law(source=f"{API}.migrate_volume: conditional update; LP 1493476", needs=["inventory"], written=contents())
def of_two_migrations_at_once_one_is_accepted(move: Move, written: Contents) -> None:
    """A volume that two operators migrate at the same time is migrated once, and whole."""
    move.open("subject", "twin")
    before = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    kernel, there = move.simulation.kernel, move.plan("twin").address
    tasks = [
        kernel.spawn(f"operator {number}", move.cloud.api.migrate_volume, ADMIN, volume, there)
        for number in (1, 2)
    ]
    kernel.run()
    kernel.failures.clear()
    refused = [task.error for task in tasks if task.error is not None]
    same("the number of refused migrations", len(refused), 1)
    same("the code of the refusal", getattr(refused[0], "code", None), errors.InvalidVolume.code)
    move.must_have_moved(volume, "twin")
    move.must_hold(volume, written, "the migrated volume")
    move.must_be_tidy(before)


# -------------------------------------------------------------------------------------------------- in use


def attachments_must_be(move: Move, volume: str, mode: str) -> None:
    """Broken unless there is one attachment on record, of this volume, and the server has it."""
    rows = list(move.cloud.database.attachments.values())
    told = [(row["volume_id"], row["attach_status"], row["attach_mode"]) for row in rows]
    same("the attachments (volume, status, mode)", told, [(volume, "attached", mode)])
    disks = [disk for server in move.cloud.nova.servers.values() for disk in server.disks.values()]
    had = [(disk.volume_id, disk.attachment_id, disk.mode) for disk in disks]
    same("the disks that servers have (volume, attachment, mode)", had, [(volume, rows[0]["id"], mode)])
    same("the status of the attachment", move.volume(volume).attach_status, "attached")


@law(
    source=f"{MANAGER}.migrate_volume_completion; LP 1697060, LP 1802155",
    level="in-use",
    there=others,
    arrives=st.booleans(),
    read_only=st.booleans(),
)
def an_attachment_stays_as_it_was(move: Move, there: str, arrives: bool, read_only: bool) -> None:
    """After a migration the server's attachment is of the same volume, and as read-only as before."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    volume = move.create(here)
    if read_only:
        move.act(move.cloud.api.update_readonly_flag, OWNER, volume, True)
    move.attach(volume)
    mode = "ro" if read_only else "rw"
    attachments_must_be(move, volume, mode)
    move.migrate(volume, there)
    move.must_have_moved(volume, there, "in-use")
    attachments_must_be(move, volume, mode)


@law(
    source=f"{MANAGER}.migrate_volume: volume_attachment; LP 2019190",
    level="in-use",
    needs=["assisted migration"],
    retype=st.booleans(),
    lock=st.booleans(),
    written=contents(),
)
def a_driver_is_not_asked_to_move_what_is_attached(
    move: Move, retype: bool, lock: bool, written: Contents
) -> None:
    """A volume in use is copied by the hypervisor, in a retype, too: a driver would take it from its guest."""
    move.open("subject", "twin")
    kinds(move, "subject", "twin")
    volume = move.create("subject", volume_type="old" if retype else None)
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    if retype:
        move.retype(volume, "new", "on-demand")
    else:
        move.migrate(volume, "twin", lock_volume=lock)
    asked = [step for step in move.watch.steps if step.startswith("subject.migrate_volume(")]
    same("what the driver was asked to move", asked, [])
    move.must_have_moved(volume, "twin", "in-use")
    move.guest_reads(server, volume, written, "the guest's disk")


# -------------------------------------------------------------------------------------------------- retype


@law(
    source=f"{MANAGER}.retype: snapshots; LP 1877164",
    level="retype",
    needs=["retype", "snapshots"],
    snapshots=st.integers(0, 2),
)
def snapshots_have_the_type_of_their_volume(move: Move, snapshots: int) -> None:
    """A retype in place takes the snapshots along, and the quota of either type follows."""
    move.open("subject")
    kinds(move, "subject", "subject", **{"vendor:tier": "gold"})
    volume = move.create("subject", volume_type="old")
    for _ in range(snapshots):
        move.act(move.cloud.api.create_snapshot, OWNER, volume)
    quota_must_be_true(move)
    move.retype(volume, "new", "never")
    wanted = move.cloud.database.get_volume_type("new").id
    rows = [*move.cloud.database.volumes.values(), *move.cloud.database.snapshots.values()]
    same("the types of volume and snapshots", {row["volume_type_id"] for row in rows}, {wanted})
    quota_must_be_true(move)


@law(
    source=f"{MANAGER}.retype: quota",
    level="retype",
    there=others,
    arrives=st.booleans(),
)
def a_retype_moves_the_quota_with_the_volume(move: Move, there: str, arrives: bool) -> None:
    """After a retype to another back-end the quota counts the volume under its new type."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    kinds(move, here, there)
    volume = move.create(here, volume_type="old")
    move.retype(volume, "new", "on-demand")
    move.must_have_moved(volume, there)
    quota_must_be_true(move)
    same("the reservations that are left", move.cloud.quotas.open_reservations(), [])


@law(
    source=f"{MANAGER}.retype: migration_policy never, snapshots",
    level="retype",
    needs=["snapshots"],
    there=others,
    written=contents(),
)
def a_retype_that_may_not_migrate_changes_nothing(move: Move, there: str, written: Contents) -> None:
    """A volume that may not migrate for its new type, or has snapshots, keeps type, host, status and data."""
    move.open("subject", there)
    kinds(move, "subject", there)
    volume = move.create("subject", volume_type="old")
    move.write(volume, written)
    before = move.volume(volume)
    for policy in ("never", "on-demand"):
        if policy == "on-demand":
            move.act(move.cloud.api.create_snapshot, OWNER, volume)
        try:
            move.retype(volume, "new", policy)
        except errors.CrucibleError as error:
            move.note(f"refused: {error}")
        row = move.volume(volume)
        got, wanted = ((each.volume_type_id, each.host, each.status) for each in (row, before))
        same(f"(type, host, status) after a retype with the policy {policy}", got, wanted)
        move.must_hold(volume, written)


# -------------------------------------------------------------------------------------------------- encryption

providers = st.sampled_from([None, "luks", "luks2"])


def written_through(move: Move, volume: str, written: Contents) -> None:
    """Write as a guest; Lacking if the back-end's volumes cannot be attached encrypted."""
    server = move.attach(volume, "writer")
    move.guest_writes(server, volume, written)
    move.detach(server, volume)


@law(
    source=f"{MANAGER}._migrate_volume_generic: encryption_key_id; LP 1687880",
    level="encryption",
    old=providers,
    new=providers,
    written=contents(),
)
def a_change_of_encryption_is_done_or_undone(
    move: Move, old: str | None, new: str | None, written: Contents
) -> None:
    """A volume whose encryption changes is whole under its new type and with a key of its own; or, where the
    copy does not fit, it has its old type, key and data."""
    volume = encrypted(move, "subject", "lvm", old, new)
    server = move.attach(volume, "writer")
    size = server.disks[volume].device.size
    move.guest_writes(server, volume, written)
    move.detach(server, volume)
    before = move.volume(volume)
    move.retype(volume, "new", "on-demand")
    move.must_be_at_rest(volume, "available")
    row, kind = move.volume(volume), move.cloud.database.get_volume_type("new")
    if row.migration_status == "error":
        got = (row.volume_type_id, row.host, row.encryption_key_id)
        undone = (before.volume_type_id, before.host, before.encryption_key_id)
        same("(type, host, key) of the volume that could not be retyped", got, undone)
    else:
        same("(type, host)", (row.volume_type_id, row.host), (kind.id, move.plan("lvm").address))
        same("whether there is a key", row.encryption_key_id is not None, new is not None)
        if old != new:
            holds(row.encryption_key_id != before.encryption_key_id or new is None, "the old key goes on")
    holds(row.encryption_key_id in (None, *move.cloud.key_manager.keys), "the key of the volume is gone")
    server = move.attach(volume, "reader")
    move.guest_reads(server, volume, written, "the volume after the change of encryption", size)
    move.detach(server, volume)
