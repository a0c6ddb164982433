"""Volumes in use that change places: what becomes of servers and attachments when Nova copies, or does not.

These are laws on the whole, like those on records.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

from conformance.attached import compare
from conformance.contents import Contents, contents
from conformance.law import Chapter, holds, same
from conformance.laws.records import quota_must_be_true
from conformance.laws.retype_moves import encrypted, kinds
from conformance.move import OWNER, Move
from fake_backends.block_store import PAGE
from harness import errors
from harness.model import Volume

law = Chapter("swaps", level="in-use", stage=Move, needs=["data path"], weight=0.4)
GENERIC = "cinder.volume.manager:VolumeManager._migrate_volume_generic"
COMPLETION = "cinder.volume.manager:VolumeManager.migrate_volume_completion"
SWAP = "nova.compute.manager:ComputeManager.swap_volume"
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


@law(
    source=f"{SWAP}; virDomainBlockCopy, QEMU's blockdev-mirror",
    there=others,
    pause_us=st.sampled_from([300_000, 700_000]),
    arrives=st.booleans(),
)
def what_a_guest_writes_meanwhile_moves_along(move: Move, there: str, pause_us: int, arrives: bool) -> None:
    """A guest that writes while its disk is copied, at the beginning, in the middle and at the end, finds its
    last words afterwards, and so does who reads the volume later."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    volume = move.create(here)
    server = move.attach(volume)
    disk = server.disks[volume]
    last = disk.device.size // PAGE - 1
    written: dict[int, bytes] = {}

    def write() -> None:
        for number in itertools.count(1):
            page = (0, last // 2, last)[number % 3]
            written[page] = number.to_bytes(8, "big") * (PAGE // 8)
            disk.write(page, written[page])
            move.simulation.kernel.sleep(pause_us)

    writer = move.simulation.kernel.spawn("guest", write, daemon=True)
    move.migrate(volume, there)
    move.simulation.kernel.kill(writer)
    move.must_have_moved(volume, there, "in-use")
    holds(len(written) == 3, "the guest did not write while its disk was copied")
    compare({page: disk.device.read(page * PAGE, PAGE) for page in written}, written, "the guest's disk")
    move.detach(server, volume)
    reader = move.attach(volume, "reader").disks[volume].device
    compare({page: reader.read(page * PAGE, PAGE) for page in written}, written, "the volume")


@law(
    source="nova.virt.libvirt.driver:LibvirtDriver.swap_volume: native LUKS; NOVA 1749418",
    level="encryption",
    written=contents(),
)
def what_qemu_decrypts_is_not_swapped(move: Move, written: Contents) -> None:
    """A volume whose encryption is QEMU's business stays where it is while a server uses it: the migration is
    in error, and the guest goes on."""
    volume = encrypted(move, "subject", "lvm", "luks", "luks", bound=False)
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    move.migrate(volume, "lvm")
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (move.plan("subject").address, "in-use", "error"))
    move.guest_reads(server, volume, written, "the guest's disk")
    same("the volumes on record", list(move.cloud.database.volumes), [volume])
    move.detach(server, volume)


@law(
    source="nova.compute.api:API.swap_volume: MultiattachSwapVolumeNotSupported",
    level="multiattach",
    needs=["multiattach"],
    there=others,
    written=contents(),
)
def a_volume_of_two_writers_is_not_swapped(move: Move, there: str, written: Contents) -> None:
    """A volume that two servers write to stays where it is: the migration is in error, and both go on."""
    move.open("subject", there)
    move.cloud.create_type("shared", extra_specs={"multiattach": "<is> True"})
    move.cloud.create_type("plain", extra_specs={})
    host, plain = move.plan("subject").address, move.cloud.database.get_volume_type("plain").id
    volume = move.act(move.cloud.api.create_volume, OWNER, 1, volume_type="shared", host=host).id
    servers = [move.attach(volume, name) for name in ("one", "two")]
    # A back-end that does not say that it can share volumes would take none of this type.
    move.cloud.database.update(Volume, volume, {"volume_type_id": plain})
    move.migrate(volume, there)
    row = move.volume(volume)
    got = (row.host, row.status, row.migration_status)
    same("(host, status, migration_status)", got, (host, "in-use", "error"))
    same("the volumes on record", list(move.cloud.database.volumes), [volume])
    holds(all(volume in server.disks for server in servers), "a server has lost its disk")
    move.guest_writes(servers[0], volume, written)
    move.guest_reads(servers[1], volume, written, "the disk of the other server")
    for server in servers:
        move.act(move.cloud.nova.detach_volume, server, volume)


@law(
    source="cinder.volume.manager:VolumeManager._detach_volume, attachment_delete",
    level="migration-source",
    there=others,
)
def every_connection_is_ended(move: Move, there: str) -> None:
    """For each connection that drivers are asked for in a migration, by Cinder's own hosts or a server's, they
    are asked to end one, whether the copy succeeds or not; for Cinder's own by force."""
    move.open("subject", there)
    for attached, fails in itertools.product((False, True), (False, True)):
        volume = move.create("subject")
        server = move.attach(volume, f"server-{fails}") if attached else None
        if fails:
            move.fail_at("nova.block_copy" if attached else "os-brick.connect_volume", 2, "eio")
        move.migrate(volume, there, force_host_copy=True)
        move.heal()
        if server is not None:
            move.detach(server, volume)
        begun, ended = (connections(move, f"{what}_connection") for what in ("initialize", "terminate"))
        same("the connections that were ended (back-end, host)", ended, begun)
    own = [step for step in move.watch.steps if "terminate_connection(" in step and "connector of node" in step]
    holds(all("force=True" in step for step in own), "a connection of Cinder's own was not ended by force")


def connections(move: Move, method: str) -> list[tuple[str, str]]:
    """(back-end, connector) of each call of a method of drivers, sorted."""
    calls = [step for step in move.watch.steps if f".{method}(" in step]
    return sorted(
        (step.partition(".")[0], step.partition(", ")[2].partition(",")[0].partition(")")[0]) for step in calls
    )


@law(source="nova.compute.api:API.swap_volume; nova.api.openstack.compute.volume_attachments: update")
def what_nova_does_not_swap(move: Move) -> None:
    """Nova refuses at once to swap a volume that does not migrate, and to swap one for a volume that is
    smaller, attached or in a zone that its server may not use; the server keeps its disk."""
    move.open("subject")
    nova, update = move.cloud.nova, move.cloud.database.update
    volume, new = move.create("subject"), move.create("subject")
    server = move.attach(volume)
    attachments = list(move.cloud.database.attachments)
    migrating, target = {"migration_status": "migrating"}, {"migration_status": f"target:{volume}"}
    nova.cross_az_attach = False
    cases: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
        "a volume that does not migrate": (409, {}, {}),
        "a volume for a smaller one": (400, {**migrating, "size": 2}, target),
        "a volume for one that is attached": (400, migrating, {**target, "attach_status": "attached"}),
        "a volume for one that is elsewhere": (400, migrating, {**target, "availability_zone": "far"}),
    }
    for what, (code, old_fields, new_fields) in cases.items():
        rested = {each: move.volume(each) for each in (volume, new)}
        for each, fields in ((volume, old_fields), (new, new_fields)):
            update(Volume, each, fields)
        try:
            move.act(nova.update_server_volume, server.id, volume, new)
        except errors.ServiceError as error:
            same(f"the code of the refusal to swap {what}", error.code, code)
        else:
            holds(False, f"Nova agreed to swap {what}, but should refuse")
        for each, fields in ((volume, old_fields), (new, new_fields)):
            update(Volume, each, {field: getattr(rested[each], field) for field in fields})
        same("the attachments", list(move.cloud.database.attachments), attachments)
    move.detach(server, volume)
