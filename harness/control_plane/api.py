"""The volume API: what a request is checked for, what it writes at once, and whom it tells.

Source: `cinder.volume.api:API`; HTTP codes are those that the REST layer answers with. Every state check is
one atomic compare-and-swap, so the text of a refusal lists all conditions at once, as Cinder's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import errors
from harness.control_plane.database import Not
from harness.control_plane.policy import authorize, visible
from harness.control_plane.retype import NOT_REPLICATED
from harness.control_plane.scheduler import TOPIC
from harness.model import AVAILABLE_MIGRATION_STATUSES, Context, Snapshot, Volume, VolumeType, service_host

if TYPE_CHECKING:
    from harness.control_plane.cloud import Cloud

ADMIN_ACTIONS = "volume_extension:volume_admin_actions"
RESETTABLE = {
    "status": (
        "creating", "available", "deleting", "error", "error_deleting", "error_managing", "managing",
        "attaching", "in-use", "detaching", "maintenance", "restoring-backup", "error_restoring", "reserved",
        "awaiting-transfer", "backing-up", "error_backing-up", "error_extending", "downloading", "uploading",
        "retyping", "extending",
    ),
    "attach_status": ("attached", "detached"),
    "migration_status": ("migrating", "error", "success", "completing", "none", "starting"),
}  # fmt: skip
"""What reset-status takes (`cinder.api.schemas.admin_actions:reset_status_volume`)."""
DELETABLE_STATUSES = ("available", "error", "error_restoring", "error_extending", "error_managing")


class VolumeApi:
    """Actions on volumes and snapshots. Every method authorises, checks, writes, and sends a message."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, context: Context, volume_id: str) -> Volume:
        """VolumeNotFound also for what belongs to another project."""
        volume = self.cloud.database.get_volume(volume_id)
        if not visible(context, volume):
            raise errors.VolumeNotFound(volume_id=volume_id)
        return volume

    def _note(self, step: str, detail: str) -> None:
        self.cloud.simulation.record(step, detail)

    # ------------------------------------------------------------------------------------ life of volumes

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
        kind = database.get_volume_type(volume_type) if volume_type else None
        if kind:
            _check_size_limits(kind, size)
        # The key is made before the quota is asked: it stays behind when the quota refuses.
        key_id = self._key_for(kind, snapshot_id, source_volid)
        self.cloud.quotas.check_size(context.project_id, size)
        reservations = self.cloud.reserve(
            context.project_id, kind.id if kind else None, {"volumes": 1, "gigabytes": size}
        )
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
                    "volume_type_id": kind.id if kind else None,
                    "multiattach": kind.multiattach if kind else False,
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
        self._note("create_volume", f"{size} GiB {volume.name}")
        if host:
            self.cloud.messaging.cast(service_host(host), "create_volume", volume)
        else:
            self.cloud.messaging.cast(TOPIC, "create_volume", volume)
        return volume

    def _host_of_origin(self, snapshot_id: str | None, source_volid: str | None) -> str | None:
        """Clones and volumes from snapshots stay on the back-end of their origin."""
        if snapshot_id:
            source_volid = self.cloud.database.get_snapshot(snapshot_id).volume_id
        return self.cloud.database.get_volume(source_volid).host if source_volid else None

    def _key_for(
        self, kind: VolumeType | None, snapshot_id: str | None, source_volid: str | None
    ) -> str | None:
        """A new key for an encrypted volume; for a copy, a key of its own with the same secret."""
        if kind is None or kind.encryption is None:
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
        self._require_thawed(volume)
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
        self._note("delete_volume", volume.name)
        self.cloud.messaging.cast(service_host(volume.host), "delete_volume", volume)

    def _delete_unscheduled(self, volume: Volume) -> None:
        """A volume that never got a host has a record and a share of the quota only."""
        if volume.use_quota:
            reservations = self.cloud.reserve(
                volume.project_id, volume.volume_type_id, {"volumes": -1, "gigabytes": -volume.size}
            )
            self.cloud.quotas.commit(reservations)
        self.cloud.database.destroy_volume(volume.id)
        self._note("delete_volume", volume.name)

    def _require_thawed(self, volume: Volume) -> None:
        """InvalidInput if the volume's service is frozen (`ClusteredObject.assert_not_frozen`)."""
        if self.cloud.database.service(service_host(volume.host or "")).frozen:
            raise errors.InvalidInput(
                reason="Modification operations are not allowed on frozen storage backends."
            )

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
            _check_size_limits(volume.volume_type, new_size)
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
        self._note("extend_volume", f"{volume.name} to {new_size} GiB")
        self.cloud.messaging.cast(TOPIC, "extend_volume", volume, new_size, reservations)

    def rename_volume(self, context: Context, volume_id: str, name: str) -> None:
        """Change the display name, which is possible in every status but maintenance."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume:update")
        if volume.status == "maintenance":
            raise errors.InvalidVolume(reason="The volume cannot be updated during maintenance.")
        volume.display_name = name
        volume.save()
        self._note("update volume", f"display_name {name}")

    def reset_status(
        self,
        context: Context,
        volume_id: str,
        *,
        status: str | None = None,
        attach_status: str | None = None,
        migration_status: str | None = None,
    ) -> None:
        """Write states by hand. It stops nothing: a running migration overwrites them when it ends.

        Detaching by hand deletes the attachments, and the statuses then follow as after any detach.
        """
        wanted = {"status": status, "attach_status": attach_status, "migration_status": migration_status}
        values: dict[str, str | None] = {name: value.lower() for name, value in wanted.items() if value}
        if not values:
            raise errors.InvalidInput(reason="Must specify 'status', 'attach_status' or 'migration_status'.")
        for name, value in values.items():
            if value not in RESETTABLE[name]:
                raise errors.InvalidInput(reason=f"Invalid {name}: '{value}'.")
        if values.get("migration_status") == "none":
            values["migration_status"] = None
        volume = self.get(context, volume_id)
        authorize(context, volume, f"{ADMIN_ACTIONS}:reset_status", admin=True)
        new_status = values.get("status")
        # error_deleting and detaching were to be refused as well, but a missing comma makes one word of them.
        if new_status == "deleting" or (new_status == "in-use" and not volume.volume_attachment):
            raise errors.InvalidInput(reason=f"Cannot reset-state to {new_status}")
        database = self.cloud.database
        database.update(Volume, volume.id, values)
        database.workers.pop(volume.id, None)
        if values.get("attach_status") == "detached":
            for attachment in volume.volume_attachment:
                database.volume_detached(volume.id, attachment.id)
        self._note("reset_status", f"{status or '-'}/{attach_status or '-'}/{migration_status or '-'}")

    # ------------------------------------------------------------------------------------------ snapshots

    def create_snapshot(self, context: Context, volume_id: str) -> Snapshot:
        """Of an available or in-use volume that does not migrate (microversion 3.66).

        Snapshot and quota are those of the caller's project, not of the volume's.
        """
        volume = self.get(context, volume_id)
        self._require_thawed(volume)
        authorize(context, volume, "volume:create_snapshot")
        if volume.status == "maintenance":
            raise errors.InvalidVolume(
                reason="The snapshot cannot be created when the volume is in maintenance mode."
            )
        if volume.migration_status not in AVAILABLE_MIGRATION_STATUSES:
            raise errors.InvalidVolume(reason="Snapshot cannot be created while volume is migrating.")
        if volume.status not in ("available", "in-use"):
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} status must be available, in-use, but current status is: "
                f"{volume.status}."
            )
        database = self.cloud.database
        reservations = self.cloud.reserve(
            context.project_id, volume.volume_type_id, {"snapshots": 1, "gigabytes": volume.size}
        )
        snapshot = database.get_snapshot(
            database.create(
                Snapshot,
                {
                    "volume_id": volume.id,
                    "user_id": context.user_id,
                    "project_id": context.project_id,
                    "volume_size": volume.size,
                    "volume_type_id": volume.volume_type_id,
                    "encryption_key_id": volume.encryption_key_id,
                },
            )
        )
        self.cloud.quotas.commit(reservations)
        self._note("create_snapshot", snapshot.name)
        self.cloud.messaging.cast(TOPIC, "create_snapshot", snapshot, volume.host or "")
        return snapshot

    def delete_snapshot(self, context: Context, snapshot_id: str) -> None:
        """InvalidSnapshot unless available or error."""
        snapshot = self.cloud.database.get_snapshot(snapshot_id)
        volume = self.get(context, snapshot.volume_id)
        authorize(context, volume, "volume:delete_snapshot")
        self._require_thawed(volume)
        if snapshot.status not in ("available", "error"):
            raise errors.InvalidSnapshot(reason="Snapshot status must be available or error.")
        snapshot.status = "deleting"
        snapshot.save()
        self._note("delete_snapshot", snapshot.name)
        self.cloud.messaging.cast(service_host(volume.host or ""), "delete_snapshot", snapshot)

    # ----------------------------------------------------------------------------------- migrate, retype

    def migrate_volume(
        self,
        context: Context,
        volume_id: str,
        host: str | None,
        *,
        cluster: str | None = None,
        force_host_copy: bool = False,
        lock_volume: bool = False,
    ) -> None:
        """202: everything later shows in migration_status only. The host test compares strings."""
        volume = self.get(context, volume_id)
        authorize(context, volume, f"{ADMIN_ACTIONS}:migrate_volume", admin=True)
        if bool(host) == bool(cluster):
            raise errors.InvalidInput(reason="Must specify 'host' or 'cluster', and not both.")
        if cluster or host is None:
            raise errors.InvalidHost(reason=f"No available service in cluster {cluster}.")
        self._require_service(host)
        values = {
            "migration_status": "starting",
            "previous_status": lambda row: row["status"],
        }
        if lock_volume:
            values["status"] = lambda row: "maintenance" if row["status"] == "available" else row["status"]
        expected = {
            "status": ("available", "in-use"),
            "migration_status": AVAILABLE_MIGRATION_STATUSES,
            "replication_status": NOT_REPLICATED,
            "consistencygroup_id": (None, ""),
            "group_id": (None, ""),
            "host": Not(host),
        }
        no_snapshots = not volume.snapshots
        if not self.cloud.database.conditional_update(volume, values, expected, no_snapshots):
            raise errors.InvalidVolume(
                reason=f"Volume {volume.id} status must be available or in-use, must not be migrating, have "
                "snapshots, be replicated, be part of a group and destination host/cluster must be different "
                "than the current one"
            )
        self._note("migrate_volume", f"{volume.name} from {volume.host} to {host}")
        self.cloud.messaging.cast(TOPIC, "migrate_volume", volume, host, force_host_copy)

    def _require_service(self, host: str) -> None:
        """InvalidHost unless a service row exists, enabled and up. A frozen one passes here."""
        address = service_host(host)
        try:
            service = self.cloud.database.service(address)
        except errors.NotFoundError:
            raise errors.InvalidHost(reason=f"No service found for host {host}") from None
        if service.disabled:
            raise errors.InvalidHost(reason=f"Service {address} is disabled")
        if not self.cloud.is_up(address):
            raise errors.InvalidHost(reason=f"Service {address} is down")

    def migrate_volume_completion(
        self, context: Context, volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        """Nova's callback: it waits for the whole completion. Returns the id that goes on."""
        volume = self.get(context, volume_id)
        authorize(context, volume, f"{ADMIN_ACTIONS}:migrate_volume_completion", admin=True)
        new_volume = self.get(context, new_volume_id)
        if not (volume.migration_status or new_volume.migration_status):
            return self._swap_without_migration(volume, new_volume, error)
        if not volume.migration_status:
            raise errors.InvalidVolume(reason=f"Source volume {volume.id} not mid-migration.")
        if not new_volume.migration_status:
            raise errors.InvalidVolume(reason=f"Destination volume {new_volume.id} not mid-migration.")
        if new_volume.migration_status != f"target:{volume.id}":
            raise errors.InvalidVolume(
                reason=f"Destination has migration_status {new_volume.migration_status}, "
                f"expected target:{volume.id}."
            )
        self._note("migrate_volume_completion", f"error={error}")
        saved: str = self.cloud.messaging.call(
            service_host(volume.host or ""), "migrate_volume_completion", volume, new_volume, error
        )
        return saved

    def _swap_without_migration(self, volume: Volume, new_volume: Volume, error: bool) -> str:
        """A swap that Cinder did not start: the attachments go over to the new volume, which goes on."""
        if not error:
            for attachment in volume.volume_attachment:
                self.cloud.messaging.call(
                    service_host(volume.host or ""), "detach_volume", volume.id, attachment.id
                )
                new_volume.admin_metadata.setdefault("readonly", "False")
                new_volume.save()
                if new_volume.admin_metadata["readonly"] == "True":
                    raise errors.InvalidVolumeAttachMode(mode="rw", volume_id=new_volume.id)
                self.cloud.messaging.call(
                    service_host(new_volume.host or ""), "attach_volume", new_volume,
                    attachment.instance_uuid, attachment.attached_host, attachment.mountpoint, "rw",
                )  # fmt: skip
        return new_volume.id

    def retype(
        self, context: Context, volume_id: str, new_type: str, migration_policy: str | None = None
    ) -> None:
        """202; only a later failure of a migration shows in migration_status."""
        volume = self.get(context, volume_id)
        authorize(context, volume, "volume:retype")
        database = self.cloud.database
        kind = database.get_volume_type(new_type)
        _check_size_limits(kind, volume.size)
        if volume.multiattach != kind.multiattach and volume.status != "available":
            raise errors.InvalidInput(
                reason="Invalid volume_type passed, retypes affecting multiattach are only allowed on "
                f"available volumes, the specified volume however currently has a status of: {volume.status}."
            )
        if kind.multiattach and "encryption" in kind.extra_specs:
            # Reads an extra spec where the encryption of a type is none: never true in practice.
            raise errors.InvalidInput(
                reason="Retype requested both encryption and multi-attach, which is not supported."
            )
        deltas = self._type_deltas(volume)
        reservations = self.cloud.reserve(volume.project_id, kind.id, deltas, only_type=True)
        old_reservations = self.cloud.reserve(
            volume.project_id,
            volume.volume_type_id,
            {resource: -delta for resource, delta in deltas.items()},
            only_type=True,
        )
        expected = {
            "status": ("available", "in-use"),
            "migration_status": AVAILABLE_MIGRATION_STATUSES,
            "consistencygroup_id": (None, ""),
            "group_id": (None, ""),
            "volume_type_id": Not(kind.id),
        }
        values = {"status": "retyping", "previous_status": lambda row: row["status"]}
        if not database.conditional_update(volume, values, expected, _qos_allows_retype(volume, kind)):
            self.cloud.quotas.rollback([*reservations, *old_reservations])
            raise errors.InvalidVolume(
                reason="Retype needs volume to be in available or in-use state, not be part of an active "
                "migration or a consistency group, requested type has to be different that the one from the "
                "volume, and for in-use volumes front-end qos specs cannot change."
            )
        zones = kind.extra_specs.get("RESKEY:availability_zones")
        self._note("retype", f"{volume.name} to type {kind.name}, policy {migration_policy or 'never'}")
        self.cloud.messaging.cast(
            TOPIC,
            "retype",
            volume,
            kind.id,
            migration_policy,
            tuple(zone.strip() for zone in zones.split(",")) if zones else (volume.availability_zone,),
            reservations,
            old_reservations,
            context.project_id,
        )
        # Written after the message left, whatever becomes of the retype.
        volume.multiattach = kind.multiattach
        volume.save()

    def _type_deltas(self, volume: Volume) -> dict[str, int]:
        """Per-type quota of a volume with its snapshots (`get_volume_type_reservation`)."""
        snapshots = volume.snapshots
        deltas = {"volumes": 1, "gigabytes": volume.size + sum(each.volume_size for each in snapshots)}
        if snapshots:
            deltas["snapshots"] = len(snapshots)
        return deltas


def _check_size_limits(kind: VolumeType, size: int) -> None:
    """`cinder.volume.volume_types:provision_filter_on_size`."""
    lowest = kind.extra_specs.get("provisioning:min_vol_size")
    highest = kind.extra_specs.get("provisioning:max_vol_size")
    if lowest and size < int(lowest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is less than the minimum required size of {lowest} GB "
            f"for volume type {kind.name}"
        )
    if highest and size > int(highest):
        raise errors.InvalidInput(
            reason=f"Specified volume size of {size} GB is greater than the maximum allowable size of "
            f"{highest} GB for volume type {kind.name}"
        )


def _qos_allows_retype(volume: Volume, kind: VolumeType) -> bool:
    """An in-use volume keeps its QoS specs, or both are the back-end's business."""
    if volume.status != "in-use":
        return True
    old = volume.volume_type
    old_qos = old.qos_specs if old else None
    if (old_qos.id if old_qos else None) == (kind.qos_specs.id if kind.qos_specs else None):
        return True
    return all(qos is None or qos.consumer == "back-end" for qos in (old_qos, kind.qos_specs))
