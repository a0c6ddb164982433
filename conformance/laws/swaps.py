"""Volumes in use that change places: what becomes of servers and attachments when Nova copies, or does not.

These are laws on the whole, like those on records.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.contents import Contents
from conformance.law import Chapter, same
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import kinds
from conformance.move import OWNER, Move

law = Chapter("swaps", level="in-use", stage=Move, needs=["data path"], weight=0.4)
GENERIC = "cinder.volume.manager:VolumeManager._migrate_volume_generic"
COMPLETION = "cinder.volume.manager:VolumeManager.migrate_volume_completion"
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])


@law(
    source=f"{GENERIC}: update_server_volume; nova.compute.api:API.swap_volume",
    needs=["inventory"],
    there=others,
    obstacle=st.sampled_from(["stopped", "forbidden", "gone"]),
    retype=st.booleans(),
)
def a_hypervisor_that_refuses_ends_the_migration(move: Move, there: str, obstacle: str, retype: bool) -> None:
    """When Nova does not begin to copy, the volume is in use as before, with its type, and in error;
    nothing stays of the copy, and the server goes on."""
    written, after = Contents("guest", ("first", "last")), Contents("later", ("first",))
    move.open("subject", there)
    kinds(move, "subject", there)
    before = move.objects()
    volume = move.create("subject", volume_type="old" if retype else None)
    kind = move.volume(volume).volume_type_id
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    nova = move.cloud.nova
    if obstacle == "stopped":
        server.state = "STOPPED"
    elif obstacle == "forbidden":
        nova.swap_allowed = False
    else:
        del nova.servers[server.id]
    move_in_use(move, volume, there, retype)
    server.state, nova.swap_allowed, nova.servers[server.id] = "ACTIVE", True, server
    row = move.volume(volume)
    same(
        "(host, status, attach_status, migration_status, type)",
        (row.host, row.status, row.attach_status, row.migration_status, row.volume_type_id),
        (move.plan("subject").address, "in-use", "attached", "error", kind),
    )
    move.must_be_tidy(before)
    quota_must_be_true(move)
    move.guest_reads(server, volume, written, "the guest's disk")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "the volume")


@law(
    source=f"{COMPLETION}: error; LP 1403916",
    needs=["inventory"],
    there=others,
    nth=st.integers(1, 8),
)
def a_failed_swap_leaves_nothing(move: Move, there: str, nth: int) -> None:
    """When Nova's copy fails, the temporary volume goes with its object, attachment and export; the volume
    has its type, status and attachment, and migrates the next time. So it is for a retype, too."""
    written = Contents("guest", ("first", "last"))
    move.open("subject", there)
    kinds(move, "subject", there)
    for retype in (False, True):
        before, exported = move.objects(), len(move.exports())
        volume = move.create("subject", volume_type="old" if retype else None)
        server = move.attach(volume, f"server-{retype}")
        move.guest_writes(server, volume, written)
        was = move.volume(volume)
        attached, exports = list(move.cloud.database.attachments), move.exports()
        move.fail_at("nova.block_copy", nth, "eio")
        move_in_use(move, volume, there, retype)
        move.heal()
        row = move.volume(volume)
        same(
            "(host, status, attach_status, migration_status, type)",
            (row.host, row.status, row.attach_status, row.migration_status, row.volume_type_id),
            (was.host, "in-use", "attached", "error", was.volume_type_id),
        )
        same("the attachments", list(move.cloud.database.attachments), attached)
        same("the targets", move.exports(), exports)
        move.must_be_tidy(before)
        move_in_use(move, volume, there, retype)
        move.must_have_moved(volume, there, "in-use")
        move.guest_reads(server, volume, written, "the guest's disk")
        move.detach(server, volume)
        move.delete(volume)
        move.must_be_tidy(before)
        same("how many targets there are", len(move.exports()), exported)


def move_in_use(move: Move, volume: str, there: str, retype: bool) -> None:
    """A migration, or a retype that needs one."""
    if retype:
        move.retype(volume, "new", "on-demand")
    else:
        move.migrate(volume, there)


@law(
    source=f"{COMPLETION}: require_driver_initialized",
    needs=["simulated Cinder"],
    there=others,
)
def a_completion_without_a_driver_is_an_error(move: Move, there: str) -> None:
    """When the source's driver is not there any more as Nova has copied, the migration is in error, and
    nothing is exchanged."""
    move.open("subject", there)
    volume = move.create("subject")
    move.attach(volume)
    manager = move.cloud.managers[move.plan("subject").service]
    completed = move.cloud.api.migrate_volume_completion

    def without(*arguments: Any, **keywords: Any) -> Any:
        manager.initialized = False
        return completed(*arguments, **keywords)

    move.cloud.api.migrate_volume_completion = without
    move.migrate(volume, there)
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (move.plan("subject").address, "in-use", "error"))


@law(
    source=f"{COMPLETION}: is_attached before Nova's Queens; LP 1659914, LP 1614371, LP 1802155",
    needs=["simulated Cinder"],
    there=others,
    mode=st.sampled_from(["ro", "rw"]),
    fails=st.booleans(),
)
def an_attachment_of_before_queens_moves_along(move: Move, there: str, mode: str, fails: bool) -> None:
    """A Nova that attaches the temporary volume itself, without an attachment of its own making, finds the
    volume attached to its server afterwards: to the same host, in the same place and mode, once; also if the
    old export could not be removed."""
    move.open("subject", there)
    api, database = move.cloud.api, move.cloud.database
    volume = move.create("subject")
    move.act(api.reserve, OWNER, volume)
    place = {"instance_uuid": "server", "host_name": "compute", "mountpoint": "/dev/vdb"}
    move.act(api.attach, OWNER, volume, **place, mode=mode)
    nova = move.cloud.nova

    def swap(server: str, old: str, new: str) -> None:
        move.simulation.kernel.spawn("nova-compute", finish, old, new)

    def finish(old: str, new: str) -> None:
        api.reserve(nova.context, new)
        api.migrate_volume_completion(nova.context, old, new, error=False)

    nova.update_server_volume = swap
    if fails:
        move.fail_at("driver.remove_export", 1, "eio", f"c-vol@{move.plan('subject').name}")
    move.migrate(volume, there)
    move.heal()
    move.must_have_moved(volume, there, "in-use")
    fields = ("volume_id", "instance_uuid", "attached_host", "mountpoint", "attach_mode", "attach_status")
    attached = [tuple(row[field] for field in fields) for row in database.attachments.values()]
    same(f"the attachments {fields}", attached, [(volume, *place.values(), mode, "attached")])
    if not fails:
        same("attach_status", move.volume(volume).attach_status, "attached")


@law(
    source="cinder.volume.api:API.migrate_volume_completion: no migration; LP 1489744",
    needs=["simulated Cinder"],
    failed=st.booleans(),
    read_only=st.booleans(),
)
def a_swap_of_novas_own_takes_attachments_along(move: Move, failed: bool, read_only: bool) -> None:
    """When Nova has swapped volumes that do not migrate, the new one is attached where the old one was,
    read/write, and the old one is available; when Nova has failed to, nothing changes."""
    move.open("subject")
    api, database = move.cloud.api, move.cloud.database
    old, new = move.create("subject"), move.create("subject")
    place = {"instance_uuid": "server", "host_name": "compute", "mountpoint": "/dev/vdb"}
    move.act(api.reserve, OWNER, old)
    move.act(api.attach, OWNER, old, **place, mode="ro" if read_only else "rw")
    move.act(api.reserve, OWNER, new)
    kept = move.act(api.migrate_volume_completion, move.cloud.nova.context, old, new, error=failed)
    same("the volume that goes on", kept, new)
    attached = [
        (row["volume_id"], row["instance_uuid"], row["attached_host"], row["mountpoint"], row["attach_mode"])
        for row in database.attachments.values()
    ]
    mode = "ro" if failed and read_only else "rw"
    same("the attachments", attached, [(old if failed else new, *place.values(), mode)])
    statuses = (move.volume(old).status, move.volume(new).status)
    same("the statuses (old, new)", statuses, ("in-use", "attaching") if failed else ("available", "in-use"))
