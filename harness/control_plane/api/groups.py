"""Generic groups of volumes (`cinder.group.api:API`, microversion 3.13)."""

from __future__ import annotations

from collections.abc import Sequence

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import AVAILABLE_OR_IN_USE
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.control_plane.tables import Row
from harness.model import Context, Group, Volume
from harness.record import service_host

REMOVABLE = ("available", "in-use", "error", "error_deleting")
STATUSES = ("error", "available", "creating", "deleting", "deleted", "updating", "in-use", "error_deleting")
"""What a group's status may be reset to (`cinder.objects.fields:GroupStatus`)."""


class Groups(Chapter):
    """creating -> available -> updating, deleting."""

    def get_group(self, context: Context, group_id: str) -> Group:
        """GroupNotFound also for another project's."""
        group = self.cloud.database.get_group(group_id)
        if not context.is_admin and group.project_id != context.project_id:
            raise errors.GroupNotFound(group_id=group_id)
        authorize(context, "group:get", group)
        return group

    def list_groups(self, context: Context, *, all_tenants: bool = False) -> list[Group]:
        """Those of the caller's project; an admin may ask for all."""
        authorize(context, "group:get_all")
        return [
            Group.from_row(row, self.cloud.database)
            for row in self.cloud.database.groups.values()
            if (context.is_admin and all_tenants) or row["project_id"] == context.project_id
        ]

    def create(
        self,
        context: Context,
        group_type: str,
        volume_types: Sequence[str],
        *,
        name: str | None = None,
        description: str | None = None,
        availability_zone: str | None = None,
    ) -> Group:
        """An empty group for volumes of these types, on a pool that the scheduler chooses."""
        authorize(context, "group:create")
        database = self.cloud.database
        kinds = [database.get_volume_type(kind) for kind in volume_types]
        group = self.record_group(
            context,
            name=name,
            description=description,
            group_type_id=database.get_group_type(group_type).id,
            volume_type_ids=tuple(kind.id for kind in kinds),
            availability_zone=self._zone(availability_zone),
        )
        self.note("create_group", group.id)
        self.cloud.messaging.cast(TOPIC, "create_group", group)
        return group

    def record_group(self, context: Context, **fields: object) -> Group:
        """The row, with its quota."""
        reservations = self.cloud.reserve(context.project_id, None, {"groups": 1})
        values = {
            "user_id": context.user_id,
            "project_id": context.project_id,
            "created_at": self.cloud.simulation.kernel.now_us,
            **fields,
        }
        group = self.cloud.database.get_group(self.cloud.database.create(Group, values))
        self.cloud.quotas.commit(reservations)
        return group

    def _zone(self, wanted: str | None) -> str:
        """InvalidInput for a zone that no service is in, unless allow_availability_zone_fallback."""
        options, services = self.cloud.options, self.cloud.database.services.values()
        default: str = options["default_availability_zone"] or options["storage_availability_zone"]
        known = {row["availability_zone"] for row in services} | {options["storage_availability_zone"]}
        zone = wanted or default
        if zone in known:
            return zone
        if not options["allow_availability_zone_fallback"]:
            raise errors.InvalidInput(reason=f"Availability zone '{zone}' is invalid.")
        return default

    # --------------------------------------------------------------------------------------------- delete

    def delete(self, context: Context, group_id: str, *, delete_volumes: bool = False) -> None:
        """InvalidGroup for one with volumes, unless they shall go, too; none may be attached or snapshotted.

        Nor may the group have snapshots of its own, or another one just be made of it.
        """
        group = self.get_group(context, group_id)
        authorize(context, "group:delete", group)
        database = self.cloud.database
        if not group.host:
            self.cloud.quotas.commit(self.cloud.reserve(group.project_id, None, {"groups": -1}))
            del database.groups[group.id]
            return
        self.require_thawed(group)
        if not delete_volumes and group.status not in ("available", "error"):
            raise errors.InvalidGroup(
                reason=f"Group status must be available or error, but current status is: {group.status}"
            )
        if self.has_snapshots(group):
            raise errors.InvalidGroup(reason="Group has existing snapshots.")
        volumes = database.volumes_of_group(group.id)
        if volumes and not delete_volumes:
            raise errors.InvalidGroup(
                reason=f"Group {group.id} still contains volumes. The delete-volumes flag is required to "
                "delete it."
            )
        for volume in volumes:
            self._require_deletable(group, volume)
        for volume in volumes:
            # Nobody looks at the status that it had.
            database.update(Volume, volume.id, {"status": "deleting"})
        idle = not any(row["source_group_id"] == group.id for row in self.being_made())
        expected = {} if delete_volumes else {"status": ("available", "error")}
        if not database.conditional_update(group, {"status": "deleting"}, expected, idle):
            reason = (
                "Group status must be available or error and must not have dependent group snapshots"
                if delete_volumes
                else "Group must not have attached volumes, volumes with snapshots, or dependent group "
                "snapshots"
            )
            raise errors.InvalidGroup(
                reason=f"Cannot delete group {group.id}. {reason}, and it cannot be the source for an ongoing "
                "group or group snapshot creation."
            )
        self.note("delete_group", group.id)
        self.cloud.messaging.cast(group.service_topic_queue, "delete_group", group)

    def has_snapshots(self, group: Group) -> bool:
        """Whether there are group snapshots of it."""
        return any(row["group_id"] == group.id for row in self.cloud.database.group_snapshots.values())

    def being_made(self) -> list[Row]:
        """The groups that are being created (`group_creating_from_src`)."""
        return [row for row in self.cloud.database.groups.values() if row["status"] == "creating"]

    @staticmethod
    def _require_deletable(group: Group, volume: Volume) -> None:
        if volume.attach_status == "attached":
            raise errors.InvalidGroup(reason=f"Volume in group {group.id} is attached. Need to detach first.")
        if volume.snapshots:
            raise errors.InvalidGroup(reason="Volume in group still has dependent snapshots.")

    # --------------------------------------------------------------------------------------------- update

    def update(
        self,
        context: Context,
        group_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        add_volumes: Sequence[str] = (),
        remove_volumes: Sequence[str] = (),
    ) -> None:
        """Rename, and let volumes in and out; a volume's migration is not looked at."""
        group = self.get_group(context, group_id)
        authorize(context, "group:update", group)
        both = [volume_id for volume_id in add_volumes if volume_id in remove_volumes]
        if both:
            raise errors.InvalidVolume(reason=f"UUIDs {both} are in both add and remove volume list.")
        members = {volume.id: volume for volume in self.cloud.database.volumes_of_group(group.id)}
        added = [volume_id for volume_id in add_volumes if volume_id not in members]
        for volume_id in added:
            self._require_addable(group, volume_id)
        for volume_id in remove_volumes:
            self._require_removable(group, volume_id, members.get(volume_id))
        values: dict[str, object] = {}
        if name is not None and name != group.name:
            values["name"] = name
        if description is not None and description != group.description:
            values["description"] = description
        if not values and not added and not remove_volumes:
            raise errors.InvalidGroup(
                reason=f"Cannot update group {group.id} because no valid name, description, add_volumes, or "
                "remove_volumes were provided."
            )
        moves = bool(added or remove_volumes)
        values["status"] = "updating" if moves else "available"
        expected = {"status": "available"} if moves else {}
        if not self.cloud.database.conditional_update(group, values, expected):
            raise errors.InvalidGroup(reason="Group status must be available.")
        self.note("update_group", group.id)
        if moves:
            self.cloud.messaging.cast(
                group.service_topic_queue, "update_group", group, tuple(added), tuple(remove_volumes)
            )

    def _require_addable(self, group: Group, volume_id: str) -> None:
        """InvalidVolume, with the reason why the volume cannot become a member."""
        refusal = f"Cannot add volume {volume_id} to group {group.id} because"
        row = self.cloud.database.volumes.get(volume_id)
        if row is None:
            raise errors.InvalidVolume(reason=f"{refusal} volume cannot be found.")
        if row["group_id"]:
            reason = f"{refusal} it is already in group {row['group_id']}."
        elif row["project_id"] != group.project_id:
            reason = f"Cannot add volume {volume_id} to group {group.id} as they belong to different projects."
        elif not row["volume_type_id"]:
            reason = f"{refusal} it has no volume type."
        elif row["volume_type_id"] not in group.volume_type_ids:
            reason = f"{refusal} volume type {row['volume_type_id']} is not supported by the group."
        elif row["status"] not in AVAILABLE_OR_IN_USE:
            reason = (
                f"{refusal} volume is in an invalid state: {row['status']}. Valid states are: "
                f"{AVAILABLE_OR_IN_USE}."
            )
        elif service_host(row["cluster_name"] or row["host"] or "") != group.service_topic_queue:
            reason = "Volume is not local to this node."
        else:
            return
        raise errors.InvalidVolume(reason=reason)

    @staticmethod
    def _require_removable(group: Group, volume_id: str, volume: Volume | None) -> None:
        refusal = f"Cannot remove volume {volume_id} from group {group.id} because"
        if volume is None:
            raise errors.InvalidVolume(reason=f"{refusal} it is not in the group.")
        if volume.status not in REMOVABLE:
            raise errors.InvalidVolume(
                reason=f"{refusal} volume is in an invalid state: {volume.status}. Valid states are: "
                f"{REMOVABLE}."
            )

    def reset_status(self, context: Context, group_id: str, status: str) -> None:
        """Write the status by hand (microversion 3.20)."""
        group = self.get_group(context, group_id)
        authorize(context, "group:reset_status", group)
        if status not in STATUSES:
            raise errors.InvalidInput(reason=f"Invalid status: '{status}'.")
        group.status = status
        group.save()
