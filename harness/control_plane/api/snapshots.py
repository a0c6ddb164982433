"""Snapshots of a volume (`cinder.volume.api:API`, `cinder.api.v3.snapshots`, `cinder.api.v3.volumes`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness import errors
from harness.control_plane.api.chapter import Chapter, check_metadata
from harness.control_plane.api.conditions import ACTIONS, NEWEST, Microversion
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import AVAILABLE_MIGRATION_STATUSES, Context, Snapshot, Volume

IN_USE: Microversion = (3, 66)
"""From here on snapshots of volumes in use need no force."""
ADMIN_ACTIONS = "volume_extension:snapshot_admin_actions"
STATUSES = ("creating", "available", "deleting", "deleted", "updating", "error_deleting", "error", "backing-up",
            "unmanaging", "restoring")  # fmt: skip
"""What a snapshot's status may be reset to (`cinder.objects.fields:SnapshotStatus`)."""
NEXT = MappingProxyType({
    "creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting"),
})  # fmt: skip
"""What Nova may say of a snapshot, by what it is."""
FORCE_IS_GONE = (
    "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, "
    "however, when the 'force' flag is passed with a value evaluating to True, it is silently ignored."
)


class Snapshots(Chapter):
    """Create, delete, rename, go back."""

    def list_snapshots(self, context: Context, *, all_tenants: bool = False) -> list[Snapshot]:
        """Those of the caller's project; an admin may ask for all."""
        authorize(context, "volume:get_all_snapshots")
        return [
            Snapshot.from_row(row, self.cloud.database)
            for row in self.cloud.database.snapshots.values()
            if (context.is_admin and all_tenants) or row["project_id"] == context.project_id
        ]

    def create_snapshot(
        self,
        context: Context,
        volume_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        force: bool | None = None,
        microversion: Microversion = NEWEST,
    ) -> Snapshot:
        """Of an available or in-use volume that does not migrate; before 3.66 in-use ones need `force`.

        Snapshot and quota are those of the caller's project, not of the volume's.
        """
        volume = self.get(context, volume_id)
        if force is False and microversion >= IN_USE:
            raise errors.Invalid(FORCE_IS_GONE)
        self.require_thawed(volume)
        in_use = bool(force) or microversion >= IN_USE
        snapshot = self.record_snapshot(context, volume, name, description, metadata, in_use=in_use)
        self.note("create_snapshot", snapshot.name)
        self.cloud.messaging.cast(TOPIC, "create_snapshot", snapshot, volume.resource_backend)
        return snapshot

    def record_snapshot(
        self,
        context: Context,
        volume: Volume,
        name: str | None,
        description: str | None,
        metadata: Mapping[str, str] | None,
        *,
        in_use: bool,
    ) -> Snapshot:
        """Check and write the record, with its quota (`create_snapshot_in_db`)."""
        action = ACTIONS["create_snapshot" if in_use else "create_snapshot_available"]
        self.require_snapshottable(context, volume)
        check_metadata(metadata)
        self.require(volume, action)
        reservations = self.cloud.reserve(
            context.project_id, volume.volume_type_id, {"snapshots": 1, "gigabytes": volume.size}
        )
        snapshot = self.insert_snapshot(context, volume, name, description, metadata=dict(metadata or {}))
        self.cloud.quotas.commit(reservations)
        return snapshot

    def insert_snapshot(
        self, context: Context, volume: Volume, name: str | None, description: str | None, **fields: object
    ) -> Snapshot:
        """The row; what it takes of the quota is reserved already."""
        database = self.cloud.database
        snapshot_id = database.create(
            Snapshot,
            {
                "volume_id": volume.id,
                "user_id": context.user_id,
                "project_id": context.project_id,
                "volume_size": volume.size,
                "display_name": name,
                "display_description": description,
                "volume_type_id": volume.volume_type_id,
                "encryption_key_id": volume.encryption_key_id,
                "created_at": self.cloud.simulation.kernel.now_us,
                **fields,
            },
        )
        return database.get_snapshot(snapshot_id)

    def require_snapshottable(self, context: Context, volume: Volume) -> None:
        """What is refused whatever the microversion, each with words of its own."""
        authorize(context, ACTIONS["create_snapshot"].rule, volume)
        if not volume.host:
            reason = "The snapshot cannot be created because volume has not been scheduled to any host."
        elif volume.status == "maintenance":
            reason = "The snapshot cannot be created when the volume is in maintenance mode."
        elif volume.migration_status not in AVAILABLE_MIGRATION_STATUSES:
            reason = "Snapshot cannot be created while volume is migrating."
        elif volume.status == "error":
            reason = "The snapshot cannot be created when the volume is in error status."
        else:
            return
        raise errors.InvalidVolume(reason=reason)

    def delete_snapshot(self, context: Context, snapshot_id: str, *, force: bool = False) -> None:
        """InvalidSnapshot unless available or error, and of no group's snapshot; `force` ignores the status."""
        snapshot = self.get_snapshot(context, snapshot_id)
        if force:
            authorize(context, f"{ADMIN_ACTIONS}:force_delete", snapshot)
        self.drop_snapshot(context, snapshot, force=force)

    def drop_snapshot(
        self, context: Context, snapshot: Snapshot, *, force: bool = False, unmanage_only: bool = False
    ) -> None:
        """Delete or let go of a snapshot whose record is in hand."""
        authorize(context, "volume:delete_snapshot", snapshot)
        volume = snapshot.volume
        if not unmanage_only:
            self.require_thawed(volume)
        expected: dict[str, object] = {"group_snapshot_id": None}
        if not force:
            expected["status"] = ("available", "error")
        values = {"status": "unmanaging" if unmanage_only else "deleting"}
        if not self.cloud.database.conditional_update(snapshot, values, expected):
            status = "" if force else "status must be available or error and"
            raise errors.InvalidSnapshot(reason=f"Snapshot {status} must not be part of a group.")
        self.note("delete_snapshot", snapshot.name)
        self.cloud.messaging.cast(volume.service_topic_queue, "delete_snapshot", snapshot, unmanage_only)

    def update_snapshot(
        self, context: Context, snapshot_id: str, *, name: str | None = None, description: str | None = None
    ) -> Snapshot:
        """Change name or description, whatever the status."""
        snapshot = self.get_snapshot(context, snapshot_id)
        authorize(context, "volume:update_snapshot", snapshot)
        if name is not None:
            snapshot.display_name = name
        if description is not None:
            snapshot.display_description = description
        snapshot.save()
        return snapshot

    def update_snapshot_metadata(
        self, context: Context, snapshot_id: str, metadata: Mapping[str, str], *, delete: bool = False
    ) -> dict[str, str]:
        """Add pairs, with `delete` in place of all others; returns all."""
        snapshot = self.get_snapshot(context, snapshot_id)
        authorize(context, "volume:update_snapshot_metadata", snapshot)
        pairs: dict[str, str] = {**({} if delete else snapshot.metadata), **metadata}
        check_metadata(pairs)
        snapshot.metadata = pairs
        snapshot.save()
        return pairs

    def delete_snapshot_metadata(self, context: Context, snapshot_id: str, key: str) -> None:
        """SnapshotMetadataNotFound (404) if there is no such key."""
        snapshot = self.get_snapshot(context, snapshot_id)
        authorize(context, "volume:delete_snapshot_metadata", snapshot)
        if key not in snapshot.metadata:
            raise errors.SnapshotMetadataNotFound(snapshot_id=snapshot.id, metadata_key=key)
        snapshot.metadata = {name: value for name, value in snapshot.metadata.items() if name != key}
        snapshot.save()

    def reset_snapshot_status(self, context: Context, snapshot_id: str, status: str) -> None:
        """Write the status by hand."""
        snapshot = self.cloud.database.get_snapshot(snapshot_id)
        authorize(context, f"{ADMIN_ACTIONS}:reset_status", snapshot)
        if status.lower() not in STATUSES:
            raise errors.InvalidInput(reason=f"Invalid status: '{status}'.")
        snapshot.status = status.lower()
        snapshot.save()

    def update_snapshot_status(
        self, context: Context, snapshot_id: str, status: str, progress: str | None = None
    ) -> None:
        """What Nova tells of a snapshot that it makes or deletes (`cinder.api.contrib.snapshot_actions`).

        Invalid (400) in any other status than `creating` and `deleting`, and for a step that does not follow.
        """
        snapshot = self.cloud.database.get_snapshot(snapshot_id)
        if not context.is_admin and snapshot.project_id != context.project_id:
            raise errors.SnapshotNotFound(snapshot_id=snapshot_id)
        authorize(context, "snapshot_extension:snapshot_actions:update_snapshot_status", snapshot)
        if snapshot.status not in NEXT:
            raise errors.Invalid(f"Snapshot status {snapshot.status} not allowed for update_snapshot_status")
        if status not in NEXT[snapshot.status]:
            raise errors.Invalid(
                f"Provided snapshot status {status} not allowed for snapshot with status {snapshot.status}."
            )
        snapshot.update({"status": status, **({"progress": progress} if progress else {})})
        snapshot.save()

    def revert_to_snapshot(self, context: Context, volume_id: str, snapshot_id: str | None) -> None:
        """Put the volume back to its latest snapshot (microversion 3.40).

        400 for another snapshot or another size; a wrong status of volume or snapshot is a conflict, 409.
        """
        volume = self.get(context, volume_id)
        snapshots = volume.snapshots
        if not snapshots:
            raise errors.Invalid(f"Volume {volume.id} doesn't have any snapshots.")
        latest = max(snapshots, key=lambda each: each.created_at or 0)
        if snapshot_id != latest.id:
            raise errors.Invalid(
                f"Specified snapshot {snapshot_id} is None or not the latest one of volume {volume.id}."
            )
        if volume.size != latest.volume_size:
            raise errors.Invalid(
                f"Can't revert volume {volume.id} to its latest snapshot {latest.id}. The volume size must be "
                "equal to the snapshot size."
            )
        action = ACTIONS["revert_to_snapshot"]
        authorize(context, action.rule, volume)
        try:
            self.claim(volume, action, {"status": "reverting"})
        except errors.InvalidVolume:
            reason = action.reason(volume).format(snapshot=latest.id)
            raise errors.Conflict(str(errors.InvalidVolume(reason=reason))) from None
        if not self.cloud.database.conditional_update(latest, {"status": "restoring"}, {"status": "available"}):
            raise errors.Conflict(
                f"Invalid snapshot: Can't revert volume {volume.id} to its latest snapshot {latest.id}. "
                "Snapshot's status must be 'available'."
            )
        self.note("revert_to_snapshot", latest.name)
        self.cloud.messaging.cast(volume.service_topic_queue, "revert_to_snapshot", volume, latest)
