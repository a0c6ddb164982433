"""Snapshots of groups, and groups made of them or of others (`cinder.group.api:API`, microversion 3.14)."""

from __future__ import annotations

from typing import Any

from harness import errors
from harness.control_plane.api.groups import Groups
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Group, GroupSnapshot, Snapshot, Volume

STATUSES = ("error", "available", "creating", "deleting", "deleted", "updating", "error_deleting")
"""What a group snapshot's status may be reset to (`cinder.objects.fields:GroupSnapshotStatus`)."""


class GroupSnapshots(Groups):
    """creating -> available -> deleting."""

    def get_group_snapshot(self, context: Context, group_snapshot_id: str) -> GroupSnapshot:
        """GroupSnapshotNotFound also for another project's."""
        group_snapshot = self.cloud.database.get_group_snapshot(group_snapshot_id)
        if not context.is_admin and group_snapshot.project_id != context.project_id:
            raise errors.GroupSnapshotNotFound(group_snapshot_id=group_snapshot_id)
        authorize(context, "group:get_group_snapshot", group_snapshot)
        return group_snapshot

    def list_group_snapshots(self, context: Context, *, all_tenants: bool = False) -> list[GroupSnapshot]:
        """Those of the caller's project; an admin may ask for all."""
        authorize(context, "group:get_all_group_snapshots")
        return [
            GroupSnapshot.from_row(row, self.cloud.database)
            for row in self.cloud.database.group_snapshots.values()
            if (context.is_admin and all_tenants) or row["project_id"] == context.project_id
        ]

    def create_group_snapshot(
        self, context: Context, group_id: str, *, name: str | None = None, description: str | None = None
    ) -> GroupSnapshot:
        """Of a group that has volumes and is not being made or changed; a volume's status is not looked at.

        InvalidGroup, or InvalidVolume for a volume that migrates, is in error or in maintenance.
        """
        group = self.get_group(context, group_id)
        authorize(context, "group:create_group_snapshot", group)
        self.require_thawed(group)
        database = self.cloud.database
        volumes = database.volumes_of_group(group.id)
        if not volumes or group.status in ("creating", "updating"):
            raise errors.InvalidGroup(
                reason="Source group cannot be empty or in 'creating' or 'updating' state. No group snapshot "
                "will be created."
            )
        for volume in volumes:
            self.cloud.api.require_snapshottable(context, volume)
        reservations = self._reserve_snapshots(context, volumes)
        group_snapshot = database.get_group_snapshot(
            database.create(
                GroupSnapshot,
                {
                    "group_id": group.id,
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "name": name,
                    "description": description,
                    "group_type_id": group.group_type_id,
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        for volume in volumes:
            self.cloud.api.insert_snapshot(
                context, volume, name, description, group_snapshot_id=group_snapshot.id
            )
        self.cloud.quotas.commit(reservations)
        self.note("create_group_snapshot", group_snapshot.id)
        self.cloud.messaging.cast(group.service_topic_queue, "create_group_snapshot", group_snapshot)
        return group_snapshot

    def _reserve_snapshots(self, context: Context, volumes: list[Volume]) -> list[str]:
        """For all at once, or for none (`create_snapshots_in_db`)."""
        made: list[str] = []
        try:
            for volume in volumes:
                deltas = {"snapshots": 1, "gigabytes": volume.size}
                made += self.cloud.reserve(context.project_id, volume.volume_type_id, deltas)
        except errors.OverQuota:
            self.cloud.quotas.rollback(made)
            raise
        return made

    def delete_group_snapshot(self, context: Context, group_snapshot_id: str) -> None:
        """InvalidGroupSnapshot unless available or error, and no group is just being made of it."""
        group_snapshot = self.get_group_snapshot(context, group_snapshot_id)
        authorize(context, "group:delete_group_snapshot", group_snapshot)
        database = self.cloud.database
        group = database.get_group(group_snapshot.group_id)
        self.require_thawed(group)
        idle = not any(row["group_snapshot_id"] == group_snapshot.id for row in self.being_made())
        expected = {"status": ("available", "error")}
        if not database.conditional_update(group_snapshot, {"status": "deleting"}, expected, idle):
            raise errors.InvalidGroupSnapshot(
                reason="GroupSnapshot status must be available or error, and no Group can be currently using "
                "it as source for its creation."
            )
        for snapshot in database.snapshots_of_group_snapshot(group_snapshot.id):
            database.update(Snapshot, snapshot.id, {"status": "deleting"})
        self.note("delete_group_snapshot", group_snapshot.id)
        self.cloud.messaging.cast(group.service_topic_queue, "delete_group_snapshot", group_snapshot)

    def update_group_snapshot(
        self,
        context: Context,
        group_snapshot_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> GroupSnapshot:
        """Change name or description, whatever the status."""
        group_snapshot = self.get_group_snapshot(context, group_snapshot_id)
        authorize(context, "group:update_group_snapshot", group_snapshot)
        given = {"name": name, "description": description}
        group_snapshot.update({field: value for field, value in given.items() if value is not None})
        group_snapshot.save()
        return group_snapshot

    def reset_group_snapshot_status(self, context: Context, group_snapshot_id: str, status: str) -> None:
        """Write the status by hand (microversion 3.19)."""
        group_snapshot = self.get_group_snapshot(context, group_snapshot_id)
        authorize(context, "group:reset_group_snapshot_status", group_snapshot)
        if status not in STATUSES:
            raise errors.InvalidInput(reason=f"Invalid status: '{status}'.")
        group_snapshot.status = status
        group_snapshot.save()

    # --------------------------------------------------------------------------------------------- source

    def create_from_source(
        self,
        context: Context,
        *,
        name: str | None = None,
        description: str | None = None,
        group_snapshot_id: str | None = None,
        source_group_id: str | None = None,
    ) -> Group:
        """A group with copies of all volumes, where its source is; one of the two sources is given.

        InvalidGroup for an empty source, or where there is no room: of the latter, as in Cinder, the group
        stays behind in `creating`, with its share of the quota.
        """
        authorize(context, "group:create")
        database = self.cloud.database
        snapshots: list[Snapshot] = []
        if group_snapshot_id:
            source = self.get_group(context, self.get_group_snapshot(context, group_snapshot_id).group_id)
            snapshots = database.snapshots_of_group_snapshot(group_snapshot_id)
            originals = [snapshot.volume for snapshot in snapshots]
        else:
            source = self.get_group(context, source_group_id or "")
            originals = database.volumes_of_group(source.id)
        group = self.record_group(
            context,
            name=name,
            description=description,
            group_snapshot_id=group_snapshot_id,
            source_group_id=None if group_snapshot_id else source.id,
            group_type_id=source.group_type_id,
            volume_type_ids=source.volume_type_ids,
            availability_zone=source.availability_zone,
            host=source.host,
            cluster_name=source.cluster_name,
        )
        size_gb = sum(volume.size for volume in originals)
        backend = group.resource_backend
        if not backend or not self.cloud.messaging.call(TOPIC, "validate_host_capacity", backend, size_gb):
            raise errors.InvalidGroup(reason=f"No valid host to create group {group.id}.")
        self.require_thawed(group)
        self._add_copies(context, group, originals, snapshots)
        self.note("create_group_from_src", group.id)
        self.cloud.messaging.cast(group.service_topic_queue, "create_group_from_src", group)
        return group

    def _add_copies(
        self, context: Context, group: Group, originals: list[Volume], snapshots: list[Snapshot]
    ) -> None:
        """Records for the copies, with quota; the group's service makes them later.

        If one is refused, those made before go away with the group, whose share of the quota stays taken.
        """
        database = self.cloud.database
        copies: list[dict[str, Any]] = [
            {"size": volume.size, "volume_type": volume.volume_type_id, "source_volid": volume.id}
            for volume in originals
        ]
        if group.group_snapshot_id:
            copies = [
                {"size": each.volume_size, "volume_type": each.volume_type_id, "snapshot_id": each.id}
                for each in snapshots
            ]
        try:
            if not copies:
                kind = "Group snapshot" if group.group_snapshot_id else "Source Group"
                raise errors.InvalidGroup(reason=f"{kind} is empty. No group will be created.")
            for copy in copies:
                self.cloud.api.create_volume(context, **copy, member_of=group)
        except errors.ServiceError:
            for volume in database.volumes_of_group(group.id):
                self.cloud.api.remove_volume(context, volume)
            del database.groups[group.id]
            raise
        for volume in database.volumes_of_group(group.id):
            database.update(Volume, volume.id, {"host": group.host, "cluster_name": group.cluster_name})
