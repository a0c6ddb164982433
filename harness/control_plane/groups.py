"""The manager's chapter on groups, without a driver that knows them (`VolumeManager._delete_group_generic`)."""

from __future__ import annotations

from collections.abc import Sequence

from harness import errors
from harness.control_plane.managing import Managing
from harness.model import Group, Volume

ADDABLE = ("available", "in-use")
REMOVABLE = ("available", "in-use", "error", "error_deleting")


class Groups(Managing):
    """A group is a matter of records; what is stored does not know it."""

    def create_group(self, group: Group) -> None:
        """Nothing to do but to say so."""
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
            group.status = "error"
            group.save()
            raise
        group.status = "available"
        group.save()
        self.note("group created", group.id)

    def update_group(self, group: Group, add_volumes: Sequence[str], remove_volumes: Sequence[str]) -> None:
        """Members come and go; if the driver is not ready, group and volumes are left in error."""
        added = [self._member(group, volume_id, ADDABLE, "add") for volume_id in add_volumes]
        removed = [self._member(group, volume_id, REMOVABLE, "remove") for volume_id in remove_volumes]
        try:
            self.require_driver_initialized()
        except errors.DriverNotInitialized:
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
        group.status = "available"
        group.save()
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
        """With its volumes. A volume that cannot be deleted leaves itself and the group in error."""
        volumes = self.db.volumes_of_group(group.id)
        for volume in volumes:
            if volume.attach_status == "attached":
                raise errors.VolumeAttached(volume_id=volume.id)
        failed = not self.initialized
        for volume in volumes if self.initialized else ():
            try:
                self.drive("remove_export", self.admin, volume)
                self.drive("delete_volume", volume)
            except errors.VolumeIsBusy:
                self.db.update(Volume, volume.id, {"status": "available"})
            except Exception as error:  # noqa: BLE001 (whatever the driver raises ends in error)
                self.note("delete_volume failed", str(error))
                self.db.update(Volume, volume.id, {"status": "error"})
                failed = True
        if failed:
            group.status = "error"
            group.save()
            raise errors.VolumeDriverException(message="Delete group failed.")
        # Busy ones lose their records, too.
        for volume in volumes:
            self._forget(volume)
        self.cloud.quotas.commit(self.cloud.reserve(group.project_id, None, {"groups": -1}))
        self.db.groups.pop(group.id, None)
        self.publish_service_capabilities()
        self.note("group deleted", group.id)

    def _forget(self, volume: Volume) -> None:
        reservations = self.cloud.reserve(
            volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
        )
        self.db.destroy_volume(volume.id)
        self.cloud.quotas.commit(reservations)
        self.update_allocated_capacity(volume, decrement=True)
