"""The manager's chapter on what is in a volume: images, backups and the way back to a snapshot.

Sources: `cinder.volume.manager:VolumeManager`, the methods of the same names; `cinder.volume.driver:BaseVD`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness import errors
from harness.control_plane.connections import LocalAttachment
from harness.control_plane.copying import copy_volume
from harness.control_plane.images import Image, metadata_of
from harness.control_plane.snapshots import Snapshots
from harness.model import Backup, Encryption, Snapshot, Volume


class Content(Snapshots):
    """Runs on the service that the volume is on."""

    @contextmanager
    def attached_here(self, volume: Volume, encryption: Encryption | None = None) -> Iterator[LocalAttachment]:
        """The volume on this service's own host, for as long as the ``with`` lasts; decrypted if asked for."""
        attachment = self.attach_volume_here(volume, remote=False, encryption=encryption)
        try:
            yield attachment
        finally:
            self.detach_volume_here(attachment, volume, remote=False)

    # --------------------------------------------------------------------------------------------- images

    def copy_volume_to_image(self, volume_id: str, image_id: str) -> None:
        """Upload; then the status follows from the attachments. A failure deletes the image.

        A service that dies at it leaves the volume uploading: nobody takes that up.
        """
        images = self.cloud.images
        try:
            volume = self.db.get_volume(volume_id)
            self.require_driver_initialized()
            try:
                self.drive("copy_volume_to_image", self.admin, volume, images, {"id": image_id})
            except NotImplementedError:
                with self.attached_here(volume) as attachment:
                    images.upload(image_id, attachment.connection.disk(), volume.size)
        except Exception as error:
            self.note("copy_volume_to_image failed", str(error))
            images.delete(image_id)
            self._end_uploading(volume_id)
            raise
        self._end_uploading(volume_id)
        self.note("volume uploaded", image_id)

    def _end_uploading(self, volume_id: str) -> None:
        """`cinder.db.api:volume_update_status_based_on_attachment`."""
        attached = bool(self.db.attachments_of(volume_id))
        self.db.update(Volume, volume_id, {"status": "in-use" if attached else "available"})

    def reimage(self, volume: Volume, image_id: str) -> None:
        """Write the image, and what it says of itself; a failure leaves the volume in error."""
        try:
            self.require_driver_initialized()
            image = self.cloud.images.show(image_id)
            self.write_image(volume, image, disable_sparse=True)
            volume.bootable = True
            volume.glance_metadata = metadata_of(image)
            volume.status = volume.previous_status or "available"
            volume.save()
        except Exception as error:
            volume.previous_status = volume.status
            volume.status = "error"
            volume.save()
            self.note("reimage failed", str(error))
            raise
        self.note("volume reimaged", image_id)

    def write_image(self, volume: Volume, image: Image, *, disable_sparse: bool = False) -> None:
        """An image that brings a key of its own is ciphertext already (`volume_utils:copy_image_to_volume`)."""
        kind = volume.volume_type
        encryption = kind.encryption if kind and volume.encryption_key_id else None
        if "cinder_encryption_key_id" in image.properties:
            encryption = None
        method = "copy_image_to_encrypted_volume" if encryption else "copy_image_to_volume"
        try:
            self.drive(method, self.admin, volume, self.cloud.images, image.id, disable_sparse=disable_sparse)
        except NotImplementedError:
            with self.attached_here(volume, encryption) as attachment:
                disk = attachment.device if encryption else attachment.connection.disk()
                self.cloud.images.download(image.id, disk)

    # -------------------------------------------------------------------------------------------- snapshot

    def revert_to_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        """Back to the snapshot by the driver, or by a copy; a snapshot of what is there now comes first."""
        backup: Snapshot | None = None
        try:
            if self.driver.snapshot_revert_use_temp_snapshot():
                backup = self._snapshot_before_reverting(volume)
            try:
                self.drive("revert_to_snapshot", self.admin, volume, snapshot)
            except NotImplementedError:
                self._revert_by_copy(volume, snapshot)
        except Exception as error:
            self.db.conditional_update(volume, {"status": "error"}, {"status": "reverting"})
            self.db.conditional_update(snapshot, {"status": "available"}, {"status": "restoring"})
            self.note("revert_to_snapshot failed", str(error))
            raise
        self._end_reverting(volume, snapshot)
        if backup is not None:
            self.delete_snapshot(backup)
        self.note("volume reverted", snapshot.name)

    def _end_reverting(self, volume: Volume, snapshot: Snapshot) -> None:
        """BadResetResourceStatus if somebody changed a status meanwhile."""
        for record, before in ((volume, "reverting"), (snapshot, "restoring")):
            if not self.db.conditional_update(record, {"status": "available"}, {"status": before}):
                kind = "volume" if record is volume else "snapshot"
                raise errors.ServiceError(
                    f"Bad reset resource status : Revert finished, but failed to reset {kind} {record.id} "
                    "status to available, please manually reset it."
                )

    def _snapshot_before_reverting(self, volume: Volume) -> Snapshot:
        snapshot = self.db.get_snapshot(
            self.db.create(
                Snapshot,
                {
                    "volume_id": volume.id,
                    "user_id": volume.user_id,
                    "project_id": volume.project_id,
                    "volume_size": volume.size,
                    "display_name": f"[revert] volume {volume.id} backup snapshot",
                    "volume_type_id": volume.volume_type_id,
                    "encryption_key_id": volume.encryption_key_id,
                    "use_quota": False,
                    "created_at": self.simulation.kernel.now_us,
                },
            )
        )
        self.create_snapshot(snapshot)
        return snapshot

    def _revert_by_copy(self, volume: Volume, snapshot: Snapshot) -> None:
        """A temporary volume of the snapshot is copied over the volume (`_revert_to_snapshot_generic`)."""
        name = f"[revert] temporary volume created from snapshot {snapshot.id}"
        temporary = self._temporary_volume(volume, snapshot, status="in-use", display_name=name)
        try:
            with self.attached_here(volume) as target, self.attached_here(temporary) as source:
                copy_volume(
                    source.device,
                    target.device,
                    volume.size,
                    paths=source.has_path and target.has_path,
                    sparse=False,
                    points=self.simulation,
                )
        finally:
            self.drive("delete_volume", temporary)
            self.db.destroy_volume(temporary.id)

    # --------------------------------------------------------------------------------------------- backups

    def get_backup_device(self, backup: Backup) -> None:
        """Tell the backup service what to read: the volume, or a temporary one if that is in use.

        Of a snapshot, too, a temporary volume is made (`BaseVD._get_backup_volume_temp_volume`).
        """
        volume = self.db.get_volume(backup.volume_id)
        device = volume
        if backup.snapshot_id:
            snapshot = self.db.get_snapshot(backup.snapshot_id)
            device = self._temporary_volume(volume, snapshot, status="backing-up")
        elif volume.previous_status == "in-use":
            device = self._temporary_volume(volume, None, status="backing-up")
        if device is not volume:
            backup.temp_volume_id = device.id
            backup.save()
        self.messaging.cast(backup.host or "", "continue_backup", backup, device)

    def _temporary_volume(
        self, volume: Volume, snapshot: Snapshot | None, *, status: str, display_name: str | None = None
    ) -> Volume:
        """A clone of the volume, or of its snapshot, that no quota counts (`BaseVD._create_temp_volume`)."""
        temporary = self.db.get_volume(
            self.db.create(
                Volume,
                {
                    "size": volume.size,
                    "display_name": display_name or f"backup-vol-{volume.id}",
                    "host": volume.host,
                    "user_id": volume.user_id,
                    "project_id": volume.project_id,
                    "availability_zone": volume.availability_zone,
                    "volume_type_id": volume.volume_type_id,
                    "use_quota": False,
                    "created_at": self.simulation.kernel.now_us,
                },
            )
        )
        try:
            if snapshot is None:
                update = self.drive("create_cloned_volume", temporary, volume)
            else:
                update = self.drive("create_volume_from_snapshot", temporary, snapshot)
        except Exception:
            self.db.destroy_volume(temporary.id)
            raise
        temporary.update({**(update or {}), "status": status})
        temporary.save()
        return temporary
