"""Snapshots of a volume."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import AVAILABLE_MIGRATION_STATUSES, Context, Snapshot, service_host


class Snapshots(Chapter):
    """Create and delete."""

    def create_snapshot(self, context: Context, volume_id: str) -> Snapshot:
        """Of an available or in-use volume that does not migrate (microversion 3.66).

        Snapshot and quota are those of the caller's project, not of the volume's.
        """
        volume = self.get(context, volume_id)
        self.require_thawed(volume)
        authorize(context, volume, "volume:create_snapshot")
        if volume.status == "maintenance":
            raise errors.InvalidVolume(
                reason="The snapshot cannot be created when the volume is in maintenance mode."
            )
        if volume.migration_status not in AVAILABLE_MIGRATION_STATUSES:
            raise errors.InvalidVolume(reason="Snapshot cannot be created while volume is migrating.")
        if volume.status not in ("available", "in-use"):
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} status must be available, in-use, but current status is: "
                f"{volume.status}."
            )
        database = self.cloud.database
        reservations = self.cloud.reserve(
            context.project_id, volume.volume_type_id, {"snapshots": 1, "gigabytes": volume.size}
        )
        snapshot = database.get_snapshot(
            database.create(
                Snapshot,
                {
                    "volume_id": volume.id,
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "volume_size": volume.size,
                    "volume_type_id": volume.volume_type_id,
                    "encryption_key_id": volume.encryption_key_id,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_snapshot", snapshot.name)
        self.cloud.messaging.cast(TOPIC, "create_snapshot", snapshot, volume.host or "")
        return snapshot

    def delete_snapshot(self, context: Context, snapshot_id: str) -> None:
        """InvalidSnapshot unless available or error."""
        snapshot = self.cloud.database.get_snapshot(snapshot_id)
        volume = self.get(context, snapshot.volume_id)
        authorize(context, volume, "volume:delete_snapshot")
        self.require_thawed(volume)
        if snapshot.status not in ("available", "error"):
            raise errors.InvalidSnapshot(reason="Snapshot status must be available or error.")
        snapshot.status = "deleting"
        snapshot.save()
        self.note("delete_snapshot", snapshot.name)
        self.cloud.messaging.cast(service_host(volume.host or ""), "delete_snapshot", snapshot)
