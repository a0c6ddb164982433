"""The life of a volume: create, delete, extend, rename. Source: `cinder.volume.api:API`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness import errors
from harness.control_plane.api.chapter import Chapter, check_metadata, check_size_limits
from harness.control_plane.api.conditions import ACTIONS, AVAILABLE_OR_IN_USE, NEWEST, Microversion
from harness.control_plane.availability_zones import zones_for
from harness.control_plane.policy import authorize
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Snapshot, Volume, VolumeType, service_host


class Volumes(Chapter):
    """Actions on the volume itself."""

    def list_volumes(self, context: Context, *, all_tenants: bool = False) -> list[Volume]:
        """Those of the caller's project; an admin may ask for all.

        The temporary volume of a migration is left out for those who are no admins, as long as it is a target.
        """
        authorize(context, "volume:get_all")
        return [
            Volume.from_row(row, self.cloud.database)
            for row in self.cloud.database.volumes.values()
            if (context.is_admin and all_tenants)
            or (
                row["project_id"] == context.project_id
                and (context.is_admin or not (row["migration_status"] or "").startswith("target:"))
            )
        ]

    # --------------------------------------------------------------------------------------------- create

    def create_volume(
        self,
        context: Context,
        size: int,
        *,
        name: str | None = None,
        description: str | None = None,
        volume_type: str | None = None,
        snapshot_id: str | None = None,
        source_volid: str | None = None,
        group_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        availability_zone: str | None = None,
        host: str | None = None,
    ) -> Volume:
        """Record, quota, key; then the scheduler. `host` names the pool and skips the scheduler."""
        authorize(context, "volume:create")
        database = self.cloud.database
        kind = self._type_for(volume_type, snapshot_id, source_volid)
        check_size_limits(kind, size)
        self._check_group(kind if volume_type else None, group_id)
        self._check_origin(context, size, snapshot_id, source_volid)
        check_metadata(metadata)
        zones = (
            self._zones(availability_zone, kind, snapshot_id, source_volid, group_id) if host is None else ()
        )
        # The key is made before the quota is asked: it stays behind when the quota refuses.
        key_id = self._key_for(kind, snapshot_id, source_volid)
        self.cloud.quotas.check_size(context.project_id, size)
        reservations = self.cloud.reserve(context.project_id, kind.id, {"volumes": 1, "gigabytes": size})
        if host is None:
            host = self._host_of_origin(snapshot_id, source_volid)
        # Where there is a choice, the scheduler writes what it has chosen.
        zone = zones[0] if len(zones) == 1 else None
        if host:
            zone = database.service(service_host(host)).availability_zone
        volume = database.get_volume(
            database.create(
                Volume,
                {
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "size": size,
                    "display_name": name,
                    "display_description": description,
                    "volume_type_id": kind.id,
                    "multiattach": kind.multiattach,
                    "encryption_key_id": key_id,
                    "bootable": self._origin_is_bootable(snapshot_id, source_volid),
                    "snapshot_id": snapshot_id,
                    "source_volid": source_volid,
                    "group_id": group_id,
                    "metadata": dict(metadata or {}),
                    "host": host,
                    "cluster_name": self.cloud.services.cluster_of(host) if host else None,
                    "availability_zone": zone,
                    "created_at": self.cloud.simulation.kernel.now_us,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self.note("create_volume", f"{size} GiB {volume.name}")
        if host:
            self.cloud.messaging.cast(volume.service_topic_queue, "create_volume", volume)
        else:
            self.cloud.messaging.cast(TOPIC, "create_volume", volume, (), zones)
        return volume

    def _zones(
        self,
        wanted: str | None,
        kind: VolumeType,
        snapshot_id: str | None,
        source_volid: str | None,
        group_id: str | None,
    ) -> tuple[str, ...]:
        """The availability zones in which the volume may be."""
        database = self.cloud.database
        origin = source_volid or (database.get_snapshot(snapshot_id).volume_id if snapshot_id else None)
        return zones_for(
            wanted,
            kind,
            {row["availability_zone"] for row in database.services.values()},
            self.cloud.options,
            origin=database.get_volume(origin).availability_zone if origin else None,
            group=database.groups[group_id]["availability_zone"] if group_id else None,
        )

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

    def _check_group(self, kind: VolumeType | None, group_id: str | None) -> None:
        """A volume of a group has one of the group's types, and it must be asked for."""
        if group_id is None:
            return
        group = self.cloud.database.get_group(group_id)
        if kind is None:
            raise errors.InvalidInput(reason="volume_type must be provided when creating a volume in a group.")
        if kind.id not in group.volume_type_ids:
            raise errors.InvalidInput(
                reason=f"Invalid volume_type provided: {kind.name} (requested type must be supported by this "
                "group)."
            )

    def _check_origin(
        self, context: Context, size: int, snapshot_id: str | None, source_volid: str | None
    ) -> None:
        """What is copied must be there, ready and not larger (`ExtractVolumeRequestTask`)."""
        if snapshot_id:
            snapshot = self.get_snapshot(context, snapshot_id)
            if snapshot.status != "available":
                raise errors.InvalidSnapshot(
                    reason="Originating snapshot status must be one of 'available' values"
                )
            if size < snapshot.volume_size:
                raise errors.InvalidInput(
                    reason=f"Volume size '{size}'GB cannot be smaller than the snapshot size "
                    f"{snapshot.volume_size}GB. They must be >= original snapshot size."
                )
        elif source_volid:
            source = self.get(context, source_volid)
            if source.status not in AVAILABLE_OR_IN_USE:
                raise errors.InvalidVolume(
                    reason="Originating source volume status must be one of 'available, in-use' values"
                )
            if size < source.size:
                raise errors.InvalidInput(
                    reason=f"Volume size '{size}'GB cannot be smaller than original volume size  "
                    f"{source.size}GB. They must be >= original volume size."
                )

    def _origin_is_bootable(self, snapshot_id: str | None, source_volid: str | None) -> bool:
        """Copies boot if what they are copies of does."""
        if snapshot_id:
            source_volid = self.cloud.database.get_snapshot(snapshot_id).volume_id
        return bool(source_volid and self.cloud.database.get_volume(source_volid).bootable)

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
        origin: str | None = None
        if snapshot_id:
            origin = self.cloud.database.get_snapshot(snapshot_id).encryption_key_id
        elif source_volid:
            origin = self.cloud.database.get_volume(source_volid).encryption_key_id
        return keys.create_key() if origin is None else keys.clone_key(origin)

    # --------------------------------------------------------------------------------------------- delete

    def delete_volume(
        self, context: Context, volume_id: str, *, force: bool = False, cascade: bool = False
    ) -> None:
        """InvalidVolume unless idle, detached, ungrouped and without snapshots.

        `force` ignores the status (microversion 3.23, or os-force_delete), `cascade` takes snapshots along.
        """
        volume = self.get(context, volume_id)
        self.remove_volume(context, volume, force=force, cascade=cascade)

    def remove_volume(
        self,
        context: Context,
        volume: Volume,
        *,
        force: bool = False,
        cascade: bool = False,
        unmanage_only: bool = False,
    ) -> None:
        """Delete or let go of a volume whose record is in hand (`API.delete`)."""
        action = ACTIONS["force_delete" if force else "delete"]
        authorize(context, action.rule, volume)
        if not volume.host:
            return self._delete_unscheduled(volume)
        if not unmanage_only:
            self.require_thawed(volume)
        elif volume.encryption_key_id is not None:
            raise errors.Invalid("Unmanaging encrypted volumes is not supported.")
        snapshots = volume.snapshots
        if cascade:
            snapshots_allow = force or _deletable_by(context, snapshots)
        else:
            snapshots_allow = not snapshots
        status = "unmanaging" if unmanage_only else "deleting"
        if volume.status == "error_managing":
            status = "error_managing_deleting"
        nothing_of_a_group = {"consistencygroup_id": None, "group_id": None}
        self.claim(volume, action, {"status": status}, nothing_of_a_group, snapshots_allow)
        if cascade:
            self._delete_snapshots(volume, snapshots, force)
        if volume.encryption_key_id is not None:
            # At once: should the deletion fail, nobody can read the volume any more.
            self.cloud.key_manager.delete_key(volume.encryption_key_id)
        self.note("unmanage_volume" if unmanage_only else "delete_volume", volume.name)
        self.cloud.messaging.cast(volume.service_topic_queue, "delete_volume", volume, unmanage_only, cascade)

    def _delete_snapshots(self, volume: Volume, snapshots: Sequence[Snapshot], force: bool) -> None:
        """Mark them; their volume's service deletes them before the volume."""
        expected: dict[str, Any] = {"group_snapshot_id": None}
        if not force:
            expected["status"] = ("available", "error", "deleting")
        for snapshot in snapshots:
            if not self.cloud.database.conditional_update(snapshot, {"status": "deleting"}, expected):
                volume.status = "error_deleting"
                volume.save()
                raise errors.InvalidVolume(reason="Failed to update snapshot.")

    def _delete_unscheduled(self, volume: Volume) -> None:
        """A volume that never got a host has a record and a share of the quota only."""
        self.notify(volume, "delete.start")
        if volume.use_quota and volume.status != "error_managing":
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
            )
            self.cloud.quotas.commit(reservations)
        self.cloud.database.destroy_volume(volume.id)
        self.notify(volume, "delete.end")
        self.note("delete_volume", volume.name)

    # --------------------------------------------------------------------------------------------- change

    def extend_volume(
        self, context: Context, volume_id: str, new_size: int, *, microversion: Microversion = NEWEST
    ) -> None:
        """Grow an available volume, or an in-use one (microversion 3.42)."""
        volume = self.get(context, volume_id)
        online = volume.status == "in-use" and microversion >= ACTIONS["extend_attached"].since
        action = ACTIONS["extend_attached" if online else "extend"]
        authorize(context, action.rule, volume)
        if new_size <= volume.size:
            raise errors.InvalidInput(
                reason="New size for extend must be greater than current size. "
                f"(current: {volume.size}, extended: {new_size})."
            )
        if volume.volume_type:
            check_size_limits(volume.volume_type, new_size)
        original = volume.status
        values = {"status": "extending", "previous_status": original}
        self.claim(volume, action, values)
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

    def extend_volume_completion(self, context: Context, volume_id: str, *, error: bool = False) -> None:
        """Nova's callback after it has grown what a driver cannot (microversion 3.71).

        InvalidVolume unless the driver has left size and reservations in the admin metadata.
        """
        volume = self.get(context, volume_id)
        action = ACTIONS["extend_completion"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        pairs = volume.admin_metadata
        try:
            new_size = int(pairs["extend_new_size"])
            reservations = json.loads(pairs["extend_reservations"])
        except (KeyError, ValueError):
            raise errors.InvalidVolume(
                reason="Required volume admin metadata is malformed or missing."
            ) from None
        if new_size <= volume.size:
            raise errors.InvalidVolume(
                reason=f"The target volume size provided in volume admin metadata {new_size} is smaller or "
                "equal to the current volume size."
            )
        if not isinstance(reservations, list):
            raise errors.InvalidVolume(
                reason="The stored quota reservations for extending the volume must be in a list format."
            )
        left = ("extend_new_size", "extend_reservations")
        volume.admin_metadata = {name: value for name, value in pairs.items() if name not in left}
        volume.save()
        self.cloud.messaging.cast(
            volume.service_topic_queue, "extend_volume_completion", volume, new_size, reservations, error
        )

    def update_volume(
        self,
        context: Context,
        volume_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Volume:
        """Change what is given, which is possible in every status but maintenance."""
        volume = self.get(context, volume_id)
        action = ACTIONS["update"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        check_metadata(metadata)
        given = {"display_name": name, "display_description": description, "metadata": metadata}
        volume.update({field: value for field, value in given.items() if value is not None})
        volume.save()
        self.note("update volume", f"display_name {name}")
        return volume

    def rename_volume(self, context: Context, volume_id: str, name: str) -> None:
        """Change the display name."""
        self.update_volume(context, volume_id, name=name)


def _deletable_by(context: Context, snapshots: Sequence[Snapshot]) -> bool:
    """Whether a cascade may take them all (`volume_has_undeletable_snapshots_filter`)."""
    return all(
        snapshot.status in ("available", "error")
        and (context.is_admin or snapshot.project_id == context.project_id)
        for snapshot in snapshots
    )
