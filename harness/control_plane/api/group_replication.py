"""Replication of groups, as far as it goes without a driver that replicates (`cinder.group.api:API`, 3.38)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.api.conditions import AVAILABLE_OR_IN_USE
from harness.control_plane.api.groups import Groups
from harness.control_plane.policy import authorize
from harness.model import Context, Group, Volume

REPLICATED = "<is> True"
_TYPE_KEYS = ("group_replication_enabled", "consistent_group_replication_enabled")


class GroupReplication(Groups):
    """disabled -> enabling -> enabled -> failing-over -> failed-over, ... by the group's service."""

    def enable_replication(self, context: Context, group_id: str) -> None:
        """Of a group whose type and volume types replicate. InvalidGroup, InvalidVolume, InvalidGroupType."""
        group = self._replicated(context, group_id, "group:enable_replication")
        before = ("disabled", "enabled")
        _require(group, "status", ("available",), "enable")
        _require(group, "replication_status", before, "enable")
        for volume in self.cloud.database.volumes_of_group(group.id):
            _require(volume, "status", AVAILABLE_OR_IN_USE, "enable")
            _require(volume, "replication_status", before, "enable")
            self._mark(volume, "enabling")
        self._mark(group, "enabling")
        self.cloud.messaging.cast(group.service_topic_queue, "enable_replication", group)

    def disable_replication(self, context: Context, group_id: str) -> None:
        """The same, the other way; the status of the volumes is not looked at."""
        group = self._replicated(context, group_id, "group:disable_replication")
        before = ("enabled", "error")
        _require(group, "status", ("available", "error"), "disable")
        _require(group, "replication_status", before, "disable")
        for volume in self.cloud.database.volumes_of_group(group.id):
            _require(volume, "replication_status", before, "disable")
            self._mark(volume, "disabling")
        self._mark(group, "disabling")
        self.cloud.messaging.cast(group.service_topic_queue, "disable_replication", group)

    def failover_replication(
        self,
        context: Context,
        group_id: str,
        *,
        allow_attached_volume: bool = False,
        secondary_backend_id: str | None = None,
    ) -> None:
        """To a replica, or back with ``default``; volumes in use only if that is allowed."""
        group = self._replicated(context, group_id, "group:failover_replication")
        before = ("enabled", "failed-over")
        _require(group, "status", ("available",), "failover")
        _require(group, "replication_status", before, "failover")
        for volume in self.cloud.database.volumes_of_group(group.id):
            _require(volume, "status", AVAILABLE_OR_IN_USE, "failover")
            if volume.status == "in-use" and not allow_attached_volume:
                raise errors.InvalidVolume(
                    reason=f"Volume {volume.id} is attached but allow_attached_volume flag is False. Cannot "
                    "failover replication."
                )
            _require(volume, "replication_status", before, "failover")
            self._mark(volume, "failing-over")
        self._mark(group, "failing-over")
        self.cloud.messaging.cast(
            group.service_topic_queue,
            "failover_replication",
            group,
            allow_attached_volume,
            secondary_backend_id,
        )

    def list_replication_targets(self, context: Context, group_id: str) -> list[dict[str, Any]]:
        """The replicas that the group's service is configured with; for who is no admin only their ids."""
        group = self._replicated(context, group_id, "group:list_replication_targets")
        targets: list[dict[str, Any]] = self.cloud.messaging.call(
            group.service_topic_queue, "list_replication_targets", group
        )
        if context.is_admin:
            return targets
        return [{"backend_id": each["backend_id"]} for each in targets if each.get("backend_id")]

    def _replicated(self, context: Context, group_id: str, rule: str) -> Group:
        """The group. InvalidGroupType, InvalidVolumeType if a type does not say that it replicates."""
        group = self.get_group(context, group_id)
        authorize(context, rule, group)
        specs = self.cloud.database.get_group_type(group.group_type_id).group_specs
        if not any(specs.get(key) == REPLICATED for key in _TYPE_KEYS):
            raise errors.InvalidGroupType(reason=f"Group {group.id} is not a replication group type.")
        for type_id in group.volume_type_ids:
            if (
                self.cloud.database.get_volume_type(type_id).extra_specs.get("replication_enabled")
                != REPLICATED
            ):
                raise errors.InvalidVolumeType(
                    reason=f"Volume type {type_id} does not have 'replication_enabled' spec key set to "
                    f"'{REPLICATED}'."
                )
        return group

    @staticmethod
    def _mark(record: Group | Volume, replication_status: str) -> None:
        record.replication_status = replication_status
        record.save()


def _require(record: Group | Volume, field: str, wanted: Sequence[str], verb: str) -> None:
    """InvalidGroup or InvalidVolume unless the field has one of these values."""
    value = getattr(record, field)
    if value in wanted:
        return
    kind = "Group" if isinstance(record, Group) else "Volume"
    refusal = errors.InvalidGroup if isinstance(record, Group) else errors.InvalidVolume
    raise refusal(
        reason=f"{kind} {record.id} {field.replace('_', ' ')} must be {list(wanted)}, but current status is: "
        f"{value}. Cannot {verb} replication."
    )
