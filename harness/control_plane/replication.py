"""The manager's chapter on back-ends as a whole: frozen, thawed, failed over; and on groups that replicate.

Sources: `cinder.volume.manager:VolumeManager.freeze_host`, `thaw_host`, `failover`, `failover_completed`,
`enable_replication` and its siblings, `init_host_with_rpc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.group_snapshots import GroupSnapshots
from harness.control_plane.retype import NOT_REPLICATED
from harness.model import Cluster, Group, ModelUpdate, Service, Snapshot, Volume

FAILBACK = "default"
"""The name of the place where a back-end was before it failed over."""


class Replication(GroupSnapshots):
    """What operators ask of a service."""

    # ------------------------------------------------------------------------------------- freeze and thaw

    def freeze_host(self) -> bool:
        """Disable the service; a driver that fails is not heard. The API has written `frozen` before."""
        try:
            self.drive("freeze_backend", self.admin)
        except errors.VolumeDriverException as error:
            self.note("ignored", f"freeze_backend failed: {error}")
        self._update_service({"disabled": True, "disabled_reason": "frozen"})
        self.note("freeze_host", self.host)
        return True

    def thaw_host(self) -> bool:
        """Enable the service; False, and it stays disabled, if the driver fails."""
        try:
            self.drive("thaw_backend", self.admin)
        except errors.VolumeDriverException as error:
            self.note("thaw_backend failed", str(error))
            return False
        self._update_service({"disabled": False, "disabled_reason": ""})
        self.note("thaw_host", self.host)
        return True

    def _service(self) -> Service:
        return self.db.service(self.host)

    def _update_service(self, values: ModelUpdate) -> None:
        self.db.update(Service, self.host, values)

    # -------------------------------------------------------------------------------------------- failover

    def failover(self, secondary_backend_id: str | None) -> None:
        """Everything that is replicated goes over; volumes that are not are in error, unless it comes back."""
        service = self._service()
        replicated = self._replicated_volumes(to_replica=secondary_backend_id != FAILBACK)
        groups = [
            Group.from_row(row, self.db)
            for row in self.db.groups.values()
            if self.is_our_backend(row["host"] or "", row["cluster_name"]) and self._replicates(row)
        ]
        method = "failover" if self.is_clustered else "failover_host"
        try:
            active, of_volumes, of_groups = self.drive(
                method, self.admin, replicated, secondary_id=secondary_backend_id, groups=groups
            )
            volumes = {each["volume_id"]: each["updates"] for each in of_volumes}
            changes = {each["group_id"]: each["updates"] for each in of_groups}
        except Exception as error:  # noqa: BLE001 (a driver may raise anything)
            self.note("failover failed", str(error))
            if isinstance(error, errors.InvalidReplicationTarget):
                before = "failed-over" if service.active_backend_id else "enabled"
                self._finish_failover({"replication_status": before})
            else:
                self._finish_failover({"disabled": True, "replication_status": "failover-error"})
            return
        if secondary_backend_id == FAILBACK:
            status, frozen = "enabled", self.db.frozen(self.db.services[self.host])
            update = {
                "active_backend_id": "",
                "disabled": frozen,
                "disabled_reason": "frozen" if frozen else "",
            }
        else:
            status = "failed-over"
            update = {"active_backend_id": active, "disabled": True, "disabled_reason": "failed-over"}
        self._finish_failover({**update, "replication_status": status})
        for volume in replicated:
            self._failed_over(volume, dict(volumes.get(volume.id, {})), status)
        for group in groups:
            self._failed_over(group, dict(changes.get(group.id, {})), status)
        self.note("failed over", str(active))

    def _replicated_volumes(self, *, to_replica: bool) -> list[Volume]:
        replicated: list[Volume] = []
        for row in list(self.db.volumes.values()):
            if not self.is_our_backend(row["host"] or "", row["cluster_name"]):
                continue
            volume = Volume.from_row(row, self.db)
            if volume.replication_status not in NOT_REPLICATED:
                replicated.append(volume)
            elif to_replica:
                volume.update({"previous_status": volume.status, "status": "error",
                               "replication_status": "not-capable"})  # fmt: skip
                volume.save()
                self._lose_snapshots(volume)
        return replicated

    def _replicates(self, group: dict[str, Any]) -> bool:
        specs = self.db.get_group_type(group["group_type_id"]).group_specs
        keys = ("group_replication_enabled", "consistent_group_replication_enabled")
        return any(specs.get(key) == "<is> True" for key in keys)

    def _failed_over(self, record: Volume | Group, update: ModelUpdate, status: str) -> None:
        if update.get("status") == "error":
            update["replication_status"] = "failover-error"
        elif update.get("replication_status") in (None, "failed-over"):
            update["replication_status"] = status
        if update["replication_status"] == "failover-error":
            update.setdefault("status", "error")
            if isinstance(record, Volume):
                self._lose_snapshots(record)
        if isinstance(record, Volume) and "status" in update:
            update["previous_status"] = record.status
        record.update(update)
        record.save()

    def _lose_snapshots(self, volume: Volume) -> None:
        for snapshot in volume.snapshots:
            self.db.update(Snapshot, snapshot.id, {"status": "error"})

    def _finish_failover(self, values: ModelUpdate) -> None:
        """Of a cluster all services hear of it; each writes its own row."""
        if not self.is_clustered:
            self._update_service(values)
            return
        self.db.update(Cluster, self.topic_queue, values)
        for address in self.cloud.services.of_queue(self.topic_queue):
            self.messaging.cast(address, "failover_completed", values)

    def failover_completed(self, values: ModelUpdate) -> None:
        """One of the cluster has failed the back-end over."""
        self._update_service(values)
        try:
            self.drive("failover_completed", self.admin, self._service().active_backend_id)
        except Exception as error:  # noqa: BLE001 (a driver may raise anything)
            self.note("failover_completed failed", str(error))
            reason = "Driver reported error during replication failover completion."
            self._update_service({"disabled": True, "disabled_reason": reason, "replication_status": "error"})

    # ------------------------------------------------------------------------------- groups that replicate

    def enable_replication(self, group: Group) -> None:
        """InvalidGroup, InvalidVolume unless it is `enabling`; a driver that cannot leaves it so."""
        self._change_replication(group, "enable", "enabling", "enabled")

    def disable_replication(self, group: Group) -> None:
        """The same, the other way."""
        self._change_replication(group, "disable", "disabling", "disabled")

    def failover_replication(
        self, group: Group, allow_attached_volume: bool, secondary_backend_id: str | None
    ) -> None:
        """To a replica, or back. Attached volumes only if that is allowed."""
        for volume in self.db.volumes_of_group(group.id):
            if volume.status == "in-use" and not allow_attached_volume:
                raise errors.InvalidVolume(
                    reason=f"Volume {volume.id} is attached but allow_attached_volume flag is False. Cannot "
                    "failover replication."
                )
        after = "enabled" if secondary_backend_id == FAILBACK else "failed-over"
        self._change_replication(group, "failover", "failing-over", after, secondary_backend_id)

    def _change_replication(self, group: Group, verb: str, before: str, after: str, *arguments: Any) -> None:
        group.refresh()
        volumes = self.db.volumes_of_group(group.id)
        records: list[Group | Volume] = [group, *volumes]
        for record in records:
            if record.replication_status != before:
                kind = "group" if record is group else "volume"
                refusal = errors.InvalidGroup if record is group else errors.InvalidVolume
                raise refusal(
                    reason=f"Replication status in {kind} {record.id} is not {before}. "
                    f"Cannot {verb} replication."
                )
        self.notify_group(group, f"{verb}_replication.start", volumes)
        updates: Sequence[ModelUpdate] | None = None
        try:
            self.require_driver_initialized()
            update, updates = self.drive(f"{verb}_replication", self.admin, group, volumes, *arguments)
            self.write_updates(Volume, updates)
            statuses = [each.get("replication_status") for each in (update or {}, *(updates or ()))]
            if "error" in statuses:
                raise errors.VolumeDriverException(message=f"{verb.capitalize()} replication failed.")
        except errors.ServiceError as error:
            for record in records if not updates else [group]:
                record.update({"status": "error", "replication_status": "error"})
                record.save()
            reason = f"{verb.capitalize()} replication group failed: {error}."
            raise errors.ReplicationGroupError(reason=reason, group_id=group.id) from error
        for record in records:
            record.update({**(update or {} if record is group else {}), "replication_status": after})
            record.save()
        self.notify_group(group, f"{verb}_replication.end", volumes)
        self.note(f"replication {after}", group.id)

    def list_replication_targets(self, group: Group) -> list[dict[str, Any]]:
        """What `replication_device` says."""
        devices: Sequence[dict[str, Any]] = self.configuration.safe_get("replication_device") or ()
        return [dict(device) for device in devices]
