"""The backup service: copies volumes into its store and back (`cinder.backup.manager:BackupManager`).

Its store keeps disks as they are connected, ciphertext of encrypted ones. A backup that was asked to be
incremental knows its parent, but holds the whole disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fake_backends.block_store import BlockDevice, MemoryDevice
from fake_backends.connectors import connect
from harness import errors
from harness.control_plane import backup_records
from harness.control_plane.copying import copy_volume
from harness.control_plane.manager_base import host_connector
from harness.model import GIB, Backup, Snapshot, Volume

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

BACKUP_HOST = "cinder-backup"
"""Address of the one backup service."""
DRIVER = "cinder.backup.drivers.nfs.NFSBackupDriver"


class BackupManager:
    """One cinder-backup process. Public methods are what messages may ask for."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.db = cloud.database
        self.store: dict[str, MemoryDevice] = {}
        self._connector = host_connector(BACKUP_HOST)

    # -------------------------------------------------------------------------------------------- create

    def create_backup(self, backup: Backup) -> None:
        """Ask the volume's service what to read; it answers with `continue_backup`."""
        volume = self.db.get_volume(backup.volume_id)
        snapshot = self.db.get_snapshot(backup.snapshot_id) if backup.snapshot_id else None
        source: Volume | Snapshot = snapshot or volume
        if source.status != "backing-up":
            kind = "snapshot" if snapshot else "volume"
            reason = f"Create backup aborted, expected {kind} status backing-up but got {source.status}."
            self._fail(backup, reason)
            raise errors.InvalidVolume(reason=reason)
        if volume.encryption_key_id and not backup.encryption_key_id:
            backup.encryption_key_id = self.cloud.key_manager.clone_key(volume.encryption_key_id)
        backup.service = DRIVER
        backup.save()
        self.cloud.messaging.cast(volume.service_topic_queue, "get_backup_device", backup)

    def continue_backup(self, backup: Backup, device: Volume) -> None:
        """Read the device, forget it if it is a temporary one, and give the volume its status back."""
        before = self.db.get_volume(backup.volume_id).previous_status
        try:
            with self._attached(device, ignore_errors=True) as disk:
                copy = MemoryDevice(min(disk.size, device.size * GIB))
                self._copy(disk, copy, device.size)
            self.store[backup.id] = copy
        except Exception as error:
            self._give_back(backup, before, "error_backing-up")
            self._fail(backup, str(error))
            raise
        finally:
            self._delete_temporary(backup)
        self._give_back(backup, before, "backing-up")
        backup.refresh()
        if backup.status != "deleting":
            backup.status = "available"
            backup.save()
            self._count_dependents(backup, 1)
        self.cloud.simulation.record("backup created", backup.id)

    def _give_back(self, backup: Backup, before: str | None, previous: str) -> None:
        """The status that the volume or the snapshot had, whatever it has become meanwhile."""
        if backup.snapshot_id:
            self.db.update(Snapshot, backup.snapshot_id, {"status": "available"})
        else:
            self.db.update(Volume, backup.volume_id, {"status": before, "previous_status": previous})

    def _delete_temporary(self, backup: Backup) -> None:
        if backup.temp_volume_id:
            temporary = self.db.get_volume(backup.temp_volume_id)
            self.cloud.messaging.cast(temporary.service_topic_queue, "delete_volume", temporary)
            backup.temp_volume_id = None
            backup.save()

    def _fail(self, backup: Backup, reason: str) -> None:
        backup.update({"status": "error", "fail_reason": reason})
        backup.save()
        self.cloud.simulation.record("backup failed", reason)

    def _count_dependents(self, backup: Backup, change: int) -> None:
        if backup.parent_id in self.db.backups:
            parent = self.db.get_backup(backup.parent_id or "")
            parent.num_dependent_backups += change
            parent.save()

    # ------------------------------------------------------------------------------------ restore, delete

    def restore_backup(self, backup: Backup, volume_id: str) -> None:
        """Write the backup over a volume; a failure leaves the volume in error_restoring."""
        volume = self.db.get_volume(volume_id)
        if volume.status not in ("restoring-backup", "creating"):
            self._after_restoring(backup)
            self.db.update(Volume, volume_id, {"status": "error_restoring"})
            raise errors.InvalidVolume(
                reason="Restore backup aborted, expected volume status restoring-backup,creating but got "
                f"{volume.status}."
            )
        try:
            with self._attached(volume) as disk:
                self._copy(self._stored(backup), disk, backup.size)
            self._renew_key(backup, volume)
        except Exception as error:
            self.db.update(Volume, volume_id, {"status": "error_restoring"})
            self._after_restoring(backup)
            self.cloud.simulation.record("restore_backup failed", str(error))
            raise
        volume.status = "available"
        if backup.volume_id != volume.id:
            volume.metadata = {**volume.metadata, "src_backup_id": backup.id}
        volume.save()
        self._after_restoring(backup)
        self.cloud.simulation.record("backup restored", volume.name)

    def _stored(self, backup: Backup) -> MemoryDevice:
        """InvalidBackup for one that was imported, and is not in the store."""
        if backup.id not in self.store:
            raise errors.InvalidBackup(reason=f"Backup {backup.id} is not in the store.")
        return self.store[backup.id]

    def _after_restoring(self, backup: Backup) -> None:
        backup.status = "available"
        backup.save()

    def _renew_key(self, backup: Backup, volume: Volume) -> None:
        """Ciphertext needs the secret that it was written with, under a key of the volume's own."""
        if backup.encryption_key_id is None:
            return
        if volume.encryption_key_id is not None:
            self.cloud.key_manager.delete_key(volume.encryption_key_id)
        volume.encryption_key_id = self.cloud.key_manager.clone_key(backup.encryption_key_id)

    def delete_backup(self, backup: Backup) -> None:
        """Forget disk, key, quota and record."""
        self.cloud.simulation.visit("backup.delete", backup.id)
        self.store.pop(backup.id, None)
        reservations = self.cloud.reserve(
            backup.project_id, None, {"backups": -1, "backup_gigabytes": -backup.size}
        )
        if backup.encryption_key_id is not None:
            self.cloud.key_manager.delete_key(backup.encryption_key_id)
        self.db.backups.pop(backup.id, None)
        self._count_dependents(backup, -1)
        self.cloud.quotas.commit(reservations)
        self.cloud.simulation.record("backup deleted", backup.id)

    # ------------------------------------------------------------------------------------ export, import

    def export_record(self, backup: Backup) -> dict[str, str]:
        """What `import_record` of another service needs."""
        return {"backup_service": backup.service or "", "backup_url": backup_records.encode(backup)}

    def import_record(self, backup: Backup, backup_service: str, backup_url: str) -> None:
        """Fill in a record; one of another driver, or that lacks something, ends in error.

        What the store has of it is not looked at.
        """
        if backup_service != DRIVER:
            self._fail(
                backup,
                "Import record failed, cannot find backup service to perform the import. Request service "
                f"{backup_service}.",
            )
            raise errors.NotFoundError(f"Service {backup_service} could not be found.")
        fields = backup_records.decode(backup_url)
        missing = [name for name in backup_records.REQUIRED if name not in fields]
        if missing:
            reason = (
                "Driver successfully decoded imported backup data, but there are missing fields "
                f"({', '.join(missing)})."
            )
            self._fail(backup, reason)
            raise errors.InvalidBackup(reason=reason)
        backup.update(fields)
        backup.update({"service": DRIVER, "availability_zone": "nova", "host": BACKUP_HOST})
        backup.update({"status": "available"})
        backup.save()
        self.cloud.simulation.record("backup imported", backup.id)

    def reset_status(self, backup: Backup, status: str) -> None:
        """Write it."""
        backup.status = status
        backup.save()

    # --------------------------------------------------------------------------------------------- disks

    def _copy(self, source: BlockDevice, destination: BlockDevice, size_gb: int) -> None:
        points = self.cloud.simulation
        copy_volume(source, destination, size_gb, paths=False, sparse=False, points=points)

    @contextmanager
    def _attached(self, volume: Volume, *, ignore_errors: bool = False) -> Iterator[BlockDevice]:
        """The volume on this service's machine, for as long as the ``with`` lasts.

        `ignore_errors` is about the detaching (`BackupManager._detach_device`).
        """
        address = volume.service_topic_queue
        call = self.cloud.messaging.call
        info = call(address, "initialize_connection", volume, self._connector)
        try:
            connection = connect(self.cloud.world, info, self._connector)
            try:
                yield connection.device
            finally:
                connection.disconnect()
        finally:
            try:
                call(address, "terminate_connection", volume.id, self._connector, True)
                call(address, "remove_export", volume.id)
            except errors.ServiceError as error:
                if not ignore_errors:
                    raise
                self.cloud.simulation.record("ignored", str(error))
