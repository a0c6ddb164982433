"""The manager's chapter on snapshots (`cinder.volume.manager:VolumeManager.create_snapshot`)."""

from __future__ import annotations

from harness import errors
from harness.control_plane.retype import Retype
from harness.control_plane.user_messages import Action, Detail
from harness.model import Snapshot


class Snapshots(Retype):
    """Runs on the service that the volume is on."""

    def create_snapshot(self, snapshot: Snapshot) -> None:
        """A failure leaves the record in error."""
        with self.worker(snapshot):
            self._create_snapshot(snapshot)

    def _notify_snapshot(self, snapshot: Snapshot, suffix: str) -> None:
        self.cloud.notifications.snapshot(snapshot, snapshot.volume, suffix, self.host)

    def _create_snapshot(self, snapshot: Snapshot) -> None:
        self._notify_snapshot(snapshot, "create.start")
        try:
            self.require_driver_initialized()
            update = self.drive("create_snapshot", snapshot)
        except Exception as error:
            snapshot.status = "error"
            snapshot.save()
            self.cloud.user_messages.create(
                snapshot, Action.SNAPSHOT_CREATE, error, Detail.SNAPSHOT_CREATE_ERROR
            )
            self.note("create_snapshot failed", str(error))
            raise
        snapshot.update(update or {})
        snapshot.update({"status": "available", "progress": "100%"})
        snapshot.save()
        self._notify_snapshot(snapshot, "create.end")
        self.note("snapshot created", snapshot.name)

    def delete_snapshot(self, snapshot: Snapshot, unmanage_only: bool = False) -> None:
        """SnapshotIsBusy makes it available again; other failures leave it in error_deleting."""
        self._notify_snapshot(snapshot, "delete.start")
        try:
            self.require_driver_initialized()
            self.drive("unmanage_snapshot" if unmanage_only else "delete_snapshot", snapshot)
        except errors.SnapshotIsBusy as error:
            snapshot.status = "available"
            snapshot.save()
            self.cloud.user_messages.create(snapshot, Action.SNAPSHOT_DELETE, error)
            return
        except Exception as error:
            snapshot.status = "error_deleting"
            snapshot.save()
            self.cloud.user_messages.create(
                snapshot, Action.SNAPSHOT_DELETE, error, Detail.SNAPSHOT_DELETE_ERROR
            )
            self.note("delete_snapshot failed", str(error))
            raise
        if snapshot.use_quota:
            reservations = self.give_back(
                snapshot.project_id,
                snapshot.volume_type_id,
                {"snapshots": -1, "gigabytes": -snapshot.volume_size},
            )
            self.cloud.quotas.commit(reservations)
        del self.db.snapshots[snapshot.id]
        self._notify_snapshot(snapshot, "delete.end")
        self.note("snapshot deleted", snapshot.name)
