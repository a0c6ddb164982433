"""The manager's chapter on groups: a driver may know of them; if not, they are a matter of records.

Sources: `cinder.volume.manager:VolumeManager.create_group`, `update_group`, `delete_group`,
`_delete_group_generic`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from harness import errors
from harness.control_plane.database import Database
from harness.control_plane.managing import Managing
from harness.model import Group, ModelUpdate, Snapshot, Volume

ADDABLE = ("available", "in-use")
REMOVABLE = ("available", "in-use", "error", "error_deleting")
FAILED = ("error", "error_deleting")

FOR_CONSISTENCY_GROUPS = "default_cgsnapshot_type"
"""The type that marks a group as a consistency group (`group_types:DEFAULT_CGSNAPSHOT_TYPE`)."""

Member = TypeVar("Member", Snapshot, Volume)


def is_consistency_group(database: Database, group_type_id: str) -> bool:
    """Whether groups of that type are (`cinder.volume.group_types:is_default_cgsnapshot_type`)."""
    kind = database.group_types.get(group_type_id)
    return kind is not None and kind["name"] == FOR_CONSISTENCY_GROUPS


class Groups(Managing):
    """Runs on the service that the group is on."""

    def notify_group(self, group: Group, suffix: str, volumes: Sequence[Volume] = ()) -> None:
        """Tell who listens of ``group.<suffix>``, and the same of its volumes."""
        self.cloud.notifications.group(group, suffix, self.host)
        for volume in volumes or self.db.volumes_of_group(group.id):
            self.notify(volume, suffix)

    def create_group(self, group: Group) -> None:
        """A failure leaves it in error."""
        self.notify_group(group, "create.start")
        try:
            self.require_driver_initialized()
            try:
                update: ModelUpdate | None = self.drive("create_group", self.admin, group)
            except NotImplementedError:
                self._require_generic(group)
                update = None
            if update and update.get("status") == "error":
                raise errors.VolumeDriverException(message="Create group failed.")
        except Exception:
            group.status = "error"
            group.save()
            raise
        group.update({**(update or {}), "status": "available", "created_at": self.simulation.kernel.now_us})
        group.save()
        self.notify_group(group, "create.end")
        self.note("group created", group.id)

    def update_group(self, group: Group, add_volumes: Sequence[str], remove_volumes: Sequence[str]) -> None:
        """Members come and go; a failure leaves group and volumes in error."""
        added = [self._member(group, volume_id, ADDABLE, "add") for volume_id in add_volumes]
        removed = [self._member(group, volume_id, REMOVABLE, "remove") for volume_id in remove_volumes]
        self.notify_group(group, "update.start")
        try:
            self.require_driver_initialized()
            try:
                update, of_added, of_removed = self.drive(
                    "update_group", self.admin, group, add_volumes=added, remove_volumes=removed
                )
            except NotImplementedError:
                self._require_generic(group)
                update, of_added, of_removed = None, None, None
            self.write_updates(Volume, [*(of_added or ()), *(of_removed or ())])
            if update and update.get("status") == "error":
                raise errors.VolumeDriverException(message=f"Error occurred when updating group {group.id}.")
        except Exception:
            for record in (group, *added, *removed):
                record.status = "error"
                record.save()
            raise
        for volume in added:
            volume.group_id = group.id
            volume.save()
        for volume in removed:
            volume.group_id = None
            volume.save()
        group.update({**(update or {}), "status": "available"})
        group.save()
        self.notify_group(group, "update.end")
        self.note("group updated", group.id)

    def _member(self, group: Group, volume_id: str, statuses: tuple[str, ...], verb: str) -> Volume:
        """The record, as it is now; InvalidVolume leaves the group in `updating`."""
        volume = self.db.get_volume(volume_id)
        if volume.status not in statuses:
            raise errors.InvalidVolume(
                reason=f"Can not {verb} volume {volume_id} to group {group.id} because volume is in an invalid "
                f"state: {volume.status}. Valid states are: {statuses}."
            )
        return volume

    def delete_group(self, group: Group) -> None:
        """With its volumes. A volume that cannot be deleted leaves itself and the group in error.

        The pool's `allocated_capacity_gb` stays as it is: Cinder takes them off another counter, which nobody
        reads where there is a pool.
        """
        volumes = self.db.volumes_of_group(group.id)
        for volume in volumes:
            if volume.attach_status == "attached":
                raise errors.VolumeAttached(volume_id=volume.id)
        self.notify_group(group, "delete.start", volumes)
        updates: list[ModelUpdate] | None = None
        try:
            self.require_driver_initialized()
            try:
                update, updates = self.drive("delete_group", self.admin, group, volumes)
            except NotImplementedError:
                self._require_generic(group)
                update, updates = one_by_one(group.status, volumes, self._delete_member)
            if (self.write_updates(Volume, updates) or (update or {}).get("status")) in FAILED:
                raise errors.VolumeDriverException(message="Delete group failed.")
        except Exception as error:
            self.note("delete_group failed", str(error))
            group.status = "error"
            group.save()
            for volume in volumes if not updates else ():
                volume.status = "error"
                volume.save()
            raise
        # Busy ones lose their records, too.
        for volume in volumes:
            deltas = {"volumes": -1, "gigabytes": -volume.size}
            reservations = self.give_back(volume.project_id, volume.volume_type_id, deltas)
            self.db.destroy_volume(volume.id)
            self.cloud.quotas.commit(reservations)
        self.cloud.quotas.commit(self.give_back(group.project_id, None, {"groups": -1}))
        self.db.groups.pop(group.id, None)
        self.notify_group(group, "delete.end", volumes)
        self.publish_service_capabilities()
        self.note("group deleted", group.id)

    def _require_generic(self, group: Group) -> None:
        """NotImplementedError for a consistency group: the driver has to have other methods for those."""
        if is_consistency_group(self.db, group.group_type_id):
            raise NotImplementedError

    def _delete_member(self, volume: Volume) -> ModelUpdate:
        try:
            self.drive("remove_export", self.admin, volume)
            self.drive("delete_volume", volume)
        except errors.VolumeIsBusy:
            return {"status": "available"}
        return {"status": "deleted"}

    def write_updates(
        self, kind: type[Snapshot] | type[Volume], updates: Sequence[ModelUpdate] | None
    ) -> str | None:
        """What the driver says of each record; returns the status of one that failed."""
        failed = None
        for update in updates or ():
            known = {field: value for field, value in update.items() if field in kind.DEFAULTS}
            self.db.update(kind, update["id"], known)
            if update.get("status") in FAILED:
                failed = update["status"]
        return failed


def one_by_one(
    status: str, records: Sequence[Member], make: Callable[[Member], ModelUpdate]
) -> tuple[ModelUpdate, list[ModelUpdate]]:
    """What a driver that knows of groups would have said: of the group, and of each record."""
    updates: list[ModelUpdate] = []
    for record in records:
        try:
            updates.append({**make(record), "id": record.id})
        except Exception:  # noqa: BLE001 (whatever the driver raises ends in error)
            updates.append({"id": record.id, "status": "error"})
            status = "error"
    return {"status": status}, updates
