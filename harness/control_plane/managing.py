"""The manager's chapter on objects that Cinder did not make, and on volumes that change hands.

Sources: `cinder.volume.flows.manager.manage_existing`, `cinder.volume.manager:VolumeManager`.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.control_plane.content import Content
from harness.control_plane.user_messages import Action, Detail
from harness.model import Manageable, Snapshot, Volume


class Managing(Content):
    """Runs on the service that the object is on."""

    def manage_existing(self, volume: Volume, ref: dict[str, str]) -> None:
        """Ask the driver for the size, reserve it, take over. A failure leaves the record in error_managing."""
        reservations: list[str] = []
        try:
            self.require_driver_initialized()
            size = self.drive("manage_existing_get_size", volume, ref)
            self.cloud.quotas.check_size(volume.project_id, size)
            # The volume itself has been counted by the API.
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"gigabytes": size - volume.size}
            )
            update = self.drive("manage_existing", volume, ref)
        except Exception as error:
            self.cloud.quotas.rollback(reservations)
            volume.status = "error_managing"
            volume.save()
            self.note("manage_existing failed", str(error))
            raise
        volume.update({**(update or {}), "size": size})
        volume.update({"status": "available", "launched_at": self.simulation.kernel.now_us})
        volume.save()
        self.cloud.quotas.commit(reservations)
        self.change_allocated_capacity(volume.host, size)
        self.note("volume managed", volume.name)

    def manage_existing_snapshot(self, snapshot: Snapshot, ref: dict[str, str]) -> None:
        """The same for a snapshot; a failure leaves the record in error."""
        try:
            self.require_driver_initialized()
            size = self.drive("manage_existing_snapshot_get_size", snapshot, ref)
            update = self.drive("manage_existing_snapshot", snapshot, ref)
        except Exception as error:
            snapshot.status = "error"
            snapshot.save()
            self.note("manage_existing_snapshot failed", str(error))
            raise
        snapshot.update({**(update or {}), "volume_size": size, "status": "available", "progress": "100%"})
        snapshot.save()
        self.note("snapshot managed", snapshot.name)

    def get_manageable_volumes(self) -> list[Manageable]:
        """What the driver finds. NotImplementedError if it does not look."""
        self.require_driver_initialized()
        ours = [
            Volume.from_row(row, self.db)
            for row in self.db.volumes.values()
            if self.is_our_backend(row["host"] or "", row["cluster_name"])
        ]
        found: list[Manageable] = self.drive("get_manageable_volumes", ours)
        return found

    def get_manageable_snapshots(self) -> list[Manageable]:
        """The same for snapshots."""
        self.require_driver_initialized()
        ours = [
            snapshot
            for row in self.db.volumes.values()
            if self.is_our_backend(row["host"] or "", row["cluster_name"])
            for snapshot in self.db.snapshots_of(row["id"])
        ]
        found: list[Manageable] = self.drive("get_manageable_snapshots", ours)
        return found

    def accept_transfer(self, volume_id: str, new_user: str, new_project: str) -> None:
        """Tell the driver of the new owner."""
        self.require_driver_initialized()
        volume = self.db.get_volume(volume_id)
        update = self.drive("accept_transfer", self.admin, volume, new_user, new_project)
        if update:
            self.db.update(Volume, volume_id, update)

    def extend_volume_completion(
        self, volume: Volume, new_size: int, reservations: Sequence[str], error: bool
    ) -> None:
        """The end of an extension, wherever it was done (`VolumeManager.extend_volume_completion`)."""
        if error:
            self.cloud.user_messages.create(volume, Action.EXTEND_VOLUME, detail=Detail.DRIVER_FAILED_EXTEND)
            self.db.update(Volume, volume.id, {"status": "error_extending"})
            self.cloud.quotas.rollback(reservations)
            return
        self.cloud.quotas.commit(reservations)
        grown_gb = new_size - volume.size
        volume.update({"size": new_size, "status": "in-use" if volume.volume_attachment else "available"})
        volume.save()
        self.change_allocated_capacity(volume.host, grown_gb)
        self.notify(volume, "resize.end", size=new_size)
        self.note("volume extended", f"{volume.name} to {new_size} GiB")
