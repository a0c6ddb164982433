"""What is in a volume goes elsewhere and comes back: images, backups, and the way back to a snapshot.

Cinder copies; the driver's part is to connect the volume to the service's own host, and to let it go again.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contents import Contents, contents, sizes
from conformance.law import Chapter, same
from conformance.move import OWNER, Move

law = Chapter("images and backups", level="core", stage=Move, needs=["data path"], weight=0.4)
CONTENT = "cinder.volume.manager:VolumeManager"
BACKUP = "cinder.backup.manager:BackupManager"


@law(
    source=f"{CONTENT}.copy_volume_to_image, reimage",
    size=sizes(2),
    written=contents(),
    before=contents("before"),
)
def an_image_of_a_volume_is_whole(move: Move, size: int, written: Contents, before: Contents) -> None:
    """A volume that is uploaded to an image, and the image written over another volume, arrives whole."""
    move.open("subject")
    objects = move.objects()
    volume, other = move.create("subject", size), move.create("subject", size)
    move.write(volume, written)
    move.write(other, before)
    image = move.act(move.cloud.api.upload_image, OWNER, volume, "image")
    same("the status of the image", move.cloud.images.show(image.id).status, "active")
    move.must_hold(volume, written, "the uploaded volume")
    move.act(move.cloud.api.reimage, OWNER, other, image.id)
    move.must_be_at_rest(other, "available")
    move.must_hold(other, written, "the volume with the image")
    move.must_be_tidy(objects)


@law(
    source=f"{BACKUP}.create_backup, restore_backup",
    written=contents(),
    after=contents("after"),
    anew=st.booleans(),
)
def a_backup_of_a_volume_is_whole(move: Move, written: Contents, after: Contents, anew: bool) -> None:
    """A backup is what the volume held when it was made, restored over the volume or as a new one."""
    move.open("subject", backups=True)
    objects = move.objects()
    volume = move.create("subject")
    move.write(volume, written)
    backup = move.act(move.cloud.backups.create, OWNER, volume)
    move.must_be_at_rest(volume, "available")
    same("the status of the backup", move.cloud.backups.get_backup(OWNER, backup.id).status, "available")
    move.write(volume, after)
    target = None if anew else volume
    restored = move.act(move.cloud.backups.restore, OWNER, backup.id, target).id
    move.must_be_at_rest(restored, "available")
    move.must_hold(restored, written, "the restored volume")
    if anew:
        move.must_hold(volume, after, "the volume itself")
    move.must_be_tidy(objects)


@law(
    source="cinder.volume.driver:BaseVD.get_backup_device: a temporary volume, of one that is backing-up",
    needs=["simulated Cinder", "clones", "snapshots"],
    level="in-use",
    written=contents(),
    after=contents("after"),
    snapshotted=st.booleans(),
)
def a_volume_in_use_can_be_backed_up(move: Move, written: Contents, after: Contents, snapshotted: bool) -> None:
    """A backup of a volume in use, or of its snapshot, holds what was there at the time; the guest goes on, and
    what helped to make it is gone."""
    move.open("subject", backups=True)
    objects = move.objects()
    volume = move.create("subject")
    server = move.attach(volume)
    move.guest_writes(server, volume, written)
    snapshot = move.act(move.cloud.api.create_snapshot, OWNER, volume).id if snapshotted else None
    if snapshotted:
        move.guest_writes(server, volume, after)
    backup = move.act(move.cloud.backups.create, OWNER, volume, force=True, snapshot_id=snapshot).id
    same("the status of the backup", move.cloud.backups.get_backup(OWNER, backup).status, "available")
    move.must_be_at_rest(volume, "in-use")
    move.guest_writes(server, volume, after)
    restored = move.act(move.cloud.backups.restore, OWNER, backup, None).id
    move.must_hold(restored, written, "the restored volume")
    if snapshot is not None:
        move.act(move.cloud.api.delete_snapshot, OWNER, snapshot)
    move.guest_reads(server, volume, after, "the guest's disk")
    move.detach(server, volume)
    move.must_be_tidy(objects)


@law(
    source=f"{CONTENT}.revert_to_snapshot: by the driver, or by a copy",
    needs=["snapshots"],
    before=contents("before"),
    after=contents("after"),
)
def a_volume_can_always_be_reverted(move: Move, before: Contents, after: Contents) -> None:
    """Reverting to a snapshot gives back what was there, whether the driver does it or Cinder copies."""
    move.open("subject")
    volume = move.create("subject")
    move.write(volume, before)
    snapshot = move.act(move.cloud.api.create_snapshot, OWNER, volume).id
    move.write(volume, after)
    move.act(move.cloud.api.revert_to_snapshot, OWNER, volume, snapshot)
    move.must_be_at_rest(volume, "available")
    same("the status of the snapshot", move.cloud.database.get_snapshot(snapshot).status, "available")
    move.must_hold(volume, before, "the reverted volume")
    move.act(move.cloud.api.delete_snapshot, OWNER, snapshot)
    move.must_hold(volume, before, "the reverted volume without its snapshot")
