"""Generic groups of volumes, and their types (`cinder.group.api:API`, microversions 3.11 and 3.13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import AVAILABLE_OR_IN_USE
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Group, GroupType, Volume, service_host

REMOVABLE = ("available", "in-use", "error", "error_deleting")
STATUSES = ("error", "available", "creating", "deleting", "deleted", "updating", "in-use", "error_deleting")
"""What a group's status may be reset to (`cinder.objects.fields:GroupStatus`)."""


class GroupApi(Chapter):
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
        type_of_group = database.get_group_type(group_type)
        reservations = self.cloud.reserve(context.project_id, None, {"groups": 1})
        group = database.get_group(
            database.create(
                Group,
                {
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "name": name,
                    "description": description,
                    "availability_zone": availability_zone or "nova",
                    "group_type_id": type_of_group.id,
                    "volume_type_ids": tuple(kind.id for kind in kinds),
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_group", group.id)
        self.cloud.messaging.cast(TOPIC, "create_group", group)
        return group

    # --------------------------------------------------------------------------------------------- delete

    def delete(self, context: Context, group_id: str, *, delete_volumes: bool = False) -> None:
        """InvalidGroup for one with volumes, unless they shall go, too; none may be attached or snapshotted."""
        group = self.get_group(context, group_id)
        authorize(context, "group:delete", group)
        database = self.cloud.database
        if not group.host:
            self.cloud.quotas.commit(self.cloud.reserve(group.project_id, None, {"groups": -1}))
            del database.groups[group.id]
            return
        if database.service(service_host(group.host)).frozen:
            raise errors.InvalidInput(
                reason="Modification operations are not allowed on frozen storage backends."
            )
        if not delete_volumes and group.status not in ("available", "error"):
            raise errors.InvalidGroup(
                reason=f"Group status must be available or error, but current status is: {group.status}"
            )
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
        group.status = "deleting"
        group.save()
        self.note("delete_group", group.id)
        self.cloud.messaging.cast(service_host(group.host), "delete_group", group)

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
                service_host(group.host or ""), "update_group", group, tuple(added), tuple(remove_volumes)
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
        elif service_host(row["host"] or "") != service_host(group.host or ""):
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

    # ---------------------------------------------------------------------------------------------- types

    def create_type(
        self,
        context: Context,
        name: str,
        *,
        description: str | None = None,
        is_public: bool = True,
        group_specs: Mapping[str, str] | None = None,
    ) -> GroupType:
        """GroupTypeExists (409) if there is one of that name."""
        authorize(context, "group:group_types:create")
        database = self.cloud.database
        if any(row["name"] == name for row in database.group_types.values()):
            raise errors.GroupTypeExists(id=name)
        made = database.create(
            GroupType,
            {
                "name": name,
                "description": description,
                "is_public": is_public,
                "group_specs": dict(group_specs or {}),
            },
        )
        return database.get_group_type(made)

    def get_type(self, context: Context, type_id: str) -> GroupType:
        """By id or name. GroupTypeNotFound, also for one that is not public."""
        kind = self.cloud.database.get_group_type(type_id)
        if not (kind.is_public or context.is_admin):
            raise errors.GroupTypeNotFound(group_type_id=type_id)
        return kind

    def list_types(self, context: Context) -> list[GroupType]:
        """All that are public; for an admin all."""
        return [
            GroupType.from_row(row, self.cloud.database)
            for row in self.cloud.database.group_types.values()
            if row["is_public"] or context.is_admin
        ]

    def delete_type(self, context: Context, type_id: str) -> None:
        """GroupTypeInUse while there is a group of it."""
        authorize(context, "group:group_types:delete")
        kind = self.cloud.database.get_group_type(type_id)
        if any(row["group_type_id"] == kind.id for row in self.cloud.database.groups.values()):
            raise errors.GroupTypeInUse(group_type_id=kind.id)
        del self.cloud.database.group_types[kind.id]
