"""Volumes that servers use: migrated by Nova's copy, extended, snapshotted."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from conformance.attached import compare
from conformance.bench import Lacking
from conformance.contents import Contents, contents, pages_of
from conformance.law import Chapter, holds, same
from conformance.move import OWNER, Move
from fake_backends.block_store import PAGE

law = Chapter("in use", level="in-use", stage=Move, needs=["data path"], weight=0.5)
SWAP = "nova.compute.manager:ComputeManager.swap_volume"
others = st.sampled_from(["twin", "lvm", "rbd", "nfs"])


@law(
    source=f"{SWAP}; LP 1866935",
    there=others,
    arrives=st.booleans(),
    before=contents("before"),
    after=contents("after"),
)
def a_guest_goes_on_through_a_migration(
    move: Move, there: str, arrives: bool, before: Contents, after: Contents
) -> None:
    """What a guest writes before and after the migration of its disk is in the volume that Cinder has on
    record."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    volume = move.create(here)
    server = move.attach(volume)
    move.guest_writes(server, volume, before)
    move.migrate(volume, there)
    move.must_have_moved(volume, there, "in-use")
    move.guest_reads(server, volume, before, "the guest's disk")
    move.reboot(server)
    move.guest_reads(server, volume, before, "the disk of the guest that was started anew")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "what the guest wrote after the migration, read through the record,")


@law(source=SWAP, needs=["inventory"], there=others, arrives=st.booleans(), written=contents())
def an_in_use_migration_leaves_nothing(move: Move, there: str, arrives: bool, written: Contents) -> None:
    """After the migration of a volume in use there is one object, and after its deletion none."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    before = move.objects()
    volume = move.create(here)
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    move.migrate(volume, there)
    move.must_have_moved(volume, there, "in-use")
    move.must_be_tidy(before)
    move.detach(server, volume)
    move.must_hold(volume, written, "the volume")
    move.delete(volume)
    move.must_be_tidy(before)


@law(source=SWAP, away=others, written=contents(), detached=st.booleans())
def a_volume_in_use_migrates_twice(move: Move, away: str, written: Contents, detached: bool) -> None:
    """There and back, in use and then perhaps not, the volume stays whole: the second time _name_id is set."""
    move.open("subject", away)
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    move.migrate(volume, away)
    move.must_have_moved(volume, away, "in-use")
    if detached:
        move.detach(server, volume)
    move.migrate(volume, "subject")
    move.must_have_moved(volume, "subject", "available" if detached else "in-use")
    if not detached:
        move.guest_reads(server, volume, written, "the guest's disk")
        move.detach(server, volume)
    move.must_hold(volume, written, "the volume")


@law(
    source=f"{SWAP}: only host devices up to Nova 20",
    arrives=st.booleans(),
    written=contents(),
    after=contents("after"),
    there=others,
)
def a_failed_swap_changes_nothing(
    move: Move, arrives: bool, written: Contents, after: Contents, there: str
) -> None:
    """When Nova does not swap, the guest goes on with its old disk, which Cinder still has on record."""
    here, there = (there, "subject") if arrives else ("subject", there)
    move.open(here, there)
    volume = move.create(here)
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    move.fail_at("nova.block_copy", 3, "eio")
    move.migrate(volume, there)
    move.heal()
    row = move.volume(volume)
    same(
        "(host, status, migration_status)",
        (row.host, row.status, row.migration_status),
        (move.plan(here).address, "in-use", "error"),
    )
    move.guest_reads(server, volume, written, "the guest's disk")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "the volume")


@law(
    source="cinder.volume.manager:VolumeManager.create_snapshot: microversion 3.66",
    needs=["snapshots"],
    before=contents("before"),
    after=contents("after"),
    reboots=st.booleans(),
)
def a_volume_in_use_can_be_snapshotted(move: Move, before: Contents, after: Contents, reboots: bool) -> None:
    """A snapshot of a volume in use holds what the guest had written; the guest goes on, also when it is
    started anew, and when the snapshot is deleted."""
    move.open("subject")
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, before)
    snapshot = move.act(move.cloud.api.create_snapshot, OWNER, volume)
    same("the status of the snapshot", move.cloud.database.get_snapshot(snapshot.id).status, "available")
    if reboots:
        move.reboot(server)
        move.guest_reads(server, volume, before, "the disk of the guest that was started anew")
    move.guest_writes(server, volume, after)
    move.guest_reads(server, volume, after, "the guest's disk")
    made = move.act(move.cloud.api.create_volume, OWNER, 1, snapshot_id=snapshot.id).id
    same("the status of the volume from the snapshot", move.volume(made).status, "available")
    move.must_hold(made, before, "the volume from the snapshot")
    move.delete(made)
    move.act(move.cloud.api.delete_snapshot, OWNER, snapshot.id)
    same("whether the snapshot is on record", snapshot.id in move.cloud.database.snapshots, False)
    if reboots:
        move.reboot(server)
    move.guest_reads(server, volume, after, "the guest's disk")
    newest = Contents("newest", after.places)
    move.guest_writes(server, volume, newest)
    move.detach(server, volume)
    move.must_hold(volume, newest, "the volume")
    later = move.act(move.cloud.api.create_snapshot, OWNER, volume)
    move.act(move.cloud.api.delete_snapshot, OWNER, later.id)
    move.must_hold(volume, newest, "the volume that had another snapshot when it was idle again")


@law(
    source="cinder.volume.manager:VolumeManager.delete_snapshot; Nova's volume_snapshot_delete",
    needs=["snapshots"],
    order=st.integers(2, 3).flatmap(lambda count: st.permutations(range(count))),
)
def snapshots_of_a_volume_in_use_go_in_any_order(move: Move, order: list[int]) -> None:
    """Of several snapshots of a volume in use any is deleted; those that stay keep their state, and the guest
    goes on, also when it is started anew; in the end the volume leaves nothing."""
    move.open("subject")
    objects = move.objects()
    volume = move.create("subject")
    server = move.attach(volume)
    taken = {}
    for number in range(len(order)):
        state = Contents(f"state {number}", ("first", "middle"))
        move.guest_writes(server, volume, state)
        taken[number] = move.act(move.cloud.api.create_snapshot, OWNER, volume).id, state
    newest = Contents("newest", ("first", "last"))
    move.guest_writes(server, volume, newest)
    for number in order:
        move.act(move.cloud.api.delete_snapshot, OWNER, taken.pop(number)[0])
        move.guest_reads(server, volume, newest, "the guest's disk")
        move.reboot(server)
        move.guest_reads(server, volume, newest, "the disk of the guest that was started anew")
        for snapshot, state in taken.values():
            made = move.act(move.cloud.api.create_volume, OWNER, 1, snapshot_id=snapshot).id
            move.must_hold(made, state, "the volume from a snapshot that stays")
            move.delete(made)
    same("the snapshots on record", list(move.cloud.database.snapshots), [])
    move.detach(server, volume)
    move.must_hold(volume, newest, "the volume")
    move.delete(volume)
    move.must_be_tidy(objects)


@law(
    source="cinder.volume.flows.api.create_volume: the source is available or in-use",
    needs=["clones"],
    written=contents(),
    after=contents("after"),
)
def a_volume_in_use_can_be_cloned(move: Move, written: Contents, after: Contents) -> None:
    """A clone of a volume in use holds what the guest had written; the guest goes on, and so does the clone."""
    move.open("subject")
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    clone = move.act(move.cloud.api.create_volume, OWNER, 1, source_volid=volume).id
    same("the status of the clone", move.volume(clone).status, "available")
    move.guest_writes(server, volume, after)
    move.guest_reads(server, volume, after, "the guest's disk")
    move.must_hold(clone, written, "the clone")
    move.detach(server, volume)
    move.delete(clone)
    move.must_hold(volume, after, "the volume")


@law(
    source="cinder.interface.volume_driver:VolumeDriverCore.create_cloned_volume, create_snapshot",
    needs=["clones", "snapshots"],
    pause_us=st.sampled_from([20_000, 200_000]),
    snapshot=st.booleans(),
)
def a_copy_of_a_volume_in_use_is_of_one_moment(move: Move, pause_us: int, snapshot: bool) -> None:
    """While a guest writes one page at the beginning of its disk and then one at its end, round after round, a
    clone and a snapshot catch them in one round, or the first page one round ahead."""
    move.open("subject")
    volume = move.create("subject")
    disk = move.attach(volume).disks[volume]
    pages = (0, disk.device.size // PAGE - 1)
    rounds = itertools.count(1)

    def write() -> None:
        while True:
            number = next(rounds).to_bytes(8, "big")
            for page in pages:
                disk.write(page, number * (PAGE // 8))
                move.simulation.kernel.sleep(pause_us)

    writer = move.simulation.kernel.spawn("guest", write, daemon=True)
    source = {"source_volid": volume}
    if snapshot:
        source = {"snapshot_id": move.act(move.cloud.api.create_snapshot, OWNER, volume).id}
    copied = move.act(move.cloud.api.create_volume, OWNER, 1, **source).id
    move.simulation.kernel.kill(writer)
    if move.volume(copied).status != "available":
        raise Lacking("the driver makes no such copy of a volume in use")
    device = move.attach(copied, "reader").disks[copied].device
    first, second = (int.from_bytes(device.read(page * PAGE, 8), "big") for page in pages)
    holds(0 <= first - second <= 1, f"the copy is of rounds {first} and {second}, but should be of one moment")


@law(
    source="cinder.volume.manager:VolumeManager.init_host: ensure_export",
    written=contents(),
    after=contents("after"),
)
def a_guest_goes_on_through_a_restart(move: Move, written: Contents, after: Contents) -> None:
    """The volume service is stopped and started while a guest uses its volume."""
    move.open("subject")
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    move.restart("subject")
    same("the status after the restart", move.volume(volume).status, "in-use")
    move.guest_reads(server, volume, written, "the guest's disk")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "the volume")


@law(
    source="cinder.volume.manager:VolumeManager.init_host: ensure_export",
    written=contents(),
    after=contents("after"),
    migrated=st.booleans(),
)
def a_guest_comes_back_with_the_storage_node(
    move: Move, written: Contents, after: Contents, migrated: bool
) -> None:
    """When the node that exports a volume in use has started anew, so can the server that uses it."""
    here = "rbd" if migrated else "subject"
    move.open("subject", here)
    volume = move.create(here)
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    if migrated:
        move.migrate(volume, "subject")
        move.must_have_moved(volume, "subject", "in-use")
    move.restart("subject", node=True)
    move.reboot(server)
    move.guest_reads(server, volume, written, "the disk of the server that was started anew")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "the volume")


@law(
    source="cinder.volume.api:API.copy_volume_to_image: force, enable_force_upload",
    needs=["simulated Cinder", "image copies"],
    written=contents(),
    after=contents("after"),
)
def a_volume_in_use_can_be_uploaded(move: Move, written: Contents, after: Contents) -> None:
    """An image of a volume in use holds what the guest had written; the guest goes on.

    Where Cinder has to connect the volume for the upload, it removes the export afterwards, whoever uses it.
    """
    move.open("subject")
    move.cloud.options["enable_force_upload"] = True
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    image = move.act(move.cloud.api.upload_image, OWNER, volume, "image", force=True)
    move.must_be_at_rest(volume, "in-use")
    same("the status of the image", move.cloud.images.show(image.id).status, "active")
    disk = move.cloud.images.disks[image.id]
    pages = pages_of(written, disk.size)
    compare({page: disk.read(page * PAGE, PAGE) for page in pages}, pages, "the image")
    move.guest_writes(server, volume, after)
    move.detach(server, volume)
    move.must_hold(volume, after, "the volume")
