"""Migrate, retype, and Nova's callback."""

from __future__ import annotations

from harness import errors
from harness.control_plane.api.chapter import check_size_limits
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.api.connections import Connections
from harness.control_plane.availability_zones import zones_of_type
from harness.control_plane.database import Not
from harness.control_plane.policy import authorize
from harness.control_plane.retype import NOT_REPLICATED
from harness.control_plane.scheduler import TOPIC
from harness.model import Context, Volume, VolumeType
from harness.record import service_host


class Moves(Connections):
    """What takes a volume to another pool or another type."""

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
        action = ACTIONS["migrate"]
        authorize(context, action.rule, volume)
        if bool(host) == bool(cluster):
            raise errors.InvalidInput(reason="One and only one of cluster and host must be set.")
        destination = self._destination(host, cluster)
        values = {
            "migration_status": "starting",
            "previous_status": lambda row: row["status"],
        }
        if lock_volume:
            values["status"] = lambda row: "maintenance" if row["status"] == "available" else row["status"]
        expected = {
            "replication_status": NOT_REPLICATED,
            "consistencygroup_id": (None, ""),
            "group_id": (None, ""),
            # As in Cinder, a cluster is compared without its pool, and so is never where the volume is.
            "cluster_name" if destination != host else "host": Not(destination),
        }
        self.claim(volume, action, values, expected, not volume.snapshots)
        self.note("migrate_volume", f"{volume.name} from {volume.host} to {destination}")
        self.cloud.messaging.cast(TOPIC, "migrate_volume", volume, destination, force_host_copy)

    def _destination(self, host: str | None, cluster: str | None) -> str:
        """The host, or the cluster that its service belongs to, which is then meant as a whole.

        InvalidHost unless a service row exists, enabled and up. A frozen one passes here.
        """
        wanted = cluster or host or ""
        column = "cluster_name" if cluster else "host"
        database = self.cloud.database
        for row in database.services.values():
            named = row[column] == service_host(wanted)
            if named and not database.disabled(row) and self.cloud.is_up(row["host"]):
                return row["cluster_name"] or wanted
        raise errors.InvalidHost(reason=f"No available service named '{wanted}'")

    def migrate_volume_completion(
        self, context: Context, volume_id: str, new_volume_id: str, *, error: bool
    ) -> str:
        """Nova's callback: it waits for the whole completion. Returns the id that goes on."""
        volume = self.get(context, volume_id)
        authorize(context, ACTIONS["migrate_completion"].rule, volume)
        new_volume = self.get(context, new_volume_id)
        if not (volume.migration_status or new_volume.migration_status):
            return self._swap_without_migration(context, volume, new_volume, error)
        if not volume.migration_status:
            raise errors.InvalidVolume(reason="Source volume not mid-migration.")
        if not new_volume.migration_status:
            raise errors.InvalidVolume(reason="Destination volume not mid-migration.")
        if new_volume.migration_status != f"target:{volume.id}":
            raise errors.InvalidVolume(
                reason=f"Destination has migration_status {new_volume.migration_status}, "
                f"expected target:{volume.id}."
            )
        self.note("migrate_volume_completion", f"error={error}")
        saved: str = self.cloud.messaging.call(
            volume.service_topic_queue, "migrate_volume_completion", volume, new_volume, error
        )
        return saved

    def _swap_without_migration(self, context: Context, volume: Volume, new_volume: Volume, error: bool) -> str:
        """A swap that Cinder did not start: the attachments go over to the new volume, which goes on."""
        if not error:
            for attachment in volume.volume_attachment:
                self.detach_record(context, volume, attachment.id)
                self.attach_record(
                    context, new_volume, attachment.instance_uuid, attachment.attached_host,
                    attachment.mountpoint, "rw",
                )  # fmt: skip
        return new_volume.id

    def retype(
        self, context: Context, volume_id: str, new_type: str, migration_policy: str | None = None
    ) -> None:
        """202; only a later failure of a migration shows in migration_status."""
        volume = self.get(context, volume_id)
        action = ACTIONS["retype"]
        authorize(context, action.rule, volume)
        database = self.cloud.database
        kind = database.get_volume_type(new_type)
        check_size_limits(kind, volume.size)
        if volume.multiattach != kind.multiattach:
            if volume.status != "available":
                raise errors.InvalidInput(
                    reason="Invalid volume_type passed, retypes affecting multiattach are only allowed on "
                    "available volumes, the specified volume however currently has a status of: "
                    f"{volume.status}."
                )
            if kind.multiattach:
                authorize(context, "volume:multiattach", volume)
        if kind.multiattach and "encryption" in kind.extra_specs:
            # Reads an extra spec where the encryption of a type is none: never true in practice.
            raise errors.InvalidInput(
                reason="Retype requested both encryption and multi-attach, which is not supported."
            )
        deltas = self._type_deltas(volume)
        reservations = self.cloud.reserve(volume.project_id, kind.id, deltas, only_type=True)
        try:
            old_reservations = self.cloud.reserve(
                volume.project_id,
                volume.volume_type_id,
                {resource: -delta for resource, delta in deltas.items()},
                only_type=True,
            )
        except errors.StorageError as failure:
            # The status before an earlier operation, if there was one; the first reservations stay open.
            database.update(Volume, volume.id, {"status": volume.previous_status})
            raise errors.ServiceError("Failed to update quota usage while retyping volume.") from failure
        expected = {
            "consistencygroup_id": (None, ""),
            "group_id": (None, ""),
            "volume_type_id": Not(kind.id),
        }
        values = {"status": "retyping", "previous_status": lambda row: row["status"]}
        try:
            self.claim(volume, action, values, expected, _qos_allows_retype(volume, kind))
        except errors.InvalidVolume:
            self.cloud.quotas.rollback([*reservations, *old_reservations])
            raise
        self.note("retype", f"{volume.name} to type {kind.name}, policy {migration_policy or 'never'}")
        self.cloud.messaging.cast(
            TOPIC,
            "retype",
            volume,
            kind.id,
            migration_policy,
            zones_of_type(kind) or (volume.availability_zone,),
            reservations,
            old_reservations,
            context,
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


def _qos_allows_retype(volume: Volume, kind: VolumeType) -> bool:
    """An in-use volume keeps its QoS specs, or both are the back-end's business."""
    if volume.status != "in-use":
        return True
    old = volume.volume_type
    old_qos = old.qos_specs if old else None
    if (old_qos.id if old_qos else None) == (kind.qos_specs.id if kind.qos_specs else None):
        return True
    return all(qos is None or qos.consumer == "back-end" for qos in (old_qos, kind.qos_specs))
