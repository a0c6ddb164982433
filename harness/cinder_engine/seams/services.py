"""What Cinder asks of Nova, of the key manager and of its own process."""

from __future__ import annotations

import socket
from typing import Any

import castellan.key_manager
from cinder import compute, exception, quota, rpc, service, utils
from cinder.volume import api as volume_api
from sqlalchemy import event

from harness import errors
from harness.cinder_engine.keys import Castellan
from harness.cinder_engine.seams import releases
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.rpc import Transport
from harness.cinder_engine.seams.stage import Stage


class ComputeApi:
    """`cinder.compute.nova:API` over the servers of the running cell."""

    NotFound = exception.NotFound
    """What `get_server_volume` raises."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def update_server_volume(self, context: Any, server_id: str, src_volid: str, new_volume_id: str) -> None:
        """Swap; raises what the compute API answers."""
        cloud = self._stage.playing
        server = cloud.server_name(server_id)
        cloud.simulation.record("nova.update_server_volume", f"server {server}")
        cloud.nova.update_server_volume(server, src_volid, new_volume_id)

    def get_server(
        self, context: Any, server_id: str, privileged_user: bool = False, timeout: int | None = None
    ) -> Any:
        """ServerNotFound if Nova knows no such server."""
        server = self._stage.playing.nova.servers.get(self._stage.playing.server_name(server_id))
        if server is None:
            raise exception.ServerNotFound(uuid=server_id)
        return server

    def get_server_volume(self, context: Any, server_id: str, volume_id: str) -> Any:
        """What Nova knows of a volume of a server, with its `attachment_id`. NotFound."""
        server = self._stage.playing.nova.servers.get(self._stage.playing.server_name(server_id))
        if server is None or volume_id not in server.disks:
            raise self.NotFound
        return server.disks[volume_id]

    def create_volume_snapshot(self, context: Any, volume_id: str, create_info: dict[str, Any]) -> None:
        """Nova takes part in a snapshot, and tells Cinder so, which waits for it."""
        cloud = self._stage.playing
        cloud.nova.create_volume_snapshot(volume_id, create_info)
        cloud.api.update_snapshot_status(cloud.nova.context, create_info["snapshot_id"], "creating")

    def delete_volume_snapshot(self, context: Any, snapshot_id: str, delete_info: dict[str, Any]) -> None:
        """The same, when one is deleted."""
        cloud = self._stage.playing
        cloud.nova.delete_volume_snapshot(delete_info["volume_id"], delete_info)
        cloud.api.update_snapshot_status(cloud.nova.context, snapshot_id, "deleting")

    def extend_volume(self, context: Any, server_ids: list[str], volume_id: str) -> bool:
        """The guests are told; their disks grow by themselves here."""
        return True


class _RunningService:
    """`cinder.service.Service.service_id`, which is one per process: the id of whoever runs."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __get__(self, instance: Any, owner: type) -> int | None:
        plan = self._stage.plan
        return None if plan is None else self._stage.playing.service_ids[plan.service]


def install(patches: Patches, stage: Stage) -> None:
    """Replace the neighbours, and what a process of its own would be for."""

    real_zones = volume_api.API.list_availability_zones

    def zones(self: Any, enable_cache: bool = False, refresh_cache: bool = False) -> Any:
        # The API outlives a cell, and would remember the zones of another one.
        return real_zones(self, enable_cache=False)

    patches.replace(volume_api.API, "list_availability_zones", zones)
    patches.replace(socket, "gethostname", lambda: stage.hostname)
    patches.replace(rpc, "TRANSPORT", Transport(stage))
    patches.replace(rpc, "NOTIFICATION_TRANSPORT", rpc.TRANSPORT)
    patches.replace(rpc, "NOTIFIER", utils.DO_NOTHING)
    patches.replace(compute, "API", lambda: ComputeApi(stage))
    patches.replace(castellan.key_manager, "API", lambda *arguments, **keywords: Castellan(stage))
    patches.replace(service.Service, "service_id", _RunningService(stage))

    real_reserve = quota.DbQuotaDriver.reserve

    def reserve(self: Any, context: Any, resources: Any, deltas: Any, *rest: Any, **keywords: Any) -> Any:
        # Where the database may fail.
        stage.playing.simulation.strike("quota.reserve", " ".join(deltas))
        return real_reserve(self, context, resources, deltas, *rest, **keywords)

    patches.replace(quota.DbQuotaDriver, "reserve", reserve)

    def noticed(mapper: Any, connection: Any, target: Any) -> None:
        if stage.cloud is not None:
            stage.cloud.database.on_create({"id": target.id, "migration_status": target.migration_status})

    record = releases.models().Volume
    event.listen(record, "after_insert", noticed)
    patches.later(lambda: event.remove(record, "after_insert", noticed))
    releases.run_at_once(patches, releases.threaded())


def translated(error: BaseException) -> errors.ServiceError:
    """A failure of Cinder's as Crucible's runner knows it: a service logs it and goes on."""
    text = str(error).partition("\n")[0] or type(error).__name__
    failure = errors.ServiceError(text)
    failure.__cause__ = error
    return failure
