"""The life of a volume: create, delete, extend, rename. Source: `cinder.volume.api:API`."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import Chapter, check_size_limits
from harness.control_plane.database import Not
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import AVAILABLE_MIGRATION_STATUSES, Context, Volume, VolumeType, service_host

DELETABLE_STATUSES = ("available", "error", "error_restoring", "error_extending", "error_managing")


class Volumes(Chapter):
    """Actions on the volume itself."""

    def create_volume(
        self,
        context: Context,
        size: int,
        *,
        name: str | None = None,
        volume_type: str | None = None,
        snapshot_id: str | None = None,
        source_volid: str | None = None,
        host: str | None = None,
    ) -> Volume:
        """Record, quota, key; then the scheduler. `host` names the pool and skips the scheduler."""
        database = self.cloud.database
        kind = self._type_for(volume_type, snapshot_id, source_volid)
        check_size_limits(kind, size)
        # The key is made before the quota is asked: it stays behind when the quota refuses.
        key_id = self._key_for(kind, snapshot_id, source_volid)
        self.cloud.quotas.check_size(context.project_id, size)
        reservations = self.cloud.reserve(context.project_id, kind.id, {"volumes": 1, "gigabytes": size})
        if host is None:
            host = self._host_of_origin(snapshot_id, source_volid)
        volume = database.get_volume(
            database.create(
                Volume,
                {
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "size": size,
                    "display_name": name,
                    "volume_type_id": kind.id,
                    "multiattach": kind.multiattach,
                    "encryption_key_id": key_id,
                    "snapshot_id": snapshot_id,
                    "source_volid": source_volid,
                    "host": host,
                    "availability_zone": database.service(service_host(host)).availability_zone
                    if host
                    else "nova",
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_volume", f"{size} GiB {volume.name}")
        if host:
            self.cloud.messaging.cast(service_host(host), "create_volume", volume)
        else:
            self.cloud.messaging.cast(TOPIC, "create_volume", volume)
        return volume

    def _type_for(
        self, volume_type: str | None, snapshot_id: str | None, source_volid: str | None
    ) -> VolumeType:
        """No volume is without a type: it is the one asked for, the origin's, or `default_volume_type`.

        Source: `cinder.volume.flows.api.create_volume:ExtractVolumeRequestTask._get_volume_type`.
        """
        database = self.cloud.database
        if volume_type is None and source_volid:
            volume_type = database.get_volume(source_volid).volume_type_id
        elif volume_type is None and snapshot_id:
            volume_type = database.get_snapshot(snapshot_id).volume_type_id
        default: str = self.cloud.options["default_volume_type"]
        try:
            return database.get_volume_type(volume_type or default)
        except errors.VolumeTypeNotFound:
            if volume_type:
                raise
            raise errors.VolumeTypeDefaultMisconfiguredError(volume_type_name=default) from None

    def _host_of_origin(self, snapshot_id: str | None, source_volid: str | None) -> str | None:
        """Clones and volumes from snapshots stay on the back-end of their origin."""
        if snapshot_id:
            source_volid = self.cloud.database.get_snapshot(snapshot_id).volume_id
        return self.cloud.database.get_volume(source_volid).host if source_volid else None

    def _key_for(self, kind: VolumeType, snapshot_id: str | None, source_volid: str | None) -> str | None:
        """A new key for an encrypted volume; for a copy, a key of its own with the same secret."""
        if kind.encryption is None:
            return None
        keys = self.cloud.key_manager
        key_id = keys.create_key()
        origin: str | None = None
        if snapshot_id:
            origin = self.cloud.database.get_snapshot(snapshot_id).encryption_key_id
        elif source_volid:
            origin = self.cloud.database.get_volume(source_volid).encryption_key_id
        if origin is not None:
            keys.keys[key_id] = keys.keys[origin]
        return key_id

    def delete_volume(self, context: Context, volume_id: str, *, force: bool = False) -> None:
        """InvalidVolume unless idle, detached, ungrouped and without snapshots; `force` ignores status."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume:force_delete" if force else "volume:delete", admin=force)
        if not volume.host:
            return self._delete_unscheduled(volume)
        self.require_thawed(volume)
        expected: dict[str, object] = {
            "attach_status": Not("attached"),
            "migration_status": AVAILABLE_MIGRATION_STATUSES,
            "consistencygroup_id": None,
            "group_id": None,
        }
        if not force:
            expected["status"] = DELETABLE_STATUSES
        no_snapshots = not volume.snapshots
        if not self.cloud.database.conditional_update(volume, {"status": "deleting"}, expected, no_snapshots):
            raise errors.InvalidVolume(
                reason="Volume status must be available or error or error_restoring or error_extending or "
                "error_managing and must not be migrating, attached, belong to a group, have snapshots, "
                "awaiting a transfer, or be disassociated from snapshots after volume transfer."
            )
        if volume.encryption_key_id is not None:
            # At once: should the deletion fail, nobody can read the volume any more.
            self.cloud.key_manager.delete_key(volume.encryption_key_id)
        self.note("delete_volume", volume.name)
        self.cloud.messaging.cast(service_host(volume.host), "delete_volume", volume)

    def _delete_unscheduled(self, volume: Volume) -> None:
        """A volume that never got a host has a record and a share of the quota only."""
        if volume.use_quota:
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
            )
            self.cloud.quotas.commit(reservations)
        self.cloud.database.destroy_volume(volume.id)
        self.note("delete_volume", volume.name)

    def extend_volume(self, context: Context, volume_id: str, new_size: int) -> None:
        """Grow an available volume, or an in-use one (microversion 3.42)."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume:extend")
        if new_size <= volume.size:
            raise errors.InvalidInput(
                reason="New size for extend must be greater than current size. "
                f"(current: {volume.size}, extended: {new_size})."
            )
        if volume.volume_type:
            check_size_limits(volume.volume_type, new_size)
        original = volume.status
        wanted = "in-use" if original == "in-use" else "available"
        values = {"status": "extending", "previous_status": original}
        if not self.cloud.database.conditional_update(volume, values, {"status": wanted}):
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} status must be '{wanted}' to extend, currently {original}."
            )
        try:
            self.cloud.quotas.check_size(context.project_id, new_size)
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"gigabytes": new_size - volume.size}
            )
        except errors.OverQuota:
            self.cloud.database.conditional_update(volume, {"status": original}, values)
            raise
        self.note("extend_volume", f"{volume.name} to {new_size} GiB")
        self.cloud.messaging.cast(TOPIC, "extend_volume", volume, new_size, reservations)

    def rename_volume(self, context: Context, volume_id: str, name: str) -> None:
        """Change the display name, which is possible in every status but maintenance."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume:update")
        if volume.status == "maintenance":
            raise errors.InvalidVolume(reason="The volume cannot be updated during maintenance.")
        volume.display_name = name
        volume.save()
        self.note("update volume", f"display_name {name}")
