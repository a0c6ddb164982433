"""What users ask of a volume service besides moving volumes: done and charged, or refused and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, holds, same
from conformance.laws.records import quota_must_be_true
from conformance.move import OWNER, Move
from harness import errors
from harness.control_plane.manager_base import host_connector
from harness.model import Snapshot, Volume

law = Chapter("requests", level="core", stage=Move, needs=["data path"], weight=0.4)
MANAGER = "cinder.volume.manager:VolumeManager"
FAILURES = {
    "create": ("driver.create_volume", "error"),
    "delete": ("driver.delete_volume", "error_deleting"),
    "extend": ("driver.extend_volume", "error_extending"),
    "snapshot": ("driver.create_snapshot", "error"),
    "delete snapshot": ("driver.delete_snapshot", "error_deleting"),
}
"""What is asked for: the driver's call, and how the record stands when that fails."""


@law(
    source=f"{MANAGER}: error, error_deleting, error_extending",
    needs=["snapshots", "inventory"],
    kind=st.sampled_from(["eio", "enospc", "ebusy"]),
    written=contents(),
    weight=0.2,
)
def a_request_that_fails_is_shown(move: Move, kind: str, written: Contents) -> None:
    """When the driver fails, the record says so; the volume keeps its data, and all can be deleted."""
    move.open("subject")
    objects = move.objects()
    for request in FAILURES:
        shown(move, request, kind, written)
        move.must_be_tidy(objects)
        quota_must_be_true(move)


def shown(move: Move, request: str, kind: str, written: Contents) -> None:
    """Broken unless a request whose driver fails leaves the record in its status, and nothing that stays."""
    volume = move.create("subject")
    move.write(volume, written)
    api, database, host = move.cloud.api, move.cloud.database, move.plan("subject").address
    snapshot = move.act(api.create_snapshot, OWNER, volume).id if request == "delete snapshot" else ""
    requests: dict[str, Callable[[], Any]] = {
        "create": lambda: move.act(api.create_volume, OWNER, 1, host=host),
        "delete": lambda: move.act(api.delete_volume, OWNER, volume),
        "extend": lambda: move.act(api.extend_volume, OWNER, volume, 2),
        "snapshot": lambda: move.act(api.create_snapshot, OWNER, volume),
        "delete snapshot": lambda: move.act(api.delete_snapshot, OWNER, snapshot),
    }
    point, wanted = FAILURES[request]
    move.fail_at(point, 1, kind)
    made = requests[request]()
    move.heal()
    rows = {**database.volumes, **database.snapshots}
    subject = made.id if made is not None else snapshot or volume
    same(f"the status after a failed {request}", rows.get(subject, {"status": "gone"})["status"], wanted)
    quota_must_be_true(move)
    # As an operator does before the next try.
    for record, table in ((Volume, database.volumes), (Snapshot, database.snapshots)):
        for each in list(table):
            database.update(record, each, {"status": "available"})
    move.must_hold(volume, written, "the volume")
    for each in list(database.snapshots):
        move.act(api.delete_snapshot, OWNER, each)
    for each in list(database.volumes):
        move.delete(each)


@law(
    source=f"{MANAGER}.delete_volume: cascade; quota",
    needs=["snapshots", "inventory"],
    size=sizes(2),
    snapshots=st.integers(1, 2),
    written=contents(),
)
def what_is_deleted_is_charged_no_more(move: Move, size: int, snapshots: int, written: Contents) -> None:
    """A volume with snapshots goes, at once or one after the other, and with it what its owner is charged."""
    move.open("subject")
    objects = move.objects()
    for cascade in (False, True):
        comes_and_goes(move, size, snapshots, written, cascade)
        same("the objects in the end", move.objects(), objects)
        quota_must_be_true(move)


def comes_and_goes(move: Move, size: int, snapshots: int, written: Contents, cascade: bool) -> None:
    volume = move.create("subject", size)
    move.write(volume, written)
    api, database = move.cloud.api, move.cloud.database
    taken = [move.act(api.create_snapshot, OWNER, volume).id for _ in range(snapshots)]
    copy = move.act(api.create_volume, OWNER, size, snapshot_id=taken[0]).id
    move.must_hold(copy, written, "the volume from the snapshot")
    move.extend(copy, size + 1)
    quota_must_be_true(move)
    move.delete(copy)
    if cascade:
        move.act(api.delete_volume, OWNER, volume, cascade=True)
    else:
        for snapshot in taken:
            move.act(api.delete_snapshot, OWNER, snapshot)
            holds(snapshot not in database.snapshots, "the deleted snapshot is still on record")
            quota_must_be_true(move)
        move.delete(volume)
    same("the records that are left", (list(database.volumes), list(database.snapshots)), ([], []))


@law(
    source=f"{MANAGER}.delete_volume: remove_export",
    needs=["inventory"],
    kind=st.sampled_from(["eio", "ebusy"]),
)
def an_export_that_stayed_goes_with_the_volume(move: Move, kind: str) -> None:
    """An export that could not be removed when the volume was detached is removed when it is deleted."""
    move.open("subject")
    objects = move.objects()
    volume = move.create("subject")
    server = move.attach(volume)
    move.fail_at("driver.remove_export", 1, kind)
    move.detach(server, volume)
    move.heal()
    move.delete(volume)
    move.must_be_tidy(objects)


@law(source=f"{MANAGER}.initialize_connection: remove_export", kind=st.sampled_from(["eio", "ebusy"]))
def a_connection_that_fails_leaves_no_export(move: Move, kind: str) -> None:
    """A volume that cannot be connected is available again, not exported, and can be connected later."""
    written = Contents("owner", ("first", "last"))
    move.open("subject")
    volume = move.create("subject")
    before = move.exports()
    move.fail_at("driver.initialize_connection", 1, kind)
    try:
        move.attach(volume)
    except errors.CrucibleError as error:
        move.note(f"refused: {error}")
    move.heal()
    same("the targets", move.exports(), before)
    same("the status", move.volume(volume).status, "available")
    move.write(volume, written)
    move.must_hold(volume, written)


@law(
    source=f"{MANAGER}.attachment_delete: shared exports",
    level="multiattach",
    needs=["multiattach"],
    first=st.booleans(),
    written=contents(),
)
def a_server_goes_and_the_other_stays(move: Move, first: bool, written: Contents) -> None:
    """Of two servers on one volume each keeps it when the other goes; the last takes the export along."""
    move.open("subject")
    move.cloud.create_type("shared", extra_specs={"multiattach": "<is> True"})
    before = move.exports()
    volume = move.create("subject", volume_type="shared")
    holds(move.cloud.database.get_volume(volume).multiattach, "the volume is not multiattach")
    servers = [move.attach(volume, name) for name in ("one", "two")]
    going, staying = servers if first else servers[::-1]
    move.act(move.cloud.nova.detach_volume, going, volume)
    same("the status", move.volume(volume).status, "in-use")
    move.reboot(staying)
    move.guest_writes(staying, volume, written)
    move.guest_reads(staying, volume, written, "the disk of the server that stays")
    move.detach(staying, volume)
    same("the targets in the end", move.exports(), before)
    move.must_hold(volume, written)
    move.delete(volume)


@law(
    source=f"{MANAGER}.attach_volume, detach_volume: before the attachment API of Queens",
    needs=["simulated Cinder"],
    mode=st.sampled_from(["ro", "rw"]),
    named=st.booleans(),
)
def the_old_way_of_attaching_still_works(move: Move, mode: str, named: bool) -> None:
    """A volume that is reserved, connected and then said to be attached, as before Queens, is attached once,
    to one server; when it is let go it is available again, no export stays, and who listens has heard of both.
    """
    move.open("subject")
    api, connector = move.cloud.api, host_connector("compute")
    volume, exports = move.create("subject"), move.exports()
    place = {"instance_uuid": "server", "host_name": "compute", "mountpoint": "/dev/vdb", "mode": mode}
    heard = len(move.cloud.notifications.sent)
    move.act(api.reserve, OWNER, volume)
    move.act(api.initialize_connection, OWNER, volume, connector)
    made = move.act(api.attach, OWNER, volume, **place)
    same("the attachment that is made the second time", move.act(api.attach, OWNER, volume, **place), made)
    try:
        move.act(api.attach, OWNER, volume, **{**place, "instance_uuid": "another server"})
    except errors.ServiceError as error:
        same("the code of the refusal of another server", error.code, 400)
    else:
        holds(False, "a volume that a server has was attached to another one")
    row = move.volume(volume)
    same("the attachments", [(each.id, each.attach_mode) for each in row.volume_attachment], [(made, mode)])
    same("(status, attach_status)", (row.status, row.attach_status), ("in-use", "attached"))
    move.act(api.begin_detaching, OWNER, volume)
    move.act(api.terminate_connection, OWNER, volume, connector)
    move.act(api.detach, OWNER, volume, made if named else None)
    row = move.volume(volume)
    got = (row.status, row.attach_status, row.volume_attachment)
    same("(status, attach_status, attachments)", got, ("available", "detached", []))
    same("the targets", move.exports(), exports)
    events = [each.event_type for each in list(move.cloud.notifications.sent)[heard:]]
    told = [each for each in events if each.startswith("volume.")]
    wanted = [f"volume.{what}.{when}" for what in ("attach", "detach") for when in ("start", "end")]
    same("what was told", told, wanted)
    move.delete(volume)


@law(
    source="cinder.volume.api:API.attachment_create, attachment_update, attachment_complete, attachment_delete"
)
def a_volume_is_attached_step_by_step(move: Move) -> None:
    """A volume is reserved for a server, then attaching, in use when the server says so, and available when
    it lets go; meanwhile nobody else can have it."""
    move.open("subject")
    attachments, nova = move.cloud.attachments, move.cloud.nova
    volume, server = move.create("subject"), nova.create_server("server")
    connector = host_connector(server.host)
    made = move.act(attachments.create, nova.context, volume, server.id)
    steps: dict[str, Callable[[], Any]] = {
        "reserved": lambda: None,
        "attaching": lambda: move.act(attachments.update, nova.context, made.id, connector),
        "attached": lambda: move.act(attachments.complete, nova.context, made.id),
    }
    for status, step in steps.items():
        step()
        got = (move.volume(volume).status, move.cloud.database.get_attachment(made.id).attach_status)
        wanted = ("in-use" if status == "attached" else status, status)
        same("the statuses (volume, attachment)", got, wanted)
        try:
            move.act(attachments.create, nova.context, volume, "another server")
        except errors.ServiceError as error:
            same("the code of the refusal of another server", error.code, 400)
        else:
            holds(False, f"a volume that is {status} was reserved for another server")
    move.act(attachments.delete, nova.context, made.id)
    row = move.volume(volume)
    same("(status, attach_status)", (row.status, row.attach_status), ("available", "detached"))
    same("the attachments", list(move.cloud.database.attachments), [])
