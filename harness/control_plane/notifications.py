"""Notifications: what services tell whoever listens, such as a bill or a ceilometer.

Sources: `cinder.volume.volume_utils:notify_about_volume_usage` and its siblings,
`cinder.scheduler.manager:SchedulerManager._set_volume_state_and_notify`. Of a migration only its refusal by the
scheduler is told; temporary volumes are neither created nor deleted for those who listen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from harness.model import Group, GroupSnapshot, Snapshot, Volume
from harness.sim.kernel import Kernel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When virtual time begins."""
KEPT = 10_000


class Notification(NamedTuple):
    """One notification. `publisher` is ``volume.host@backend``, ``scheduler`` and the like."""

    time_us: int
    publisher: str
    priority: Literal["INFO", "ERROR"]
    event_type: str
    payload: Mapping[str, Any]


class Notifications:
    """The notification topic; `sent` has the last ones, oldest first."""

    def __init__(self, kernel: Kernel, controller: str) -> None:
        """`controller` is the machine that API and scheduler are on."""
        self._kernel = kernel
        self._controller = controller
        self.sent: deque[Notification] = deque(maxlen=KEPT)

    def volume(self, volume: Volume, suffix: str, host: str, **extra: Any) -> None:
        """``volume.<suffix>`` with the usage of a volume; `extra` overrides what the record says."""
        now = self._kernel.now_us
        payload: dict[str, Any] = {
            "tenant_id": volume.project_id,
            "host": volume.host,
            "user_id": volume.user_id,
            "availability_zone": volume.availability_zone,
            "volume_id": volume.id,
            "volume_type": volume.volume_type_id,
            "display_name": volume.display_name,
            "launched_at": _iso(now if volume.launched_at is None else volume.launched_at),
            "created_at": _iso(now if volume.created_at is None else volume.created_at),
            "status": volume.status,
            "snapshot_id": volume.snapshot_id,
            "size": volume.size,
            "replication_status": volume.replication_status,
            "replication_extended_status": None,
            "replication_driver_data": None,
            "metadata": [{"key": key, "value": value} for key, value in volume.metadata.items()],
            "volume_attachment": [
                {"id": each.id, "instance_uuid": each.instance_uuid, "attach_status": each.attach_status}
                for each in volume.volume_attachment
            ],
        }
        if volume.glance_metadata:
            payload["glance_metadata"] = dict(volume.glance_metadata)
        self._send(f"volume.{host}", "INFO", f"volume.{suffix}", {**payload, **extra})

    def snapshot(self, snapshot: Snapshot, volume: Volume, suffix: str, host: str) -> None:
        """``snapshot.<suffix>`` with the usage of a snapshot."""
        payload = {
            "tenant_id": snapshot.project_id,
            "user_id": snapshot.user_id,
            "availability_zone": volume.availability_zone,
            "volume_id": snapshot.volume_id,
            "volume_size": snapshot.volume_size,
            "snapshot_id": snapshot.id,
            "display_name": snapshot.display_name,
            "status": snapshot.status,
            "metadata": str(snapshot.metadata) if snapshot.metadata else "",
        }
        self._send(f"snapshot.{host}", "INFO", f"snapshot.{suffix}", payload)

    def group(self, group: Group, suffix: str, host: str) -> None:
        """``group.<suffix>``."""
        payload = {
            "tenant_id": group.project_id,
            "user_id": group.user_id,
            "availability_zone": group.availability_zone,
            "group_id": group.id,
            "group_type": group.group_type_id,
            "name": group.name,
            "created_at": _iso(group.created_at or 0),
            "status": group.status,
        }
        self._send(f"group.{host}", "INFO", f"group.{suffix}", payload)

    def group_snapshot(self, group_snapshot: GroupSnapshot, suffix: str, host: str) -> None:
        """``group_snapshot.<suffix>``."""
        payload = {
            "tenant_id": group_snapshot.project_id,
            "user_id": group_snapshot.user_id,
            "group_snapshot_id": group_snapshot.id,
            "name": group_snapshot.name,
            "group_id": group_snapshot.group_id,
            "group_type": group_snapshot.group_type_id,
            "created_at": _iso(group_snapshot.created_at or 0),
            "status": group_snapshot.status,
        }
        self._send(f"group_snapshot.{host}", "INFO", f"group_snapshot.{suffix}", payload)

    def capacity(self, kind: Literal["pool", "backend"], name: str, usage: Mapping[str, float]) -> None:
        """``capacity.pool`` or ``capacity.backend``; `name` is ``host@backend#pool``."""
        payload = {"name_to_id": name, **usage, "reported_at": _iso(self._kernel.now_us)}
        self._send(f"capacity.{self._controller}", "INFO", f"capacity.{kind}", payload)

    def refused(self, method: str, record: Volume | Snapshot, state: object, reason: Exception) -> None:
        """``scheduler.<method>``: no back-end may take what was asked for."""
        key = "volume_id" if isinstance(record, Volume) else "snapshot_id"
        payload = {key: record.id, "state": state, "method": method, "reason": str(reason)}
        self._send("scheduler", "ERROR", f"scheduler.{method}", payload)

    def _send(
        self, publisher: str, priority: Literal["INFO", "ERROR"], event_type: str, payload: Mapping[str, Any]
    ) -> None:
        self.sent.append(Notification(self._kernel.now_us, publisher, priority, event_type, payload))


@lru_cache(maxsize=256)
def _iso(time_us: int) -> str:
    return (EPOCH + timedelta(microseconds=time_us)).isoformat()
