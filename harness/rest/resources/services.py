"""``/os-services``, ``/os-hosts``, ``/scheduler-stats``: what an administrator sees of the back-ends.

Sources: `cinder.api.v3.services`, `cinder.api.contrib.hosts`, `cinder.api.contrib.scheduler_stats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import errors
from harness.control_plane.policy import require_admin
from harness.model import Service
from harness.rest.faults import Fault
from harness.rest.filters import Row, wanted
from harness.rest.operations import Operation
from harness.rest.requests import Request
from harness.rest.schemas import HOST, Schema, any_of, record

View = dict[str, Any]

HOST_MISSING = "Host field is missing."


def _reported_us(request: Request, row: Row) -> int:
    """When the service was last heard of."""
    return request.cloud.services.heard_us(row["host"])


def services(request: Request) -> View:
    """List services."""
    require_admin(request.context, "volume_extension:services:index")
    rows = [
        row
        for row in request.cloud.database.services.values()
        if all(row[field] == request.query[field] for field in ("host", "binary") if field in request.query)
    ]
    return {"services": [_service(request, row) for row in rows]}


def _service(request: Request, row: Row) -> View:
    view: View = {
        "binary": row["binary"],
        "host": row["host"],
        "zone": row["availability_zone"],
        "status": "disabled" if row["disabled"] else "enabled",
        "state": "up" if request.cloud.is_up(row["host"]) else "down",
        "updated_at": request.at(_reported_us(request, row)),
    }
    is_volume = row["binary"] == "cinder-volume"
    if request.since(49) and is_volume:
        view["backend_state"] = _backend_state(request, row["host"])
    if request.since(7):
        view["cluster"] = row["cluster_name"]
    view["disabled_reason"] = row["disabled_reason"]
    if is_volume:
        view |= {field: row[field] for field in ("replication_status", "active_backend_id", "frozen")}
    return view


def _backend_state(request: Request, host: str) -> str | None:
    """What the scheduler has heard; None for a service that it knows no pools of."""
    for pool in request.cloud.scheduler.pools():
        if pool.address.partition("#")[0] == host:
            return str(pool.capabilities.get("backend_state", "up"))
    return None


def _find(request: Request) -> Row:
    """The service that a body names by host and binary. ServiceNotFound."""
    body = request.body
    binary = body.get("binary") or body.get("service")
    if not body.get("host"):
        raise errors.InvalidInput(reason=HOST_MISSING)
    row = request.cloud.database.services.get(body["host"])
    if row is None or row["binary"] != binary:
        raise errors.NotFoundError(f"Service {binary} could not be found on host {body['host']}.")
    return row


def _changed(request: Request, *, disabled: bool) -> View:
    """What the answer says. Since 28.0.0 Cinder says it and does nothing (`ServiceController.enable`)."""
    require_admin(request.context, "volume_extension:services:update")
    row = _find(request)
    return {
        "host": row["host"],
        "service": request.body.get("service", ""),
        "binary": request.body.get("binary", ""),
        "status": "disabled" if disabled else "enabled",
        "disabled": disabled,
    }


def enable(request: Request) -> View:
    """Say that the scheduler may use a service again; to thaw it does."""
    return _changed(request, disabled=False)


def disable(request: Request) -> View:
    """Say that the scheduler may not use a service; with a reason it may not."""
    return _changed(request, disabled=True)


def disable_log_reason(request: Request) -> View:
    """Keep the scheduler from using a service, and say why."""
    reason = request.body.get("disabled_reason")
    answer = _changed(request, disabled=True)
    values = {"disabled": True, **({"disabled_reason": reason} if reason else {})}
    request.cloud.database.update(Service, _find(request)["id"], values)
    return {**answer, "disabled_reason": reason}


def _named(request: Request) -> tuple[str | None, str | None]:
    """The host or the cluster that a body names. InvalidInput."""
    body = request.body
    cluster = body.get("cluster") if request.since(26) else None
    host = body.get("host")
    if bool(host) == bool(cluster):
        raise errors.InvalidInput(
            reason="One and only one of cluster and host must be set." if request.since(26) else HOST_MISSING
        )
    return host, cluster


def freeze(request: Request) -> None:
    """Refuse changes on a back-end."""
    require_admin(request.context, "volume_extension:services:update")
    request.cloud.api.freeze_host(request.context, *_named(request))


def thaw(request: Request) -> str | None:
    """Allow changes on a back-end again."""
    require_admin(request.context, "volume_extension:services:update")
    return request.cloud.api.thaw_host(request.context, *_named(request))


def failover(request: Request) -> None:
    """Fail a back-end over to a replica, or back."""
    require_admin(request.context, "volume_extension:services:update")
    host, cluster = _named(request)
    request.cloud.api.failover_host(request.context, host, cluster, request.body.get("backend_id"))


# ---------------------------------------------------------------------------------------------------- hosts


def hosts(request: Request) -> View:
    """List hosts."""
    require_admin(request.context, "volume_extension:hosts")
    zone = request.query.get("zone")
    return {
        "hosts": [
            {
                "host_name": row["host"],
                "service": row["topic"],
                "zone": row["availability_zone"],
                "service-status": "available" if request.cloud.is_up(row["host"]) else "unavailable",
                "service-state": "enabled",
                "last-update": request.at(_reported_us(request, row)),
            }
            for row in request.cloud.database.services.values()
            if not row["disabled"] and (not zone or row["availability_zone"] == zone)
        ]
    }


def update_host(request: Request) -> View:
    """Nothing that can be done: Cinder has the resource and not what it stands for (`HostAPI`)."""
    name, body = request.path["host"], request.body
    if not request.context.is_admin:
        raise Fault(403, "User does not have admin privileges")
    if all(row["host"] != name for row in request.cloud.database.services.values() if not row["disabled"]):
        raise errors.HostNotFound(host=name)
    for key, value in body.items():
        if key.lower().strip() != "status":
            raise Fault(400, f"Invalid update setting: '{key}'")
        if not isinstance(value, str) or value.lower().strip() not in ("enable", "disable"):
            raise Fault(400, f"Invalid status: '{value}'")
    if body:
        raise Fault(501, "Cinder cannot enable or disable hosts.")
    return {}


def host(request: Request) -> View:
    """Show what projects have on a host."""
    require_admin(request.context, "volume_extension:hosts")
    name = request.path["host"]
    if name not in request.cloud.database.services:
        raise errors.NotFoundError(f"Service cinder-volume could not be found on host {name}.")
    volumes = [
        row
        for row in request.cloud.database.volumes.values()
        if row["host"] == name or str(row["host"] or "").startswith(f"{name}#")
    ]
    ids = {row["id"] for row in volumes}
    snapshots = [row for row in request.cloud.database.snapshots.values() if row["volume_id"] in ids]
    projects = sorted({row["project_id"] for row in volumes})
    return {
        "host": [
            {"resource": _usage(name, "(total)", volumes, snapshots)},
            *(
                {
                    "resource": _usage(
                        name,
                        project,
                        [row for row in volumes if row["project_id"] == project],
                        [row for row in snapshots if row["project_id"] == project],
                    )
                }
                for project in projects
            ),
        ]
    }


def _usage(host: str, project: str, volumes: Sequence[Row], snapshots: Sequence[Row]) -> View:
    return {
        "host": host,
        "project": project,
        "volume_count": str(len(volumes)),
        "total_volume_gb": str(sum(row["size"] for row in volumes)),
        "snapshot_count": str(len(snapshots)),
        "total_snapshot_gb": str(sum(row["volume_size"] for row in snapshots)),
    }


# ---------------------------------------------------------------------------------------------------- pools


def pools(request: Request) -> View:
    """List the pools that the scheduler knows."""
    require_admin(request.context, "scheduler_extension:scheduler_stats:get_pools")
    detail = request.flag("detail")
    filters = wanted(request, "pool", ignored=("detail",)) if request.since(31) else dict(request.query)
    filters.pop("detail", None)
    if not request.since(28):
        filters = {}
    name = filters.get("name")
    wanted_type = filters.get("volume_type") if request.since(35) else None
    specs = request.cloud.database.get_volume_type(wanted_type).extra_specs if wanted_type else {}
    found = [
        pool
        for pool in request.cloud.scheduler.pools()
        if name in (None, pool.address)
        and (
            "volume_backend_name" not in specs
            or pool.capabilities.get("volume_backend_name") == specs["volume_backend_name"]
        )
    ]
    if not detail:
        return {"pools": [{"name": pool.address} for pool in found]}
    return {
        "pools": [{"name": pool.address, "capabilities": _capabilities(pool.capabilities)} for pool in found]
    }


def _capabilities(capabilities: Any) -> View:
    shown = dict(capabilities)
    if isinstance(shown.get("storage_protocol"), list):
        shown["storage_protocol"] = shown["storage_protocol"][0]
    return shown


def get_capabilities(request: Request) -> View:
    """Show what a back-end can do."""
    require_admin(request.context, "volume_extension:capabilities")
    name = request.path["host"]
    if name not in request.cloud.managers:
        raise errors.NotFoundError(f"Can't find service: {name}")
    found = _capabilities(request.cloud.messaging.call(name, "get_capabilities", False))
    return {
        "namespace": f"OS::Storage::Capabilities::{name}",
        **{
            field: found.get(field)
            for field in (
                "vendor_name", "volume_backend_name", "pool_name", "driver_version", "storage_protocol",
                "display_name", "description", "visibility",
            )
        },
        "replication_targets": found.get("replication_targets", []),
        "properties": found.get("properties"),
    }  # fmt: skip


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_NULLABLE: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
_SERVICE = {"binary": _TEXT, "host": HOST, "cluster": _NULLABLE, "service": _TEXT}
_SWITCH = {
    "type": "object",
    "properties": _SERVICE,
    "anyOf": any_of("binary", "service"),
    "additionalProperties": False,
}
_SWITCH_WITH_REASON = {
    **_SWITCH,
    "properties": {**_SERVICE, "disabled_reason": {**_TEXT, "format": "disabled_reason"}},
}
_BACKEND = record({"cluster": _NULLABLE, "host": HOST})
_STATUS: Schema = {
    "type": "object",
    "properties": {"status": {"type": "string", "enum": ["enable", "disable"]}},
}

OPERATIONS = (
    Operation(method="GET", path="/os-services", handler=services, query=("host", "binary")),
    Operation(method="PUT", path="/os-services/enable", handler=enable, bodies=((0, _SWITCH),)),
    Operation(method="PUT", path="/os-services/disable", handler=disable, bodies=((0, _SWITCH),)),
    Operation(
        method="PUT", path="/os-services/disable-log-reason", handler=disable_log_reason,
        bodies=((0, _SWITCH_WITH_REASON),),
    ),
    Operation(method="PUT", path="/os-services/freeze", handler=freeze, bodies=((0, _BACKEND),)),
    Operation(method="PUT", path="/os-services/thaw", handler=thaw, bodies=((0, _BACKEND),)),
    Operation(
        method="PUT", path="/os-services/failover_host", handler=failover, code=202,
        bodies=((0, {**_BACKEND, "properties": {**_BACKEND["properties"], "backend_id": _NULLABLE}}),),
    ),
    Operation(method="GET", path="/os-hosts", handler=hosts, query=("zone",)),
    Operation(method="GET", path="/os-hosts/{host}", handler=host),
    Operation(method="PUT", path="/os-hosts/{host}", handler=update_host, bodies=((0, _STATUS),)),
    Operation(
        method="GET", path="/scheduler-stats/get_pools", handler=pools, query=("detail", "name", "volume_type")
    ),
    Operation(method="GET", path="/capabilities/{host}", handler=get_capabilities, calls=True),
)  # fmt: skip
