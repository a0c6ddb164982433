"""The volume service: life of volumes.

Sources: `cinder.volume.manager:VolumeManager` and `cinder.volume.flows.manager.create_volume`.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness import errors
from harness.control_plane.backup_manager import BACKUP_HOST
from harness.control_plane.images import metadata_of
from harness.control_plane.replication import Replication
from harness.control_plane.request_spec import RequestSpec
from harness.control_plane.scheduler import TOPIC
from harness.control_plane.user_messages import Action, Detail
from harness.model import Volume
from harness.record import service_host, split_host

ANYHOW = RequestSpec()


class VolumeManager(Replication):
    """One cinder-volume process. Public methods are what messages may ask for."""

    # -------------------------------------------------------------------------------------------- volumes

    def create_volume(self, volume: Volume, spec: RequestSpec = ANYHOW) -> None:
        """Raw, or with what its record or `spec` names. A failure leaves the record in error.

        The counter of the pool goes up first, and stays up when the creation fails. A volume that the scheduler
        has placed goes back to it, unless its object was made and only the image could not be copied.
        """
        self._set_resource_host(volume)
        host = volume.host
        self.update_allocated_capacity(volume)
        with self.worker(volume):
            try:
                self._create_volume(volume, spec)
            except (errors.VolumeNotFound, errors.SnapshotNotFound):
                raise
            except Exception as error:
                self.note("create_volume failed", str(error))
                if spec.tried and not isinstance(error, errors.ImageCopyFailure):
                    self._reschedule(volume, spec)
                    self.update_allocated_capacity(volume, decrement=True, host=host)
                else:
                    self.db.update(Volume, volume.id, {"status": "error"})
                raise

    def _set_resource_host(self, volume: Volume) -> None:
        """Of the services of a cluster the one that creates a volume is its host."""
        parts = split_host(volume.host or "")
        if self.is_clustered and volume.cluster_name and service_host(volume.host or "") != self.host:
            volume.host = f"{self.host}#{parts.pool}" if parts.pool else self.host
            volume.save()

    def _reschedule(self, volume: Volume, spec: RequestSpec) -> None:
        """Let the scheduler try once more, and delete what the driver may have made.

        Source: `cinder.volume.flows.manager.create_volume:OnFailureRescheduleTask`.
        """
        volume.host = None
        volume.save()
        self.messaging.cast(TOPIC, "create_volume", volume, spec)
        try:
            self.drive("delete_volume", volume)
        except Exception as error:  # noqa: BLE001 (most likely there is nothing to delete)
            self.note("ignored", f"delete_volume failed: {error}")

    def _create_volume(self, volume: Volume, spec: RequestSpec) -> None:
        volume.refresh()
        publisher = volume.host or self.host
        if volume.use_quota:
            self.cloud.notifications.volume(volume, "create.start", publisher)
        self.require_driver_initialized()
        if volume.snapshot_id:
            snapshot = self.db.get_snapshot(volume.snapshot_id)
            volume.update(self.drive("create_volume_from_snapshot", volume, snapshot) or {})
            self._take_image_metadata(volume, snapshot.volume)
        elif volume.source_volid:
            source = self.db.get_volume(volume.source_volid)
            volume.update(self.drive("create_cloned_volume", volume, source) or {})
            self._take_image_metadata(volume, source)
        elif spec.image_id:
            self._create_from_image(volume, spec.image_id)
        else:
            self._create_raw(volume)
        if spec.backup_id:
            volume.save()
            self._restore(volume, spec.backup_id)
        else:
            volume.update({"status": "available", "launched_at": self.simulation.kernel.now_us})
            volume.save()
        if volume.use_quota:
            self.cloud.notifications.volume(volume, "create.end", publisher)
        volume.service_uuid = self.db.service(self.host).uuid
        volume.save()
        self.note("volume created", volume.name)

    def _create_raw(self, volume: Volume) -> None:
        try:
            volume.update(self.drive("create_volume", volume) or {})
        except Exception as error:
            self.cloud.user_messages.create(
                volume, Action.CREATE_VOLUME_FROM_BACKEND, error, Detail.DRIVER_FAILED_CREATE
            )
            raise

    @staticmethod
    def _take_image_metadata(volume: Volume, origin: Volume) -> None:
        """What boots, boots with the properties of the image that it was made of."""
        if origin.bootable:
            volume.update({"bootable": True, "glance_metadata": dict(origin.glance_metadata)})

    def _create_from_image(self, volume: Volume, image_id: str) -> None:
        """Make it, then copy the image into it; if that fails, it stays (`_create_from_image_download`)."""
        image = self.cloud.images.show(image_id)
        volume.update({**(self.drive("create_volume", volume) or {}), "status": "downloading"})
        volume.save()
        try:
            self.write_image(volume, image)
        except Exception as error:
            raise errors.ImageCopyFailure(reason=str(error)) from error
        volume.update({"bootable": True, "glance_metadata": metadata_of(image)})

    def _restore(self, volume: Volume, backup_id: str) -> None:
        """The backup service makes the new volume available when it has written to it."""
        backup = self.db.get_backup(backup_id)
        backup.update({"status": "restoring", "restore_volume_id": volume.id, "host": BACKUP_HOST})
        backup.save()
        self.messaging.cast(BACKUP_HOST, "restore_backup", backup, volume.id)

    def delete_volume(self, volume: Volume, unmanage_only: bool = False, cascade: bool = False) -> None:
        """Remove export, object and record. Quota, and the capacity counter, only with `use_quota`.

        `unmanage_only` leaves the object alone, `cascade` deletes the snapshots first.
        """
        with self.cloud.lock(f"{volume.id}-delete_volume"), self.worker(volume):
            self._delete_volume(volume, unmanage_only, cascade)

    def _delete_volume(self, volume: Volume, unmanage_only: bool, cascade: bool) -> None:
        try:
            volume.refresh()
        except errors.VolumeNotFound:
            return
        if volume.attach_status == "attached":
            raise errors.VolumeAttached(volume_id=volume.id)
        if not self.is_our_backend(volume.host or "", volume.cluster_name):
            raise errors.Invalid(f"Invalid Volume: Volume {volume.id} is not local to {self.host}.")
        event = "unmanage" if unmanage_only else "delete"
        if volume.use_quota:
            self.notify(volume, f"{event}.start")
        try:
            self.require_driver_initialized()
            self.drive("remove_export", self.admin, volume)
            if unmanage_only:
                self.drive("unmanage", volume)
            else:
                if cascade:
                    self._delete_snapshots(volume)
                self.drive("delete_volume", volume)
        except errors.VolumeIsBusy:
            self._clear_db(volume, "available")
            return
        except Exception as error:
            self._clear_db(volume, "error_unmanaging" if unmanage_only else "error_deleting")
            self.note("delete_volume failed", str(error))
            raise
        reservations: list[str] = []
        if volume.use_quota and volume.status != "error_managing_deleting":
            reservations = self.give_back(
                volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
            )
        self.db.destroy_volume(volume.id)
        self.note("volume deleted", volume.name)
        if volume.use_quota:
            self.notify(volume, f"{event}.end")
            self.cloud.quotas.commit(reservations)
            self.update_allocated_capacity(volume, decrement=True)
            self.publish_service_capabilities()

    def _delete_snapshots(self, volume: Volume) -> None:
        """InvalidSnapshot if one is not marked for deletion."""
        for snapshot in volume.snapshots:
            if snapshot.status != "deleting":
                raise errors.InvalidSnapshot(
                    reason=f"Snapshot {snapshot.id} was found in state {snapshot.status} rather than "
                    "'deleting' during cascade delete."
                )
            self.delete_snapshot(snapshot)

    def _clear_db(self, volume: Volume, status: str) -> None:
        """A temporary volume that cannot be deleted is forgotten with its record (`_clear_db`)."""
        if volume.migration_status and volume.migration_status.startswith("target:"):
            self.db.destroy_volume(volume.id)
            self.note("destroy temporary record", f"{volume.name}, its object stays")
        else:
            volume.status = status
            volume.save()

    def extend_volume(self, volume: Volume, new_size: int, reservations: Sequence[str]) -> None:
        """Grow to `new_size` GiB; TargetUpdateFailed counts as success."""
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
            volume.status = "error_extending"
            volume.save()
            raise
        self.notify(volume, "resize.start")
        try:
            self.drive("extend_volume", volume, new_size)
        except errors.TargetUpdateFailed as error:
            self.note("ignored", str(error))
        except Exception as error:  # noqa: BLE001 (whatever the driver raises ends in error_extending)
            self.note("extend_volume failed", str(error))
            self.extend_volume_completion(volume, new_size, reservations, True)
            return
        self.extend_volume_completion(volume, new_size, reservations, False)
        servers = [each.instance_uuid for each in volume.volume_attachment if each.instance_uuid]
        if servers and not self.cloud.nova.extend_volume(servers, volume.id):
            self.cloud.user_messages.create(
                volume, Action.EXTEND_VOLUME, detail=Detail.NOTIFY_COMPUTE_SERVICE_FAILED
            )
