"""The manager's chapter on retype (`cinder.volume.manager:VolumeManager.retype`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.extra_specs import as_bool
from harness.control_plane.migration import Migration
from harness.control_plane.volume_types import volume_types_diff
from harness.model import Context, ModelUpdate, Snapshot, TypesDiff, Volume

NOT_REPLICATED = (None, "disabled", "not-capable")


class Retype(Migration):
    """Runs on the service that the volume is on."""

    def retype(
        self,
        volume: Volume,
        new_type_id: str,
        host: dict[str, Any],
        migration_policy: str | None,
        reservations: Sequence[str],
        old_reservations: Sequence[str],
        asking: Context,
    ) -> None:
        """Change the type in place if types or driver allow, else migrate if the policy allows."""
        volume.hides_admin_metadata = not asking.is_admin
        restored: ModelUpdate = {"status": volume.previous_status or volume.status}
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
            # Reservations stay open here, until they expire.
            volume.update(restored)
            volume.save()
            raise
        new_type = self.db.get_volume_type(new_type_id)
        diff, equal = volume_types_diff(volume.volume_type, new_type)
        update: ModelUpdate | None = None
        retyped = equal
        if equal:
            self.note("types are equal", "no driver call")
        elif not diff["encryption"] and self.is_our_backend(host["host"], host.get("cluster_name")):
            retyped, update = self._retype_by_driver(volume, new_type_id, diff, host)

        if retyped:
            self._retyped_in_place(volume, new_type_id, host, restored, diff, update)
        else:
            try:
                self._refuse_migration(volume, migration_policy)
                volume.migration_status = "starting"
                volume.save()
                self.note("retype needs a migration", f"to {host['host']}")
                self.migrate_volume(volume, host, False, new_type_id=new_type_id, diff=diff)
            except Exception:
                volume.update(restored)
                volume.save()
                for each in (old_reservations, reservations):
                    self.cloud.quotas.rollback(each, asking.project_id)
                raise
        # For an attached volume Nova has only just begun to copy; the quota moves all the same.
        self.cloud.quotas.commit([*old_reservations, *reservations])
        self.notify(volume, "retype", volume_type=new_type_id)
        self.note("retype", "reservations committed")
        self.publish_service_capabilities()

    def _retype_by_driver(
        self, volume: Volume, new_type_id: str, diff: TypesDiff, host: dict[str, Any]
    ) -> tuple[bool, ModelUpdate | None]:
        """What the driver says; an exception counts as no."""
        try:
            answer = self.drive("retype", self.admin, volume, self.db.get_volume_type(new_type_id), diff, host)
        except Exception as error:  # noqa: BLE001 (whatever the driver raises means "no")
            self.note("driver.retype failed", f"{error}; falling back to migration")
            return False, None
        if isinstance(answer, tuple):
            return bool(answer[0]), answer[1]
        return bool(answer), None

    def _refuse_migration(self, volume: Volume, migration_policy: str | None) -> None:
        if migration_policy != "on-demand":
            raise errors.VolumeMigrationFailed(reason="Retype requires migration but is not allowed.")
        if volume.snapshots:
            raise errors.InvalidVolume(reason="Volume must not have snapshots.")
        if volume.replication_status not in NOT_REPLICATED:
            raise errors.InvalidVolume(reason="Volume must not be replicated.")

    def _retyped_in_place(
        self,
        volume: Volume,
        new_type_id: str,
        host: dict[str, Any],
        restored: ModelUpdate,
        diff: TypesDiff,
        update: ModelUpdate | None,
    ) -> None:
        """Set type and host. With equal types the host is the scheduler's choice even if no data moved."""
        fields = {"volume_type_id": new_type_id, "host": host["host"],
                  "cluster_name": host.get("cluster_name"), **restored, **(update or {})}  # fmt: skip
        fields.update(_replication_status(diff, fields))
        volume.update(fields)
        volume.save()
        for snapshot in volume.snapshots:
            self.db.update(Snapshot, snapshot.id, {"volume_type_id": new_type_id})
        self.note("retyped in place", host["host"])


def _replication_status(diff: TypesDiff, fields: ModelUpdate) -> ModelUpdate:
    """Follow `replication_enabled` unless the driver did (`VolumeManager._set_replication_status`).

    The diff has it also when both types say the same, so a volume whose replication failed is "enabled" again.
    """
    old_and_new = diff["extra_specs"].get("replication_enabled")
    if fields.get("replication_status") or old_and_new is None:
        return {}
    words = (old_and_new[1] or "").split()
    enabled = len(words) == 2 and words[0] == "<is>" and as_bool(words[1])
    return {"replication_status": "enabled" if enabled else "disabled"}
