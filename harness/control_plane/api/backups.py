"""Backups of volumes and snapshots (`cinder.backup.api:API`)."""

from __future__ import annotations

from collections.abc import Mapping

from harness import errors
from harness.control_plane import backup_records
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.backup_manager import BACKUP_HOST
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Backup, Context, Snapshot, Volume

ADMIN_ACTIONS = "volume_extension:backup_admin_actions"
POLL_US = 1_000_000
NO_VOLUME = "00000000-0000-0000-0000-000000000000"
"""What a backup is of that was just imported (`IMPORT_VOLUME_ID`)."""
STATUSES = ("error", "error_deleting", "creating", "available", "deleting", "deleted", "restoring")
"""What a backup's status may be reset to (`cinder.objects.fields:BackupStatus`)."""


class BackupApi(Chapter):
    """creating -> available -> restoring, deleting."""

    def get_backup(self, context: Context, backup_id: str) -> Backup:
        """BackupNotFound also for another project's."""
        backup = self.cloud.database.get_backup(backup_id)
        if not context.is_admin and backup.project_id != context.project_id:
            raise errors.BackupNotFound(backup_id=backup_id)
        authorize(context, "backup:get", backup)
        return backup

    def list_backups(self, context: Context, *, all_tenants: bool = False) -> list[Backup]:
        """Those of the caller's project; an admin may ask for all."""
        authorize(context, "backup:get_all")
        return [
            Backup.from_row(row, self.cloud.database)
            for row in self.cloud.database.backups.values()
            if (context.is_admin and all_tenants) or row["project_id"] == context.project_id
        ]

    def create(
        self,
        context: Context,
        volume_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        container: str | None = None,
        incremental: bool = False,
        force: bool = False,
        snapshot_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        availability_zone: str | None = None,
    ) -> Backup:
        """Of an available volume, with `force` of one in use, or of an available snapshot of it."""
        volume = self.get(context, volume_id)
        action = ACTIONS["create_backup"]
        authorize(context, action.rule, volume)
        snapshot = self.get_snapshot(context, snapshot_id) if snapshot_id else None
        if snapshot is not None:
            self._check_snapshot(volume, snapshot)
        else:
            self.require(volume, action)
            if volume.status == "in-use" and not force:
                raise errors.InvalidVolume(reason="Backing up an in-use volume must use the force flag.")
        database = self.cloud.database
        reservations = self.cloud.reserve(
            context.project_id, None, {"backups": 1, "backup_gigabytes": volume.size}
        )
        try:
            parent = self._latest(context, volume, snapshot) if incremental else None
        except errors.InvalidBackup:
            self.cloud.quotas.rollback(reservations)
            raise
        now_us = self.cloud.simulation.kernel.now_us
        if snapshot is not None:
            snapshot.status = "backing-up"
            snapshot.save()
        else:
            volume.update({"status": "backing-up", "previous_status": volume.status})
            volume.save()
        backup = database.get_backup(
            database.create(
                Backup,
                {
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "volume_id": volume.id,
                    "snapshot_id": snapshot_id,
                    "parent_id": parent.id if parent else None,
                    "display_name": name,
                    "display_description": description,
                    "container": container,
                    "availability_zone": availability_zone,
                    "size": volume.size,
                    "metadata": dict(metadata or {}),
                    "data_timestamp": snapshot.created_at if snapshot else now_us,
                    "created_at": now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_backup", backup.id)
        self.cloud.messaging.cast(TOPIC, "create_backup", backup)
        return backup

    @staticmethod
    def _check_snapshot(volume: Volume, snapshot: Snapshot) -> None:
        if snapshot.volume_id != volume.id:
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} does not match with snapshot.volume_id {snapshot.volume_id}."
            )
        if snapshot.status != "available":
            raise errors.InvalidSnapshot(
                reason="Snapshot to be backed up must be available, but the current status is "
                f'"{snapshot.status}".'
            )

    def _latest(self, context: Context, volume: Volume, snapshot: Snapshot | None) -> Backup:
        """The parent of an incremental backup: the latest one before the data that it is to hold."""
        candidates = [
            backup
            for backup in self.list_backups(context)
            if backup.volume_id == volume.id
            and backup.status == "available"
            and (snapshot is None or (backup.data_timestamp or 0) < (snapshot.created_at or 0))
        ]
        if not candidates:
            raise errors.InvalidBackup(reason="No backups available to do an incremental backup.")
        return max(candidates, key=lambda backup: backup.data_timestamp or 0)

    def delete(self, context: Context, backup_id: str, *, force: bool = False) -> None:
        """InvalidBackup unless available or error, and without incremental backups on it."""
        backup = self.get_backup(context, backup_id)
        if force:
            authorize(context, f"{ADMIN_ACTIONS}:force_delete", backup)
        authorize(context, "backup:delete", backup)
        if not force and backup.status not in ("available", "error"):
            raise errors.InvalidBackup(reason="Backup status must be available or error")
        if any(other.parent_id == backup.id for other in self.list_backups(context)):
            raise errors.InvalidBackup(reason="Incremental backups exist for this backup.")
        backup.update({"status": "deleting", "host": BACKUP_HOST})
        backup.save()
        self.note("delete_backup", backup.id)
        self.cloud.messaging.cast(BACKUP_HOST, "delete_backup", backup)

    def restore(
        self, context: Context, backup_id: str, volume_id: str | None = None, name: str | None = None
    ) -> Volume:
        """Over an available volume that is large enough; without one, a new volume is made and waited for."""
        backup = self.get_backup(context, backup_id)
        action = ACTIONS["restore_backup"]
        authorize(context, action.rule, backup)
        if backup.status != "available":
            raise errors.InvalidBackup(reason="Backup status must be available")
        if volume_id is None:
            volume_id = self._new_volume(context, backup, name)
        volume = self.get(context, volume_id)
        self.require(volume, action)
        if backup.size > volume.size:
            raise errors.InvalidVolume(
                reason=f"volume size {volume.size} is too small to restore backup of size {backup.size}."
            )
        backup.update({"status": "restoring", "host": BACKUP_HOST, "restore_volume_id": volume.id})
        backup.save()
        # previous_status stays as it was.
        volume.status = "restoring-backup"
        volume.save()
        self.note("restore_backup", f"{backup.id} to {volume.name}")
        self.cloud.messaging.cast(BACKUP_HOST, "restore_backup", backup, volume.id)
        return volume

    def _new_volume(self, context: Context, backup: Backup, name: str | None) -> str:
        made = self.cloud.api.create_volume(
            context, backup.size, name=name or f"restore_backup_{backup.id}",
            description="auto-created_from_restore_from_backup",
        )  # fmt: skip
        while self.cloud.database.get_volume(made.id).status == "creating":
            self.cloud.simulation.kernel.sleep(POLL_US)
        if self.cloud.database.get_volume(made.id).status == "error":
            raise errors.InvalidVolume(
                reason=f"Error while creating volume {made.id} for restoring backup {backup.id}."
            )
        return made.id

    def export_record(self, context: Context, backup_id: str) -> dict[str, str]:
        """How another Cinder imports it: `backup_service` and `backup_url`."""
        backup = self.get_backup(context, backup_id)
        authorize(context, "backup:export-import", backup)
        if backup.status != "available":
            raise errors.InvalidBackup(reason=f"Backup status must be available and not {backup.status}.")
        record: dict[str, str] = self.cloud.messaging.call(BACKUP_HOST, "export_record", backup)
        return record

    def import_record(self, context: Context, backup_service: str, backup_url: str) -> Backup:
        """A record of what an earlier one has left in the store; the backup service fills it in, or fails.

        InvalidInput for a text that no export has given, InvalidBackup for a backup that is there already.
        """
        authorize(context, "backup:backup-import")
        fields = backup_records.decode(backup_url)
        database, backup_id, size = self.cloud.database, fields["id"], fields["size"]
        if backup_id in database.backups:
            raise errors.InvalidBackup(reason="Backup already exists in database.")
        reservations = self.cloud.reserve(context.project_id, None, {"backups": 1, "backup_gigabytes": size})
        values = {
            "id": backup_id,
            "user_id": context.user_id,
            "project_id": context.project_id,
            "volume_id": NO_VOLUME,
            "created_at": self.cloud.simulation.kernel.now_us,
        }
        backup = database.get_backup(database.create(Backup, values))
        self.cloud.quotas.commit(reservations)
        self.note("import_record", backup.id)
        self.cloud.messaging.cast(BACKUP_HOST, "import_record", backup, backup_service, backup_url)
        return backup

    def update(
        self,
        context: Context,
        backup_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Backup:
        """Change what is given, whatever the status."""
        backup = self.get_backup(context, backup_id)
        authorize(context, "backup:update", backup)
        given = {"display_name": name, "display_description": description, "metadata": metadata}
        backup.update({field: value for field, value in given.items() if value is not None})
        backup.save()
        return backup

    def reset_status(self, context: Context, backup_id: str, status: str) -> None:
        """The backup service writes it."""
        backup = self.get_backup(context, backup_id)
        authorize(context, f"{ADMIN_ACTIONS}:reset_status", backup)
        if status.lower() not in STATUSES:
            raise errors.InvalidInput(reason=f"Invalid status: '{status}'.")
        backup.host = BACKUP_HOST
        backup.save()
        self.cloud.messaging.cast(BACKUP_HOST, "reset_status", backup, status.lower())
